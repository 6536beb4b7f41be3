"""Helm's own command, the peer of several benchmarks."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def helm_program(given: str, scratch: Path) -> str | None:
    """A helm binary: the one that is given, the one on the PATH, or the one of scripts/fetch_kubectl.py."""
    if found := given or shutil.which("helm"):
        return found
    subprocess.run([sys.executable, ROOT / "scripts" / "fetch_kubectl.py", scratch], check=False)
    return str(scratch / "helm") if (scratch / "helm").exists() else None
