"""`ksbuilder test`: does the extension do what it should? Everything from its own tests to its pages in a browser.

    tests      what the project brings: the front end's, the backend's
    check      all rules, rendered as the platform would: schemas, permissions, images, menus, bundles
    install    on a platform of its own, with an embedded cluster, as the account that has exactly its permissions
    pages      every page in headless Chromium, as a user sees it

A step that fails does not keep those after it from running, unless they build on it.
"""

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from dovetail.cli.errors import CommandError
from dovetail.cli.ksbuilder import processes
from dovetail.cli.ksbuilder.development import Backend, Development, Reporter, scripts_of
from dovetail.cli.ksbuilder.fresh_platform import Platform, fresh_platform
from dovetail.cli.ksbuilder.pages import Look, look
from dovetail.cli.ksbuilder.parcels import read_parcel
from dovetail.cli.ksbuilder.reporting import as_json, output_option, print_json
from dovetail.cli.ksbuilder.verdicts import look as look_at_rules
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.kube import Client, ClusterConfig, KubeError
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.findings import errors_of
from dovetail.packaging.manifests import items, mapping

_PATIENCE: Final = 600.0


@dataclass
class Step:
    """One step: its outcome and what it has to say."""

    name: str
    problems: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    skipped: str = ""
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def outcome(self) -> str:
        """One word."""
        return "failed" if self.problems else "skipped" if self.skipped else "passed"


@click.command(short_help="Try an extension: tests, rules, pages.")
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=Path())
@click.option("--no-tests", is_flag=True, help="Leave the project's own tests out.")
@click.option("--no-install", is_flag=True, help="Leave the installation and the pages out.")
@click.option("--screenshots", type=click.Path(path_type=Path, file_okay=False), help="Keep a picture of every page.")
@output_option
def test(path: Path, no_tests: bool, no_install: bool, screenshots: Path | None, output: str) -> None:
    """Test the extension at PATH, a directory or a .tgz: its own tests, all rules, an installation, its pages.

    The installation is on a platform that is started for it and removed afterwards. Exit code 1 if anything failed.
    """
    steps: list[Step] = []

    def run(name: str, action: Callable[[Step], None]) -> Step:
        step, begun = Step(name), time.monotonic()
        with waiting(name):
            try:
                action(step)
            except (CommandError, PackagingError, KubeError) as error:
                step.problems.append(str(error))
        step.seconds = round(time.monotonic() - begun, 2)
        steps.append(step)
        if output == "text":
            _print(step)
        return step

    if not no_tests and path.is_dir():
        for name, command, folder in _own_tests(path):
            run(name, lambda step, command=command, folder=folder: _run_tests(step, command, folder))
    usable = not run("check", lambda step: _check(step, path)).problems
    if not no_install and usable:
        run("install and pages", lambda step: asyncio.run(_install(step, path, screenshots)))
    failed = any(step.problems for step in steps)
    if output == "json":
        print_json({"path": str(path), "ok": not failed, "steps": [_as_json(step) for step in steps]})
    sys.exit(1 if failed else 0)


def _own_tests(path: Path) -> list[tuple[str, list[str], Path]]:
    """The tests that a project brings: what they are called, the command, and where it runs."""
    found: list[tuple[str, list[str], Path]] = []
    if "test" in scripts_of(path):
        found.append(("front end's tests", ["npm", "test", "--silent"], path / "frontend"))
    if (path / "backend" / "go.mod").is_file():
        found.append(("backend's tests", ["go", "test", "./..."], path / "backend"))
    elif (path / "backend" / "tests").is_dir():
        found.append(("backend's tests", [sys.executable, "-m", "unittest", "discover", "tests"], path / "backend"))
    return found


