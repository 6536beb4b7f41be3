"""`dovetail extension uninstall` and `dovetail extension receipt`: what goes, what stays, and the proof afterwards."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError
from dovetail.lifecycle.visible_text import visible

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.data_loss import UninstallPreview
    from dovetail.lifecycle.receipt import Entry, Receipt

T = TypeVar("T")
_SHOWN = 20
_LOOK = 0.3
_KUBECONFIG = click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's."
)  # fmt: skip
_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


class NotInstalled(CommandError):
    """There is no plan of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed: there is no InstallPlan {name}. See kubectl get installplans.")


class NoReceipt(CommandError):
    """The extension was never uninstalled here."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no receipt of {name}: it was not uninstalled on this platform.")


class NotConfirmed(CommandError):
    """Nobody could be asked."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Uninstalling {name} would lose data. Say --yes, and --export FILE to take it with you.")


@click.command("uninstall")
@click.argument("name")
@click.option("--preview", is_flag=True, help="Only show what would go and what would stay.")
@click.option(
    "--export", "target", type=click.Path(path_type=Path, dir_okay=False),
    help="First write the data that would be lost to this new file, as YAML for kubectl apply.",
)  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait until it is gone, and show the receipt.")
@click.option("--yes", is_flag=True, help="Do not ask, though data would be lost.")
@_KUBECONFIG
@_OUTPUT
def uninstall(
    name: str, preview: bool, target: Path | None, wait: bool, yes: bool, kubeconfig: Path | None, output: str
) -> None:  # fmt: skip
    """Uninstall the extension NAME, after showing what would be lost.

    Its Subscription goes with it, if it has one.
    """
    as_json = output == "json"

    async def run(client: "Client") -> None:
        plan = await _plan(client, name)
        from dovetail.lifecycle.data_loss import preview_uninstall

        shown = await preview_uninstall(client, plan)
        if not as_json:
            _show_preview(shown)
        exported = await _export(client, shown, target) if target is not None else []
        told: dict[str, Any] = {"preview": _as_json(shown), "exported": len(exported)}
        if target is not None and not as_json:
            click.echo(f"{len(exported)} objects are written to {target}; what lies in volumes is not.")
        if not preview:
            _confirm(shown, name, yes)
            await _delete(client, plan)
            told["deleted"] = True
            if wait:
                receipt = await _wait(client, plan, quiet=as_json)
                told["receipt"] = None if receipt is None else _receipt_json(receipt)
            elif not as_json:
                click.echo(f"{name} is being uninstalled; see dovetail extension receipt {name}.")
        if as_json:
            click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())

    _run(kubeconfig, run)


@click.command("receipt")
@click.argument("name")
@_KUBECONFIG
@_OUTPUT
def receipt(name: str, kubeconfig: Path | None, output: str) -> None:
    """Show what the last uninstall of the extension NAME removed and what it kept."""

    async def run(client: "Client") -> None:
        found = await _newest(client, name)
        if found is None:
            raise NoReceipt(name)
        if output == "json":
            click.echo(orjson.dumps(_receipt_json(found), option=orjson.OPT_INDENT_2).decode())
        else:
            _show_receipt(found)

    _run(kubeconfig, run)


async def _plan(client: "Client", name: str) -> dict[str, Any]:
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
    from dovetail.kube import NotFound

    try:
        return await client.get(INSTALLPLANS, name)
    except NotFound as error:
        raise NotInstalled(name) from error


def _confirm(shown: "UninstallPreview", name: str, yes: bool) -> None:
    if yes or not shown.losses:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(name)
    click.confirm(f"Uninstall {name} and lose this data?", abort=True)


async def _export(client: "Client", shown: "UninstallPreview", target: Path) -> "list[Entry]":
    """Into a file that only its owner reads: Secrets may be in it."""
    from dovetail.lifecycle.exporting import export

    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}. Name a file that does not exist.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        return await export(client, shown, file.write)


async def _delete(client: "Client", plan: dict[str, Any]) -> None:
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, SUBSCRIPTIONS
    from dovetail.kube import Forbidden, NotFound, annotations_of, key_of, uid_of
    from dovetail.lifecycle.subscriptions import OWNER

    name = key_of(plan).name
    try:  # the plan first: it is the one that may be refused
        with contextlib.suppress(NotFound):
            await client.delete(INSTALLPLANS, name, uid=uid_of(plan))
        if subscription := annotations_of(plan).get(OWNER):
            with contextlib.suppress(NotFound):
                await client.delete(SUBSCRIPTIONS, subscription)
    except Forbidden as error:
        raise CommandError(f"{name} is not uninstalled: {error}") from error


