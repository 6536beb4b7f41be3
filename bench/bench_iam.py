"""Authorization in figures: what a decision costs, what a large policy weighs, how long a change takes to be in force.

One scene: 10,000 users, 1,000 workspaces with 3 projects each, 50,000 bindings in all four scopes. The policy is
compiled as control does it, sent as a frame, and decided on as a worker does it; the worker's memory is that of a fresh
process. The last line is one JSON object.

    python bench/bench_iam.py [--users 10000] [--workspaces 1000] [--bindings 50000] [--changes 40]
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from iam.in_force import measure
from iam.scene import Scene, bound

from dovetail.gateway.delta import applied, delta_between, encode_delta
from dovetail.gateway.proxy.serving import Serving
from dovetail.gateway.snapshot import LENGTH, Snapshot, decode, encode
from dovetail.iam.authorizer import Authorizer
from dovetail.iam.compiler import PolicyCompiler
from dovetail.iam.policy import Identity, Policy

REGO = """package authz
default allow = false
allow {
  verbs := ["get", "list", "watch"]
  input.Verb == verbs[_]
  scopes := {"Workspace", "Namespace"}
  scopes[input.ResourceScope]
}
"""
_DECISIONS = 50_000


def worker(frame: bytes, pipe: Connection) -> None:
    """A fresh process that takes the snapshot: KiB before and after."""
    gc.collect()
    before = _resident()
    serving = Serving(decode(frame[LENGTH.size :]))
    gc.collect()
    pipe.send((before, _resident(), len(serving.snapshot.policy.user_bindings)))


def _resident() -> int:
    return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * 4


def _weighed(frame: bytes) -> int:
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=worker, args=(frame, theirs))
    process.start()
    before, after, _ = pipe.recv()
    process.join()
    return after - before


def _per_second(ask: Callable[[int], Any], count: int = _DECISIONS) -> int:
    gc.collect()
    gc.freeze()  # as workers do not, but nothing here makes cycles
    begun = time.process_time()
    for number in range(count):
        ask(number)
    took = time.process_time() - begun
    gc.unfreeze()
    return round(count / took)


def _identities(policy: Policy) -> dict[str, Identity]:
    return {name: Identity(name=name, groups=account.groups) for name, account in policy.accounts.items()}


def decisions(scene: Scene, policy: Policy) -> dict[str, int]:
    """How many in a second: `cold` is the first question of a user to a new policy, `distinct` one that was not asked
    before, `warm` one that was."""
    people = _identities(policy)
    asked = [scene.targets(number) for number in range(_DECISIONS)]
    fresh = Authorizer(policy)
    cold = _per_second(lambda n: fresh.check(people[asked[n][0]], *asked[n][1:]), min(scene.users, _DECISIONS))
    used = Authorizer(policy)
    distinct = _per_second(lambda n: used.check(people[asked[n][0]], asked[n][1], f"{asked[n][2]}/x{n}"))
    warm = _per_second(lambda n: used.check(people[asked[n % 1000][0]], *asked[n % 1000][1:]))
    with_rego = Policy(roles={"viewer": ()}, group_roles={"system:authenticated": ("viewer",)},
                       rego={"global/viewer": (REGO,)})  # fmt: skip
    viewers = Authorizer(with_rego)
    rego = _per_second(lambda n: viewers.check(people[asked[n][0]], "GET", f"{asked[n][2]}/x{n}"), 5000)
    allowed = sum(used.check(people[name], method, path).allowed for name, method, path in asked[:2000])
    assert 200 < allowed < 1900, allowed
    return {"cold": cold, "distinct": distinct, "warm": warm, "rego": rego}


def one_change(compiler: PolicyCompiler, before: Snapshot) -> dict[str, float]:
    """One binding more: what control and the worker do about it, and how large the frame between them is."""
    begun = time.process_time()
    compiler.put("WorkspaceRoleBinding", bound("WorkspaceRole", "one-more", "ws-5-admin", "user-9", workspace="ws-5"))
    after = Snapshot(generation=2, policy=compiler.policy())
    compiled = time.process_time()
    delta = delta_between(before, after)
    frame = encode_delta(delta)
    sent = time.process_time()
    serving = Serving(before)
    taken = time.process_time()
    Serving(applied(before, delta), serving)
    done = time.process_time()
    return {
        "compile_ms": round((compiled - begun) * 1000, 2), "delta_ms": round((sent - compiled) * 1000, 2),
        "apply_ms": round((done - taken) * 1000, 2), "frame_bytes": len(frame),
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--users", type=int, default=10_000)
    options.add_argument("--workspaces", type=int, default=1_000)
    options.add_argument("--bindings", type=int, default=50_000)
    options.add_argument("--changes", type=int, default=40)
    given = options.parse_args()
    scene = Scene(given.users, given.workspaces, given.bindings)

    compiler, objects = PolicyCompiler(), list(scene.objects())
    begun = time.process_time()
    for kind, obj in objects:
        compiler.put(kind, obj)
    policy = compiler.policy()
    compiled = time.process_time() - begun
    del objects
    snapshot = Snapshot(generation=1, policy=policy)
    frame = encode(snapshot)
    size = f"{given.users} users, {given.workspaces} workspaces, {given.bindings} bindings"
    roles = f"{len(policy.scoped_roles)} roles in {len(policy.rule_sets)} sets of rules"
    print(f"{size}: compiled in {compiled:.2f} s, {roles}, {len(frame) >> 10} KiB sent")
    memory = _weighed(frame)
    print(f"a worker holds it in {memory / 1024:.1f} MiB")
    rates = decisions(scene, policy)
    print(", ".join(f"{name}: {rate} decisions/s ({1e6 / rate:.1f} us)" for name, rate in rates.items()))
    change = one_change(compiler, snapshot)
    print(f"one binding more: {change}")
    with tempfile.TemporaryDirectory() as directory:
        times, control = asyncio.run(measure(scene, Path(directory), given.changes))
    print(f"in force after {times.p50:.1f} ms (p50), {times.p95:.1f} ms (p95), {times.most:.1f} ms (most);"
          f" control holds {control / 1024:.0f} MiB")  # fmt: skip
    print(json.dumps({
        "users": given.users, "workspaces": given.workspaces, "bindings": given.bindings,
        "decisions_per_second": rates, "compile_seconds": round(compiled, 2), "frame_kib": len(frame) >> 10,
        "worker_mib": round(memory / 1024, 1), "control_mib": round(control / 1024), "one_change": change,
        "in_force_ms": {"p50": round(times.p50, 1), "p95": round(times.p95, 1), "most": round(times.most, 1)},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
