"""`fuzzing` with choices by atheris, which follows coverage.

Run: `python -m tests.gateway_proxy.guided_fuzzing --seconds 600`.
Needs `pip install atheris`; by hand only.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["dovetail.gateway.proxy"]):
    from tests.gateway_proxy.fuzzing import asked, one, resident
    from tests.gateway_proxy.in_memory import InMemory


async def _main(seconds: float, seed: int) -> None:
    world, done, start = InMemory(Path(tempfile.mkdtemp(prefix="fuzz-"))), 0, resident()
    until = time.monotonic() + seconds

    def attempt(data: bytes) -> None:
        nonlocal done
        provider = atheris.FuzzedDataProvider(data)
        one(world, lambda below: provider.ConsumeIntInRange(0, below - 1))
        done += 1
        if time.monotonic() > until:
            print(f"{done} tries in {seconds:g} s, seed {seed}: nothing broke; {start} -> {resident()} MiB", flush=True)
            os._exit(0)  # libFuzzer knows no other way

    atheris.Setup([sys.argv[0], f"-seed={seed}", "-max_len=400"], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    wanted = asked()
    asyncio.run(_main(wanted.seconds, wanted.seed))
