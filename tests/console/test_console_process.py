"""A console on its Unix socket against a real API, acting with its own Kubernetes role and nothing else."""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dovetail.apis.extensions_v1alpha1 import EXTENSIONENTRIES, JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, SEED_JSBUNDLES
from dovetail.console import ConsoleSettings, serve
from dovetail.console.errors import SocketInUse
from dovetail.iam.process_roles import process_roles
from dovetail.kube import CONFIGMAPS, SECRETS, Client, NotFound
from tests.conftest import KubeApi
from tests.console.harness import js_bundle

CODE = "System.register([], function () { return {} }) // one"
WAIT = 20.0


@dataclass
class Running:
    """A running console, an administrator of its cluster, and a way to ask it."""

    admin: Client
    http: aiohttp.ClientSession
    socket_path: Path

    async def get(self, path: str, user: str = "bob", **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {"X-Remote-User": user} if user else {}
        async with self.http.get("http://console" + path, headers={**named, **headers}) as response:
            return (
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                await response.read(),
            )

    async def boot(self) -> dict[str, dict[str, Any]]:
        code, _, body = await self.get("/console/api/boot")
        assert code == 200, body
        return {line["name"]: line for line in json.loads(body)["extensions"]}

    async def until(self, check: Callable[[], Awaitable[bool]]) -> float:
        started = time.monotonic()
        while not await check():
            assert time.monotonic() - started < WAIT, "it did not come true"
            await asyncio.sleep(0.02)
        return time.monotonic() - started

    async def until_serves(self, path: str, body: str | None) -> float:
        """Wait until a path answers with this body; None: until it answers 404."""

        async def check() -> bool:
            code, _, found = await self.get(path)
            return code == 404 if body is None else (code == 200 and found.decode() == body)

        return await self.until(check)

    async def status(self, name: str, resource: Any = JSBUNDLES) -> dict[str, Any]:
        return (await self.admin.get(resource, name)).get("status") or {}

    async def until_state(self, name: str, state: str, resource: Any = JSBUNDLES) -> dict[str, Any]:
        async def check() -> bool:
            return (await self.status(name, resource)).get("state") == state

        await self.until(check)
        return await self.status(name, resource)


def config_map(name: str, code: str, key: str = "index.js") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {key: code},
    }


def referring(name: str, kind: str, target: str) -> dict[str, Any]:
    obj = js_bundle(name, "")
    obj["metadata"].pop("resourceVersion")
    obj["spec"] = {"rawFrom": {kind: {"name": target, "namespace": "default", "key": "index.js"}}}
    return obj


def in_place(name: str, code: str, **more: Any) -> dict[str, Any]:
    obj = js_bundle(name, code, **more)
    obj["metadata"].pop("resourceVersion")
    return obj


@pytest.fixture
def cluster(platform_crds: KubeApi) -> KubeApi:
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        obj for obj in process_roles() if obj["kind"].startswith("Cluster")]})  # fmt: skip
    applied = platform_crds.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
    assert applied.returncode == 0, applied.stderr
    return platform_crds


