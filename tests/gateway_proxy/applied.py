"""Objects as a cluster would hold them, compiled and served by a real worker before one backend that echoes.

Whatever Service or host an object names, the bytes go to the test's backend; which one it was meant for is in the Host
header that the backend saw.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from dovetail.gateway.snapshot import Snapshot
from dovetail.iam.bootstrap import PLATFORM_ADMIN, binding, global_role_bindings, global_roles
from dovetail.iam.compiler import compile_policy
from dovetail.iam.policy import Policy
from dovetail.routing.compiler import Compilation, CompilerInput, compile_table
from dovetail.routing.model import Address, RouteTable
from dovetail.routing.sources import read_objects
from dovetail.routing.upstreams import with_key
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import ADMIN, STRANGER, Gateway, gateway
from tests.gateway_proxy.rig import snapshot as rig_snapshot

Object = dict[str, Any]
USERS: list[Object] = [
    {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User", "metadata": {"name": name, "uid": uid}, "spec": {}}
    for name, uid in ((ADMIN, "u-1"), (STRANGER, "u-2"))
]


def proxy(name: str, matcher: Any, created: str = "2024-01-01T00:00:00Z", **spec: Any) -> Object:
    """A ReverseProxy before `backend.test`; `url` and everything but the directives' fields goes to its place."""
    upstream = {"url": spec.pop("url", "http://backend.test:80")}
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": created}
    body = {"matcher": matcher, "upstream": upstream, "directives": spec}
    return {
        "apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ReverseProxy", "metadata": metadata, "spec": body,
    }  # fmt: skip


def compiled(objects: Iterable[Object], **given: Any) -> Compilation:
    """The table of these objects and every problem."""
    read = read_objects([obj for obj in objects if obj["kind"] in ("APIService", "ReverseProxy")])
    wanted = CompilerInput(api_services=read.api_services, reverse_proxies=read.reverse_proxies, **given)
    compilation = compile_table(wanted)
    return Compilation(table=compilation.table, problems=[*read.problems, *compilation.problems])


def policy_of(objects: Iterable[Object]) -> Policy:
    """The bootstrap roles and those among the objects; one administrator, one user without any role."""
    objects = list(objects)
    roles = [*global_roles(), *(obj for obj in objects if obj["kind"] == "GlobalRole")]
    bindings = [*global_role_bindings(), *(obj for obj in objects if obj["kind"] == "GlobalRoleBinding")]
    return compile_policy(USERS, roles, [*bindings, binding("admin", PLATFORM_ADMIN, "User", ADMIN)])


def at(table: RouteTable, port: int, tls_port: int = 0) -> RouteTable:
    """The same table with every address replaced by a backend of the test."""
    upstreams = {
        key: with_key(
            msgspec.structs.replace(
                upstream, addresses=(Address("127.0.0.1", port if upstream.tls is None else tls_port),)
            )
        )
        for key, upstream in table.upstreams.items()
    }
    routes = tuple(msgspec.structs.replace(route, upstream=upstreams[route.upstream].key) for route in table.routes)
    return msgspec.structs.replace(
        table, routes=routes, upstreams={upstream.key: upstream for upstream in upstreams.values()}
    )


def snapshot(generation: int, objects: Iterable[Object], backend: Backend, tls_port: int = 0, **given: Any) -> Snapshot:
    """What a control would publish for these objects."""
    objects = list(objects)
    table = at(compiled(objects, **given).table, backend.port, tls_port)
    blank = rig_snapshot(generation, [], [], policy=policy_of(objects))
    return msgspec.structs.replace(blank, table=table)


@contextlib.asynccontextmanager
async def serving(
    objects: Iterable[Object], backend: Backend, tls_port: int = 0, **given: Any
) -> AsyncIterator[Gateway]:
    """A worker that serves these objects."""
    async with gateway([], []) as running:
        await running.control.publish(snapshot(2, objects, backend, tls_port, **given))
        running.generation = 2
        yield running


async def apply(running: Gateway, objects: Iterable[Object], backend: Backend, tls_port: int = 0) -> None:
    """Put other objects in force."""
    running.generation += 1
    await running.control.publish(snapshot(running.generation, objects, backend, tls_port))
