"""Certificates: a user made with real kubectl, what signers refuse, kubelets, and when requests go."""

import asyncio
import base64
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dovetail.embedded.controllers.certificate_approval import deadline
from dovetail.embedded.controllers.certificate_requests import CSRS
from dovetail.embedded.controllers.signer import lifetime
from dovetail.kube import CLUSTERROLEBINDINGS, Client, Object, now, rfc3339
from tests.conftest import KubeApi

from .clusters import until

KUBELET, CLIENT = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kube-apiserver-client"


def pem_request(common: str, *organizations: str) -> bytes:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common)]))
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def csr(pem: bytes, signer: str = CLIENT, *usages: str, **spec: Any) -> Object:
    encoded = base64.b64encode(pem).decode()
    whole = {"request": encoded, "signerName": signer, "usages": list(usages or ("client auth",)), **spec}
    return {"metadata": {"name": f"csr-{uuid.uuid4().hex[:8]}"}, "spec": whole}


# -- pure


def test_how_long_a_certificate_lives() -> None:
    assert [lifetime({"spec": spec}) for spec in ({}, {"expirationSeconds": 600}, {"expirationSeconds": 1 << 30})] == [
        timedelta(days=365), timedelta(minutes=10), timedelta(days=365),
    ]  # fmt: skip


def test_when_a_request_goes() -> None:
    moment = now().replace(microsecond=0)
    base: Object = {"metadata": {"creationTimestamp": rfc3339(moment)}}
    assert deadline(base) == moment + timedelta(hours=24)
    for kind, hours in (("Denied", 1), ("Failed", 1)):
        condition = {"type": kind, "status": "True", "lastUpdateTime": rfc3339(moment)}
        assert deadline({**base, "status": {"conditions": [condition]}}) == moment + timedelta(hours=hours)
    approved = {"conditions": [{"type": "Approved", "status": "True", "lastUpdateTime": rfc3339(moment)}]}
    assert deadline({**base, "status": approved}) > moment + timedelta(hours=23)
    issued = {**approved, "certificate": base64.b64encode(b"x").decode()}
    assert deadline({**base, "status": issued}) == moment + timedelta(hours=1)


# -- on a cluster


async def approve(client: Client, name: str) -> None:
    found = await client.get(CSRS, name)
    condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "x"}
    await client.update(CSRS, {**found, "status": {"conditions": [condition]}}, subresource="approval")


async def status_with(client: Client, name: str, field: str) -> Any:
    async def there() -> bool:
        return bool(((await client.get(CSRS, name)).get("status") or {}).get(field))

    await until(there)
    return (await client.get(CSRS, name))["status"]


