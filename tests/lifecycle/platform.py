"""A platform for the tests: the controllers in this process or one of their own, next to a real Kubernetes API.

Packages are made here too, small enough to read.
"""

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.kube import CONFIGMAPS, NAMESPACES, AlreadyExists, Client, NotFound
from dovetail.lifecycle.assembly import serve
from dovetail.lifecycle.clusters import Clusters
from dovetail.lifecycle.settings import LifecycleSettings
from tests.helm.charts import tgz

WAIT = 40.0

API_OBJECTS = """\
apiVersion: extensions.kubesphere.io/v1alpha1
kind: JSBundle
metadata:
  name: {{ .Release.Name }}
spec:
  raw: Y29uc29sZS5sb2coMSk7
status:
  state: Available
  link: /dist/{{ .Release.Name }}/main.js
---
apiVersion: extensions.kubesphere.io/v1alpha1
kind: ReverseProxy
metadata:
  name: {{ .Release.Name }}
spec:
  matcher: {path: "/proxy/{{ .Release.Name }}/*", method: "*"}
  upstream: {url: "http://127.0.0.1:9"}
"""

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  color: {{ .Values.color | default "red" | quote }}
  version: {{ .Chart.Version | quote }}
  cluster: {{ .Values.global.clusterInfo.name | quote }}
"""

ONLY_IN_THIS_VERSION = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: only-in-{{ .Chart.Version }}
"""

PERMISSIONS = """\
kind: ClusterRole
rules:
- verbs: ["*"]
  apiGroups: [extensions.kubesphere.io]
  resources: ["*"]
"""


def package(name: str, version: str, **files: str) -> bytes:
    """A package with an API object or two, a ConfigMap, and the files given (path with __ for /)."""
    metadata = (
        f"apiVersion: v1\nname: {name}\nversion: {version}\ndisplayName: {{en: {name}}}\ndescription: {{en: a test}}\n"
        "category: dev-tools\nprovider: {en: {name: tests}}\nicon: https://icons.test/x.svg\n"
    )
    chart = f"apiVersion: v2\nname: {name}\nversion: {version}\n"
    tree = {
        "Chart.yaml": chart,
        "extension.yaml": metadata,
        "permissions.yaml": PERMISSIONS,
        "templates/api.yaml": API_OBJECTS,
        "templates/settings.yaml": SETTINGS,
        "templates/only.yaml": ONLY_IN_THIS_VERSION,
        **{path.replace("__", "/"): text for path, text in files.items()},
    }
    return tgz({f"{name}/{path}": text for path, text in tree.items() if text})


@contextlib.asynccontextmanager
async def controllers(kubeconfig: Path, clusters: Clusters | None = None, **settings: Any) -> AsyncIterator[None]:
    """The lifecycle's controllers in this process."""
    ready = asyncio.Event()
    task = asyncio.create_task(
        serve(LifecycleSettings(kubeconfig=kubeconfig, **settings), ready.set, clusters=clusters)
    )
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([task, waiting], timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        assert ready.is_set(), "the controllers did not become ready"
        yield
    finally:
        waiting.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def publish(client: Client, name: str, version: str, data: bytes, **spec: Any) -> None:
    """Upload a package the short way: a ConfigMap and an ExtensionVersion."""
    await ensure_namespace(client, "kubesphere-system")
    config_map = f"extension-{name}-{version}-chart"
    await client.apply(
        CONFIGMAPS,
        {
            "metadata": {"name": config_map, "namespace": "kubesphere-system"},
            "binaryData": {"chart.tgz": base64.b64encode(data).decode()},
        },
        field_manager="test",
        force=True,
    )
    reference = {"namespace": "kubesphere-system", "name": config_map, "key": "chart.tgz"}
    await client.apply(
        EXTENSIONVERSIONS,
        {
            "metadata": {"name": f"{name}-{version}", "labels": {"kubesphere.io/extension-ref": name}},
            "spec": {
                "version": version,
                "chartDataRef": reference,
                "digest": hashlib.sha256(data).hexdigest(),
                **spec,
            },
        },
        field_manager="test",
        force=True,
    )


async def make(
    client: Client, resource: Any, name: str, namespace: str | None = None, **content: Any
) -> dict[str, Any]:
    """Create an object."""
    kind = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
    return await client.create(resource, {**kind, **content}, namespace)


async def ensure_namespace(client: Client, name: str) -> None:
    with contextlib.suppress(AlreadyExists):
        await make(client, NAMESPACES, name)


async def plan(client: Client, name: str, version: str, **spec: Any) -> dict[str, Any]:
    """Create the InstallPlan, or change it."""
    wanted = {"extension": {"name": name, "version": version}, **spec}
    try:
        return await client.patch(INSTALLPLANS, name, {"spec": wanted})
    except NotFound:
        return await make(client, INSTALLPLANS, name, spec={"enabled": True, **wanted})


async def until(look: Callable[[], Awaitable[Any]], done: Callable[[Any], bool], what: str) -> Any:
    """Look until it is so; the last look is in the failure."""
    last: Any = None
    try:
        async with asyncio.timeout(WAIT):
            while True:
                with contextlib.suppress(NotFound):
                    last = await look()
                    if done(last):
                        return last
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise AssertionError(f"{what} did not come; last seen: {last}") from None


async def until_settled(client: Client, name: str, version: str, *, state: str = "Installed") -> dict[str, Any]:
    """The plan in `state`, its generation observed."""

    def done(obj: dict[str, Any]) -> bool:
        status = obj.get("status", {})
        seen = status.get("observedGeneration") == obj["metadata"]["generation"]
        return seen and status.get("state") == state and status.get("version", "") == version

    return await until(lambda: client.get(INSTALLPLANS, name), done, f"{name} {version} {state}")


async def until_gone(client: Client, resource: Any, name: str, namespace: str | None = None) -> None:
    async def look() -> Any:
        try:
            return await client.get(resource, name, namespace)
        except NotFound:
            return None

    await until(look, lambda obj: obj is None, f"the end of {name}")
