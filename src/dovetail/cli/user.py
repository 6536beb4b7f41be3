"""`dovetail user`: create, list, disable, enable, delete users of a platform and set their passwords.

It talks to the cluster with a kubeconfig, as kubectl does. A password comes from a prompt, or as one line from standard
input when that is no terminal; never from the command line, where every process of the machine could read it.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError, UnknownUser

if TYPE_CHECKING:
    from dovetail.kube import Client

T = TypeVar("T")

_KUBECONFIG = click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's."
)  # fmt: skip
_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
_FIRST = click.option("--must-change", is_flag=True, help="The password has to be changed at the next log-in.")
_LINE = "{:24} {:10} {:28} {:24} {}"


@click.group("user")
def user() -> None:
    """Create, list, disable and delete users, and set their passwords."""


@user.command("create")
@click.argument("name")
@click.option("--email", default="", help="Good for logging in, too.")
@click.option("--display-name", default="")
@click.option("--role", default="", help="A GlobalRole, such as platform-regular.")
@click.option("--generate", is_flag=True, help="Make a password and print it once, instead of asking for one.")
@_FIRST
@_KUBECONFIG
@_OUTPUT
def create(
    name: str, email: str, display_name: str, role: str, generate: bool, must_change: bool, kubeconfig: Path | None,
    output: str,
) -> None:  # fmt: skip
    """Create the user NAME."""
    from dovetail.iam import administered_users as users
    from dovetail.kube.errors import NotFound

    password = _password(generate)
    new = users.UserToMake(name, password, email, display_name, role, must_change)
    try:
        _run(kubeconfig, lambda client: users.make(client, new))
    except NotFound as error:
        raise CommandError(f"There is no GlobalRole {role!r}.") from error
    _say(
        output,
        {"user": name, **({"password": password} if generate else {})},
        _made("is created", name, password, generate),
    )


@user.command("password")
@click.argument("name")
@click.option("--generate", is_flag=True, help="Make a password and print it once, instead of asking for one.")
@_FIRST
@_KUBECONFIG
@_OUTPUT
def password(name: str, generate: bool, must_change: bool, kubeconfig: Path | None, output: str) -> None:
    """Set the password of NAME and end the user's sessions."""
    chosen = _password(generate)
    _set_password(kubeconfig, name, chosen, must_change)
    told = {"user": name, **({"password": chosen} if generate else {})}
    _say(output, told, _made("has a new password; all sessions have ended", name, chosen, generate))


@user.command("disable")
@click.argument("name")
@_KUBECONFIG
@_OUTPUT
def disable(name: str, kubeconfig: Path | None, output: str) -> None:
    """Keep NAME from logging in and end the user's sessions."""
    _set_state(name, "Disabled", kubeconfig, output)


@user.command("enable")
@click.argument("name")
@_KUBECONFIG
@_OUTPUT
def enable(name: str, kubeconfig: Path | None, output: str) -> None:
    """Let NAME log in again."""
    _set_state(name, "Active", kubeconfig, output)


@user.command("delete")
@click.argument("name")
@_KUBECONFIG
@_OUTPUT
def delete(name: str, kubeconfig: Path | None, output: str) -> None:
    """Delete the user NAME."""
    from dovetail.iam import administered_users as users

    _on_user(kubeconfig, name, lambda client: users.remove(client, name))
    _say(output, {"user": name, "state": "Deleted"}, f"{name} is deleted.")


@user.command("list")
@_KUBECONFIG
@_OUTPUT
def list_users(kubeconfig: Path | None, output: str) -> None:
    """List all users."""
    from dovetail.iam import administered_users as users

    lines = _run(kubeconfig, users.listed)
    if output == "json":
        shown = [
            {"name": one.name, "state": one.state, "email": one.email, "roles": list(one.roles),
             "lastLoginTime": one.last_login or None}
            for one in lines
        ]  # fmt: skip
        click.echo(orjson.dumps({"users": shown}).decode())
        return
    click.echo(_LINE.format("NAME", "STATE", "EMAIL", "ROLES", "LAST LOGIN"))
    for one in lines:
        click.echo(_LINE.format(one.name, one.state, one.email, ",".join(one.roles), one.last_login).rstrip())


def new_password(kubeconfig: Path | None, name: str) -> str:
    """Give a user a new generated password. Raises CommandError."""
    chosen = _password(generate=True)
    _set_password(kubeconfig, name, chosen, must_change=False)
    return chosen


def _set_password(kubeconfig: Path | None, name: str, chosen: str, must_change: bool) -> None:
    from dovetail.iam import administered_users as users

    _on_user(kubeconfig, name, lambda client: users.set_password(client, name, chosen, first=must_change))


def _set_state(name: str, state: str, kubeconfig: Path | None, output: str) -> None:
    from dovetail.iam import administered_users as users

    _on_user(kubeconfig, name, lambda client: users.set_state(client, name, state))
    _say(output, {"user": name, "state": state}, f"{name} is {'enabled' if state == 'Active' else 'disabled'}.")


def _password(generate: bool) -> str:
    """A generated one, one from the prompt, or one line of standard input."""
    if generate:
        from dovetail.iam.passwords import generate_password

        return generate_password()
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise CommandError("There is no password on standard input. Write it there, or say --generate.")
    return line


def _made(what: str, name: str, chosen: str, generated: bool) -> str:
    return f"{name} {what}." + (f" Password (shown only now): {chosen}" if generated else "")


def _say(output: str, told: dict[str, str], sentence: str) -> None:
    click.echo(orjson.dumps(told).decode() if output == "json" else sentence)


def _on_user(kubeconfig: Path | None, name: str, work: "Callable[[Client], Awaitable[T]]") -> T:
    """As `_run`, where what is not found is the user."""
    from dovetail.kube.errors import NotFound

    try:
        return _run(kubeconfig, work)
    except NotFound as error:
        raise UnknownUser(name) from error


def _run(kubeconfig: Path | None, work: "Callable[[Client], Awaitable[T]]") -> T:
    """Do something with the cluster. Raises CommandError, and kube's NotFound."""
    import uvloop

    from dovetail.iam.administered_users import EmailTaken
    from dovetail.iam.errors import WeakPassword
    from dovetail.kube.errors import AlreadyExists, Invalid, KubeError, NotFound

    try:
        return uvloop.run(_connected(kubeconfig, work))
    except (WeakPassword, EmailTaken) as error:
        raise CommandError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    except AlreadyExists as error:
        raise CommandError("There is a user of this name already.") from error
    except Invalid as error:
        raise CommandError(f"The cluster does not take it: {error}") from error
    except NotFound:
        raise
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


async def _connected(kubeconfig: Path | None, work: "Callable[[Client], Awaitable[T]]") -> T:
    from dovetail.kube import Client, ClusterConfig

    async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-user") as client:
        return await work(client)
