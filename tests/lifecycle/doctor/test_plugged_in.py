"""Routes and bundles that do not work, judged by the gateway's and the console's own controllers."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from dovetail.apis.extensions_v1alpha1 import APISERVICES, JSBUNDLES, REVERSEPROXIES
from dovetail.kube import SERVICES, ResourceLike
from tests.conftest import KubeApi
from tests.e2e.certificates import make_certificate
from tests.gateway_control.test_availability import server
from tests.lifecycle.doctor.rig import Rig, first, platform, shown, unsafe_words
from tests.lifecycle.platform import make, until

NAME = "plugged"
SPACE = f"extension-{NAME}"
MARKS = {"kubesphere.io/extension-ref": NAME}


async def put(rig: Rig, resource: ResourceLike, name: str, spec: Any) -> None:
    obj = {
        "apiVersion": f"{resource.group}/{resource.version}", "kind": resource.kind,
        "metadata": {"name": name, "labels": MARKS}, "spec": spec,
    }  # fmt: skip
    await rig.client.create(resource, obj)


def proxy(name: str, path: str = "", **upstream: Any) -> tuple[ResourceLike, str, Any]:
    return REVERSEPROXIES, name, {"matcher": {"path": path or f"/{name}/*", "method": "*"}, "upstream": upstream}


def bundle(name: str, source: Any) -> tuple[ResourceLike, str, Any]:
    return JSBUNDLES, name, {"rawFrom": source}


def service(name: str, port: int = 80) -> dict[str, Any]:
    return {"service": {"namespace": SPACE, "name": name, "port": port}}


def cases(url: str, secure: str) -> list[tuple[str, tuple[ResourceLike, str, Any]]]:
    """(expected cause, an object of the extension)"""
    color = {"namespace": SPACE, "name": "settings", "key": "color"}
    digest = {"configMapKeyRef": color, "digest": f"sha256:{'0' * 64}"}
    api = {"group": "a.example.org", "version": "v1", **service("no")}
    key = {"namespace": SPACE, "name": "absent", "key": "main.js"}
    there = {"namespace": SPACE, "name": "settings", "key": "main.js"}
    return [
        ("ServiceMissing", proxy("p-absent", **service("absent"))),
        ("PortMissing", proxy("p-port", **service("quiet", 9999))),
        ("NoEndpoints", proxy("p-quiet", **service("quiet"))),
        ("ServiceSelectsNothing", proxy("p-selects", **service("astray"))),
        ("BackendRefuses", proxy("p-refuses", url="http://127.0.0.1:9")),
        ("BackendNameUnknown", proxy("p-name", url="http://nobody.invalid")),
        ("BackendCertificate", proxy("p-tls", url=secure)),
        ("BackendUnhealthy", proxy("p-sick", url=url, healthCheck={"url": "/healthz", "status": 204})),
        ("RouteConflict", proxy("p-second", path=f"/proxy/{NAME}/*", url=url)),
        ("RouteInvalid", proxy("p-wrong", path="no slash", url=url)),
        ("RouteReserved", proxy("p-reserved", path="/oauth/*", url=url)),
        (
            "ServiceMissing",
            (APISERVICES, "v1.a.example.org", api),
        ),
        ("BundleDigest", bundle("b-digest", digest)),
        ("BundleUnreachable", bundle("b-far", {"url": "http://127.0.0.1:9/main.js"})),
        ("BundleSourceMissing", bundle("b-source", {"configMapKeyRef": key})),
        ("BundleSourceMissing", bundle("b-key", {"configMapKeyRef": there})),
    ]


async def test_every_fault_of_routes_and_bundles_is_named_first(
    platform_crds: KubeApi, tmp_path: Path
) -> None:  # fmt: skip
    wrong: list[str] = []
    unknown = make_certificate(tmp_path).server_context()
    async with platform(platform_crds) as rig, server(tls=unknown) as port:
        await rig.publish(NAME)
        await rig.plan(NAME)
        await rig.until_state(NAME, "Installed")
        ports = [{"port": 80}]
        await make(rig.client, SERVICES, "quiet", SPACE, spec={"ports": ports})
        await make(rig.client, SERVICES, "astray", SPACE, spec={"ports": ports, "selector": {"app": "nobody"}})
        healthy = await rig.diagnosis(NAME)
        assert not healthy.roots, shown(healthy)
        for expected, (resource, name, spec) in cases(rig.url, f"https://127.0.0.1:{port}"):
            await put(rig, resource, name, spec)

            def judged(obj: Any) -> bool:
                told = (obj.get("status") or {}).get("conditions") or []
                return any(each["status"] == "False" for each in told)

            with contextlib.suppress(AssertionError):
                await asyncio.wait_for(until(lambda r=resource, n=name: rig.client.get(r, n), judged, name), 8)
            diagnosis = await rig.diagnosis(NAME)
            if first(diagnosis) != expected or unsafe_words(diagnosis):
                wrong.append(f"{name}: expected {expected}, got {first(diagnosis)}\n{shown(diagnosis)}")
            await rig.client.delete(resource, name)
    assert not wrong, "\n".join(wrong)
