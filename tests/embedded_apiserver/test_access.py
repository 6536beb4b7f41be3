"""Certificates, tokens, impersonation, RBAC and its reviews, and the files that a start leaves behind."""

import asyncio
import ssl
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from dovetail.embedded.apiserver import pki
from dovetail.embedded.apiserver.pki import Authority, Subject
from dovetail.embedded.apiserver.renewal import renew_once
from dovetail.embedded.apiserver.transport import tls_context

from .conftest import Http, Server, config_map, connected

RBAC = "rbac.authorization.k8s.io/v1"


async def make_role(http: Http, namespace: str, user: str, verbs: list[str], resources: list[str]) -> None:
    rules = [{"apiGroups": [""], "resources": resources, "verbs": verbs}]
    base = f"/apis/{RBAC}/namespaces/{namespace}"
    role = {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": user}, "rules": rules}
    subject = {"kind": "User", "name": user}
    binding = {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": user},
        "subjects": [subject],
        "roleRef": {"kind": "Role", "name": user},
    }
    assert (await http("POST", f"{base}/roles", role))[0] == 201
    assert (await http("POST", f"{base}/rolebindings", binding))[0] == 201


async def test_nobody_sees_health_and_version_and_nothing_else(nobody: Http) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz?verbose"):
        async with nobody.session.get(nobody.server.url + path) as response:
            assert response.status == 200, path
    assert (await nobody("GET", "/version"))[0] == 200
    for path in ("/api", "/apis", "/openapi/v2", "/api/v1/namespaces", "/metrics"):
        code, body = await nobody("GET", path)
        assert (code, body["reason"]) == (403, "Forbidden"), path
    assert (
        'User "system:anonymous" cannot list resource "namespaces"'
        in (await nobody("GET", "/api/v1/namespaces"))[1]["message"]
    )


async def test_a_bad_token_is_refused_and_never_taken_for_nobody(nobody: Http) -> None:
    for token in ("x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        code, body = await nobody("GET", "/healthz", authorization=f"Bearer {token}")
        assert (code, body["reason"]) == (401, "Unauthorized")


async def test_a_foreign_certificate_is_refused(server: Server, tmp_path: Path) -> None:
    foreign = Authority(tmp_path / "pki").client(Subject("admin", "admin", ("system:masters",)))
    context = server.tls("")
    context.load_cert_chain(foreign.certificate_file, foreign.key_file)
    async with connected(server, context=context) as http:
        with pytest.raises(aiohttp.ClientError):
            await http.session.get(server.url + "/api/v1/namespaces")


async def test_a_service_accounts_token_lives_as_long_as_the_account(http: Http, nobody: Http, namespace: str) -> None:
    base = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await http("POST", base, account)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    code, answer = await http("POST", f"{base}/robot/token", request)
    token, name = answer["status"]["token"], f"system:serviceaccount:{namespace}:robot"
    assert code == 201
    await make_role(http, namespace, name.replace(":", "."), ["get"], ["configmaps"])
    code, body = await nobody("GET", f"/api/v1/namespaces/{namespace}/configmaps", authorization=f"Bearer {token}")
    assert code == 403
    assert f'User "{name}"' in body["message"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = (await http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review))[1]["status"]
    assert status["user"]["username"] == name
    assert f"system:serviceaccounts:{namespace}" in status["user"]["groups"]
    review["spec"] = {"token": token, "audiences": ["other"]}
    status = (await http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review))[1]["status"]
    assert "authenticated" not in status
    assert status["error"] == (
        '[invalid bearer token, token audiences ["https://kubernetes.default.svc.cluster.local"] is invalid for the '
        'target audiences ["other"]]'
    )
    await http("DELETE", f"{base}/robot")
    await http("POST", base, account)  # the same name is not the same account
    code, _ = await nobody("GET", "/version", authorization=f"Bearer {token}")
    assert code == 401


async def test_a_token_bound_to_a_secret_ends_with_it_and_a_short_one_is_refused(
    http: Http, nobody: Http, namespace: str
) -> None:
    base = f"/api/v1/namespaces/{namespace}"
    await http(
        "POST", f"{base}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    )
    await http("POST", f"{base}/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})
    spec: dict[str, Any] = {"expirationSeconds": 10}
    code, body = await http("POST", f"{base}/serviceaccounts/robot/token", {"spec": spec})
    assert code == 422
    assert "may not specify a duration less than 10 minutes" in body["message"]
    spec = {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s"}}
    token = (await http("POST", f"{base}/serviceaccounts/robot/token", {"spec": spec}))[1]["status"]["token"]
    assert (await nobody("GET", "/version", authorization=f"Bearer {token}"))[0] == 200
    await http("DELETE", f"{base}/secrets/s")
    assert (await nobody("GET", "/version", authorization=f"Bearer {token}"))[0] == 401


async def test_impersonation_gives_the_users_rights_and_no_more(http: Http, namespace: str) -> None:
    await make_role(http, namespace, "reader", ["get", "list"], ["configmaps"])
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert (await http("GET", path, impersonate_user="reader"))[0] == 200
    assert (await http("POST", path, config_map("x"), impersonate_user="reader"))[0] == 403
    assert (await http("GET", path.replace("configmaps", "secrets"), impersonate_user="reader"))[0] == 403
    assert (await http("GET", path, impersonate_user="other"))[0] == 403
    assert (await http("GET", path, impersonate_user="other", impersonate_group="system:masters"))[0] == 200
    assert (await http("GET", path, impersonate_group="x"))[0] == 400


async def test_only_who_may_impersonate_does(server: Server, http: Http, namespace: str) -> None:
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    impersonate = [
        {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"], "verbs": ["impersonate"]},
    ]
    role = {"metadata": {"name": f"actor-{namespace}"}, "rules": impersonate}
    assert (await http("POST", f"/apis/{RBAC}/clusterroles", role))[0] == 201
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "system:dovetail:gateway"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"actor-{namespace}"}
    binding = {"metadata": {"name": f"actor-{namespace}"}, "roleRef": reference, "subjects": [subject]}
    assert (await http("POST", f"/apis/{RBAC}/clusterrolebindings", binding))[0] == 201
    for component, allowed in (("gateway", True), ("console", False)):
        async with connected(server, component) as http:
            code, body = await http("POST", path, who, impersonate_user="bob", impersonate_extra_scopes="a")
            if allowed:
                assert body["status"]["userInfo"] == {
                    "username": "bob",
                    "groups": ["system:authenticated"],
                    "extra": {"scopes": ["a"]},
                }
            else:
                assert code == 403
                assert 'cannot impersonate resource "users"' in body["message"]


async def test_a_component_has_no_rights_that_nobody_gave_it(server: Server) -> None:
    for component in ("gateway", "console", "controllers"):
        async with connected(server, component) as http:
            found = {path: (await http("GET", path))[0] for path in ("/api/v1/secrets", "/api/v1/pods", "/apis")}
            assert found == {"/api/v1/secrets": 403, "/api/v1/pods": 403, "/apis": 200}, component


async def test_nobody_gives_away_rights_that_he_does_not_have(http: Http, namespace: str) -> None:
    await make_role(http, namespace, "boss", ["get", "list"], ["configmaps"])
    rbac = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]
    base = f"/apis/{RBAC}/namespaces/{namespace}"
    await http(
        "PATCH",
        f"{base}/roles/boss",
        [{"op": "add", "path": "/rules/-", "value": rbac[0]}],
        content_type="application/json-patch+json",
    )
    role = {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": "r"}}
    own = {**role, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}
    more = {**role, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}
    code, body = await http("POST", f"{base}/roles", more, impersonate_user="boss")
    assert code == 403
    assert "attempting to grant RBAC permissions not currently held" in body["message"]
    assert (await http("POST", f"{base}/roles", own, impersonate_user="boss"))[0] == 201
    reference = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "User", "name": "boss", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": "up"},
        "subjects": [subject],
        "roleRef": reference,
    }
    assert (await http("POST", f"{base}/rolebindings", binding, impersonate_user="boss"))[0] == 403


async def test_reviews(http: Http, namespace: str) -> None:
    await make_role(http, namespace, "reader", ["get"], ["configmaps"])
    asked = {"namespace": namespace, "verb": "get", "resource": "configmaps"}
    group = "authorization.k8s.io/v1"
    review = {
        "apiVersion": group,
        "kind": "SubjectAccessReview",
        "spec": {"user": "reader", "resourceAttributes": asked},
    }
    reason = f'RBAC: allowed by RoleBinding "reader/{namespace}" of Role "reader" to User "reader"'
    expected = {"allowed": True, "reason": reason}
    assert (await http("POST", f"/apis/{group}/subjectaccessreviews", review))[1]["status"] == expected
    review["spec"] = {"user": "reader", "resourceAttributes": {**asked, "verb": "delete"}}
    assert (await http("POST", f"/apis/{group}/subjectaccessreviews", review))[1]["status"] == {"allowed": False}
    mine = {"apiVersion": group, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked}}
    path = f"/apis/{group}/selfsubjectaccessreviews"
    assert (await http("POST", path, mine, impersonate_user="reader"))[1]["status"]["allowed"]
    rules = {"apiVersion": group, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    answer = (await http("POST", f"/apis/{group}/selfsubjectrulesreviews", rules, impersonate_user="reader"))[1]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]} in answer["status"]["resourceRules"]


def test_files_are_private_and_name_the_components(server: Server) -> None:
    for path in server.data_dir.rglob("*"):
        if path.parent.name in ("pki", "clients", "kube", "kubeconfigs") or path.name == "kubeconfig":
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    for name in ("gateway", "controllers", "console"):
        found = x509.load_pem_x509_certificate((server.data_dir / f"pki/clients/{name}.crt").read_bytes()).subject
        assert found.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == f"system:dovetail:{name}"
        assert found.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) == []


