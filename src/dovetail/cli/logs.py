"""Copies what the processes log to the terminal, for `dovetail up --dev`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

_EVERY_SECONDS = 0.3
_MOST_BYTES = 1 << 20


async def follow(directory: Path) -> None:
    """Print lines added to the directory's logs from now on, each behind its process's name, until cancelled."""
    places: dict[Path, int] = {}
    for _ in _added(directory, places):
        pass
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        for line in _added(directory, places):
            click.echo(line, err=True)


def _added(directory: Path, places: dict[Path, int]) -> Iterator[str]:
    for path in sorted(directory.glob("*.log")):
        with path.open("rb") as log:
            if path.stat().st_size < places.get(path, 0):
                places[path] = 0
            log.seek(places.get(path, 0))
            added = log.read(_MOST_BYTES)
        places[path] = places.get(path, 0) + len(added)
        for line in added.decode(errors="replace").splitlines():
            yield f"{path.stem}: {line}"
