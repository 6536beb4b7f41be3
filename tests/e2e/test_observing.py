"""What a running platform tells of itself: readiness, figures, the audit, and its APIs with their page."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.browser import CHROMIUM, person_at
from tests.e2e.demo.world import World, wait
from tests.e2e.running import SHOTS, create_user, up_of

pytestmark = pytest.mark.e2e

SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+(Inf)?')
GREETER = "kapis/greeter.dovetail.dev/v1alpha1"


@pytest.fixture(scope="module")
def roleless(world: World) -> str:
    create_user(world, "observer")
    return "observer"


def text(world: World, path: str, user: str = "") -> str:
    return world.get(path, user).body.decode()


def events(world: World) -> list[dict[str, Any]]:
    file = up_of(world).data / "audit" / "audit.log"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_readiness_has_named_checks(world: World) -> None:
    assert text(world, "/readyz") == "ok"
    verbose = text(world, "/readyz?verbose").splitlines()
    assert verbose[-1] == "readyz check passed"
    assert {line for line in verbose if line.startswith("[+]")} == {
        f"[+]{name} ok" for name in ("ping", "informer-sync", "cluster", "snapshot", "workers")
    }
    assert world.get("/readyz/workers").code == 200
    assert world.get("/readyz/nonsense").code == 404
    assert (text(world, "/livez"), text(world, "/healthz")) == ("ok", "ok")


def test_versions_of_the_cluster_and_of_the_platform(world: World) -> None:
    assert world.get("/version", "admin").json["gitVersion"]
    assert world.get("/kapis/version").json["gitVersion"]


def test_figures_are_for_those_who_may_see_them(world: World, roleless: str) -> None:
    assert world.get("/metrics").code == 401
    assert world.get("/metrics", roleless).code == 403
    lines = text(world, "/metrics", "admin").splitlines()
    assert all(line.startswith("# TYPE ") or SAMPLE.fullmatch(line) for line in lines)
    names = {line.partition("{")[0].partition(" ")[0] for line in lines}
    assert {"dovetail_gateway_requests_total", "dovetail_audit_events_total", "dovetail_readiness_check"} <= names


def test_the_audit_has_everybodys_requests_and_follows_its_policy(world: World, roleless: str) -> None:
    path = "/api/v1/namespaces/observed/configmaps"
    world.get(path, roleless)
    wait(lambda: any(found(world, path, roleless, 403)), "a refusal in the audit")
    policy = {
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "rules": [{"level": "None", "namespaces": ["observed"]}, {"level": "Metadata"}],
    }  # fmt: skip
    configmap = {"apiVersion": "v1", "kind": "ConfigMap",
                 "metadata": {"name": "dovetail-audit", "namespace": "kubesphere-system"}}  # fmt: skip
    try:
        apply(world, configmap, policy)
        time.sleep(1.0)  # what is promised
        before = len(found(world, path, roleless, 403))
        world.get(path, roleless)
        world.get("/api/v1/namespaces/unobserved/configmaps", roleless)
        wait(lambda: any(found(world, "/api/v1/namespaces/unobserved/configmaps", roleless, 403)), "the next record")
        assert len(found(world, path, roleless, 403)) == before

        apply(world, configmap, {**policy, "rules": [{"level": "Everything"}]})
        events_of = ("-n", "kubesphere-system", "get", "events", "-o", "jsonpath={.items[*].message}")
        wait(lambda: "Everything" in world.kubectl(*events_of), "the fault is told")
        world.get(path, roleless)
        world.get("/api/v1/namespaces/third/configmaps", roleless)
        wait(lambda: any(found(world, "/api/v1/namespaces/third/configmaps", roleless, 403)), "the next record")
        assert len(found(world, path, roleless, 403)) == before
        assert 'dovetail_audit_configuration_good{part="policy.yaml"} 0' in text(world, "/metrics", "admin")
    finally:
        world.kubectl("-n", "kubesphere-system", "delete", "configmap", "dovetail-audit")


def found(world: World, uri: str, user: str, code: int) -> list[dict[str, Any]]:
    return [
        event for event in events(world)
        if (event["requestURI"], event["user"]["username"], event["responseStatus"]["code"]) == (uri, user, code)
    ]  # fmt: skip


def apply(world: World, configmap: dict[str, Any], policy: dict[str, Any]) -> None:
    world.kubectl("apply", "-f", "-", stdin=json.dumps({**configmap, "data": {"policy.yaml": json.dumps(policy)}}))


def test_no_secret_is_in_the_audit(world: World) -> None:
    text = (up_of(world).data / "audit" / "audit.log").read_text()

    assert up_of(world).password not in text
    assert world.tokens["admin"] not in text


def test_the_documents_of_platform_and_extensions_are_found_and_the_clusters_stay(world: World) -> None:
    assert world.get("/openapi/v3/kapis").code == 401
    index = world.get("/openapi/v3/kapis", "admin").json["paths"]
    assert {"platform", "kapis/iam.kubesphere.io/v1beta1"} <= set(index)
    own = world.get(index["kapis/iam.kubesphere.io/v1beta1"]["serverRelativeURL"], "admin").json
    assert "/kapis/iam.kubesphere.io/v1beta1/users" in own["paths"]
    merged = world.get("/openapi/v2/kapis", "admin").json
    assert {"/oauth/token", "/kapis/iam.kubesphere.io/v1beta1/users/{user}"} <= set(merged["paths"])
    clusters = world.get("/openapi/v3", "admin").json["paths"]
    assert "api/v1" in clusters
    assert not any(path.startswith("kapis") for path in clusters)


def test_the_documents_are_what_the_specifications_say(world: World) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    index = world.get("/openapi/v3/kapis", "admin").json["paths"]
    for entry in index.values():
        document = world.get(entry["serverRelativeURL"], "admin").json
        validator.validate(document, cls=validator.OpenAPIV30SpecValidator)
    validator.validate(world.get("/openapi/v2/kapis", "admin").json, cls=validator.OpenAPIV2SpecValidator)


class Collector(BaseHTTPRequestHandler):
    """A webhook: keeps what it gets."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got += [(self.headers["Authorization"], event) for event in body["items"]]  # type: ignore[attr-defined]
        self.answer(b"")

    def do_GET(self) -> None:
        """A backend with a document of its own."""
        text = json.dumps(DOCUMENT)
        if self.path == "/other/openapi/v3":
            text = text.replace("All carts", "Other carts")
        self.answer(text.encode() if self.path.endswith("/openapi/v3") else b"{}")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "carts", "version": "1"},
    "paths": {
        "/kapis/carts.dovetail.dev/v1/carts": {"get": {"summary": "All carts", "responses": {}}},
        "/kapis/iam.kubesphere.io/v1beta1/users": {"get": {"summary": "Not mine", "responses": {}}},
    },
}


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    """An HTTP server beside the platform."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.got = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_webhook_gets_the_events_with_its_token(world: World, roleless: str, other: ThreadingHTTPServer) -> None:
    system = ("-n", "kubesphere-system")
    world.kubectl(*system, "create", "secret", "generic", "audit-collector", "--from-literal=token=s3cret")
    webhook = {
        "url": f"http://127.0.0.1:{other.server_port}/",
        "tokenSecret": {"name": "audit-collector"},
        "maxWait": 0.1,
    }
    try:
        arguments = f"--from-literal=webhook.yaml={json.dumps(webhook)}"
        world.kubectl(*system, "create", "configmap", "dovetail-audit", arguments)
        uri = "/api/v1/namespaces/collected/pods"

        def arrived() -> bool:
            world.get(uri, roleless)
            got = other.got  # type: ignore[attr-defined]
            return ("Bearer s3cret", uri) in [(token, event["requestURI"]) for token, event in got]

        wait(arrived, "an event at the webhook", every=0.3)
    finally:
        world.kubectl(*system, "delete", "secret/audit-collector", "configmap/dovetail-audit")


def summary_of(world: World) -> str:
    """What the merged document says of the extension's path."""
    path = world.get("/openapi/v2/kapis", "admin").json["paths"].get("/kapis/carts.dovetail.dev/v1/carts")
    return path["get"]["summary"] if path else ""


