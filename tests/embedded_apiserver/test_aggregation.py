"""API aggregation: a real second server behind an APIService, found, verified, forwarded to, missed."""

import asyncio
import base64
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.certificates import make_certificate

from .conftest import Http, Server

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1.sums.example.dev"


@dataclass
class Extension:
    """The backend's port and the PEM that its certificate is verified with."""

    port: int
    authority: bytes
    process: "subprocess.Popen[str]"


@pytest.fixture
def extension(server: Server, namespace: str, tmp_path: Path) -> Iterator[Extension]:
    """The second server, with the Service and EndpointSlice that lead to it."""
    made = make_certificate(tmp_path, "sums", (f"sums.{namespace}.svc",))
    (tmp_path / "tls.crt").write_bytes(made.chain.read_bytes())
    (tmp_path / "tls.key").write_bytes(made.key.read_bytes())
    facts = ["-n", "kube-system", "get", "cm", "extension-apiserver-authentication", "-o"]
    trusted = server.kubectl(*facts, r"jsonpath={.data.requestheader-client-ca-file}")
    (tmp_path / "front.crt").write_text(trusted)
    command = [sys.executable, str(Path(__file__).with_name("extension_server.py")), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    try:
        # Endpoints may not lie in the loopback range (as in Kubernetes); an external name may.
        server.kubectl("-n", namespace, "create", "service", "externalname", "sums", "--external-name=localhost")
        yield Extension(port, made.authority.read_bytes(), process)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        server.kubectl("delete", "apiservice", NAME, "--ignore-not-found")


def api_service(namespace: str, authority: bytes, **spec: Any) -> dict[str, Any]:
    whole = {
        "group": "sums.example.dev", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
        "service": {"name": "sums", "namespace": namespace}, "caBundle": base64.b64encode(authority).decode(), **spec,
    }  # fmt: skip
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": NAME}, "spec": whole,
    }  # fmt: skip


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 15
    while not await check():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def condition(http: Http) -> tuple[str, str, str]:
    _, found = await http("GET", f"{SERVICES}/{NAME}")
    for entry in found.get("status", {}).get("conditions", ()):
        return entry["status"], entry["reason"], entry["message"]
    return "", "", ""


async def becomes(http: Http, status: str, reason: str) -> None:
    async def check() -> bool:
        return (await condition(http))[:2] == (status, reason)

    await eventually(check)


def wanted(namespace: str, extension: Extension, **spec: Any) -> dict[str, Any]:
    service = {"name": "sums", "namespace": namespace, "port": extension.port}
    return api_service(namespace, extension.authority, service=service, **spec)


async def test_a_backend_is_found_and_asked_in_the_users_name(
    http: Http, server: Server, namespace: str, extension: Extension
) -> None:
    assert (await http("POST", SERVICES, wanted(namespace, extension)))[0] == 201
    await becomes(http, "True", "Passed")
    assert "su " in server.kubectl("api-resources", "--api-group=sums.example.dev")
    path = f"/apis/sums.example.dev/v1/namespaces/{namespace}/sums/one?x=1&y=2"
    code, found = await http(
        "GET", path, Impersonate_User="eve", Impersonate_Group="system:masters", X_Remote_User="mallory",
        X_Remote_Group="system:masters", Cookie="session=1",
    )  # fmt: skip
    assert (code, found["path"]) == (200, path)
    headers = found["headers"]
    assert headers["x-remote-user"] == ["eve"]
    assert headers["x-remote-group"] == ["system:masters", "system:authenticated"]
    assert not {"authorization", "cookie", "impersonate-user"} & set(headers)
    assert "front-proxy-client" in found["peer"]
    code, found = await http("GET", path, accept="application/vnd.kubernetes.protobuf")
    assert (code, found["kind"]) == (200, "Sum")  # what a backend answers is not translated here
    assert '"kind":"Sum"' in server.kubectl("-n", namespace, "get", "--raw", path).replace(": ", ":")


async def test_without_rights_nobody_gets_through(
    http: Http, server: Server, namespace: str, extension: Extension
) -> None:
    await http("POST", SERVICES, wanted(namespace, extension))
    await becomes(http, "True", "Passed")
    path = f"/apis/sums.example.dev/v1/namespaces/{namespace}/sums/one"
    code, told = await http("GET", path, Impersonate_User="eve")
    assert (code, 'cannot get resource "sums" in API group "sums.example.dev"' in told["message"]) == (403, True)


