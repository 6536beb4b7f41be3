"""The corpus of published packages: data that the project only reads, absent from most machines."""

import io
import os
import tarfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("DOVETAIL_CORPUS") or REPOSITORY.parent / "shared" / "corpus")
SAMPLES = REPOSITORY / "samples" / "extensions"


def archives() -> list[Path]:
    """Every published archive."""
    return sorted(CORPUS.glob("*.tgz"))


def sources() -> list[Path]:
    """Every source tree, as the .tar.gz it comes in."""
    return sorted(CORPUS.glob("*.source.tar.gz"))


def name_of(path: Path) -> str:
    """A test's name for a file of the corpus."""
    return path.name.removesuffix(".source.tar.gz").removesuffix(".tgz")


def each(paths: list[Path]) -> pytest.MarkDecorator:
    """Run a test for each file, or skip it with the reason."""
    reason = f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)"
    absent = [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="no-corpus")]
    return pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in paths] or absent)


def unpack(path: Path, into: Path) -> Path:
    """Unpack a source tree and return its directory."""
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        tar.extractall(into, filter="data")
    return into / name_of(path)