@contextlib.asynccontextmanager
async def started(settings: ConsoleSettings) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(serve(settings, ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if task.done():
            await task
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def running(cluster: KubeApi, tmp_path: Path) -> AsyncIterator[Running]:
    path = tmp_path / "console.sock"
    settings = ConsoleSettings(socket_path=path, kubeconfig=cluster.data_dir / "kubeconfigs" / "console.yaml")
    connector = aiohttp.UnixConnector(str(path))
    timeout = aiohttp.ClientTimeout(total=30)
    async with cluster.client() as admin, aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        async with started(settings):
            running = Running(admin, http, path)
            yield running
        await _clean(admin)


async def _clean(admin: Client) -> None:
    for resource in (JSBUNDLES, SEED_JSBUNDLES, EXTENSIONENTRIES, EXTENSIONS):
        for obj in (await admin.list(resource)).items:
            with contextlib.suppress(NotFound):
                await admin.delete(resource, obj["metadata"]["name"])
    for resource in (CONFIGMAPS, SECRETS):
        for obj in (await admin.list(resource, "default")).items:
            if obj["metadata"]["name"].startswith("bundle"):
                await admin.delete(resource, obj["metadata"]["name"], "default")


async def test_a_bundle_in_a_config_map_is_served_followed_and_told(running: Running):
    admin = running.admin
    await admin.create(CONFIGMAPS, config_map("bundle-a", CODE), "default")
    await admin.create(JSBUNDLES, referring("a", "configMapKeyRef", "bundle-a"))
    await running.until_serves("/dist/a/index.js", CODE)
    code, headers, _ = await running.get("/pstatic/dist/a/index.js", user="")
    assert (code, headers["content-type"]) == (200, "application/javascript; charset=utf-8")
    assert headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in headers["content-security-policy"]

    status = await running.until_state("a", "Available")
    assert status["link"] == "/dist/a/index.js"
    assert status["conditions"][0]["reason"] == "Served"
    line = (await running.boot())["a"]
    code, headers, _ = await running.get(line["url"])
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await running.get(line["link"], **{"If-None-Match": headers["etag"]}))[0] == 304

    took: list[float] = []
    for number in range(5):
        edited = f"{CODE} edit {number}"
        await admin.patch(CONFIGMAPS, "bundle-a", {"data": {"index.js": edited}}, "default")
        took.append(await running.until_serves("/dist/a/index.js", edited))
    assert sorted(took)[2] < 1.0, took
    assert (await running.boot())["a"]["url"] != line["url"]

    await admin.patch(CONFIGMAPS, "bundle-a", {"data": {"index.js": None, "other.js": "x"}}, "default")
    await running.until_serves("/dist/a/index.js", None)
    code, _, body = await running.get("/dist/a/index.js")
    assert json.loads(body)["kind"] == "Status"
    assert 'no key "index.js"; it has "other.js"' in json.loads(body)["message"]
    status = await running.until_state("a", "Unavailable")
    assert status["conditions"][0]["reason"] == "KeyNotFound"
    assert "a" not in await running.boot()

    await admin.delete(CONFIGMAPS, "bundle-a", "default")

    async def gone() -> bool:
        return (await running.status("a"))["conditions"][0]["reason"] == "ConfigMapNotFound"

    await running.until(gone)


async def test_disabled_is_obeyed_at_once_and_never_overwritten(running: Running):
    admin = running.admin
    await admin.create(JSBUNDLES, in_place("b", CODE))
    await running.until_serves("/dist/b/index.js", CODE)
    await running.until_state("b", "Available")
    await admin.patch(JSBUNDLES, "b", {"status": {"state": "Disabled"}}, subresource="status")
    await running.until_serves("/dist/b/index.js", None)
    assert await running.boot() == {}
    await admin.patch(JSBUNDLES, "b", {"metadata": {"labels": {"touched": "yes"}}})
    await asyncio.sleep(0.3)
    assert (await running.status("b"))["state"] == "Disabled"
    await admin.patch(JSBUNDLES, "b", {"status": {"state": "Available"}}, subresource="status")
    await running.until_serves("/dist/b/index.js", CODE)
    await admin.delete(JSBUNDLES, "b")
    await running.until_serves("/dist/b/index.js", None)


async def test_a_secret_the_seeds_group_and_an_unreadable_object(running: Running):
    admin = running.admin
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bundle-s", "namespace": "default"},
              "data": {"index.js": base64.b64encode(CODE.encode()).decode()}}  # fmt: skip
    await admin.create(SECRETS, secret, "default")
    seed = referring("s", "secretKeyRef", "bundle-s") | {"apiVersion": "kubesphere.io/v1alpha1"}
    await admin.create(SEED_JSBUNDLES, seed)
    await admin.create(JSBUNDLES, in_place("nothing", "") | {"spec": {}})
    await running.until_serves("/dist/s/index.js", CODE)
    await running.until_state("s", "Available", SEED_JSBUNDLES)
    status = await running.until_state("nothing", "Unavailable")
    assert "names no source" in status["conditions"][0]["message"]
    assert list(await running.boot()) == ["kubesphere.io/s"]


