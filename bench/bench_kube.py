"""The embedded Kubernetes API in figures, beside a bare JSON endpoint on uvicorn and beside Debian's etcd, in one run.

The server is the real process (TLS, bearer token, fsync on every commit) on the first core; the load is on the second.
Where a peer does comparable work the ratio is ours / peer. The last line is one JSON object.

    python bench/bench_kube.py [--seconds 3]
"""

import argparse
import asyncio
import base64
import json
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent))

from kube.load import Caller, Rate, rate, watch_latency, wrk
from kube.scene import ApiServer, bare_endpoint, config_map, etcd
from processes import LOAD_CORE

CORE = "/api/v1/namespaces"
OBJECTS, FEW = 10_000, 1_000
MERGE = "application/merge-patch+json"
Figures = dict[str, Any]


def say(label: str, ours: str, peer: str = "", ratio: float | None = None) -> None:
    beside = f"{peer:>34}" if peer else ""
    print(f"  {label:<34}{ours:>34}{beside}{f'   x{ratio:.2f}' if ratio is not None else ''}", flush=True)


def shown(found: Rate) -> str:
    return f"{found.rps:,.0f}/s  p50 {found.p50:.2f}  p99 {found.p99:.1f} ms"


async def administrator(server: ApiServer) -> str:
    """Namespaces and a service account that may do everything; its token."""
    admin = await Caller.connect(server.port, server.tls(admin=True))
    for name in ("thousand", "many", "writes"):
        await admin("POST", CORE, json.dumps({"metadata": {"name": name}}).encode())
    await admin("POST", f"{CORE}/default/serviceaccounts", b'{"metadata":{"name":"bench"}}')
    binding = {
        "metadata": {"name": "bench"},
        "subjects": [{"kind": "ServiceAccount", "name": "bench", "namespace": "default"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }
    await admin("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", json.dumps(binding).encode())
    answer = await admin("POST", f"{CORE}/default/serviceaccounts/bench/token", b'{"spec":{}}')
    admin.close()
    return str(json.loads(answer)["status"]["token"])


async def fill(server: ApiServer, token: str) -> None:
    callers = [await Caller.connect(server.port, server.tls(), token) for _ in range(32)]

    async def run(caller: Caller, numbers: range) -> None:
        for number in numbers:
            name = f"c{number:05d}"
            await caller("POST", f"{CORE}/{'thousand' if number < FEW else 'many'}/configmaps", config_map(name))

    await asyncio.gather(*(run(caller, range(at, OBJECTS, 32)) for at, caller in enumerate(callers)))
    for caller in callers:
        caller.close()


async def writes(server: ApiServer, token: str, seconds: float) -> Figures:
    found: Figures = {}
    body = {"data": {"x": "y" * 800}}
    for count in (1, 16, 64):
        callers = [await Caller.connect(server.port, server.tls(), token) for _ in range(count)]

        async def create(caller: Caller, number: int, turn: int, count: int = count) -> None:
            name = f"w{count}-{number}-{turn}"
            await caller("POST", f"{CORE}/writes/configmaps", json.dumps({"metadata": {"name": name}} | body).encode())

        async def update(caller: Caller, number: int, turn: int, count: int = count) -> None:
            changed = json.dumps({"data": {"n": str(turn)}}).encode()
            await caller("PATCH", f"{CORE}/writes/configmaps/w{count}-{number}-0", changed, MERGE)

        found[f"create_{count}"] = await rate(callers, seconds, create)
        found[f"update_{count}"] = await rate(callers, seconds, update)
        for caller in callers:
            caller.close()
    return found


async def etcd_writes(port: int, seconds: float) -> Figures:
    found: Figures = {}
    value = base64.b64encode(b"y" * 1100).decode()
    for count in (1, 16, 64):
        callers = [await Caller.connect(port, None) for _ in range(count)]

        async def put(caller: Caller, number: int, turn: int, count: int = count) -> None:
            key = base64.b64encode(f"/registry/w{count}-{number}-{turn}".encode()).decode()
            await caller("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}).encode())

        found[f"create_{count}"] = await rate(callers, seconds, put)
    key = base64.b64encode(b"/registry/w1-0-0").decode()
    asked = json.dumps({"key": key}).encode()
    callers = [await Caller.connect(port, None) for _ in range(16)]
    found["get_16"] = await rate(callers, seconds, lambda caller, _number, _turn: caller("POST", "/v3/kv/range", asked))
    return found


async def paged(server: ApiServer, token: str, path: str, seconds: float) -> Rate:
    """Whole lists a second, in pages of 500, on one connection."""
    caller = await Caller.connect(server.port, server.tls(), token)

    async def walk(caller: Caller, _number: int, _turn: int) -> None:
        more = ""
        while True:
            page = await caller("GET", f"{path}?limit=500{more}")
            found = re.search(rb'"continue":"([^"]+)"', page[:400])
            if found is None:
                return
            more = f"&continue={found[1].decode()}"

    try:
        return await rate([caller], seconds, walk)
    finally:
        caller.close()


async def watching(server: ApiServer, token: str) -> tuple[float, float]:
    path = f"{CORE}/thousand/configmaps"

    async def change(caller: Caller, number: int) -> None:
        await caller("PATCH", f"{path}/c{number % 10:05d}", json.dumps({"data": {"n": str(number)}}).encode(), MERGE)

    found = await watch_latency(
        server.port, server.tls(), token, path, change, watchers=100, per_second=200, seconds=5.0
    )
    return statistics.median(found) * 1e3, found[int(len(found) * 0.99)] * 1e3


def measure(folder: Path, seconds: float) -> Figures:
    result: Figures = {}
    starts: list[float] = []
    for number in range(3):
        (folder / f"empty{number}").mkdir()
        starts.append((fresh := ApiServer(folder / f"empty{number}")).start())
        fresh.stop()
    again = ApiServer(folder / "empty0")
    second = again.start()
    idle = again.memory()
    again.stop()
    (folder / "data").mkdir()
    server = ApiServer(folder / "data")
    server.start()
    try:
        token = uvloop.run(administrator(server))
        uvloop.run(fill(server, token))
        memory = server.memory()
        url = f"https://127.0.0.1:{server.port}"
        one, thousand = f"{url}{CORE}/many/configmaps/c05000", f"{url}{CORE}/thousand/configmaps"
        body, large = uvloop.run(_bodies(server, token))
        print(f"GET one object of {len(body):,} bytes; beside uvicorn answering the same bytes from memory")
        with bare_endpoint(folder, server.data_dir / "pki", body, large) as bare:
            for count in (1, 16):
                ours, theirs = (
                    wrk(one, count, seconds, token),
                    wrk(f"https://127.0.0.1:{bare}/", count, seconds, token),
                )
                say(f"{count} connection{'s' * (count > 1)}", shown(ours), shown(theirs), ours.rps / theirs.rps)
                result |= {f"get_{count}_rps": round(ours.rps), f"bare_{count}_rps": round(theirs.rps)}
            print(
                f"LIST (4 connections); beside uvicorn answering the {FEW:,} objects ({len(large):,} bytes) from memory"
            )
            ours, theirs = wrk(thousand, 4, seconds, token), wrk(f"https://127.0.0.1:{bare}/large", 4, seconds, token)
            say(f"{FEW:,} objects, whole", shown(ours), shown(theirs), ours.rps / theirs.rps)
        page = uvloop.run(paged(server, token, f"{CORE}/thousand/configmaps", seconds))
        say(f"{FEW:,} objects, in pages of 500", shown(page))
        all_of_them = wrk(f"{url}/api/v1/configmaps", 1, seconds * 1.5, token)
        say(f"{OBJECTS:,} objects, whole, 1 connection", shown(all_of_them))
        pages = uvloop.run(paged(server, token, "/api/v1/configmaps", seconds))
        say(f"{OBJECTS:,} objects, in pages of 500", shown(pages))
        result |= {
            "list_1000_rps": round(ours.rps, 1), "list_1000_paged_rps": round(page.rps, 1),
            "list_10000_rps": round(all_of_them.rps, 2), "list_10000_paged_rps": round(pages.rps, 2),
        }  # fmt: skip
        p50, p99 = uvloop.run(watching(server, token))
        print("Watch: 100 watchers, 200 writes/s, from sending the write to the event's arrival")
        say("latency", f"p50 {p50:.1f}  p99 {p99:.1f} ms")
        result |= {"watch_p50_ms": round(p50, 2), "watch_p99_ms": round(p99, 2)}
        busy = server.memory()
        server.stop()
        later = [server.start()]
        server.stop()
        later.append(server.start())
        print("Start-up until ready, memory of the process")
        say("empty, first start / second", f"{statistics.median(starts):.2f} s / {second:.2f} s")
        say(f"with {OBJECTS:,} objects", f"{statistics.median(later):.2f} s")
        say("empty", f"RSS {idle['rss']:.0f}  PSS {idle['pss']:.0f} MiB")
        say(f"{OBJECTS:,} objects just written", f"RSS {memory['rss']:.0f}  PSS {memory['pss']:.0f} MiB")
        say("after lists and watches", f"RSS {busy['rss']:.0f}  PSS {busy['pss']:.0f} MiB")
        result |= {
            "startup_s": round(statistics.median(starts), 2), "startup_10k_s": round(statistics.median(later), 2),
            "rss_mib_10k": round(max(memory["rss"], busy["rss"])), "rss_mib_empty": round(idle["rss"]),
        }  # fmt: skip
        mine = uvloop.run(writes(server, token, seconds))
    finally:
        server.stop()
    result |= _beside_etcd(folder, mine, seconds)
    result["get_rps"], result["writes_per_s"] = result["get_16_rps"], round(mine["create_64"].rps)
    result |= {name: round(found.rps) for name, found in mine.items()}
    return result


async def _bodies(server: ApiServer, token: str) -> tuple[bytes, bytes]:
    caller = await Caller.connect(server.port, server.tls(), token)
    one = await caller("GET", f"{CORE}/many/configmaps/c05000")
    listed = await caller("GET", f"{CORE}/thousand/configmaps?limit={FEW}")
    caller.close()
    return one, listed


def _beside_etcd(folder: Path, mine: Figures, seconds: float) -> Figures:
    print("Durable writes of 1 KB; beside etcd's put over its JSON gateway (no TLS, no token, no API rules)")
    with etcd(folder) as port:
        if port is None:
            print("  etcd is not installed (apt-get install etcd-server): skipped")
        theirs = uvloop.run(etcd_writes(port, seconds)) if port else {}
    for count in (1, 16, 64):
        for verb in ("create", "update"):
            ours, peer = mine[f"{verb}_{count}"], theirs.get(f"{verb}_{count}")
            ratio = ours.rps / peer.rps if peer else None
            say(f"{verb}, {count} caller{'s' * (count > 1)}", shown(ours), shown(peer) if peer else "", ratio)
    return {f"etcd_{name}": round(found.rps) for name, found in theirs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each measurement takes")
    given = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="bench-kube-") as folder:
        result = measure(Path(folder), given.seconds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
