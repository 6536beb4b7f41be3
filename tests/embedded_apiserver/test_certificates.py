"""CertificateSigningRequests: who asks, what cannot be asked for, who decides what through which subresource."""

import base64
import uuid
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dovetail.embedded.apiserver.pki import Authority, Subject

from .conftest import Http, Server, connected

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT = "kubernetes.io/kube-apiserver-client"


def pem_request(common: str, *organizations: str) -> bytes:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common)]))
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def csr(**spec: Any) -> dict[str, Any]:
    request = base64.b64encode(pem_request("jane")).decode()
    whole = {"request": request, "signerName": CLIENT, "usages": ["client auth"], **spec}
    meta = {"name": f"csr-{uuid.uuid4().hex[:8]}"}
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    return {**kind, "metadata": meta, "spec": {name: value for name, value in whole.items() if value is not None}}


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "Test"}


async def make(http: Http, **spec: Any) -> Any:
    code, body = await http("POST", CSRS, csr(**spec))
    assert code == 201, body
    return body


async def decide(http: Http, made: Any, *conditions: Any, subresource: str = "approval") -> tuple[int, Any]:
    status = {**made.get("status", {}), "conditions": list(conditions)}
    return await http("PUT", f"{CSRS}/{made['metadata']['name']}/{subresource}", {**made, "status": status})


async def test_who_asks_is_written_in_and_nothing_of_it_changes(server: Server, http: Http) -> None:
    made = await make(http, username="forged", groups=["system:masters"], extra={"a": ["b"]}, uid="x")
    assert made["spec"]["username"] == "admin"
    assert made["spec"]["groups"] == ["system:masters", "system:authenticated"]
    assert list(made["spec"]["extra"]) == ["authentication.kubernetes.io/credential-id"]
    assert "uid" not in made["spec"]
    assert made["status"] == {}
    path = f"{CSRS}/{made['metadata']['name']}"
    changed = {
        **made,
        "spec": {**made["spec"], "usages": ["server auth"]},
        "status": {"conditions": [condition("Approved")]},
    }
    changed["metadata"] = {**made["metadata"], "labels": {"a": "b"}}
    code, after = await http("PUT", path, changed)
    assert (code, after["spec"], after["status"]) == (200, made["spec"], {})
    assert after["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["name"] in server.kubectl("get", "csr")


async def test_what_cannot_be_asked_for(http: Http) -> None:
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"request": base64.b64encode(b"x").decode()}, "spec.request", "PEM block type must be CERTIFICATE REQUEST"),
        ({"request": None}, "spec.request", "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages", "Required value"),
        ({"usages": ["world domination"]}, "spec.usages[0]", 'supported values: "any", "cert sign", "client auth"'),
        ({"usages": ["client auth", "client auth"]}, "spec.usages[1]", "Duplicate value"),
        ({"signerName": None}, "spec.signerName", "Required value"),
        ({"signerName": "x"}, "spec.signerName", "must be a fully qualified domain and path of the form"),
        ({"signerName": "x/y"}, "spec.signerName", "should be a domain with at least two segments separated by dots"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "spec.signerName", "the legacy signerName is not allowed"),
        ({"expirationSeconds": 599}, "spec.expirationSeconds", "may not specify a duration less than 600 seconds"),
    ]  # fmt: skip
    for spec, field, text in cases:
        code, body = await http("POST", CSRS, csr(**spec))
        assert code == 422, body
        causes = body["details"]["causes"]
        assert [cause["field"] for cause in causes] == [field], body
        assert text in causes[0]["message"]
    broken = pem_request("jane").replace(b"M", b"N", 1)
    assert (await http("POST", CSRS, csr(request=base64.b64encode(broken).decode())))[0] == 422
    masters = base64.b64encode(pem_request("eve", "system:masters")).decode()
    code, body = await http("POST", CSRS, csr(request=masters))
    assert (code, "system:masters" in body["message"]) == (403, True)