def test_certificates_are_kept_and_renewed_when_they_must_be(tmp_path: Path) -> None:
    subject = Subject("admin", "admin", ("system:masters",))
    first = Authority(tmp_path)
    server, client = first.server(["127.0.0.1", "localhost"]), first.client(subject)
    again = Authority(tmp_path)
    assert again.ca_pem == first.ca_pem
    assert again.server(["127.0.0.1", "localhost"]).certificate == server.certificate
    assert again.client(subject).certificate == client.certificate
    assert again.server(["127.0.0.1", "example.dev"]).certificate != server.certificate
    (tmp_path / "ca.crt").unlink()
    renewed = Authority(tmp_path)
    assert renewed.client(subject).certificate == client.certificate  # same key, same name: still its issuer
    (tmp_path / "ca.key").unlink()
    replaced = Authority(tmp_path)
    assert replaced.client(subject).certificate != client.certificate


async def test_a_running_server_shows_its_renewed_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setattr(pki, "LEAF_DAYS", pki.RENEW_DAYS - 1)
    old = authority.server(["localhost"])
    context = tls_context(old.certificate_file, old.key_file, authority.ca_file)
    monkeypatch.undo()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    async def shown() -> int:
        trusting = ssl.create_default_context(cafile=authority.ca_file)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return x509.load_der_x509_certificate(der).serial_number

    written: list[bool] = []
    async with server:
        first = await shown()
        new = renew_once(context, old, lambda: authority.server(["localhost"]), lambda: written.append(True))
        assert (new.certificate != old.certificate, written) == (True, [True])
        assert await shown() == x509.load_pem_x509_certificate(new.certificate).serial_number != first
        assert renew_once(context, new, lambda: authority.server(["localhost"]), lambda: None) == new


async def test_stopping_ends_watches_at_once(own_server: Server) -> None:
    url = own_server.url + "/api/v1/namespaces?watch=1&resourceVersion=0"
    async with connected(own_server) as http, http.session.get(url) as watch:
        await watch.content.readline()
        started = time.monotonic()
        assert await asyncio.to_thread(own_server.end) == 0
        assert time.monotonic() - started < 10
        await watch.read()
