"""`ksbuilder login` and `ksbuilder logout`: who one is at a platform, a repository or a registry."""

import asyncio
import sys
from pathlib import Path

import click

from dovetail.cli.ksbuilder import platform_login
from dovetail.cli.ksbuilder.credentials import PLATFORM, REGISTRY, Credentials, Login
from dovetail.cli.ksbuilder.errors import NotLoggedIn, PlatformRefused
from dovetail.cli.ksbuilder.oci import Registry
from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.packaging.names import is_url
from dovetail.packaging.registry.references import SCHEME, parse


@click.command(short_help="Log in at a platform or a registry.")
@click.argument("place")
@click.option("-u", "--username", help="Who you are.  [asked]")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--insecure", is_flag=True, help="Take any certificate.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Certificates to trust.")
@plain_http_option
@output_option
def login(
    place: str,
    username: str | None,
    password_stdin: bool,
    insecure: bool,
    ca_file: Path | None,
    plain_http: bool | None,
    output: str,
) -> None:
    """Log in at PLACE: a platform or a Helm repository (https://...), or a registry (oci://HOST or HOST).

    The password is asked on a terminal; without one use --username and --password-stdin. What is kept (a platform's
    tokens, the password of a repository or registry) can be read by you alone. A repository's password is not tried.
    """
    name, password = _who(username, password_stdin)
    ca = str(ca_file.absolute()) if ca_file else ""
    where, kind = asyncio.run(_log_in(place, Login(REGISTRY, name, password, "", 0.0, insecure, ca), plain_http))
    if output == "json":
        print_json({"place": where, "kind": kind, "username": name})
        return
    click.echo("Login Succeeded")


@click.command()
@click.argument("place")
@output_option
def logout(place: str, output: str) -> None:
    """Forget the login at PLACE."""
    where = _key(place)
    if not Credentials().remove(where):
        raise NotLoggedIn(where)
    if output == "json":
        print_json({"place": where})
        return
    click.echo("Logout Succeeded")


def _who(username: str | None, from_stdin: bool) -> tuple[str, str]:
    if from_stdin:
        if not username:
            raise click.UsageError("Give --username with --password-stdin.")
        return username, sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("Give --username and --password-stdin: there is no terminal to ask on.")
    name = username or str(click.prompt("Username", err=True))
    return name, str(click.prompt("Password", hide_input=True, err=True))


async def _log_in(place: str, login: Login, plain: bool | None) -> tuple[str, str]:
    """Try the login where it can be tried, and keep it; where, and what that is."""
    where = _key(place)
    store = Credentials()
    with waiting(f"logging in at {where}"):
        if not where.startswith(("http://", "https://")):
            async with Registry(parse(f"{SCHEME}{where}/x"), plain=plain, login=login) as registry:
                await registry.check_login()
        elif await platform_login.is_platform(where, login):
            origin = platform_login.origin_of(where)
            store.put(origin, await platform_login.log_in(origin, login))
            return origin, PLATFORM
    store.put(where, login)
    return where, REGISTRY


def _key(place: str) -> str:
    """Under what a login is kept: a registry's host, or an address without its last slash."""
    if place.startswith(("http://", "https://")):
        if not is_url(place):
            raise PlatformRefused(place, "it is not an address")
        return place.rstrip("/")
    return parse(f"{SCHEME}{place.removeprefix(SCHEME).split('/')[0]}/x").host