async def test_decisions_are_for_approval_and_for_ever(http: Http) -> None:
    made = await make(http)
    code, body = await decide(http, made, condition("Approved"), subresource="status")
    assert code == 422
    assert body["details"]["causes"][0]["message"] == ('Forbidden: updates may not add a condition of type "Approved"')
    for conditions, text in (
        ([condition("Approved"), condition("Denied")], "Approved and Denied conditions are mutually exclusive"),
        ([condition("Approved"), condition("Approved")], "Duplicate value"),
        ([condition("Approved", "False")], 'Unsupported value: "False": supported values: "True"'),
        ([{"type": "Approved"}], "Required value"),
    ):
        code, body = await decide(http, made, *conditions)
        assert (code, text in body["message"]) == (422, True), body
    code, approved = await decide(http, made, condition("Approved"))
    assert code == 200
    found = approved["status"]["conditions"][0]
    assert found["lastUpdateTime"] == found["lastTransitionTime"]
    for conditions, text in (
        ([], 'updates may not remove a condition of type "Approved"'),
        ([condition("Denied")], 'updates may not remove a condition of type "Approved"'),
    ):
        code, body = await decide(http, approved, *conditions)
        assert (code, text in body["message"]) == (422, True), body
    code, again = await decide(
        http, approved, *approved["status"]["conditions"], condition("example.com/Seen", "False")
    )
    assert code == 200
    assert again["status"]["conditions"][0] == found


async def test_the_certificate_is_for_status_once(http: Http, server: Server) -> None:
    made = await make(http)
    _, approved = await decide(http, made, condition("Approved"))
    path = f"{CSRS}/{made['metadata']['name']}"
    authority = Authority(server.data_dir / "pki")
    pem = authority.client(Subject(f"x{uuid.uuid4().hex}", "jane")).certificate
    for wrong, text in (
        (b"x", "must contain at least one CERTIFICATE PEM block"),
        (pem_request("x"), 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
    ):
        status = {**approved["status"], "certificate": base64.b64encode(wrong).decode()}
        code, body = await http("PUT", f"{path}/status", {**approved, "status": status})
        assert (code, text in body["message"]) == (422, True), body
    status = {**approved["status"], "certificate": base64.b64encode(pem).decode()}
    code, kept = await http("PUT", f"{path}/approval", {**approved, "status": status})
    assert (code, kept["status"].get("certificate")) == (200, None)
    code, issued = await http("PUT", f"{path}/status", {**approved, "status": {**status, "conditions": []}})
    assert (code, 'updates may not remove a condition of type "Approved"' in issued["message"]) == (422, True)
    code, issued = await http("PUT", f"{path}/status", {**approved, "status": status})
    assert (code, issued["status"]["certificate"]) == (200, status["certificate"])
    assert issued["status"]["conditions"] == approved["status"]["conditions"]
    status["certificate"] = base64.b64encode(authority.ca_pem).decode()
    code, body = await http("PUT", f"{path}/status", {**issued, "status": status})
    assert (code, "updates may not modify existing certificate content" in body["message"]) == (422, True)


async def test_deciding_needs_the_right_for_the_signer(server: Server, http: Http) -> None:
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/*"], "verbs": ["*"]},
             {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"],
              "verbs": ["update"]}]  # fmt: skip
    rbac, name = "/apis/rbac.authorization.k8s.io/v1", f"approver-{uuid.uuid4().hex[:6]}"
    assert (await http("POST", f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": rules}))[0] == 201
    subjects = [{"kind": "User", "name": "system:dovetail:console"}]
    for role in (name, "system:certificates.k8s.io:kube-apiserver-client-approver"):
        made = await make(http)
        async with connected(server, "console") as console:
            code, body = await decide(console, made, condition("Approved"))
            assert code == 403
        if role == name:
            assert "approval" in body["message"]
        else:
            assert f'user not permitted to approve requests with signerName "{CLIENT}"' in body["message"]
        binding = {"metadata": {"name": f"{name}-{role[-3:]}"}, "roleRef": {"kind": "ClusterRole", "name": role}}
        assert (await http("POST", f"{rbac}/clusterrolebindings", {**binding, "subjects": subjects}))[0] == 201
    async with connected(server, "console") as console:
        assert (await decide(console, made, condition("Approved")))[0] == 200
    for role in (name, "system:certificates.k8s.io:kube-apiserver-client-approver"):
        await http("DELETE", f"{rbac}/clusterrolebindings/{name}-{role[-3:]}")
