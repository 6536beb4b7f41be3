"""Load by wrk, pinned to a core, and what it says."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.processes import LOAD_CORE

_MIB = {"": 2**-20, "K": 2**-10, "M": 1.0, "G": 2.0**10}
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Result:
    """Requests a second, and the times in milliseconds within which half and 99 of 100 had their answer."""

    rps: float
    requests: int
    p50: float
    p99: float
    mib_per_second: float
    bad: int
    """Answers that were not 2xx or 3xx, and connections that broke."""


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0


def _milliseconds(percentile: str, text: str) -> float:
    found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)", text)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")


def wrk(
    url: str, *, connections: int, seconds: float, token: str = "", script: Path | None = None, pinned: bool = True
) -> Result:
    """One run."""
    pin = ["taskset", "-c", str(LOAD_CORE)] if pinned else []
    command = [*pin, "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    if script is not None:
        command += ["-s", str(script)]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    out = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds * 3 + 30, check=True).stdout
    broken = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    bad = int(_number(r"Non-2xx or 3xx responses: (\d+)", out)) + broken
    rps, requests = _number(r"Requests/sec:\s+([\d.]+)", out), int(_number(r"(\d+) requests in", out))
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", out)
    mib = float(transfer[1]) * _MIB[transfer[2]] if transfer else 0.0
    return Result(rps, requests, _milliseconds("50", out), _milliseconds("99", out), mib, bad)


def many_users(path: Path, tokens: list[str], prefix: str, paths: int) -> Path:
    """A script for wrk that takes a user and a path at random for each request."""
    quoted = ",".join(f'"Bearer {token}"' for token in tokens)
    path.write_text(f"""
local tokens = {{{quoted}}}
local heads = {{}}
for i, t in ipairs(tokens) do heads[i] = {{ ["Authorization"] = t, ["Host"] = "bench" }} end
request = function()
  return wrk.format("GET", "{prefix}/namespaces/demo/things/web-" .. math.random({paths}), heads[math.random(#heads)])
end
""")
    return path