def _run_tests(step: Step, command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        step.skipped = f"{command[0]} is not installed"
        return
    if command[0] == "npm" and not (folder / "node_modules").exists():
        step.skipped = "npm install was not run in frontend/"
        return
    code, output = asyncio.run(_output(command, folder))
    if code != 0:
        how = "failed" if code is not None else f"did not end within {_PATIENCE:.0f} s"
        step.problems.append(f"{' '.join(command)} {how}:\n" + "\n".join(output.strip().split("\n")[-20:]))


async def _output(command: list[str], folder: Path) -> tuple[int | None, str]:
    """The exit code of a program (None if it did not end) and what it printed."""
    with tempfile.TemporaryFile() as file:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
        code = None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    code = await process.wait()
        finally:
            await processes.end(process)
        file.seek(0)
        return code, file.read().decode("utf-8", "replace")


def _check(step: Step, path: Path) -> None:
    from dovetail.cli.ksbuilder.rendering import Situation
    from dovetail.packaging.rules import DEEP, LINT

    (findings,) = look_at_rules([path], (*LINT, *DEEP), Situation()).values()
    step.problems = [str(finding) for finding in errors_of(findings)]
    step.notes = [str(finding) for finding in findings if finding.severity == "warning"]
    step.details = {"findings": as_json(findings)}


async def _install(step: Step, path: Path, shots: Path | None) -> None:
    async with fresh_platform() as platform:
        config = ClusterConfig.load(platform.kubeconfig)
        async with Client(config, user_agent="ksbuilder") as client:
            backend = Backend.of(path, _Silent())
            development = Development(client, path, _Silent(), None, backend)
            try:
                if backend is not None:
                    await backend.start(client)
                await development.bring()
                await _look(step, platform, path, shots, local=backend is not None)
            finally:
                if backend is not None:
                    await backend.stop()


async def _look(step: Step, platform: Platform, path: Path, shots: Path | None, *, local: bool) -> None:
    """Open the pages. Without a backend here, what answers with an error is only noted: no pod runs there."""
    bundles, entries = await _expected(path)
    looks = await look(platform.url, platform.user, platform.password, bundles=bundles, entries=entries, shots=shots)
    for one in looks:
        step.problems += [f"{one.path}: {one.problem}"] if one.problem else []
        (step.problems if local else step.notes).extend(f"{one.path}: {line}" for line in one.refused)
    step.details = {"pages": [{"path": one.path, "text": one.text, "problem": one.problem} for one in looks]}
    step.notes += [f"{one.path} shows: {_first_line(one)}" for one in looks if not one.problem]


def _first_line(one: Look) -> str:
    return one.text.split("\n")[0][:80] if one.text else "a picture or a frame"


async def _expected(path: Path) -> tuple[bool, list[str]]:
    """Whether there is a front end, and the titles of the menu entries that need none."""
    from dovetail.cli.ksbuilder.rendering import Situation, renderer

    package, parcel = read_parcel(path)
    async with renderer(Situation()) as helm:
        examined = await helm.examine(package, parcel.data)
    kinds = {obj.kind for obj in examined.objects}
    titles = [
        str(entry.get("title", ""))
        for obj in examined.objects
        if obj.kind == "ExtensionEntry"
        for entry in map(mapping, items(mapping(obj.value.get("spec")).get("entries")))
    ]
    return "JSBundle" in kinds, [title for title in titles if title]


class _Silent(Reporter):
    def __init__(self) -> None:
        super().__init__(as_json=True)

    def say(self, event: str, text: str, **facts: Any) -> None:
        pass


def _as_json(step: Step) -> dict[str, Any]:
    told = {"name": step.name, "outcome": step.outcome, "seconds": step.seconds, "problems": step.problems}
    return {**told, "notes": step.notes, "skipped": step.skipped, **step.details}


def _print(step: Step) -> None:
    colour = {"passed": "green", "failed": "red", "skipped": "yellow"}[step.outcome]
    click.secho(f"{step.outcome:<8}", fg=colour, nl=False)
    click.echo(f"{step.name} ({step.seconds:.1f} s)" + (f": {step.skipped}" if step.skipped else ""))
    for line in (*step.problems, *step.notes):
        click.echo("  " + line.replace("\n", "\n  "))
