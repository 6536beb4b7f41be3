"""Nonsense in, a clear refusal out: no body, patch, query or path may end in a 5xx."""

import json
import random
from typing import Any

from .conftest import Http, config_map, deployment

SEEDS = 25
JSON = {"content-type": "application/json"}
WORDS = [
    "",
    "a",
    "metadata",
    "spec",
    "name",
    "labels",
    "$patch",
    "delete",
    "/",
    "~1",
    "\u0000",
    "é",
    "x" * 300,
    "0",
    "-",
]


class Chooser(random.Random):
    """Random JSON, and damage to good JSON."""

    def value(self, depth: int = 3) -> Any:
        kind = self.randrange(8 if depth else 5)
        if kind < 5:
            return self.choice([None, True, self.choice(WORDS), self.randrange(-5, 5), 1e300])
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.randrange(3))]
        return {self.choice(WORDS): self.value(depth - 1) for _ in range(self.randrange(4))}

    def damaged(self, obj: Any) -> Any:
        """The same with one place replaced."""
        if not obj or not isinstance(obj, (dict, list)) or self.random() < 0.2:
            return self.value()
        key = self.choice(list(obj)) if isinstance(obj, dict) else self.randrange(len(obj))
        copy = dict(obj) if isinstance(obj, dict) else list(obj)
        copy[key] = self.damaged(obj[key])
        return copy


def targets(namespace: str) -> list[tuple[str, Any]]:
    core, rbac = f"/api/v1/namespaces/{namespace}", "rbac.authorization.k8s.io/v1"
    meta = {"name": "x", "labels": {"a": "b"}, "finalizers": [], "ownerReferences": []}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"ports": [{"port": 80, "nodePort": 0}], "type": "NodePort"},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": deployment("d")["spec"]["template"]["spec"]}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"a": "b"}, "data": {"c": "ZA=="}}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role = {
        "apiVersion": rbac,
        "kind": "ClusterRole",
        "metadata": {"name": namespace},
        "rules": rules,
        "aggregationRule": {"clusterRoleSelectors": []},
    }
    binding = {
        "apiVersion": rbac,
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}],
    }
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string", "enum": ["b"]}}}},
    }
    versions = [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
            "additionalPrinterColumns": [],
        }
    ]
    names = {"plural": "things", "kind": "Thing"}
    crd_spec = {"group": f"{namespace}.example", "scope": "Namespaced", "names": names, "versions": versions}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{namespace}.example"},
        "spec": crd_spec,
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"template": {"spec": pod["spec"] | {"restartPolicy": "Never"}}},
    }
    review = {"spec": {"user": "u", "groups": ["g"], "extra": {"a": ["b"]}, "resourceAttributes": {"verb": "get"}}}
    return [
        (f"{core}/configmaps", config_map("x", a="b")),
        (f"{core}/services", service),
        (f"{core}/pods", pod),
        (f"{core}/secrets", secret),
        (f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("x")),
        (f"/apis/batch/v1/namespaces/{namespace}/jobs", job),
        (f"/apis/{rbac}/clusterroles", role),
        (f"/apis/{rbac}/namespaces/{namespace}/rolebindings", binding),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd),
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", review),
        (
            f"{core}/serviceaccounts/default/token",
            {"spec": {"audiences": ["a"], "expirationSeconds": 600, "boundObjectRef": {"kind": "Pod"}}},
        ),
    ]


async def test_damaged_bodies_are_refused_or_taken_but_never_break_anything(http: Http, namespace: str) -> None:
    chooser = Chooser(5)
    for path, good in targets(namespace):
        for _ in range(SEEDS):
            body = chooser.damaged(good)
            code, answer = await http("POST", f"{path}?dryRun={chooser.choice(['All', ''])}", body)
            if code == 400 and "dry-run" in answer["message"]:
                code, answer = await http("POST", path, body)
            assert code < 500, (path, body, answer)


async def test_wild_patches_never_break_anything(http: Http, namespace: str) -> None:
    chooser = Chooser(6)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await http("POST", path, deployment("x"))
    kinds = ["merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml"]
    good = deployment("x")
    operation = {"op": "replace", "path": "/spec/replicas", "value": 1, "from": "/spec"}
    for _ in range(SEEDS * 6):
        kind = chooser.choice(kinds)
        patch = [chooser.damaged(operation)] if kind == "json-patch+json" else chooser.damaged(good)
        target = chooser.choice(["x", "x", "x/status", "x/scale", "y"])
        code, answer = await http(
            "PATCH",
            f"{path}/{target}?fieldManager=f&force={chooser.choice(['true', ''])}",
            patch,
            content_type=f"application/{kind}",
        )
        # kube-apiserver, too, answers 500 when an applied object is not of its type.
        untyped = "apply" in kind and "failed to create typed patch object" in str(answer.get("message"))
        assert code < 500 or untyped, (kind, target, patch, answer)


async def test_wild_queries_and_paths(http: Http, namespace: str) -> None:
    chooser = Chooser(7)
    names = [
        "labelSelector",
        "fieldSelector",
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "timeoutSeconds",
    ]
    values = [
        "",
        "a",
        "-1",
        "0",
        "a=b",
        "a in (b",
        "metadata.name=x",
        "%00",
        "%ff",
        "99999999999999999999",
        "Exact",
        "x" * 2000,
        "!",
        ",",
    ]
    for _ in range(SEEDS * 6):
        query = "&".join(f"{chooser.choice(names)}={chooser.choice(values)}" for _ in range(chooser.randrange(3)))
        tail = chooser.choice(["", "/x", "/%2e%2e", "/%00", "/a%2Fb", "//", "/x/status/y"])
        url = f"/api/v1/namespaces/{chooser.choice([namespace, '%ff', ''])}/configmaps{tail}?{query}"
        code, answer = await http("GET", url)
        assert code < 500 or answer["reason"] == "Timeout", (url, answer)


async def test_deep_json_is_refused(http: Http, namespace: str) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": deep}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    code, _ = await http("POST", path, json.dumps({**config_map("x"), "data": deep}))
    assert code == 400
    async with http.session.post(http.server.url + path, data=b'{"a":' * 100_000, headers=JSON) as response:
        assert response.status == 400
