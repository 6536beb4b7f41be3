"""Admission webhooks: a real HTTPS server with a certificate authority of its own, asked by the real API server."""

import asyncio
import base64
import ipaddress
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dovetail.embedded.apiserver.service_endpoints import NoEndpoint, Service, resolve
from dovetail.embedded.apiserver.storage.database import Database
from dovetail.embedded.apiserver.storage.records import ObjectKey
from dovetail.embedded.apiserver.storage.store import Store

from .conftest import Http, config_map, deployment

GROUP = "/apis/admissionregistration.k8s.io/v1"
MERGE = "application/merge-patch+json"
ALLOWED = {"allowed": True}
Verdict = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Hook:
    """``verdict`` makes a response of a request (the uid is added); ``raw`` answers in its stead."""

    port: int = 0
    authority: bytes = b""
    verdict: Verdict = field(default=lambda request: ALLOWED)
    raw: Callable[[dict[str, Any]], web.Response] | None = None
    seconds: float = 0
    in_pieces: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        asked = review["request"]
        self.asked.append(asked | {"path": request.path_qs, "host": request.host})
        await asyncio.sleep(self.seconds)
        if self.raw is not None:
            return self.raw(review)
        verdict = {"uid": asked["uid"], **self.verdict(asked)}
        kind = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        whole = kind | {"response": verdict}
        return await self._in_pieces(request, whole) if self.in_pieces else web.json_response(whole)

    async def _in_pieces(self, request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
        text = json.dumps(answer).encode()
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(text[:20])
        await asyncio.sleep(0.1)
        await response.write(text[20:])
        return response

    @property
    def client(self) -> dict[str, Any]:
        return {"url": f"https://127.0.0.1:{self.port}/ask", "caBundle": base64.b64encode(self.authority).decode()}


def patching(*operations: dict[str, Any]) -> Verdict:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def certificate(
    name: str, issuer: "tuple[x509.Name, ec.EllipticCurvePrivateKey] | None"
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer or (subject, key)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(signer[0]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    names = [x509.DNSName("hook.default.svc"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer[1], hashes.SHA256()), key


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """(certificate and key of the webhook in one file, PEM of its authority)"""
    authority, key = certificate("hook authority", None)
    leaf, leaf_key = certificate("hook", (authority.subject, key))
    file = tmp_path_factory.mktemp("hook") / "hook.pem"
    pem = serialization.Encoding.PEM
    private = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + leaf.public_bytes(pem))
    return file, authority.public_bytes(pem)


@pytest.fixture
async def hook(material: tuple[Path, bytes]) -> AsyncIterator[Hook]:
    found = Hook(authority=material[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(material[0])
    app = web.Application()
    app.router.add_post("/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        found.port = runner.addresses[0][1]
        yield found
    finally:
        await runner.cleanup()


def webhook(hook: Hook, namespace: str, **fields: Any) -> dict[str, Any]:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps"]}
    found: dict[str, Any] = {
        "name": "first.hook.example", "clientConfig": hook.client, "rules": [rule], "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }  # fmt: skip
    return found | fields


def on(*resources: str, operations: tuple[str, ...] = ("*",), group: str = "*", version: str = "*") -> list[Any]:
    names = list(resources)
    return [{"operations": list(operations), "apiGroups": [group], "apiVersions": [version], "resources": names}]


@asynccontextmanager
async def configured(http: Http, kind: str, *hooks: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    plural = f"{kind.lower()}webhookconfigurations"
    name = f"h{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration"}
    code, made = await http("POST", f"{GROUP}/{plural}", body | {"metadata": {"name": name}, "webhooks": list(hooks)})
    assert code == 201, made
    try:
        yield made
    finally:
        assert (await http("DELETE", f"{GROUP}/{plural}/{name}"))[0] == 200


@pytest.fixture
def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def test_a_validating_webhook_sees_everything_and_may_refuse(
    http: Http, hook: Hook, namespace: str, path: str
) -> None:
    def verdict(request: dict[str, Any]) -> dict[str, Any]:
        bad = ((request["object"] or {}).get("data") or {}).get("bad")
        status = {"code": 409, "reason": "Conflict", "message": "no bad data", "details": {"name": "x"}}
        return {"allowed": False, "status": status} if bad else {"allowed": True, "warnings": ["mind you"]}

    hook.verdict = verdict
    async with configured(http, "Validating", webhook(hook, namespace)) as made:
        first = made["webhooks"][0]
        assert (first["failurePolicy"], first["matchPolicy"], first["timeoutSeconds"]) == ("Fail", "Equivalent", 10)
        assert "reinvocationPolicy" not in first
        url = f"{http.server.url}{path}?fieldManager=me"
        async with http.session.post(url, json=config_map("a", x="1")) as response:
            assert response.status == 201
            assert response.headers["warning"] == '299 - "mind you"'
        assert (await http("PATCH", f"{path}/a", {"data": {"x": "2"}}, content_type=MERGE))[0] == 200
        code, body = await http("PATCH", f"{path}/a", {"data": {"bad": "1"}}, content_type=MERGE)
        assert (code, body["reason"], body["details"]) == (409, "Conflict", {"name": "x"})
        assert body["message"] == 'admission webhook "first.hook.example" denied the request: no bad data'
        assert (await http("DELETE", f"{path}/a"))[0] == 200
    create, update, _, delete = hook.asked
    assert create["path"] == "/ask?timeout=10s"
    assert (create["operation"], create["oldObject"], create["dryRun"]) == ("CREATE", None, False)
    assert create["kind"] == create["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (create["name"], create["namespace"]) == ("a", namespace)
    assert create["userInfo"]["username"] == "admin"
    assert create["object"]["metadata"]["uid"]
    assert create["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"}
    assert (update["object"]["data"], update["oldObject"]["data"]) == ({"x": "2"}, {"x": "1"})
    assert (update["operation"], update["options"]["kind"]) == ("UPDATE", "UpdateOptions")
    assert (delete["operation"], delete["object"], delete["oldObject"]["data"]) == ("DELETE", None, {"x": "2"})


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (None, 400, " without explanation"),
        ({"code": 200, "message": "no"}, 400, ": no"),
        ({"reason": "Because"}, 400, ": Because"),
        ({"code": 418, "message": "tea"}, 418, ": tea"),
    ],
)
async def test_refusals(
    http: Http, hook: Hook, namespace: str, path: str, status: Any, code: int, message: str
) -> None:
    hook.verdict = lambda request: {"allowed": False, **({"status": status} if status else {})}
    async with configured(http, "Validating", webhook(hook, namespace)):
        found, body = await http("POST", path, config_map("a"))
        text = f'admission webhook "first.hook.example" denied the request{message}'
        assert (found, body["message"], body["code"]) == (code, text, code)
        assert (await http("GET", f"{path}/a"))[0] == 404


async def test_a_mutating_webhook_changes_what_is_stored(http: Http, hook: Hook, namespace: str, path: str) -> None:
    hook.verdict = patching(
        {"op": "add", "path": "/metadata/labels", "value": {"by": "hook"}},
        {"op": "add", "path": "/data/added", "value": "yes"},
        {"op": "add", "path": "/unknown", "value": "dropped"},
    )
    async with configured(http, "Mutating", webhook(hook, namespace)) as made:
        assert made["webhooks"][0]["reinvocationPolicy"] == "Never"
        code, obj = await http("POST", path, config_map("a", x="1"))
        assert (code, obj["data"], obj["metadata"]["labels"]) == (201, {"x": "1", "added": "yes"}, {"by": "hook"})
        assert "unknown" not in obj
        # what a webhook adds is nobody's: the manager owns what it sent
        assert obj["metadata"]["managedFields"][0]["fieldsV1"] == {"f:data": {".": {}, "f:x": {}}}
        code, body = await http("DELETE", f"{path}/a")
        wanted = 'admission webhook "first.hook.example" attempted to modify the object'
        assert (code, wanted in body["message"]) == (500, True)
    hook.verdict = patching({"op": "remove", "path": "/data/nothing"})
    async with configured(http, "Mutating", webhook(hook, namespace, rules=on("configmaps", operations=("CREATE",)))):
        code, body = await http("POST", path, config_map("b"))
        assert (code, body["reason"]) == (500, "InternalError")


async def test_reinvocation(http: Http, hook: Hook, namespace: str, path: str) -> None:
    """The first hook is asked again because the second changed the object."""

    def verdict(request: dict[str, Any]) -> dict[str, Any]:
        if request["path"].startswith("/second"):
            return patching({"op": "add", "path": "/data/second", "value": "1"})(request)
        count = int(request["object"]["data"].get("first", "0")) + 1
        return patching({"op": "add", "path": "/data/first", "value": str(count)})(request)

    hook.verdict = lambda request: verdict(hook.asked[-1])
    second = hook.client | {"url": f"https://127.0.0.1:{hook.port}/second"}
    create = on("configmaps", operations=("CREATE",))
    first = webhook(hook, namespace, rules=create)
    other = webhook(hook, namespace, rules=create, name="second.hook.example", clientConfig=second)
    for policy, wanted in (("IfNeeded", "2"), ("Never", "1")):
        hooks = (first | {"reinvocationPolicy": policy}, other)
        async with configured(http, "Mutating", *hooks):
            code, obj = await http("POST", path, config_map(f"c{policy.lower()}", x=""))
            assert (code, obj["data"]) == (201, {"x": "", "first": wanted, "second": "1"})


async def test_failures_and_their_words(http: Http, hook: Hook, namespace: str, path: str) -> None:
    prefix = 'Internal error occurred: failed calling webhook "first.hook.example": '
    url = f"https://127.0.0.1:{hook.port}/ask?timeout=1s"

    async def outcome(**fields: Any) -> str:
        async with configured(http, "Validating", webhook(hook, namespace, timeoutSeconds=1, **fields)):
            code, body = await http("POST", path, config_map("a"))
            assert (code, body["reason"]) == (500, "InternalError"), body
            assert body["message"].startswith(prefix)
            assert body["details"]["causes"][0]["message"] == body["message"].removeprefix("Internal error occurred: ")
            return body["message"].removeprefix(prefix)

    nobody = {"url": "https://127.0.0.1:1"}
    text = await outcome(clientConfig=nobody)
    refused = "dial tcp 127.0.0.1:1: connect: connection refused"
    assert text == f'failed to call webhook: Post "https://127.0.0.1:1/?timeout=1s": {refused}'
    text = await outcome(clientConfig={"url": f"https://127.0.0.1:{hook.port}/ask"})
    unknown = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    assert text == f'failed to call webhook: Post "{url}": {unknown}'
    service = {"service": {"namespace": "default", "name": "missing"}, "caBundle": hook.client["caBundle"]}
    text = await outcome(clientConfig=service)
    where = "https://missing.default.svc:443/?timeout=1s"
    assert text == f'failed to call webhook: Post "{where}": service "missing" not found'
    hook.raw = lambda review: web.Response(status=404)
    assert await outcome() == "failed to call webhook: the server could not find the requested resource"
    hook.raw = lambda review: web.Response(status=500, text="oh")
    assert '("oh") has prevented the request from succeeding' in await outcome()
    kind = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
    hook.raw = lambda review: web.json_response(kind | {"response": {"uid": "other", "allowed": True}})
    assert await outcome() == (
        f'received invalid webhook response: expected response.uid="{hook.asked[-1]["uid"]}", got "other"'
    )
    hook.raw = lambda review: web.json_response(kind)
    assert await outcome() == "received invalid webhook response: webhook response was absent"
    hook.raw = None
    hook.verdict = patching({"op": "remove", "path": "/data"})
    assert await outcome() == "received invalid webhook response: validating webhook may not return response.patch"
    hook.seconds = 2
    assert await outcome() == f'failed to call webhook: Post "{url}": context deadline exceeded'
    ignoring = webhook(hook, namespace, timeoutSeconds=1, failurePolicy="Ignore")
    async with configured(http, "Validating", ignoring):
        assert (await http("POST", path, config_map("a")))[0] == 201


async def test_an_answer_in_pieces_is_one_answer(http: Http, hook: Hook, namespace: str, path: str) -> None:
    hook.in_pieces = True
    hook.verdict = patching({"op": "add", "path": "/data", "value": {"x": "y"}})
    async with configured(http, "Mutating", webhook(hook, namespace)):
        code, made = await http("POST", path, config_map("a"))
    assert (code, made.get("data")) == (201, {"x": "y"}), made


async def test_dry_run_needs_a_webhook_without_side_effects(http: Http, hook: Hook, namespace: str, path: str) -> None:
    async with configured(http, "Validating", webhook(hook, namespace, sideEffects="NoneOnDryRun")):
        assert (await http("POST", f"{path}?dryRun=All", config_map("a")))[0] == 201
        assert hook.asked[-1]["dryRun"] is True
        assert (await http("DELETE", f"{path}/kube-root-ca.crt?dryRun=All"))[0] in (200, 404)
    assert (await http("GET", f"{path}/a"))[0] == 404


async def test_rules_selectors_and_conditions(http: Http, hook: Hook, namespace: str, path: str) -> None:
    base = f"/api/v1/namespaces/{namespace}"
    pod = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "x"}}

    async def asks(fields: dict[str, Any], *requests: tuple[Any, ...]) -> list[str]:
        hook.asked.clear()
        async with configured(http, "Validating", webhook(hook, namespace, **fields)):
            for method, target, body in requests:
                headers = {"content_type": MERGE} if method == "PATCH" else {}
                code, answer = await http(method, target, body, **headers)
                assert code < 300, answer
        return [f"{r['operation']} {r['resource']['resource']}/{r.get('subResource', '')}" for r in hook.asked]

    create = ("POST", path, config_map("r"))
    change = ("PATCH", f"{path}/r", {"metadata": {"labels": {"watch": "me"}}})
    delete = ("DELETE", f"{path}/r", None)
    assert await asks({"rules": on("configmaps", operations=("UPDATE",))}, create, change, delete) == [
        "UPDATE configmaps/"
    ]
    assert await asks({"rules": on("*", group="apps")}, create, delete) == []
    selector = {"objectSelector": {"matchLabels": {"watch": "me"}}}
    assert await asks(selector, create, change, delete) == ["UPDATE configmaps/", "DELETE configmaps/"]
    conditions = {"matchConditions": [{"name": "named", "expression": "request.name == 'r' && oldObject == null"}]}
    assert await asks(conditions, create, change, delete) == ["CREATE configmaps/"]
    may = "authorizer.group('').resource('secrets').namespace('x').check('get').allowed()"
    assert await asks({"matchConditions": [{"name": "may", "expression": f"!{may}"}]}, create, delete) == []
    assert await asks({"rules": on("*/*")}, ("POST", f"{base}/serviceaccounts", pod), create, delete) == [
        "CREATE serviceaccounts/", "CREATE configmaps/", "DELETE configmaps/",
    ]  # fmt: skip
    apps = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    scale = ("PATCH", f"{apps}/d/scale", {"spec": {"replicas": 3}})
    status = ("PATCH", f"{apps}/d/status", {"status": {"replicas": 3}})
    made = ("POST", apps, deployment("d"))
    assert await asks({"rules": on("deployments/*")}, made, scale, status) == [
        "CREATE deployments/", "UPDATE deployments/scale", "UPDATE deployments/status",
    ]  # fmt: skip
    kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (hook.asked[1]["kind"], hook.asked[1]["object"]["spec"]) == (kind, {"replicas": 3})
    assert hook.asked[1]["oldObject"]["spec"] == {"replicas": 1}
    collection = ("DELETE", path, None)
    assert await asks({"rules": on("configmaps", operations=("DELETE",))}, create, collection) != []


async def test_what_is_asked_and_not_stored(http: Http, hook: Hook, namespace: str) -> None:
    base = f"/api/v1/namespaces/{namespace}"
    for plural, body in (
        ("serviceaccounts", {"kind": "ServiceAccount", "metadata": {"name": "default"}}),
        ("pods", {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}),
    ):
        code, answer = await http("POST", f"{base}/{plural}", {"apiVersion": "v1", **body})
        assert code in (201, 409), answer  # every namespace may have its account already
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n"}}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    requests: list[tuple[str, Any, str]] = [
        (f"{base}/serviceaccounts/default/token", {"spec": {}}, "CREATE TokenRequest serviceaccounts/token"),
        (f"{base}/pods/p/exec?command=ls", None, "CONNECT PodExecOptions pods/exec"),
        (f"{base}/pods/p/binding", binding, "CREATE Binding pods/binding"),
        (f"{base}/pods/p/eviction", eviction, "CREATE Eviction pods/eviction"),
    ]
    async with configured(http, "Validating", webhook(hook, namespace, rules=on("*/*"))):
        for target, body, _ in requests:
            await http("POST", target, body)
    asked = [f"{r['operation']} {r['kind']['kind']} {r['resource']['resource']}/{r['subResource']}" for r in hook.asked]
    assert asked == [wanted for _, _, wanted in requests]
    assert (hook.asked[1]["object"]["command"], hook.asked[1]["name"]) == (["ls"], "p")
    hook.asked.clear()
    reviews = webhook(hook, namespace, rules=on("selfsubjectreviews"), namespaceSelector={})
    hook.verdict = lambda request: {"allowed": False}
    async with configured(http, "Validating", reviews):
        body = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
        assert (await http("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body))[0] == 400


async def test_a_condition_that_fails(http: Http, hook: Hook, namespace: str, path: str) -> None:
    conditions = [{"name": "odd", "expression": "object.data.missing == 'x'"}]
    async with configured(http, "Validating", webhook(hook, namespace, matchConditions=conditions)):
        code, body = await http("POST", path, config_map("a", x="1"))
        assert (code, body["reason"]) == (403, "Forbidden")
        assert "expression 'object.data.missing == 'x'' resulted in error: no such key: missing" in body["message"]
    ignoring = webhook(hook, namespace, matchConditions=conditions, failurePolicy="Ignore")
    async with configured(http, "Validating", ignoring):
        assert (await http("POST", path, config_map("a", x="1")))[0] == 201
    assert hook.asked == []


async def test_a_service_is_reached_by_its_name(http: Http, hook: Hook, namespace: str, path: str) -> None:
    services = "/api/v1/namespaces/default/services"
    body = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "hook"}}
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": hook.port}]}
    code, made = await http("POST", services, body | {"spec": spec})
    assert code == 201, made
    service = {"namespace": "default", "name": "hook", "path": "/in", "port": hook.port}
    try:
        client = {"service": service, "caBundle": hook.client["caBundle"]}
        async with configured(http, "Validating", webhook(hook, namespace, clientConfig=client)):
            code, body = await http("POST", path, config_map("a"))
            assert code == 201, body
        assert (hook.asked[0]["path"], hook.asked[0]["host"]) == ("/in?timeout=10s", f"hook.default.svc:{hook.port}")
    finally:
        await http("DELETE", f"{services}/hook")


async def test_endpoints_of_a_service(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    store = Store(database)

    def put(resource: str, name: str, **obj: Any) -> None:
        value = json.dumps({"metadata": {"name": name, **obj.pop("metadata", {})}, **obj}).encode()
        store.put(ObjectKey(resource, "ns", name), value, store.latest(ObjectKey(resource, "ns", name)))
        store.flush()

    def resolved(port: int = 443) -> Any:
        try:
            return resolve(store, Service("ns", "web", port))
        except NoEndpoint as error:
            return str(error)

    assert resolved() == 'service "web" not found'
    put("/services", "web", spec={"clusterIP": "10.96.0.9", "ports": [{"name": "h", "port": 443}]})
    assert resolved() == 'no endpoints available for service "web"'
    assert resolved(444) == 'no service port 444 found for service "web"'
    put("/endpoints", "web", subsets=[{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "h", "port": 8443}]}])
    assert resolved() == ("10.0.0.1", 8443)
    labels = {"labels": {"kubernetes.io/service-name": "web"}}
    endpoints = [{"addresses": ["10.0.0.2"], "conditions": {"ready": False}}, {"addresses": ["10.0.0.3"]}]
    ports = [{"name": "m", "port": 1}, {"name": "h", "port": 9443}]
    put("discovery.k8s.io/endpointslices", "web-a", metadata=labels, endpoints=endpoints, ports=ports)
    assert resolved() == ("10.0.0.3", 9443)
    put("discovery.k8s.io/endpointslices", "web-a", metadata=labels, endpoints=endpoints[:1], ports=ports)
    put("/endpoints", "web", subsets=[])
    assert resolved() == 'no endpoints available for service "web"'
    database.close()


async def test_a_change_meanwhile(http: Http, hook: Hook, namespace: str, path: str) -> None:
    """While a webhook thinks, the object changes: a patch is made again, an update with a version is refused."""
    obj = (await http("POST", path, config_map("a", n="0")))[1]
    rules = on("configmaps", operations=("UPDATE",))
    slow = {"matchConditions": [{"name": "slow", "expression": "has(object.data.slow)"}], "rules": rules}
    async with configured(http, "Mutating", webhook(hook, namespace, **slow)):
        hook.seconds = 0.4
        patch = asyncio.create_task(http("PATCH", f"{path}/a", {"data": {"slow": "1"}}, content_type=MERGE))
        put = asyncio.create_task(http("PUT", f"{path}/a", obj | {"data": {"slow": "2"}}))
        await asyncio.sleep(0.15)
        assert (await http("PATCH", f"{path}/a", {"data": {"n": "1"}}, content_type=MERGE))[0] == 200
        (code, patched), (refused, body) = await patch, await put
        assert (code, patched["data"]) == (200, {"n": "1", "slow": "1"})
        assert (refused, body["reason"]) == (409, "Conflict")
        assert len(hook.asked) >= 3
    name = config_map("b", slow="1")
    async with configured(http, "Mutating", webhook(hook, namespace, rules=on("configmaps", operations=("CREATE",)))):
        results = await asyncio.gather(*(http("POST", path, name) for _ in range(3)))
        assert sorted(code for code, _ in results) == [201, 409, 409]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "short"}, "should be a domain with at least three segments separated by dots"),
        (
            {"sideEffects": "Some"},
            'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "None',
        ),
        ({"sideEffects": None}, "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        ({"timeoutSeconds": 31}, "the timeout value must be between 1 and 30 seconds"),
        ({"admissionReviewVersions": ["v7"]}, "must include at least one of v1, v1beta1"),
        ({"clientConfig": {}}, "webhooks[0].clientConfig: Required value: exactly one of url or service is required"),
        (
            {"clientConfig": {"url": "http://x"}},
            "'https' is the only allowed URL scheme; desired format: https://host[",
        ),
        ({"rules": on("pods", "pods/*", "pods/log")}, "if 'pods/*' is present, must not specify pods/log"),
        ({"rules": on("pods", operations=("READ",))}, 'rules[0].operations[0]: Unsupported value: "READ"'),
        ({"matchConditions": [{"name": "a", "expression": "object.x +"}]}, "compilation failed"),
        ({"matchConditions": [{"name": "a", "expression": "'text'"}]}, "must evaluate to bool"),
        ({"failurePolicy": "Maybe"}, 'Unsupported value: "Maybe": supported values: "Fail", "Ignore"'),
    ],
)
async def test_wrong_configurations(
    http: Http, hook: Hook, namespace: str, fields: dict[str, Any], message: str
) -> None:
    body = {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "wrong"}}
    body |= {"apiVersion": "admissionregistration.k8s.io/v1", "webhooks": [webhook(hook, namespace, **fields)]}
    code, answer = await http("POST", f"{GROUP}/validatingwebhookconfigurations", body)
    assert (code, answer["reason"], message in answer["message"]) == (422, "Invalid", True), answer["message"]


async def test_webhooks_never_guard_their_configurations(http: Http, hook: Hook, namespace: str) -> None:
    hook.verdict = lambda request: {"allowed": False}
    everything = webhook(hook, namespace, rules=on("*/*"), namespaceSelector={"matchLabels": {"none": "such"}})
    async with configured(http, "Validating", everything), configured(http, "Mutating", webhook(hook, namespace)):
        pass
    assert hook.asked == []
