"""Looking at extensions and telling what was found: what validate, lint and check share.

An extension is opened (files and metadata), rendered if the rules look at objects, and the findings are printed: as
text for people, as JSON, as SARIF or as annotations of GitHub. The exit code is 1 if there are errors (with `strict`,
warnings, too).
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dovetail import __version__
from dovetail.cli.ksbuilder.reporting import as_json, print_json
from dovetail.cli.ksbuilder.subjects import read_subject, source_date
from dovetail.packaging.findings import Finding, ordered

if TYPE_CHECKING:
    from dovetail.cli.ksbuilder.rendering import Situation
    from dovetail.packaging.checking import Opened
    from dovetail.packaging.examined import Examined
    from dovetail.packaging.rules import Rule

    Ask = Callable[[Examined], Awaitable[Sequence[Finding]]]

format_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json", "sarif", "github"]), default="text", show_default=True,
    help="How to print.",
)  # fmt: skip
strict_option = click.option("--strict", is_flag=True, help="Let warnings fail, too.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
Checked = dict[str, tuple[Finding, ...]]
_COLOURS: Mapping[str, str] = {"error": "red", "warning": "yellow", "note": "cyan"}


def look(
    paths: Sequence[Path], rules: "Sequence[Rule]" = (), situation: "Situation | None" = None, ask: "Ask | None" = None
) -> Checked:
    """The findings of every path. Without a situation nothing is rendered; `ask` may look outside of the package.

    Raises CommandError, PackagingError.
    """
    if situation is None:
        return {str(path): _opened(path).findings for path in paths}
    return asyncio.run(_look(paths, rules, situation, ask))


async def _look(paths: Sequence[Path], rules: "Sequence[Rule]", situation: "Situation", ask: "Ask | None") -> Checked:
    from dovetail.cli.ksbuilder.rendering import renderer
    from dovetail.cli.ksbuilder.waiting import waiting
    from dovetail.packaging.checking import apply
    from dovetail.packaging.places import relocated

    checked: Checked = {}
    async with renderer(situation) as helm:
        with waiting("looking at extensions") as told:
            for path in paths:
                told.what = f"looking at {path}"
                opened = _opened(path)
                if opened.package is None:
                    checked[str(path)] = opened.findings
                else:
                    examined = await helm.examine(opened.package, opened.archive)
                    asked = await ask(examined) if ask is not None else ()
                    found = ordered((*opened.findings, *apply(rules, examined), *asked))
                    checked[str(path)] = relocated(found, opened.folders)
    return checked


def _opened(path: Path) -> "Opened":
    from dovetail.packaging.checking import opened

    return opened(read_subject(path), time=source_date(os.environ.get("SOURCE_DATE_EPOCH", "")))


def conclude(what: str, checked: Checked, output: str, *, strict: bool = False, quiet: bool = False) -> None:
    """Print the findings and leave with the exit code."""
    fatal = ("error", "warning") if strict else ("error",)
    if quiet:
        checked = {path: tuple(one for one in found if one.severity != "note") for path, found in checked.items()}
    failed = {path for path, found in checked.items() if any(one.severity in fatal for one in found)}
    if output == "json":
        _print_json(checked, failed)
    elif output == "sarif":
        from dovetail.packaging.reports import sarif

        print_json(sarif(_folders(checked), __version__))
    elif output == "github":
        from dovetail.packaging.reports import github

        click.echo(github(_folders(checked)), nl=False)
    else:
        _print_text(what, checked)
    sys.exit(1 if failed else 0)


def _folders(checked: Checked) -> Checked:
    """By folder: findings of an archive have no file of their own in a repository and count for the one around it."""
    folders: Checked = {}
    for path, found in checked.items():
        folder = os.path.relpath(path if Path(path).is_dir() else Path(path).parent)
        folders[folder] = (*folders.get(folder, ()), *found)
    return folders


def _print_json(checked: Checked, failed: set[str]) -> None:
    reports = [{"path": path, "ok": path not in failed, "findings": as_json(found)} for path, found in checked.items()]
    print_json(reports[0] if len(reports) == 1 else {"ok": not failed, "extensions": reports})


def _print_text(what: str, checked: Checked) -> None:
    for path, found in checked.items():
        click.echo(f"{what} extension {path}")
        for finding in found:
            click.secho(str(finding), fg=_COLOURS[finding.severity])
        click.echo(_summary(found))


def _summary(found: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in found)
    parts = [
        f"{counts[severity]} {severity}{'s' * (counts[severity] > 1)}" for severity in _COLOURS if counts[severity]
    ]
    return ", ".join(parts) or "no issues found"