def test_an_extensions_document_is_found_and_its_condition_tells_so(world: World, other: ThreadingHTTPServer) -> None:
    name, url = "v1.carts.dovetail.dev", f"http://127.0.0.1:{other.server_port}"
    service = {
        "apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "APIService", "metadata": {"name": name},
        "spec": {"group": "carts.dovetail.dev", "version": "v1", "url": url}, "status": {"state": "Available"},
    }  # fmt: skip
    condition = "jsonpath={.status.conditions[?(@.type=='OpenAPI')].reason}"
    get = ("get", "apiservices.extensions.kubesphere.io", name, "-o", condition)
    index = "/openapi/v3/kapis"
    world.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    try:
        wait(lambda: world.kubectl(*get) == "Merged", "the condition")
        assert "kapis/carts.dovetail.dev/v1" in world.get(index, "admin").json["paths"]
        paths = world.get("/openapi/v2/kapis", "admin").json["paths"]
        assert summary_of(world) == "All carts"
        assert paths["/kapis/iam.kubesphere.io/v1beta1/users"]["get"]["summary"] != "Not mine"
        younger = {**service, "metadata": {"name": "younger"}, "spec": {**service["spec"], "url": url + "/other"}}
        time.sleep(1.1)  # ages are told in seconds
        world.kubectl("apply", "-f", "-", stdin=json.dumps(younger))
        accepted = "jsonpath={.status.conditions[?(@.type=='Accepted')].reason}"
        its = ("get", "apiservices.extensions.kubesphere.io", "younger", "-o", accepted)
        wait(lambda: world.kubectl(*its) == "Conflict", "the younger one to be told")
        assert summary_of(world) == "All carts"
    finally:
        world.kubectl("delete", "apiservices.extensions.kubesphere.io", name)
    wait(lambda: summary_of(world) == "Other carts", "the younger one to take over")
    world.kubectl("delete", "apiservices.extensions.kubesphere.io", "younger")
    wait(lambda: "kapis/carts.dovetail.dev/v1" not in world.get(index, "admin").json["paths"], "the document to go")


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")
def test_the_page_of_the_apis_works_with_the_consoles_session(world: World) -> None:
    with person_at(world.url, SHOTS) as person:
        person.page.goto(world.url + "/swagger-ui/")
        person.sees("Sign in to the console")
        person.log_in("admin", up_of(world).password)
        person.page.goto(world.url + "/swagger-ui")
        person.sees("/kapis/iam.kubesphere.io/v1beta1/users")
        person.page.locator("#select").select_option(label="iam.kubesphere.io/v1beta1")
        person.page.locator('.opblock-get [data-path="/kapis/iam.kubesphere.io/v1beta1/users"]').click()
        person.page.get_by_role("button", name="Try it out").click()
        person.page.get_by_role("button", name="Execute").click()
        person.page.locator(".live-responses-table").get_by_text("totalItems").first.wait_for()
        person.shoot("apis")
        assert person.complaints == []


def test_tries_to_log_in_are_recorded_by_name_and_mistyped_names_are_not(world: World, roleless: str) -> None:
    for name in (roleless, "my-Secret-passw0rd"):
        form = {"grant_type": "password", "username": name, "password": "wrong", "client_id": "kubesphere"}
        assert world.web.call("POST", f"{world.url}/oauth/token", form=form).code in (400, 401)

    def tries() -> list[tuple[str, int]]:
        return [(e["user"]["username"], e["responseStatus"]["code"]) for e in events(world) if e["verb"] == "login"]

    wait(
        lambda: {("admin", 200), (roleless, 401), ("system:anonymous", 401)} <= set(tries()), "both tries in the audit"
    )
    assert "my-secret-passw0rd" not in (up_of(world).data / "audit" / "audit.log").read_text().lower()
