"""Rules about the tree that no linter knows: sizes, names, machine paths, registry hosts, unwritten documentation.

Prints what breaks a rule and exits 1, or prints nothing.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 400
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
HOSTS = re.compile(rb"(pypi|pythonhosted|registry\.npmjs|deb\.debian|security\.debian)" rb"\.(org|com)")
MACHINE_PATHS = re.compile(rb"(^|[^A-Za-z0-9_./-])/(work|farm|root)/[a-z.]")


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name.decode() for name in listing.split(b"\0") if name]


def broken(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        return
    shown = path.relative_to(ROOT)
    if HOSTS.search(data):
        yield f"{shown}: names a package registry's host"
    if MACHINE_PATHS.search(data):
        yield f"{shown}: carries a path of one machine"
    if path.suffix == ".py" and "src" in shown.parts[:1]:
        yield from broken_module(shown, data.decode())
    if path.suffix in (".ts", ".tsx") and "src" in shown.parts and data.count(b"\n") > MOST_LINES:
        yield f"{shown}: over {MOST_LINES} lines"


def broken_module(shown: Path, text: str) -> Iterator[str]:
    if text.count("\n") > MOST_LINES:
        yield f"{shown}: over {MOST_LINES} lines, asking to be two"
    if shown.stem in FORBIDDEN_NAMES:
        yield f"{shown}: a name that owns nothing"
    if text.strip() and not text.lstrip().startswith(('"""', "'''")):
        yield f"{shown}: does not open with what it owns"


def main() -> None:
    problems = [problem for path in tracked() for problem in broken(path)]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