async def _wait(client: "Client", plan: dict[str, Any], *, quiet: bool) -> "Receipt | None":
    """Until the plan is gone; its states and problems are told as they come."""
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
    from dovetail.kube import NotFound, key_of, uid_of

    name, told = key_of(plan).name, ""
    while True:
        try:
            now = await client.get(INSTALLPLANS, name)
        except NotFound:
            break
        if uid_of(now) != uid_of(plan):
            break
        line = _progress(now)
        if line != told and not quiet:
            click.echo(visible(line))
        told = line
        await asyncio.sleep(_LOOK)
    found = await _newest(client, name, uid_of(plan))
    if found is not None and not quiet:
        _show_receipt(found)
    return found


def _progress(plan: dict[str, Any]) -> str:
    status: dict[str, Any] = plan.get("status") or {}
    message = next(
        (one.get("message") for one in reversed(status.get("conditions") or []) if one.get("status") == "False"), ""
    )
    state = str(status.get("state") or "Uninstalling")
    return f"{state}: {message}" if message and "Failed" in state else state


async def _newest(client: "Client", name: str, plan_uid: str = "") -> "Receipt | None":
    from dovetail.lifecycle.receipt import unpacked
    from dovetail.lifecycle.receipts import stored

    for obj in await stored(client, name):
        try:
            found = unpacked(obj)
        except ValueError:
            continue
        if plan_uid in ("", found.plan_uid):
            return found
    return None


def _show_preview(shown: "UninstallPreview") -> None:
    click.secho(
        f"Uninstalling {shown.extension} {shown.version} from namespace {shown.namespace or '(none)'}", bold=True
    )
    click.echo(f"removed: {_by_kind(shown.removed) or 'nothing'}")
    _show_group("kept", shown.kept, lambda one: one.reason)
    _show_group("not touched", shown.foreign, lambda one: one.foreign)
    for loss in shown.losses:
        click.secho(visible(f"  data lost: {loss.told}"), fg="red")
    if not shown.losses:
        click.echo("No data would be lost.")
    for note in shown.notes:
        click.echo(visible(f"note: {note}"))


def _show_receipt(found: "Receipt") -> None:
    click.secho(f"{found.summary} ({'complete' if found.complete else 'not complete'})", bold=True)
    who = f" by {found.requested_by}" if found.requested_by else ""
    click.echo(f"begun {found.begun_at}{who}, last looked at {found.finished_at or 'never'}")
    click.echo(f"removed: {_by_kind(one for one in found.objects if one.outcome == 'Removed') or 'nothing'}")
    for outcome, word in (("Leaving", "leaving"), ("Kept", "kept"), ("Foreign", "not touched")):
        _show_group(word, [one for one in found.objects if one.outcome == outcome], lambda one: one.why)
    for note in found.notes:
        click.echo(visible(f"note: {note}"))


def _show_group(word: str, entries: "list[Entry]", why: "Callable[[Entry], str]") -> None:
    for one in entries[:_SHOWN]:
        place = f"{one.namespace}/" if one.namespace else ""
        click.echo(visible(f"  {word}: {one.kind} {place}{one.name}: {why(one)}"))
    if len(entries) > _SHOWN:
        click.echo(f"  {word}: {len(entries) - _SHOWN} more; --output json names all of them")


def _by_kind(entries: "Iterable[Entry]") -> str:
    counts: dict[str, int] = {}
    for one in entries:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _as_json(shown: "UninstallPreview") -> dict[str, Any]:
    import msgspec

    losses = [msgspec.to_builtins(loss) for loss in shown.losses]
    told: dict[str, Any] = msgspec.to_builtins(shown)
    parts = {"removed": shown.removed, "kept": shown.kept, "foreign": shown.foreign}
    return {**told, "losses": losses, "counts": {name: len(entries) for name, entries in parts.items()}}


def _receipt_json(found: "Receipt") -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(found), "complete": found.complete, "counts": found.counts}


def _run(kubeconfig: Path | None, work: "Callable[[Client], Awaitable[T]]") -> T:
    from dovetail.kube.errors import KubeError

    async def connected() -> T:
        from dovetail.kube import Client, ClusterConfig

        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-extension") as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error
