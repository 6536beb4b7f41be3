"""The sample extension in both versions: it packages, renders, its backend answers, its page loads."""

import base64
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.apis import dialects
from dovetail.packaging import Package, build, read_directory, read_package
from dovetail.routing import rewriting
from dovetail.routing.compiler import CompilerInput, compile_table
from dovetail.routing.matching import Matcher
from tests.packaging.test_against_helm import ask

from .command import SAMPLES

VERSIONS = {"0.1.0": SAMPLES / "greeter", "0.2.0": SAMPLES / "greeter-0.2.0"}
versions = pytest.mark.parametrize("version", VERSIONS)
NODE = shutil.which("node")


def package_of(version: str) -> tuple[Package, bytes]:
    """The built sample."""
    data = build(read_directory(VERSIONS[version])).data
    return read_package(data), data


def rendered(version: str, **values: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a release, by kind and name."""
    tags = {"tags": {"extension": True, "agent": False}}
    (files,) = ask([["render", base64.b64encode(package_of(version)[1]).decode(), {**tags, **values}]])
    documents = [document for text in files.values() for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


@versions
def test_it_packages_without_a_finding(version: str) -> None:
    archive = build(read_directory(VERSIONS[version]))
    assert archive.name == f"greeter-{version}.tgz"
    assert archive.findings == ()
    assert not [member for member in archive.members if member.startswith(("greeter/backend/", "greeter/frontend/"))]
    assert len(archive.data) < 16 * 1024


@versions
def test_it_asks_for_no_more_than_it_renders(version: str) -> None:
    package, _ = package_of(version)
    granted = {resource for rule in package.permissions.cluster for resource in rule.resources}
    assert granted == {"apiservices", "jsbundles", "reverseproxies", "extensionentries"}
    for rule in (*package.permissions.cluster, *package.permissions.namespace):
        assert "*" not in (*rule.verbs, *rule.api_groups, *rule.resources)
    kinds = {kind for kind, _ in rendered(version)}
    assert kinds == {
        "APIService", "ReverseProxy", "JSBundle", "ExtensionEntry", "ConfigMap", "Deployment", "Service",
    }  # fmt: skip
    named = {name for rule in package.permissions.cluster for name in rule.resource_names}
    own = {name for kind, name in rendered(version) if kind not in ("ConfigMap", "Deployment", "Service")}
    assert own == named


@versions
def test_a_backend_in_the_cluster(version: str) -> None:
    objects = rendered(version, **{"global": {"imageRegistry": "mirror.example/x/", "nodeSelector": {"os": "linux"}}})
    api = dialects.api_service(objects["APIService", "v1alpha1.greeter.dovetail.dev"])
    assert api
    service = {"namespace": "extension-x", "name": "greeter-backend", "port": 8080}
    assert objects["APIService", "v1alpha1.greeter.dovetail.dev"]["spec"]["service"] == service
    assert objects["ReverseProxy", "greeter"]["spec"]["upstream"]["service"] == service
    pod = objects["Deployment", "greeter-backend"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"mirror.example/x/greeter-backend:{version}"
    assert pod["nodeSelector"] == {"os": "linux"}
    assert objects["Service", "greeter-backend"]["spec"]["ports"][0]["port"] == 8080


@versions
def test_a_backend_elsewhere(version: str) -> None:
    objects = rendered(version, backend={"url": "http://127.0.0.1:8090"})
    assert ("Deployment", "greeter-backend") not in objects
    assert ("Service", "greeter-backend") not in objects
    assert objects["APIService", "v1alpha1.greeter.dovetail.dev"]["spec"]["url"] == "http://127.0.0.1:8090"
    proxy = dialects.reverse_proxy(objects["ReverseProxy", "greeter"])
    assert proxy
    assert objects["ReverseProxy", "greeter"]["spec"] == {
        "matcher": {"path": "/proxy/greeter/*", "method": "*"},
        "upstream": {"url": "http://127.0.0.1:8090"},
        "directives": {"stripPathPrefix": "/proxy/greeter", "rewrite": ["/* /public{path}"]},
    }


@versions
def test_the_gateway_routes_to_it(version: str) -> None:
    objects = rendered(version, backend={"url": "http://127.0.0.1:8090"})
    given = CompilerInput(
        api_services=(dialects.api_service(objects["APIService", "v1alpha1.greeter.dovetail.dev"]),),
        reverse_proxies=(dialects.reverse_proxy(objects["ReverseProxy", "greeter"]),),
    )
    compilation = compile_table(given)
    assert compilation.problems == []
    matcher = Matcher(compilation.table)
    for path, reached in (
        ("/proxy/greeter/hello/x", "/public/hello/x"),
        ("/kapis/greeter.dovetail.dev/v1alpha1/greetings", "/kapis/greeter.dovetail.dev/v1alpha1/greetings"),
    ):
        route = matcher.find("GET", path)
        assert route is not None
        assert rewriting.apply(route.rewrite, path, "q=1", "GET") == (reached, "q=1", "GET")


@versions
def test_the_page_is_what_its_source_builds(version: str, tmp_path: Path) -> None:
    committed = VERSIONS[version] / "charts/frontend/files/index.js"
    objects = rendered(version)
    assert objects["ConfigMap", "greeter-bundle"]["data"]["index.js"].strip() == committed.read_text().strip()
    assert dialects.bundle_link(dialects.js_bundle(objects["JSBundle", "greeter"])) == "/dist/greeter/index.js"
    if NODE is None:
        pytest.skip("node is not installed, so the page cannot be built again")
    command = [NODE, SAMPLES / "build-bundle.mjs", VERSIONS[version] / "frontend/src/index.js", tmp_path / "index.js"]
    subprocess.run(command, check=True, timeout=50, stdout=subprocess.DEVNULL)
    assert (tmp_path / "index.js").read_bytes() == committed.read_bytes()


LOADER = """
const registered = [];
globalThis.globals = { context: { registerExtension: (config) => registered.push(config) } };
const calls = [];
globalThis.fetch = async (url, options) => {
  calls.push([url, options.credentials]);
  return { ok: true, status: 200, json: async () => ({ version: "x", items: [{ message: "Hello, admin!" }] }) };
};
const states = [], effects = [];
let slot = 0;
const React = {
  createElement: (type, props, ...children) => ({ type, props, children: children.flat() }),
  useState: (first) => {
    const at = slot++;
    if (!(at in states)) states[at] = first;
    return [states[at], (value) => { states[at] = value; }];
  },
  useEffect: (effect) => effects.push(effect),
};
const modules = { react: { ...React, default: React } };
globalThis.System = { register(deps, declare) {
  const exported = {};
  const { setters, execute } = declare((name, value) => { exported[name] = value; });
  deps.forEach((dep, at) => setters[at](modules[dep]));
  execute();
  globalThis.exported = exported;
} };
await import(process.argv[2]);
const config = exported.default ?? registered[0];
const page = config.routes[0].element.type;
const draw = () => { slot = 0; return page({}); };
const texts = (node) => node == null ? [] : typeof node === "string" ? [node] : node.children.flatMap(texts);
const before = texts(draw());
effects[0]();
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({
  form: exported.default ? "export" : "registerExtension", before, after: texts(draw()), calls,
  path: config.routes[0].path, menu: config.menus[0],
}));
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@versions
def test_the_page_loads_and_shows_greetings(version: str, tmp_path: Path) -> None:
    loader = tmp_path / "loader.mjs"
    loader.write_text(LOADER)
    bundle = (VERSIONS[version] / "charts/frontend/files/index.js").as_uri()
    command = [str(NODE), str(loader), bundle]
    shown = json.loads(subprocess.run(command, check=True, timeout=50, capture_output=True, text=True).stdout)
    assert shown["form"] == {"0.1.0": "registerExtension", "0.2.0": "export"}[version]
    assert shown["path"] == shown["menu"]["link"] == "/greetings"
    assert shown["menu"]["title"] == "Greetings"
    assert shown["before"] == ["…"]
    assert "Hello, admin!" in shown["after"]
    assert f"Greeter {version}, answered by backend x" in shown["after"]
    assert shown["calls"] == [["/kapis/greeter.dovetail.dev/v1alpha1/greetings", "same-origin"]]