async def test_remote_bytes_are_fetched_once_verified_and_typed(running: Running):
    """JavaScript, style sheet and files from a backend, which is asked once each, without credentials."""
    asked: list[tuple[str, frozenset[str]]] = []
    files = {"/i.js": CODE, "/s.css": "a { color: red }" * 200, "/logo.svg": "<svg/>", "/data": "x", "/wrong.js": "no"}

    async def give(request: web.Request) -> web.Response:
        asked.append((request.path, frozenset(name.lower() for name in request.headers)))
        return web.Response(text=files[request.path])

    app = web.Application()
    app.router.add_get("/{path:.*}", give)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    digest = "sha256:" + hashlib.sha256(CODE.encode()).hexdigest()
    obj = in_place("r", "") | {"spec": {
        "rawFrom": {"url": f"{url}/i.js", "digest": digest}, "filenameOverride": "main.js",
        "assets": {
            "style": {"link": "/dist/r/style.css", "url": f"{url}/s.css"},
            "files": [
                {"name": "logo", "link": "/dist/r/logo.svg", "url": f"{url}/logo.svg"},
                {"name": "data", "link": "/dist/r/data", "url": f"{url}/data", "mimeType": "application/x-own"},
                {"name": "wrong", "link": "/dist/r/wrong.js", "url": f"{url}/wrong.js", "digest": digest},
                {"name": "gone", "link": "/dist/r/gone.js", "url": "http://127.0.0.1:9/gone.js"},
            ],
        },
    }}  # fmt: skip
    try:
        await running.admin.create(JSBUNDLES, obj)
        await running.until_serves("/dist/r/main.js", CODE)
        status = await running.until_state("r", "Available")
        assert status["conditions"][0]["reason"] == "AssetsMissing"
        assert "/dist/r/wrong.js: " in status["conditions"][0]["message"]
        for _ in range(3):
            for link, kind in (
                ("style.css", "text/css; charset=utf-8"), ("logo.svg", "image/svg+xml"), ("data", "application/x-own")
            ):  # fmt: skip
                code, headers, _ = await running.get(f"/dist/r/{link}")
                assert (code, headers["content-type"]) == (200, kind)
        code, headers, _ = await running.get("/dist/r/style.css", **{"Accept-Encoding": "gzip"})
        assert headers["content-encoding"] == "gzip"
        assert (await running.get("/dist/r/wrong.js"))[0] == 404
        assert "digest" in json.loads((await running.get("/dist/r/wrong.js"))[2])["message"]
        assert (await running.get("/dist/r/gone.js"))[0] == 404
        await running.admin.patch(JSBUNDLES, "r", {"metadata": {"labels": {"touched": "yes"}}})
        await running.until_serves("/dist/r/main.js", CODE)
    finally:
        await runner.cleanup()
    counts = Counter(path for path, _ in asked)
    assert {path: count for path, count in counts.items() if path != "/wrong.js"} == {
        "/i.js": 1, "/s.css": 1, "/logo.svg": 1, "/data": 1,
    }  # fmt: skip
    assert not any({"authorization", "cookie", "x-remote-user"} & names for _, names in asked)
    assert (await running.get("/dist/r/main.js"))[2].decode() == CODE, "served without the backend"


