"""A file that only this user can read, replaced in one step: a reader finds the old text or the new, never half."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Put this into the file. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
