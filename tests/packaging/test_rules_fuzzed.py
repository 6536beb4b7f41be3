"""Whatever a template renders to, the rules have an answer: no manifest makes them stumble (reference 8.3, number 18)."""

# ruff: noqa: E501 - lists of words

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.packaging.examined import View
from dovetail.packaging.manifests import ManifestReader

from .examples import examined, findings

KINDS = [
    "Pod", "Deployment", "CronJob", "Job", "Service", "List", "ConfigMap", "CustomResourceDefinition", "ClusterRole", "Role",
    "RoleBinding", "JSBundle", "APIService", "ReverseProxy", "ExtensionEntry", "Category", "Thing",
]  # fmt: skip
GROUPS = [
    "v1",
    "apps/v1",
    "batch/v1",
    "apiextensions.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
    "extensions.kubesphere.io/v1alpha1",
]
WORDS = [
    "spec", "metadata", "name", "namespace", "labels", "annotations", "template", "containers", "initContainers", "image", "rules",
    "verbs", "resources", "apiGroups", "roleRef", "kind", "items", "data", "raw", "rawFrom", "status", "link", "entries", "parent",
    "versions", "schema", "openAPIV3Schema", "properties", "type", "names", "plural", "group", "scope", "storage", "selector",
    "matchLabels", "jobTemplate", "nodeSelector", "upstream", "matcher", "url", "service", "helm.sh/hook", "*", "nginx:latest",
]  # fmt: skip
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=25,
)
objects = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS) | values, "apiVersion": st.sampled_from(GROUPS) | values},
    optional=dict.fromkeys(("metadata", "spec", "rules", "roleRef", "status", "items", "data"), values),
)
BASE = examined("")


@settings(max_examples=150)
@given(st.lists(objects, min_size=1, max_size=3))
def test_any_objects(given_objects: list[dict[str, Any]]) -> None:
    text = "\n---\n".join(json.dumps(obj) for obj in given_objects)
    reader = ManifestReader(BASE.package.files, BASE.package.name)
    found, faults = reader.objects({"tiny/x.yaml": text})
    view = View("host", tuple(found), tuple(found), tuple(found), tuple(faults))
    for finding in findings(replace(BASE, views=(view,), provided={"react": frozenset()})):
        assert str(finding).endswith(".")


@settings(max_examples=100)
@given(
    st.text(max_size=200)
    | st.sampled_from(["kind: List\nitems:\n- *a", "&a [*a]", "!!python/object:os.system x", "? ?"])
)
def test_any_text(text: str) -> None:
    reader = ManifestReader(BASE.package.files, BASE.package.name)
    found, faults = reader.objects({"tiny/x.yaml": text})
    assert all(obj.kind for obj in found)
    assert all(fault.severity == "error" for fault in faults)