async def test_a_backend_that_goes_is_unavailable_and_says_why(
    http: Http, server: Server, namespace: str, extension: Extension
) -> None:
    await http("POST", SERVICES, wanted(namespace, extension))
    await becomes(http, "True", "Passed")
    server.kubectl("-n", namespace, "delete", "service", "sums")
    await becomes(http, "False", "ServiceNotFound")
    code, told = await http("GET", f"/apis/sums.example.dev/v1/namespaces/{namespace}/sums/one")
    assert (code, told["reason"], told["message"]) == (503, "ServiceUnavailable", "service unavailable")
    server.kubectl("-n", namespace, "create", "service", "clusterip", "sums", f"--tcp={extension.port}:1")
    empty = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [],
        "metadata": {"name": "sums", "labels": {"kubernetes.io/service-name": "sums"}}, "ports": [],
    }  # fmt: skip
    server.kubectl("-n", namespace, "create", "-f", "-", stdin=empty)
    await becomes(http, "False", "MissingEndpoints")
    await http("DELETE", f"{SERVICES}/{NAME}")

    async def gone() -> bool:
        return (await http("GET", "/apis/sums.example.dev"))[0] == 404

    await eventually(gone)


async def test_a_backend_that_moves_is_asked_where_it_is_now(
    http: Http, server: Server, namespace: str, extension: Extension
) -> None:
    """Where a backend is is not looked up for each request; a changed service counts with its commit all the same."""
    await http("POST", SERVICES, wanted(namespace, extension))
    await becomes(http, "True", "Passed")
    path = f"/apis/sums.example.dev/v1/namespaces/{namespace}/sums/one"
    service = f"/api/v1/namespaces/{namespace}/services/sums"
    assert (await http("GET", path))[0] == 200
    for name, expected in (("nowhere.invalid", 503), ("localhost", 200)):
        patch = {"spec": {"externalName": name}}
        assert (await http("PATCH", service, patch, content_type="application/merge-patch+json"))[0] == 200

        async def answers(code: int = expected) -> bool:
            return (await http("GET", path))[0] == code

        await eventually(answers)


async def test_a_certificate_of_somebody_else_is_not_believed(
    http: Http, server: Server, namespace: str, extension: Extension, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = make_certificate(tmp_path / "other", "sums").authority.read_bytes()
    await http("POST", SERVICES, wanted(namespace, Extension(extension.port, stranger, extension.process)))
    await becomes(http, "False", "FailedDiscoveryCheck")
    unknown = ": tls: failed to verify certificate: x509: certificate signed by unknown authority"
    assert (await condition(http))[2].endswith(unknown)
    trusting = {"spec": {"insecureSkipTLSVerify": True}}
    code, told = await http("PATCH", f"{SERVICES}/{NAME}", trusting, content_type="application/merge-patch+json")
    assert (code, told["details"]["causes"][-1]["message"]) == (
        422, "Invalid value: true: may not be true if caBundle is present",
    )  # fmt: skip


async def test_local_services_follow_the_definitions(http: Http, server: Server) -> None:
    _, apps = await http("GET", f"{SERVICES}/v1.apps")
    assert apps["spec"] == {"group": "apps", "groupPriorityMinimum": 17800, "version": "v1", "versionPriority": 15}
    (available,) = apps["status"]["conditions"]
    assert (available["status"], available["reason"]) == ("True", "Local")
    names = {"plural": "locals", "kind": "Local", "singular": "local", "listKind": "LocalList"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "locals.local.example.dev"},
        "spec": {"group": "local.example.dev", "scope": "Cluster", "names": names, "versions": [version]},
    }  # fmt: skip
    server.kubectl("create", "-f", "-", stdin=crd)

    async def listed() -> bool:
        return (await http("GET", f"{SERVICES}/v1.local.example.dev"))[0] == 200

    async def gone() -> bool:
        return not await listed()

    await eventually(listed)
    server.kubectl("delete", "crd", "locals.local.example.dev")
    await eventually(gone)


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"groupPriorityMinimum": 0}, "spec.groupPriorityMinimum",
         "Invalid value: 0: must be positive and less than 20000"),
        ({"version": "v2"}, "metadata.name",
         'Invalid value: "v1.sums.example.dev": must be `spec.version+"."+spec.group`: "v2.sums.example.dev"'),
        ({"service": {"name": "x"}}, "spec.service.namespace", "Required value"),
    ],
)  # fmt: skip
async def test_what_an_api_service_must_be(http: Http, spec: dict[str, Any], field: str, message: str) -> None:
    code, told = await http("POST", SERVICES, api_service("default", b"", **spec))
    assert code == 422
    assert {"reason": told["details"]["causes"][0]["reason"], "field": field, "message": message} in told["details"][
        "causes"
    ]


async def test_what_this_server_serves_is_not_given_away(http: Http) -> None:
    taken = api_service("default", b"", group="apps", insecureSkipTLSVerify=True)
    taken["metadata"]["name"] = "v1.apps"
    await http("DELETE", f"{SERVICES}/v1.apps")
    code, told = await http("POST", SERVICES, taken)
    assert code in (409, 422), told
