"""What control writes into the objects of a real cluster: states and reasons, measured, and in step with changes."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.extensions_v1alpha1 import APISERVICES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import SEED_REVERSEPROXIES
from dovetail.gateway.availability import Availability
from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.gateway.objects import RoutingObjects
from dovetail.kube import ENDPOINTSLICES, SERVICES, Client, ControllerRuntime, NotFound
from tests.conftest import KubeApi, free_port
from tests.e2e.certificates import make_certificate
from tests.own_address import own_address

Object = dict[str, Any]
Told = tuple[str, str, str, str]
NAMESPACE = "default"
WAIT = 20.0


@dataclass
class World:
    """A cluster with a control that tells statuses, and objects that go at the end."""

    client: Client

    async def put(self, obj: Object) -> None:
        await self.client.create(_resource(obj), obj)

    async def status(self, obj: Object) -> Told:
        """State, reason of Healthy, reason of Accepted, and the message of Accepted."""
        found = await self.client.get(_resource(obj), obj["metadata"]["name"])
        status = found.get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or []}
        accepted = conditions.get("Accepted", {})
        healthy = conditions.get("Healthy", {})
        return (
            status.get("state", ""),
            healthy.get("reason", ""),
            accepted.get("reason", ""),
            accepted.get("message", ""),
        )

    async def until(self, obj: Object, holds: Callable[[tuple[str, str, str, str]], bool]) -> tuple[str, str, str, str]:
        async with asyncio.timeout(WAIT):
            while not holds(found := await self.status(obj)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    async def until_reason(self, obj: Object, reason: str) -> None:
        state = "Available" if reason == "Healthy" else "Unavailable"
        try:
            await self.until(obj, lambda found: found[:2] == (state, reason))
        except TimeoutError:
            raise AssertionError((obj["metadata"]["name"], reason, await self.status(obj))) from None


def _resource(obj: Object) -> Any:
    seed = obj["apiVersion"].startswith("kubesphere.io")
    return APISERVICES if obj["kind"] == "APIService" else SEED_REVERSEPROXIES if seed else REVERSEPROXIES


def _object(kind: str, name: str, spec: Object, group: str = "extensions.kubesphere.io") -> Object:
    return {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def api(name: str, **backend: Any) -> Object:
    return _object("APIService", name, {"group": f"{name}.example.org", "version": "v1", **backend})


def proxied(name: str, upstream: Object, path: str = "", group: str = "extensions.kubesphere.io") -> Object:
    spec = {"matcher": {"path": path or f"/{name}/*", "method": "*"}, "upstream": upstream}
    return _object("ReverseProxy", name, spec, group)


@contextlib.asynccontextmanager
async def control(client: Client) -> AsyncIterator[None]:
    """The part of the control process that keeps statuses."""
    runtime = ControllerRuntime(client)
    objects = RoutingObjects(runtime, BuiltIn(internal("/c"), internal("/p"), internal("/k")))
    availability = Availability(client, objects)
    changed = asyncio.Event()
    objects.on_change(changed.set)

    async def follow() -> None:
        while True:
            objects.compile()
            availability.refresh()
            await changed.wait()
            await asyncio.sleep(0.01)
            changed.clear()

    for controller in availability.controllers:
        runtime.add(controller)
    runtime.add_task("follow", follow)
    runtime.add_task("prober", availability.prober.run)
    synced = asyncio.Event()
    running = asyncio.create_task(runtime.run(synced.set))
    try:
        await asyncio.wait_for(synced.wait(), WAIT)
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def world(platform_crds: KubeApi) -> AsyncIterator[World]:
    async with platform_crds.client() as client, control(client):
        yield World(client)
        for resource in (APISERVICES, REVERSEPROXIES, SEED_REVERSEPROXIES):
            for obj in (await client.list(resource)).items:
                await client.delete(resource, obj["metadata"]["name"])
        for resource in (SERVICES, ENDPOINTSLICES):
            for name in ("rt-empty", "rt-moving", "rt-moving-1"):
                with contextlib.suppress(NotFound):
                    await client.delete(resource, name, NAMESPACE)
    await asyncio.sleep(0.25)  # transports are closed a turn of the loop later


@contextlib.asynccontextmanager
async def server(
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0,
) -> AsyncIterator[int]:  # fmt: skip
    """A backend that answers everything the same, or with nothing at all never."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await (writer.drain() if answer else reader.read())
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    listening = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await asyncio.sleep(0.05)  # a connection that was just made still has to reach its handler
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)


def service(name: str, port: int = 80) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}


def endpoints(name: str, host: str, port: int, *, ready: bool = True) -> Object:
    labels = {"kubernetes.io/service-name": name}
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{name}-1", "namespace": NAMESPACE, "labels": labels},
        "endpoints": [{"addresses": [host], "conditions": {"ready": ready}}], "ports": [{"port": port}],
    }  # fmt: skip


