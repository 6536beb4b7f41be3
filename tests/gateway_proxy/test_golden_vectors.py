"""The 2.x gateway's configuration, imported and served: the 24 golden vectors of reference/gateway-2x-and-s2i.md 1.10b.

Each vector says which backend gets the request under which path, and whether it was authenticated and authorized. The
routes are served here with nothing reserved, as on a gateway that is nothing but this Caddyfile; which of them the
platform keeps for itself is told by tests/gateway_control/test_caddyfile.py.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dovetail.gateway.caddyfile.importing import NOTHING, import_caddyfile
from tests.e2e.certificates import make_certificate
from tests.e2e.demo.platform import ROOT
from tests.gateway_proxy.applied import serving
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import ADMIN, STRANGER, Gateway, bearer

CADDYFILE = Path(__file__).parent / "kubesphere-2x.Caddyfile"
K = "ks-apiserver.kubesphere-system.svc"
ACCOUNT = "ks-account.kubesphere-system.svc"
JENKINS = "ks-jenkins.kubesphere-devops-system.svc"
CLUSTER = "kubernetes.default"
DEVOPS = "/kapis/devops.kubesphere.io"
IAM = "/kapis/iam.kubesphere.io/v1alpha2"


@dataclass(frozen=True)
class Vector:
    """A request; the backend and the path that it gets (empty: the request's own); who may ask.

    `differs` says on purpose where this gateway does not do what the old one did; then the other fields are ours.
    """

    request: str
    host: str
    path: str = ""
    authn: bool = True
    authz: bool = True
    differs: str = ""


CASE = "F9: case counts, and a path's prefix ends at a segment border"
VECTORS = (
    Vector("GET /api/v1/namespaces/a/pods", CLUSTER),
    Vector("GET /apis/apps/v1/deployments", CLUSTER),
    Vector("GET /apis/devops.kubesphere.io/v1alpha1/namespaces/a/s2iruns", CLUSTER, authz=False),
    Vector("POST /apis/account.kubesphere.io/v1alpha1/authenticate", ACCOUNT, f"{IAM}/authenticate", False, False),
    Vector("GET /apixyz", "", differs=CASE),
    Vector("GET /kapis/jenkins.kubesphere.io/blue/rest/x", JENKINS, "/blue/rest/x", authz=False),
    Vector("GET /job/a/1", JENKINS),
    Vector(f"GET {DEVOPS}/v1alpha/projects", "ks-devops.kubesphere-devops-system.svc", "/api/v1alpha/projects",
           authz=False),
    Vector(f"GET {DEVOPS}/v1alpha2/devops/d", K, authz=False),
    Vector(f"GET {DEVOPS}/v1alpha2", K, authz=False),
    Vector(f"POST {DEVOPS}/v1alpha2/webhook/github", K, authn=False, authz=False),
    Vector(f"POST {IAM}/login", ACCOUNT, authn=False, authz=False),
    Vector(f"GET {IAM}/rulesmapping/roles", ACCOUNT, authz=False),
    Vector(f"GET {IAM}/users/{STRANGER}", ACCOUNT, authz=False),  # everybody may read the own account
    Vector("GET /kapis/tenant.kubesphere.io/v1alpha2/workspaces", K, authz=False),
    Vector("GET /kapis/openpitrix.io/v1/apps", K, authn=False, authz=False),
    Vector("POST /kapis/openpitrix.io/v1/apps", K),
    Vector("HEAD /kapis/openpitrix.io/v1/apps", K, authn=False, authz=False,
           differs="a role that may get may ask for the head, too: roles speak of verbs, not of methods"),
    Vector("GET /kapis/alerting.kubesphere.io/v1/nodes/alert",
           "alerting-client-server.kubesphere-alerting-system.svc:9200", "/api/v1/nodes/alert"),
    Vector("POST /kapis/notification.kubesphere.io/v1/notifications",
           "notification.kubesphere-alerting-system.svc:9200", "/v1/notifications", authz=False),
    Vector("GET /kapis/terminal.kubesphere.io/v1alpha2/namespaces/a/pods/p", K),
    Vector("GET /kapis/v1alpha1/configz", K, authn=False, authz=False),
    Vector("GET /KAPIS/Alerting.kubesphere.io/v1/metric", "", differs=CASE),
    Vector("GET /swagger-ui/", "", differs="the page is a route of the platform itself"),
    Vector("GET /index.html", "", differs="the vector's 404 comes before 401 here: there is nothing to guard"),
)  # fmt: skip
"""24 lines of the reference; that of openpitrix's POST and HEAD is two here."""


NOTHING_RESERVED = {"reserved_paths": frozenset[str](), "reserved_groups": frozenset[str]()}


def test_the_configuration_is_that_of_the_seed() -> None:
    """As printed: without its first line, the address, and so with a brace too many."""
    seed = ROOT.parent / "shared" / "seeds" / "kubesphere-architecture-2x.txt"
    if not seed.exists():
        pytest.skip("the seed document is not at hand")
    assert CADDYFILE.read_text() in seed.read_text()


async def _ask(running: Gateway, vector: Vector, *lines: str) -> int:
    method, _, path = vector.request.partition(" ")
    return (await running.once(method, path, *lines, body=b"{}" if method == "POST" else None)).status


async def test_vectors(tmp_path: Path) -> None:
    backend = await Backend().start()
    secure = await Backend().start(tls=make_certificate(tmp_path).server_context())
    imported = import_caddyfile(CADDYFILE.read_text(), reserved=NOTHING)
    async with serving(imported.objects, backend, secure.port, **NOTHING_RESERVED) as running:
        for vector in VECTORS:
            backend.seen.clear()
            secure.seen.clear()
            assert await _check(running, vector, secure if vector.host == CLUSTER else backend) is None, vector


async def _check(running: Gateway, vector: Vector, backend: Backend) -> object:
    """What is wrong; None for nothing."""
    status = await _ask(running, vector, bearer(ADMIN))
    if not vector.host:
        return None if status == 404 and not backend.seen else (status, backend.seen)
    (seen,) = backend.seen
    method, _, path = vector.request.partition(" ")
    found = (status, seen.get("host"), seen.method, seen.target, seen.get("x-remote-user"))
    if found != (200, vector.host, method, vector.path or path, ADMIN) or {"authorization", "cookie"} & seen.names:
        return found, seen.names
    anonymous, stranger = await _ask(running, vector), await _ask(running, vector, bearer(STRANGER))
    if (anonymous, stranger) != (401 if vector.authn else 200, 403 if vector.authz else 200):
        return anonymous, stranger
    await _ask(running, vector, "X-Token-Username: root", "X-Remote-User: root")  # F1
    return next((each for each in backend.seen if "root" in str(each.headers)), None)


async def test_the_terminals_upgrade_is_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def switch(seen, reader, writer) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        writer.write(await reader.readexactly(3))
        return True

    backend = await Backend(switch).start()
    imported = import_caddyfile(CADDYFILE.read_text(), reserved=NOTHING)
    path = "/kapis/terminal.kubesphere.io/v1alpha2/namespaces/a/pods/p"
    async with serving(imported.objects, backend, **NOTHING_RESERVED) as running, await running.client() as client:
        client.request("GET", path, "Connection: Upgrade", "Upgrade: websocket", bearer())
        assert (await client.head()).status == 101
        client.send(b"abc")
        assert await client.reader.readexactly(8) == b"helloabc"
    assert backend.seen[0].get("host") == K
