"""The figures of all workers and of control as one text for Prometheus. Reading is I/O, putting together is pure.

Each worker answers on a Unix socket of its own; its samples get a label `worker`. One that does not answer in time is
left out and counted.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PATIENCE: Final = 2.0
_LONGEST: Final = 32 << 20
_SOCKETS: Final = "metrics-*.sock"
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_SUFFIXES: Final = ("_bucket", "_sum", "_count")


async def read_workers(directory: Path) -> dict[str, str]:
    """What each worker that lives says, by its number."""
    sockets = await asyncio.to_thread(lambda: sorted(directory.glob(_SOCKETS)))
    texts = await asyncio.gather(*(_read(socket) for socket in sockets))
    names = (socket.stem.removeprefix("metrics-") for socket in sockets)
    return {name: text for name, text in zip(names, texts, strict=True) if text}


async def _read(socket: Path) -> str:
    with contextlib.suppress(OSError, TimeoutError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(socket, limit=_LONGEST)
            try:
                writer.write(b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n")
                answer = await reader.read(-1)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            head, _, body = answer.partition(b"\r\n\r\n")
            return body.decode() if head.startswith(b"HTTP/1.1 200") else ""
    return ""


def together(texts: Mapping[str, str]) -> str:
    """One text of several: each metric once with its type, and each sample with the worker that it came from."""
    kinds: dict[str, str] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                kinds.setdefault(name, kind)
            elif found := _SAMPLE.fullmatch(line):
                labels = f'worker="{worker}"' + (f",{found['labels']}" if found["labels"] else "")
                sample = f"{found['name']}{{{labels}}} {found['value']}"
                samples.setdefault(_family(found["name"], kinds), []).append(sample)
    lines: list[str] = []
    for name, of_name in samples.items():
        lines += [f"# TYPE {name} {kinds.get(name, 'untyped')}", *of_name]
    return "\n".join(lines) + "\n" if lines else ""


def _family(name: str, kinds: Mapping[str, str]) -> str:
    """The metric that a sample belongs to: those of a histogram have suffixes."""
    for suffix in _SUFFIXES:
        family = name.removesuffix(suffix)
        if name.endswith(suffix) and kinds.get(family) == "histogram":
            return family
    return name