def in_cluster(name: str, **more: Any) -> Object:
    return {"service": {"namespace": NAMESPACE, "name": name, **more}}


async def test_reasons(world: World, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    await world.client.create(SERVICES, service("rt-empty"), NAMESPACE)
    failing, silent = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b""
    async with (
        server() as good, server(failing) as bad, server(silent) as mute,
        server(tls=certificate.server_context()) as tls,
    ):  # fmt: skip
        secure = f"https://127.0.0.1:{tls}"
        check = {"url": "/up", "status": 200, "interval": "1s"}
        hasty = check | {"timeout": "300ms"}
        expected = [
            (api("good", url=f"http://127.0.0.1:{good}"), "Healthy"),
            (api("refused", url=f"http://127.0.0.1:{free_port()}"), "ConnectionRefused"),
            (api("untrusted", url=secure), "TLSVerificationFailed"),
            (api("trusted", url=secure, caBundle=certificate.base64), "Healthy"),
            (api("pem", url=secure, caBundle=certificate.authority.read_text()), "Healthy"),
            (api("skipping", url=secure, insecureSkipTLSVerify=True), "Healthy"),
            (api("skipping2", url=secure, insecureSkipVerify=True), "Healthy"),
            (api("lost", **in_cluster("rt-nowhere")), "ServiceNotFound"),
            (api("portless", **in_cluster("rt-empty", port=81)), "PortNotFound"),
            (api("empty", **in_cluster("rt-empty", port=80)), "MissingEndpoints"),
            (api("nameless", url="http://nothing.invalid"), "NameResolutionFailed"),
            (proxied("checked", {"url": f"http://127.0.0.1:{good}", "healthCheck": check}), "Healthy"),
            (proxied("failing", {"url": f"http://127.0.0.1:{bad}", "healthCheck": check}), "UnexpectedStatus"),
            (proxied("mute", {"url": f"http://127.0.0.1:{mute}", "healthCheck": hasty}), "Timeout"),
            (proxied("seeds", {"backend": f"http://127.0.0.1:{good}"}, group="kubesphere.io"), "Healthy"),
        ]  # fmt: skip
        for obj, _ in expected:
            await world.put(obj)
        for obj, reason in expected:
            if obj["metadata"]["name"] == "nameless":
                await world.until(obj, lambda found: found[1] in ("NameResolutionFailed", "Timeout"))
            else:
                await world.until_reason(obj, reason)


async def test_states_follow_the_backend_and_the_endpoints(world: World) -> None:
    host, port = own_address(), free_port()
    obj, moving = api("later", url=f"http://127.0.0.1:{port}"), api("moving", **in_cluster("rt-moving", port=80))
    for each in (obj, moving):
        await world.put(each)
    await world.until_reason(obj, "ConnectionRefused")
    await world.until_reason(moving, "ServiceNotFound")
    await world.client.create(SERVICES, service("rt-moving"), NAMESPACE)
    await world.until_reason(moving, "MissingEndpoints")
    async with server(port=port), server(host=host) as elsewhere:
        await world.until_reason(obj, "Healthy")
        await world.client.create(ENDPOINTSLICES, endpoints("rt-moving", host, elsewhere), NAMESPACE)
        await world.until_reason(moving, "Healthy")
        gone = endpoints("rt-moving", host, elsewhere, ready=False)["endpoints"]
        await world.client.patch(ENDPOINTSLICES, "rt-moving-1", {"endpoints": gone}, NAMESPACE)
        await world.until_reason(moving, "MissingEndpoints")


async def test_what_is_refused_or_lost_says_so_and_disabled_stays(world: World) -> None:
    async with server() as port:
        upstream = {"url": f"http://127.0.0.1:{port}"}
        first, second = proxied("first", upstream, "/same/*"), proxied("second", upstream, "/same*")
        await world.put(first)
        await world.until(first, lambda found: found[::2][:2] == ("Available", "Accepted"))
        await asyncio.sleep(1.0 - asyncio.get_running_loop().time() % 1.0)  # ages are counted in seconds
        await world.put(second)
        _, _, _, message = await world.until(second, lambda found: found[2] == "Conflict")
        assert "/first too" in message
        assert "GET /same" in message

        reserved, bad = proxied("reserved", upstream, "/oauth/*"), proxied("bad", upstream)
        bad["spec"]["directives"] = {"headerUp": ["X-Remote-User: root"]}
        for each in (reserved, bad):
            await world.put(each)
        assert (await world.until(reserved, lambda found: found[0] != ""))[:3] == ("Unavailable", "Healthy", "Reserved")
        state, _, reason, message = await world.until(bad, lambda found: found[0] != "")
        assert (state, reason) == ("Unavailable", "Invalid")
        assert "spec.directives.headerUp[0]" in message

        await world.client.patch(REVERSEPROXIES, "first", {"status": {"state": "Disabled"}}, subresource="status")
        await world.until(second, lambda found: found[2] == "Accepted")
        assert (await world.status(first))[0] == "Disabled"
