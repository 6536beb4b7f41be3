"""Running the real ksbuilder, as a user would."""

import os
import subprocess
import sys
from pathlib import Path

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
