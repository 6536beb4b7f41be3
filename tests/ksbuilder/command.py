"""Running the real ksbuilder, as a user would."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from dovetail.cli.errors import CommandError
from dovetail.cli.ksbuilder import ksbuilder as command
from dovetail.packaging import PackagingError

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "samples" / "extensions"


def ksbuilder(*arguments: str | Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command and wait for it."""
    cleared = {key: value for key, value in os.environ.items() if key not in ("KUBECONFIG", "SOURCE_DATE_EPOCH")}
    return subprocess.run(
        [sys.executable, "-m", "dovetail.cli.ksbuilder", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=50, env={**cleared, "HOME": str(cwd), **environment},
    )  # fmt: skip


def refused(process: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    """The one sentence of a refusal; asserts that it is one, in one line, without a traceback."""
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    sentence = process.stderr.rstrip("\n")
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def quick(*arguments: str | Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`ksbuilder` in this process, which is quicker, for what does not depend on being a program of its own."""
    cleared = {"KUBECONFIG": None, "SOURCE_DATE_EPOCH": None, "HOME": str(cwd), **environment}
    words = [str(argument) for argument in arguments]
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(command, words, env=cleared)
    if isinstance(result.exception, (CommandError, PackagingError)):
        return subprocess.CompletedProcess(words, 1, result.stdout, f"{result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{arguments}: {result.exception!r}\n{result.output}") from result.exception
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


def inline(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed in this process, which is quicker; what it printed."""
    cleared = {"KUBECONFIG": None, "SOURCE_DATE_EPOCH": None, "XDG_CONFIG_HOME": None, "HOME": str(cwd), **environment}
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(command, [str(argument) for argument in arguments], env=cleared)
    if result.exception is not None and not (isinstance(result.exception, SystemExit) and result.exit_code == 0):
        raise AssertionError(f"{arguments}: {result.exception!r}\n{result.output}") from result.exception
    return result.stdout


def value(*arguments: str | Path, cwd: Path, **environment: str) -> Any:
    """The same, as JSON."""
    return json.loads(inline(*arguments, "-o", "json", cwd=cwd, **environment))


def refusal(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    """The sentence of a command that must refuse, in this process."""
    cleared = {"KUBECONFIG": None, "XDG_CONFIG_HOME": None, "HOME": str(cwd), **environment}
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(command, [str(argument) for argument in arguments], env=cleared)
    assert isinstance(result.exception, (CommandError, PackagingError)), result.exception or result.output
    sentence = str(result.exception)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence
