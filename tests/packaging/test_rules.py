"""The rules, one by one: what each finds, where, and that it is silent about what is right."""

# ruff: noqa: E501 - rows of a table

from typing import Any

import pytest

from dovetail.packaging.examined import Examined

from .examples import EVERYTHING, TEMPLATE, codes, examined, findings

POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {a: b}, containers: [{name: c, image: %s}]}\n"
)
ROLE = "kind: ClusterRole\nrules: [%s]\n"
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, kind: Widget, singular: widget}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}}
"""
CLEAN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
BUNDLE = "System.register(['react','%s'],function(e){return{setters:[function(m){a=m.useState},function(m){b=m.%s}],execute(){}}})"
MENU = "System.register([],function(e){return{setters:[],execute(){e('default',{menus:[{parent:'%s',name:'x'}]})}}})"


def test_an_extension_without_faults() -> None:
    assert findings(examined(CLEAN, files={"values.yaml": "{}"})) == ()


def manifest(text: str, **more: Any) -> Examined:
    return examined(text, **{"files": {"values.yaml": "{}", "permissions.yaml": EVERYTHING}, **more})


@pytest.mark.parametrize(
    ("code", "example"),
    [
        ("nothing-rendered", examined("")),
        ("kubernetes-unsupported", examined(CLEAN, metadata=["kubeVersion: '>=1.30.0-0'"], kube="1.29.0")),
        ("manifest-not-yaml", manifest("a: [b")),
        ("manifest-not-object", manifest("just: text")),
        ("manifest-not-object", manifest("- a\n- b")),
        ("manifest-not-object", manifest("kind: ConfigMap\nmetadata: {name: x}")),
        ("manifest-not-object", manifest("apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {}}")),
        ("object-repeated", manifest(f"{CLEAN}---\n{CLEAN}")),
        ("object-name-invalid", manifest(CLEAN.replace("settings", "Settings_"))),
        ("object-name-invalid", manifest(CLEAN.replace("ConfigMap", "Service").replace("settings", "1st"))),
        ("selector-missing", manifest("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {}")),
        ("api-removed", manifest("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: d}")),
        ("resource-policy-in-list", manifest(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
            "  metadata: {name: x, annotations: {helm.sh/resource-policy: keep}}")),
        ("object-invalid", manifest(
            "apiVersion: extensions.kubesphere.io/v1alpha1\nkind: JSBundle\nmetadata: {name: x}\nspec: {}")),
        ("bundle-link-invalid", manifest(
            "apiVersion: extensions.kubesphere.io/v1alpha1\nkind: JSBundle\nmetadata: {name: x}\n"
            "spec: {raw: a}\nstatus: {link: /dist/other/index.js}")),
        ("crd-invalid", manifest(CRD.replace("name: widgets.example.org", "name: widget.example.org"))),
        ("crd-invalid", examined(CLEAN, crds=CRD.replace("storage: true", "storage: false"))),
        ("crd-invalid", manifest(CRD.replace("{spec: {type: object}}", "{spec: {}}"))),
        ("crd-invalid", manifest(CRD.replace("scope: Namespaced", "scope: World"))),
        ("image-unpinned", manifest(POD % "nginx")),
        ("image-unpinned", manifest(POD % "example.org:5000/nginx:latest")),
        ("image-invalid", manifest(POD % "'NGINX Inc'")),
        ("image-without-digest", manifest(POD % "nginx:1.27")),
        ("images-missing", manifest(POD % "nginx:1.27")),
        ("image-not-declared", manifest(POD % "nginx:1.27", metadata=["images: [redis:7]"])),
        ("image-not-used", manifest(POD % "nginx:1.27", metadata=["images: [redis:7]"])),
        ("image-registry-ignored", manifest(POD % "nginx:1.27", probed=POD % "nginx:1.27")),
        ("node-selector-ignored", manifest(POD % "nginx:1.27", probed=POD % "nginx:1.27")),
        ("permission-everything", manifest(CLEAN)),
        ("permission-risky", manifest(CLEAN, files={
            "permissions.yaml": ROLE % "{verbs: [get], apiGroups: [''], resources: [secrets]}"})),
        ("permission-risky", manifest(CLEAN, files={
            "permissions.yaml": ROLE % "{verbs: ['*'], apiGroups: [rbac.authorization.k8s.io], resources: ['*']}"})),
        ("permission-group-unknown", manifest(CLEAN, files={
            "permissions.yaml": ROLE % "{verbs: [get], apiGroups: [customresourcedefinitions], resources: ['*']}"})),
        ("permission-group-unknown", manifest(CLEAN, files={
            "permissions.yaml": ROLE % "{verbs: [get], apiGroups: [jsbundles.extensions.kubesphere.io], resources: [x]}"})),
        ("permission-repeated", manifest(CLEAN, files={"permissions.yaml": EVERYTHING + "---\n" + EVERYTHING})),
        ("permission-unused", manifest(CLEAN, files={
            "permissions.yaml": ROLE % "{verbs: [get], apiGroups: [apps], resources: [daemonsets]}"})),
        ("permission-missing", examined(CRD)),
        ("permission-missing", examined(CLEAN, crds=CRD)),
        ("permission-missing", examined(CLEAN.replace("settings", "x, namespace: kube-system"))),
        ("permission-escalation", examined(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n"
            "rules: [{verbs: [get], apiGroups: [''], resources: [nodes]}]\n",
            files={"permissions.yaml": ROLE % (
                "{verbs: ['create','get','patch','delete'], apiGroups: [rbac.authorization.k8s.io], "
                "resources: [clusterroles]}")})),
        ("value-dead", manifest(CLEAN, files={"values.yaml": "backend: {replicas: 1}"})),
        ("value-dead", manifest(CLEAN, files={"values.yaml": "dashboard: {on: true}"})),
        ("value-dead", manifest(
            CLEAN, files={"values.yaml": "backened: {replicas: 1}"})),
        ("menu-parent-removed", manifest(CLEAN, files={"charts/backend/files/index.js": MENU % "topbar"})),
        ("menu-parent-unknown", manifest(CLEAN, files={"charts/backend/files/index.js": MENU % "cellar.wine"})),
        ("menu-parent-unknown", manifest(
            "apiVersion: extensions.kubesphere.io/v1alpha1\nkind: ExtensionEntry\nmetadata: {name: x}\n"
            "spec: {entries: [{name: a, parent: nowhere}]}")),
        ("bundle-module-unknown", manifest(
            CLEAN, files={"charts/backend/files/index.js": BUNDLE % ("left-pad", "x")},
            provided={"react": frozenset({"useState"})})),
        ("bundle-export-unknown", manifest(
            CLEAN, files={"charts/backend/files/index.js": BUNDLE % ("react-dom", "teleport")},
            provided={"react": frozenset({"useState"}), "react-dom": frozenset({"render"})})),
        ("secret-in-file", manifest(CLEAN, files={
            "notes.txt": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA1234567890abcdef\n"})),
        ("secret-in-file", manifest(CLEAN, files={"notes.txt": "key: AKIA" + "ABCDEFGHIJKLMNOP"})),
        ("secret-in-file", manifest(CLEAN, files={".env": "PASSWORD=x"})),
        ("file-unneeded", manifest(CLEAN, files={"node_modules/x/index.js": ""})),
        ("file-unneeded", manifest(CLEAN, files={"README.md~": ""})),
        ("file-large", manifest(CLEAN, files={"big.bin": b"x" * (1024 * 1024 + 1)})),
        ("readme-missing", manifest(CLEAN, files={"README.md": None})),
        ("screenshot-missing", examined(CLEAN, metadata=["screenshots: [./none.png]"])),
        ("url-invalid", examined(CLEAN, metadata=["home: example.org"])),
        ("maintainer-invalid", examined(CLEAN, metadata=["maintainers: [{name: a, email: nobody}]"])),
        ("constraint-excludes-vendors", examined(CLEAN, metadata=["kubeVersion: '>=1.19.0'"])),
        ("template-extension", manifest(CLEAN, files={"charts/backend/templates/x.json": "{}"})),
        ("release-time", manifest(CLEAN, files={TEMPLATE: "a: {{ .Release.Time }}"})),
        ("crd-install-hook", manifest(CLEAN, files={TEMPLATE: 'a: {"helm.sh/hook": crd-install}'})),
        ("first-line-indented", manifest(CLEAN, files={TEMPLATE: "  a: b\n"})),
        ("dependency-nested-missing", manifest(CLEAN, files={
            "charts/backend/Chart.yaml":
                "apiVersion: v2\nname: backend\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.x}]\n"})),
    ],
)  # fmt: skip
def test_what_is_found(code: str, example: Examined) -> None:
    found = [finding for finding in findings(example) if finding.code == code]
    assert found, codes(example)
    for finding in found:
        assert finding.place
        assert finding.message
        assert not finding.message.endswith(".")
        assert finding.fix


@pytest.mark.parametrize(
    ("code", "example"),
    [
        ("api-removed", manifest("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: d}", kube="1.24.0")),
        ("object-repeated", manifest(f"{CLEAN}---\n{CLEAN.replace('ConfigMap', 'Secret')}")),
        ("object-name-invalid", manifest(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'a:b'}")),
        ("manifest-not-object", manifest("# only a comment\n---\n" + CLEAN)),
        ("manifest-not-object", manifest("apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: x-}")),
        ("crd-invalid", manifest(CRD)),
        ("image-unpinned", manifest(POD % f"nginx@sha256:{'a' * 64}")),
        ("image-not-declared", manifest(POD % "nginx:1.27", metadata=["images: ['docker.io/library/nginx:1.27']"])),
        ("image-registry-ignored", manifest(POD % "nginx:1", probed=POD % "probe.dovetail.invalid/nginx:1")),
        ("permission-missing", examined(CLEAN)),
        ("permission-missing", manifest(CRD)),
        ("permission-escalation", manifest(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n"
            "rules: [{verbs: [get], apiGroups: [''], resources: [nodes]}]\n")),
        ("value-dead", manifest(CLEAN, files={
            "values.yaml": "backend: {replicas: 1}", TEMPLATE: "a: {{ .Values.replicas }}"})),
        ("value-dead", manifest(CLEAN, files={
            "values.yaml": "backend: {pod: {deep: {er: 1}}}", TEMPLATE: "a: {{ toYaml .Values.pod }}"})),
        ("value-dead", manifest(CLEAN, files={"values.yaml": "global: {x: 1}\ntags: {extension: true}"})),
        ("menu-parent-unknown", manifest(CLEAN, files={"charts/backend/files/index.js": MENU % "cluster.storage"})),
        ("bundle-export-unknown", manifest(
            CLEAN, files={"charts/backend/files/index.js": BUNDLE % ("icons", "anything")},
            provided={"react": frozenset({"useState"}), "icons": frozenset()})),
        ("secret-in-file", manifest(CLEAN, files={TEMPLATE: "key: {{ genPrivateKey }}\n# -----BEGIN PRIVATE KEY-----\n"})),
        ("constraint-excludes-vendors", examined(CLEAN, metadata=["kubeVersion: '>=1.19.0-0'"])),
    ],
)  # fmt: skip
def test_what_is_right(code: str, example: Examined) -> None:
    assert code not in codes(example), [str(one) for one in findings(example) if one.code == code]


def test_places_are_lines_of_the_template() -> None:
    template = "{{/* a comment */}}\n\nmetadata: {name: x}\nkind: Deployment\napiVersion: apps/v1\nspec: {}\n"
    example = manifest(
        "metadata: {name: x}\nkind: Deployment\napiVersion: apps/v1\nspec: {}\n", files={TEMPLATE: template}
    )
    (finding,) = (one for one in findings(example) if one.code == "selector-missing")
    assert finding.place == f"{TEMPLATE}:4"


def test_what_is_missing_is_said_as_a_rule() -> None:
    (first, *_) = (one for one in findings(examined(CRD)) if one.code == "permission-missing")
    assert first.severity == "error"
    assert first.fix == (
        "Add to the ClusterRole: apiGroups [apiextensions.k8s.io], resources [customresourcedefinitions], "
        "verbs [get, create]"
    )


def test_a_condition_is_a_switch_only_with_a_value() -> None:
    from dovetail.packaging import build, read_package
    from dovetail.packaging.checking import apply
    from dovetail.packaging.rules import metadata

    from .trees import METADATA, with_files

    text = METADATA + "    condition: backend.enabled\n"
    for values, expected in (("backend: {enabled: true}", 0), ("backend: {}", 1), ("{}", 1)):
        package = read_package(build(with_files({"extension.yaml": text, "values.yaml": values})).data)
        assert len(list(apply([metadata.conditions], Examined(package)))) == expected