async def test_two_bundles_that_want_one_path(running: Running):
    same = {"kubesphere.io/extension-ref": "same"}
    await running.admin.create(JSBUNDLES, in_place("x", CODE, labels=same))
    await running.until_serves("/dist/same/index.js", CODE)
    await running.admin.create(JSBUNDLES, in_place("y", CODE + " y", labels=same))
    status = await running.until_state("y", "Unavailable")
    assert status["conditions"][0]["reason"] == "LinkTaken"
    assert "JSBundle x" in status["conditions"][0]["message"]
    await running.admin.delete(JSBUNDLES, "x")
    await running.until_serves("/dist/same/index.js", CODE + " y")


async def test_pages_are_told_of_changes_and_streams_end_with_their_clients(running: Running):
    async with running.http.get("http://console/console/api/events", headers={"X-Remote-User": "bob"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = await _event(stream)
        await running.admin.create(EXTENSIONENTRIES, {
            "apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "ExtensionEntry",
            "metadata": {"name": "docs"}, "spec": {"entries": [{"name": "docs", "parent": "global"}]},
        })  # fmt: skip
        second = await _event(stream)
        assert second["bundles"] != first["bundles"]
        await running.admin.create(EXTENSIONS, {
            "apiVersion": "kubesphere.io/v1alpha1", "kind": "Extension", "metadata": {"name": "e"}, "spec": {},
        })  # fmt: skip
        while (third := await _event(stream))["catalogue"] == second["catalogue"]:
            pass
        assert third["bundles"] == second["bundles"]
    assert (await running.boot())["entries/docs"]["entries"] == [{"name": "docs", "parent": "global"}]


async def _event(stream: aiohttp.ClientResponse) -> dict[str, str]:
    async with asyncio.timeout(WAIT):
        while True:
            line = await stream.content.readline()
            assert line, "the stream ended"
            if line.startswith(b"data: "):
                return json.loads(line.removeprefix(b"data: "))


async def test_who_is_nobody_gets_no_data_and_only_get_exists(running: Running):
    for path in ("/console/api/boot", "/console/api/events"):
        code, _, body = await running.get(path, user="")
        assert (code, json.loads(body)["reason"]) == (401, "Unauthorized")
    assert (await running.get("/console/api/nope"))[0] == 404
    async with running.http.post("http://console/dist/a/index.js") as response:
        assert response.status == 405
    assert running.socket_path.stat().st_mode & 0o777 == 0o600


async def test_two_consoles_cannot_share_a_socket(running: Running, cluster: KubeApi):
    settings = ConsoleSettings(socket_path=running.socket_path, kubeconfig=cluster.kubeconfig)
    with pytest.raises(BaseExceptionGroup) as caught:
        await serve(settings)
    assert caught.group_contains(SocketInUse)
    assert (await running.get("/console/api/boot"))[0] == 200


async def test_a_socket_that_a_killed_process_left_behind_is_no_obstacle(cluster: KubeApi, tmp_path: Path):
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    async with started(ConsoleSettings(socket_path=path, kubeconfig=cluster.kubeconfig)):
        assert path.exists()
    assert not path.exists()


@pytest.mark.parametrize("path", ["/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html"])
async def test_the_page_of_the_apis_has_a_policy_without_inline_code_or_style(running: Running, path: str):
    code, headers, body = await running.get(path, user="")

    assert (code, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"/swagger-ui/swagger-ui-bundle.js" in body
    assert b"<style" not in body
    policy = headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "connect-src 'self'" in policy
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "page.js", "LICENSE"):
        assert (await running.get(f"/swagger-ui/{name}", user=""))[0] == 200


async def test_without_a_built_page_it_says_so(cluster: KubeApi, tmp_path: Path):
    settings = ConsoleSettings(
        socket_path=tmp_path / "c.sock", kubeconfig=cluster.kubeconfig, static_dir=tmp_path / "no"
    )
    connector = aiohttp.UnixConnector(str(tmp_path / "c.sock"))
    async with (
        started(settings),
        aiohttp.ClientSession(connector=connector) as http,
        http.get("http://console/dashboard") as response,
    ):
        assert response.status == 503
        assert "make web" in await response.text()
