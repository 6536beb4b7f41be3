"""`dovetail extension install`: an InstallPlan for an extension, and with --with-dependencies for all that it takes.

The plans are written all at once; the controllers bring them into order, each going on when what it needs is there.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import orjson

from dovetail.cli.errors import CommandError
from dovetail.cli.extension_cluster import UnknownExtension, on_cluster, surveyed
from dovetail.cli.extension_dependencies import answer_json
from dovetail.lifecycle.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dovetail.kube import Client
    from dovetail.lifecycle.dependencies.catalogue import Situation
    from dovetail.lifecycle.dependencies.conflict import Conflict
    from dovetail.lifecycle.dependencies.demands import Goal
    from dovetail.lifecycle.dependencies.solver import Change, Solution

_IMPOSSIBLE = 2
_LOOK_SECONDS = 0.5


class InstallFailed(CommandError):
    """A plan ended in a failure."""

    def __init__(self, name: str, state: str, why: str) -> None:
        super().__init__(
            f"{name} is {state}: {why or 'no reason is told'}. `dovetail doctor {name}` finds the cause; "
            "the plan stays, and goes on when it is changed."
        )


class StillInstalling(CommandError):
    """It took longer than the command was told to wait."""

    def __init__(self, waiting: "Mapping[str, str]", seconds: float) -> None:
        told = ", ".join(f"{name} ({state})" for name, state in waiting.items())
        super().__init__(
            f"After {seconds:g} s these are not installed yet: {told}. They go on without this command; "
            "`kubectl get installplans` shows them."
        )


@click.command("install")
@click.argument("name")
@click.option("--version", default="", help="This version, or one of a range such as '>=1.2 <2'; by default the best.")
@click.option("--with-dependencies", is_flag=True, help="Install and change other extensions as far as it takes that.")
@click.option(
    "--values", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A YAML file of Helm values."
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what would be installed and changed.")
@click.option("--wait", is_flag=True, help="Wait until everything is installed, and show how far it is.")
@click.option("--timeout", type=float, default=900.0, show_default=True, help="The longest wait, in seconds.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def install(
    name: str, version: str, with_dependencies: bool, values: Path | None, dry_run: bool, wait: bool, timeout: float,
    language: Literal["en", "zh"], kubeconfig: Path | None, output: str,
) -> None:  # fmt: skip
    """Install the extension NAME, or bring it to another version.

    Other extensions are only touched with --with-dependencies. The exit code is 2, and nothing is done, when it does
    not go together with what is installed, or takes more than may be touched.
    """
    from dovetail.lifecycle.dependencies.solver import Solution

    config = None if values is None else values.read_text()

    async def work(client: "Client") -> "tuple[Solution | Conflict, bool]":
        said = await _answer(client, name, version)
        if not isinstance(said, Solution) or dry_run or not _allowed(said, name, with_dependencies):
            return said, False
        await _carry_out(client, said.changes, name, config)
        if wait:
            await _until_installed(client, said.chosen, {name, *(one.extension for one in said.changes)}, timeout)
        return said, True

    said, done = on_cluster(kubeconfig, "dovetail-install", work)
    fits = isinstance(said, Solution) and (dry_run or _allowed(said, name, with_dependencies))
    if output == "json":
        click.echo(
            orjson.dumps({"extension": name, "done": done, "waited": done and wait, **answer_json(said)}).decode()
        )
    else:
        text = "\n".join(_lines(said, name, done=done, waited=wait, fits=fits, language=language))
        click.echo(visible(text))
    raise SystemExit(0 if fits else _IMPOSSIBLE)


async def _answer(client: "Client", name: str, version: str) -> "Solution | Conflict":
    from dovetail.lifecycle.dependencies.conflict import answer
    from dovetail.lifecycle.dependencies.demands import Request

    there = await surveyed(client)
    if not there.catalogue.versions(name) and name not in there.installed:
        raise UnknownExtension(name, version, [])
    return answer(there, Request((_goal(there, name, version),)))


def _goal(there: "Situation", name: str, version: str) -> "Goal":
    """A version that is there is meant exactly, else it is a range."""
    from dovetail.lifecycle.dependencies.demands import Goal

    known = {one.version for one in there.catalogue.versions(name)}
    return Goal(name, version=version) if version in known else Goal(name, range=version)


def _allowed(said: "Solution", name: str, with_dependencies: bool) -> bool:
    return with_dependencies or all(one.extension == name for one in said.changes)


async def _carry_out(client: "Client", changes: "tuple[Change, ...]", name: str, config: str | None) -> None:
    """Write the plans: new ones are made, others get another version and keep everything else."""
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
    from dovetail.kube.errors import NotFound

    wanted = {one.extension: one.after for one in changes}
    if config is not None and name not in wanted:
        await client.patch(INSTALLPLANS, name, {"spec": {"config": config}})
    for extension, version in wanted.items():
        spec: dict[str, Any] = {"extension": {"name": extension, "version": version}}
        if extension == name and config is not None:
            spec["config"] = config
        try:
            await client.patch(INSTALLPLANS, extension, {"spec": spec})
        except NotFound:
            made = {
                "apiVersion": INSTALLPLANS.api_version,
                "kind": INSTALLPLANS.kind,
                "metadata": {"name": extension},
                "spec": {**spec, "enabled": True, "upgradeStrategy": "Manual"},
            }
            await client.create(INSTALLPLANS, made)


async def _until_installed(client: "Client", chosen: "Mapping[str, str]", names: set[str], timeout: float) -> None:
    """Look at the plans until all are installed, or one has failed for good. Progress goes to the error stream."""
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS

    told: dict[str, str] = {}
    waiting = dict.fromkeys(sorted(names), "")
    try:
        async with asyncio.timeout(timeout):
            while waiting:
                for name in list(waiting):
                    waiting[name] = state = _judged(name, await client.get(INSTALLPLANS, name), chosen[name])
                    if told.get(name) != state:
                        told[name] = state
                        click.echo(visible(f"{name}: {state}"), err=True)
                    if state.startswith("Installed"):
                        del waiting[name]
                if waiting:
                    await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise StillInstalling(waiting, timeout) from None


def _judged(name: str, plan: "Mapping[str, Any]", version: str) -> str:
    """How far a plan is. Raises InstallFailed when nothing more comes by itself."""
    from dovetail.lifecycle import states
    from dovetail.lifecycle.dependencies.gate import MISSING
    from dovetail.lifecycle.objects import generation_of, mapping, status_of
    from dovetail.lifecycle.progress import recorded_of

    status = status_of(plan)
    recorded = recorded_of(status)
    if recorded.generation != generation_of(plan):
        return "waiting"
    if recorded.state == states.INSTALLED and recorded.version == version:
        return f"Installed {version}"
    rejected = recorded.problem and status.get("reason") != MISSING
    if recorded.state in states.FAILED and (rejected or recorded.attempt.exhausted):
        raise InstallFailed(name, recorded.state, recorded.problem or recorded.attempt.message)
    step = mapping(status.get("progress"))
    percent = f" {step['percent']} %" if "percent" in step else ""
    words = [recorded.state or "waiting", str(step.get("step") or ""), str(step.get("object") or "")]
    why = recorded.problem or (recorded.attempt.message if recorded.state in states.FAILED else "")
    return " ".join(word for word in words if word) + percent + (f" ({why})" if why else "")


def _lines(
    said: "Solution | Conflict", name: str, *, done: bool, waited: bool, fits: bool, language: Literal["en", "zh"]
) -> list[str]:
    from dovetail.lifecycle.dependencies import words
    from dovetail.lifecycle.dependencies.solver import Solution

    if not isinstance(said, Solution):
        return words.conflict(said, language).split("\n")
    en = language == "en"
    steps = [f"  - {words.change(one, language)}" for one in said.changes]
    wishes = [words.wish(one, language) for one in said.wishes]
    if not said.changes:
        version = said.chosen[name]
        return [f"{name} {version} is installed already." if en else f"{name} {version} 已安装。"]
    if not fits:
        title = f"To install {name} others have to be installed or changed:" if en else f"安装 {name} 还需要以下改动："
        way_out = (
            "Nothing was done. Say --with-dependencies to do all of that."
            if en
            else "未做任何改动。使用 --with-dependencies 执行以上全部步骤。"
        )
        return [title, *steps, way_out]
    if not done:
        return ["This would be done:" if en else "将执行：", *steps, *wishes]
    title = ("Done:" if en else "已完成：") if waited else ("These plans are written:" if en else "已写入安装计划：")
    return [title, *steps, *wishes]
