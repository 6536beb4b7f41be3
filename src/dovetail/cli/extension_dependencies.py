"""`dovetail extension dependencies`: what a version of an extension needs, whether it is there, and who needs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import orjson

from dovetail.cli.extension_cluster import UnknownExtension, on_cluster, surveyed

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.dependencies.conflict import Conflict
    from dovetail.lifecycle.dependencies.overview import Depends, Overview
    from dovetail.lifecycle.dependencies.solver import Solution

Language = Literal["en", "zh"]
_LACKING = 2


@click.command("dependencies")
@click.argument("name")
@click.option("--version", default="", help="Of this version; by default the installed one, else the best there is.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dependencies(name: str, version: str, language: Language, kubeconfig: Path | None, output: str) -> None:
    """Show what the extension NAME needs, what installing it would take, and what would break without it.

    The exit code is 0 when everything that is required is there, 2 when it is not.
    """
    shown, said = on_cluster(kubeconfig, "dovetail-dependencies", lambda client: _look(client, name, version))
    if output == "json":
        click.echo(orjson.dumps(as_json(shown, said)).decode())
    else:
        click.echo("\n".join(lines(shown, said, language)))
    raise SystemExit(_LACKING if shown.lacking else 0)


async def _look(client: "Client", name: str, version: str) -> "tuple[Overview, Solution | Conflict]":
    from dovetail.lifecycle.dependencies.conflict import answer
    from dovetail.lifecycle.dependencies.demands import Goal, Request
    from dovetail.lifecycle.dependencies.overview import chosen, overview

    there = await surveyed(client)
    one = chosen(there, name, version)
    if one is None:
        raise UnknownExtension(name, version, [known.version for known in there.catalogue.versions(name)])
    return overview(there, one), answer(there, Request((Goal(name, version=one.version),)))


def as_json(shown: "Overview", said: "Solution | Conflict") -> dict[str, Any]:
    """Everything that is told, for programs."""
    return {
        "extension": shown.extension,
        "version": shown.version,
        "installed": shown.installed or None,
        "dependencies": [
            {"name": one.target, "type": one.type, "range": one.range, "required": one.required, "state": one.met,
             "installed": one.installed or None, "best": one.best or None}
            for one in shown.depends
        ],
        "neededBy": [
            {"extension": one.extension, "version": one.version, "needs": one.target, "range": one.range}
            for one in shown.needed_by
        ],
        **answer_json(said),
    }  # fmt: skip


def answer_json(said: "Solution | Conflict") -> dict[str, Any]:
    """The solver's answer, for programs: steps, or a contradiction with its repairs, in both languages."""
    from dovetail.lifecycle.dependencies import words
    from dovetail.lifecycle.dependencies.solver import Solution

    if isinstance(said, Solution):
        return {
            "changes": [
                {"extension": one.extension, "action": one.verb, "from": one.before or None, "to": one.after or None}
                for one in said.changes
            ],
            "wishes": [words.wish(one, "en") for one in said.wishes],
        }
    return {
        "conflict": {
            "core": [{code: words.statement(one, code) for code in words.LANGUAGES} for one in said.core],
            "repairs": [{code: words.repair(one, code) for code in words.LANGUAGES} for one in said.repairs],
        }
    }


def lines(shown: "Overview", said: "Solution | Conflict", language: Language) -> list[str]:
    """Everything that is told, for people."""
    from dovetail.lifecycle.dependencies import words
    from dovetail.lifecycle.dependencies.solver import Solution

    en = language == "en"
    title = f"{shown.extension} {shown.version}"
    told = [f"{title} needs:" if en else f"{title} 需要："] if shown.depends else []
    told += [f"  - {_dependency(one, language)}" for one in shown.depends]
    told += [] if shown.depends else [f"{title} needs no other extension." if en else f"{title} 不需要其他扩展。"]
    if shown.needed_by:
        told.append("Without it these would break:" if en else "卸载后以下扩展将无法工作：")
        told += [f"  - {words.broken(one, language)}" for one in shown.needed_by]
    if not isinstance(said, Solution):
        return [*told, words.conflict(said, language)]
    if said.changes:
        told.append("Installing it would:" if en else "安装步骤：")
        told += [f"  - {words.change(one, language)}" for one in said.changes]
    return [*told, *(words.wish(one, language) for one in said.wishes)]


def _dependency(one: "Depends", language: Language) -> str:
    named = f"{one.target} {one.range}".strip()
    if language == "en":
        kind = "required" if one.required else "optional"
        state = {
            "met": f"{one.installed} is installed", "missing": "not installed",
            "other version": f"{one.installed} is installed",
            "not enforced": f"a {one.type}, not installed by the platform",
        }[one.met]  # fmt: skip
        best = f"; {one.best} would do" if one.best and one.met in ("missing", "other version") else ""
        return f"{named} ({kind}): {state}{best}"
    kind = "必需" if one.required else "可选"
    state = {
        "met": f"已安装 {one.installed}", "missing": "未安装", "other version": f"已安装 {one.installed}",
        "not enforced": f"类型为 {one.type}，平台不负责安装",
    }[one.met]  # fmt: skip
    best = f"；可使用 {one.best}" if one.best and one.met in ("missing", "other version") else ""
    return f"{named}（{kind}）：{state}{best}"