@contextmanager
def backend(version: str) -> Iterator[str]:
    """A running backend; yields its address."""
    command = [sys.executable, str(VERSIONS[version] / "backend/server.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            try:
                code = process.wait(20)
            finally:
                process.kill()
        assert code == 0


def get(url: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """A status and a JSON body."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@versions
def test_the_backend_answers(version: str) -> None:
    with backend(version) as address:
        api = f"{address}/kapis/greeter.dovetail.dev/v1alpha1/greetings"
        status, body = get(api, X_Remote_User="admin", X_Remote_Group="system:authenticated")
        assert (status, body["kind"], body["user"], body["version"]) == (200, "GreetingList", "admin", version)
        assert body["groups"] == ["system:authenticated"]
        messages = [item["message"] for item in body["items"]]
        assert (
            messages
            == {
                "0.1.0": ["Hello, admin!"],
                "0.2.0": ["Good to see you, admin!", "Dovetail greets you, admin."],
            }[version]
        )
        assert body["received"]["authorization"] is False
        assert "x-remote-user" in body["received"]["headers"]
        _, told = get(api, X_Remote_User="admin", Authorization="Bearer secret")
        assert told["received"]["authorization"] is True
        assert "secret" not in json.dumps(told)
        assert get(api)[0] == 401
        assert get(api)[1]["kind"] == "Status"
        assert get(f"{address}/public/hello/you%20there?x=1")[1]["message"].endswith(" you there!")
        assert get(f"{address}/healthz") == (200, {"status": "ok", "version": version})
        assert get(f"{address}/elsewhere")[0] == 404
