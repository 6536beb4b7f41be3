"""Rows: who may do what, tokens, certificates."""

import base64
import json
import subprocess

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import config_map
from tests.e2e.kube.table import row

AREA = "Access"
RBAC = "reference/access-authn-authz/rbac/"
AUTHN = "reference/access-authn-authz/authentication/"


@row(AREA, "RBAC with the default roles: view, edit, admin in one namespace", "kubectl",
     RBAC + "#user-facing-roles")  # fmt: skip
def default_roles(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "rolebinding", "v", "--clusterrole=view", "--user=ann")
    can = lambda *words: cluster.kubectl("-n", ns, "auth", "can-i", *words, "--as=ann", code=None).strip()  # noqa: E731
    assert (can("list", "pods"), can("get", "secrets"), can("create", "pods")) == ("yes", "no", "no")
    told = cluster.kubectl("-n", ns, "get", "secrets", "--as=ann", code=1)
    assert f'User "ann" cannot list resource "secrets" in API group "" in the namespace "{ns}"' in told


@row(
    AREA, "nobody grants what he does not hold", "kubectl", RBAC + "#privilege-escalation-prevention-and-bootstrapping"
)
def escalation(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "rolebinding", "a", "--clusterrole=admin", "--user=bob")
    told = cluster.kubectl("-n", ns, "create", "role", "r", "--verb=*", "--resource=nodes", "--as=bob", code=1)
    assert "is attempting to grant RBAC permissions not currently held" in told


@row(AREA, "aggregated ClusterRoles take in the rules of labelled ones", "kubectl",
     RBAC + "#aggregated-clusterroles")  # fmt: skip
def aggregation(cluster: Cluster) -> None:
    ns = cluster.namespace()
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": f"{ns}-view", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["rows.dovetail.dev"], "resources": ["things"], "verbs": ["get"]}],
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=role)
    wanted = role["rules"][0]
    eventually(lambda: wanted in cluster.get("clusterrole", "view")["rules"])
    cluster.kubectl("delete", "clusterrole", f"{ns}-view")
    eventually(lambda: wanted not in cluster.get("clusterrole", "view")["rules"])


@row(AREA, "tokens of service accounts: TokenRequest, audience, bound to an object, gone with the account", "kubectl",
     "tasks/configure-pod-container/configure-service-account/")  # fmt: skip
def service_account_tokens(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "serviceaccount", "robot")
    cluster.kubectl("-n", ns, "create", "rolebinding", "r", "--clusterrole=view", f"--serviceaccount={ns}:robot")
    token = cluster.kubectl("-n", ns, "create", "token", "robot", "--duration=20m").strip()
    path = f"/api/v1/namespaces/{ns}/configmaps"
    assert cluster.http("GET", path, token=token).code == 200
    assert cluster.http("POST", path, config_map("x"), token=token).code == 403
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == f"system:serviceaccount:{ns}:robot"
    foreign = cluster.kubectl("-n", ns, "create", "token", "robot", "--audience=elsewhere").strip()
    assert cluster.http("GET", path, token=foreign).code == 401
    cluster.kubectl("-n", ns, "delete", "serviceaccount", "robot")
    eventually(lambda: cluster.http("GET", path, token=token).code == 401)


@row(AREA, "impersonation of users and groups, by those who may", "kubectl", AUTHN + "#user-impersonation")
def impersonation(cluster: Cluster) -> None:
    shown = cluster.kubectl("auth", "whoami", "--as=eve", "--as-group=devs", "-o", "json")
    assert json.loads(shown)["status"]["userInfo"] == {"username": "eve", "groups": ["devs", "system:authenticated"]}
    ns = cluster.namespace()
    token = cluster.kubectl("-n", ns, "create", "token", "default").strip()
    answer = cluster.http("GET", "/api", token=token, Impersonate_User="eve")
    assert (answer.code, 'cannot impersonate resource "users"' in answer.json["message"]) == (403, True)


@row(AREA, "anonymous requests see health and version, nothing else", "HTTP", AUTHN + "#anonymous-requests")
def anonymous(cluster: Cluster) -> None:
    def code(path: str) -> int:
        done = subprocess.run(
            ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://127.0.0.1:{cluster.port}{path}"],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        return int(done.stdout)

    assert [code("/livez"), code("/version"), code("/api/v1/nodes")] == [200, 200, 403]


@row(AREA, "a certificate request that is approved becomes a user's certificate", "kubectl, openssl",
     "reference/access-authn-authz/certificate-signing-requests/")  # fmt: skip
def certificate_requests(cluster: Cluster) -> None:
    ns = cluster.namespace()
    key, request = cluster.directory / f"{ns}.key", cluster.directory / f"{ns}.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(request),
         "-subj", f"/CN={ns}-user/O=rows"], check=True, capture_output=True,
    )  # fmt: skip
    csr = {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": ns},
        "spec": {
            "request": base64.b64encode(request.read_bytes()).decode(), "usages": ["client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": 3600,
        },
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=csr)
    assert "Pending" in cluster.kubectl("get", "csr", ns)
    cluster.kubectl("certificate", "approve", ns)
    eventually(lambda: cluster.get("csr", ns)["status"].get("certificate"))
    certificate = cluster.directory / f"{ns}.crt"
    certificate.write_bytes(base64.b64decode(cluster.get("csr", ns)["status"]["certificate"]))
    flags = [f"--client-certificate={certificate}", f"--client-key={key}"]
    shown = json.loads(cluster.kubectl("auth", "whoami", "-o", "json", "--user=", *flags))
    assert shown["status"]["userInfo"]["username"] == f"{ns}-user"
    assert "rows" in shown["status"]["userInfo"]["groups"]
