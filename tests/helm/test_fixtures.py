"""Rendering without a cluster, but as if there were one: its version, its kinds, its objects."""

from dovetail.apis.resource_name import plural_of
from dovetail.helm import Connection, HelmWorker, Render
from dovetail.helm.fixtures import answers, fixture_cluster
from tests.helm.charts import chart

TEMPLATE = """\
version: {{ .Capabilities.KubeVersion.Version }}
served: {{ .Capabilities.APIVersions.Has "example.io/v1/Widget" }}
one: {{ lookup "v1" "Secret" "here" "password" | dig "data" "value" "none" }}
nodes: {{ len (lookup "v1" "Node" "" "" | dig "items" list) }}
other: {{ lookup "example.io/v1" "Widget" "here" "w" | default dict | len }}
"""
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password", "namespace": "here"}}
FIXTURES = [
    {**SECRET, "data": {"value": "x"}},
    {"apiVersion": "v1", "kind": "NodeList", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("a", "b")
    ]},
]  # fmt: skip
PACKAGE = chart("c", "1.0.0", {"templates/x.yaml": TEMPLATE}, kubeVersion="'>=1.20.0-0 <1.30.0'")


async def test_version_kinds_and_objects_are_the_callers() -> None:
    told = {"kube_version": "v1.27.3", "api_versions": ("example.io/v1/Widget",)}
    async with HelmWorker() as helm:
        with fixture_cluster(FIXTURES) as kubeconfig:
            connection = Connection(namespace="here", kubeconfig=kubeconfig)
            operation = Render(release="c", chart=PACKAGE, namespace="here", connection=connection, **told)
            found = await helm.call(operation)
        offline = await helm.call(Render(release="c", chart=PACKAGE, namespace="here", **told))
    assert found["manifests"]["c/templates/x.yaml"] == (
        "version: v1.27.3\nserved: true\none: x\nnodes: 2\nother: 0\n"
    )  # fmt: skip
    assert "served: true\none: none\nnodes: 0" in offline["manifests"]["c/templates/x.yaml"]


def test_what_fixtures_answer() -> None:
    found = answers(FIXTURES)
    assert [resource["name"] for resource in found["/api/v1"]["resources"]] == ["secrets", "nodes"]
    assert len(found["/api/v1/secrets"]["items"]) == 1
    assert found["/api/v1/nodes/a"]["metadata"]["name"] == "a"
    assert "/api/v1/namespaces/other/secrets" not in found


def test_plurals() -> None:
    kinds = {
        "NetworkPolicy": "networkpolicies",
        "Ingress": "ingresses",
        "Endpoints": "endpoints",
        "Gateway": "gateways",
    }
    assert {kind: plural_of(kind) for kind in kinds} == kinds