@pytest.mark.e2e
def test_a_user_made_with_kubectl_logs_in(kube_api: KubeApi, tmp_path: Path) -> None:
    """The steps of the documentation: openssl, create, approve, get the certificate, use it."""
    user = f"jane-{uuid.uuid4().hex[:6]}"
    key, request, certificate = (tmp_path / f"jane.{kind}" for kind in ("key", "csr", "crt"))
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "req", "-new", "-key", key, "-out", request, "-subj", f"/CN={user}/O=dev"], check=True,
        capture_output=True,
    )  # fmt: skip
    encoded = base64.b64encode(request.read_bytes()).decode()
    manifest = (
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\n"
        f"metadata: {{name: {user}}}\nspec:\n  request: {encoded}\n  signerName: {CLIENT}\n"
        "  expirationSeconds: 86400\n  usages: [client auth]\n"
    )

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        done = kube_api.kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    kubectl("apply", "-f", "-", stdin=manifest)
    assert "approved" in kubectl("certificate", "approve", user)
    kubectl("wait", "--for=jsonpath={.status.certificate}", f"csr/{user}", "--timeout=15s")
    certificate.write_bytes(base64.b64decode(kubectl("get", "csr", user, "-o", "jsonpath={.status.certificate}")))
    kubectl("create", "clusterrolebinding", user, "--clusterrole=view", f"--user={user}")
    config = tmp_path / "config"
    config.write_bytes(kube_api.kubeconfig.read_bytes())

    def as_jane(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["kubectl", "--kubeconfig", str(config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    as_jane("config", "set-credentials", user, f"--client-certificate={certificate}", f"--client-key={key}")
    as_jane("config", "set-context", "--current", f"--user={user}")
    me = as_jane("auth", "whoami")
    assert (user in me.stdout, "dev" in me.stdout) == (True, True), me.stderr
    assert as_jane("get", "pods", "-A").returncode == 0
    assert f'User "{user}" cannot list resource "secrets"' in as_jane("get", "secrets").stderr


@pytest.mark.e2e
async def test_what_is_in_the_certificate(client: Client) -> None:
    made = await client.create(CSRS, csr(pem_request("jane", "dev"), CLIENT, "client auth", "digital signature",
                                         expirationSeconds=3600))  # fmt: skip
    name = made["metadata"]["name"]
    await asyncio.sleep(0.3)
    assert "certificate" not in (await client.get(CSRS, name)).get("status", {})
    await approve(client, name)
    status = await status_with(client, name, "certificate")
    found = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
    assert found.subject.rfc4514_string() == "CN=jane,O=dev"
    assert found.not_valid_after_utc - found.not_valid_before_utc == timedelta(seconds=3600 + 300)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, False, False)
    extended = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    found.verify_directly_issued_by(x509.load_pem_x509_certificate((client.config.ca_pem() or "").encode()))


@pytest.mark.e2e
async def test_what_a_signer_does_not_sign_has_failed(client: Client) -> None:
    cases = [
        (csr(pem_request("jane"), CLIENT, "server auth"), "invalid usage for client certificate: server auth"),
        (csr(pem_request("jane"), CLIENT, "digital signature"),
         "missing required usage for client certificate: client auth"),
        (csr(pem_request("jane"), KUBELET, "client auth", "digital signature"),
         "subject organization is not system:nodes"),
        (csr(pem_request("system:node:n", "system:nodes"), "kubernetes.io/kubelet-serving", "server auth"),
         "DNS or IP subjectAltName is required"),
    ]  # fmt: skip
    for wish, message in cases:
        name = (await client.create(CSRS, wish))["metadata"]["name"]
        await approve(client, name)

        async def failed(name: str = name) -> bool:
            return len((await client.get(CSRS, name))["status"]["conditions"]) == 2

        await until(failed)
        condition = (await client.get(CSRS, name))["status"]["conditions"][1]
        assert (condition["type"], condition["reason"]) == ("Failed", "SignerValidationFailure")
        assert condition["message"] == message
    foreign = (await client.create(CSRS, csr(pem_request("x"), "example.com/own")))["metadata"]["name"]
    await approve(client, foreign)
    await asyncio.sleep(0.5)
    assert "certificate" not in (await client.get(CSRS, foreign))["status"]


@pytest.mark.e2e
async def test_a_kubelet_renews_its_certificate_alone(client: Client) -> None:
    node = f"system:node:n{uuid.uuid4().hex[:6]}"
    role = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
    binding = {
        "metadata": {"name": node.replace(":", ".")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": node}],
    }
    await client.create(CLUSTERROLEBINDINGS, binding)
    await client.create(CLUSTERROLEBINDINGS, {
        **binding, "metadata": {"name": f"{node.replace(':', '.')}-b"},
        "roleRef": {**binding["roleRef"], "name": "system:node-bootstrapper"},
    })  # fmt: skip
    as_node = client.impersonate(node, ["system:nodes"])
    usages = ("client auth", "digital signature", "key encipherment")
    own = await as_node.create(CSRS, csr(pem_request(node, "system:nodes"), KUBELET, *usages))
    status = await status_with(client, own["metadata"]["name"], "certificate")
    assert status["conditions"][0]["reason"] == "AutoApproved"
    other = await as_node.create(CSRS, csr(pem_request("system:node:other", "system:nodes"), KUBELET, *usages))
    await asyncio.sleep(0.5)
    assert not (await client.get(CSRS, other["metadata"]["name"])).get("status", {}).get("conditions")


@pytest.mark.e2e
async def test_what_was_approved_before_a_kill_is_signed_after_it(own_kube_api: KubeApi) -> None:
    async with own_kube_api.client() as client:
        names = [(await client.create(CSRS, csr(pem_request(f"u{at}"))))["metadata"]["name"] for at in range(5)]
        await asyncio.gather(*(approve(client, name) for name in names))
        await asyncio.to_thread(own_kube_api.restart)
        for name in names:
            await status_with(client, name, "certificate")
