"""Our kinds on a real API, with the real kubectl: what is printed is accepted, and what is shown is useful."""

import json
import uuid

import pytest
import yaml

from tests.apis.documents import seed_examples, shape_examples

COLUMNS = {
    "extensions": ["CATEGORY", "STATE", "ENABLED", "INSTALLED", "RECOMMENDED"],
    "extensionversions": ["EXTENSION", "VERSION", "REPOSITORY"],
    "installplans": ["EXTENSION", "VERSION", "ENABLED", "STATE", "INSTALLED"],
    "repositories": ["URL", "STATE", "EXTENSIONS", "LAST"],
    "apiservices.extensions.kubesphere.io": ["GROUP", "VERSION", "SERVICE", "STATE"],
    "jsbundles": ["LINK", "STATE"],
    "reverseproxies": ["PATH", "SERVICE", "STATE"],
    "users": ["EMAIL", "STATUS"],
}


@pytest.fixture(params=[seed_examples, shape_examples], ids=["seed", "shape"])
def examples(request):
    return request.param()


def apply(api, obj, *flags):
    return api.kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump(obj))


KINDS = ["APIService", "JSBundle", "ReverseProxy", "Category", "Repository", "ExtensionVersion", "Subscription"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_seeds_examples_are_applied_as_printed(platform_crds, examples, kind):
    obj = examples[kind]
    applied = apply(platform_crds, obj)
    assert applied.returncode == 0, applied.stderr
    group = obj["apiVersion"].partition("/")[0]
    shown = platform_crds.kubectl("get", f"{kind.lower()}.{group}", obj["metadata"]["name"], "-o", "json")
    stored = json.loads(shown.stdout)
    assert stored["spec"].items() >= obj["spec"].items()
    again = apply(platform_crds, obj)
    assert "unchanged" in again.stdout, again.stdout + again.stderr
    deleted = platform_crds.kubectl("delete", f"{kind.lower()}.{group}", obj["metadata"]["name"])
    assert deleted.returncode == 0, deleted.stderr


def test_the_documents_own_mistake_is_refused_by_the_api_too(platform_crds, examples):
    refused = apply(platform_crds, examples["Extension"], "--validate=false")
    assert refused.returncode != 0
    assert "labels" in refused.stderr


def test_an_unknown_field_is_refused(platform_crds, examples):
    obj = examples["Category"]
    refused = apply(platform_crds, {**obj, "spec": {**obj["spec"], "displayNam": "x"}})
    assert refused.returncode != 0
    assert "displayNam" in refused.stderr


def test_a_plain_password_is_refused(platform_crds):
    user = {
        "apiVersion": "iam.kubesphere.io/v1beta1",
        "kind": "User",
        "metadata": {"name": f"u{uuid.uuid4().hex[:8]}"},
        "spec": {"email": "", "password": "P@88w0rd"},
    }
    refused = apply(platform_crds, user)
    assert refused.returncode != 0
    assert "password" in refused.stderr


def test_defaults_are_filled_in(platform_crds):
    name = f"p{uuid.uuid4().hex[:8]}"
    spec = {"extension": {"name": name, "version": "0.1.0"}}
    plan = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "InstallPlan", "metadata": {"name": name}, "spec": spec}
    assert apply(platform_crds, plan).returncode == 0
    stored = json.loads(platform_crds.kubectl("get", "installplan", name, "-o", "json").stdout)
    assert (stored["spec"]["enabled"], stored["spec"]["upgradeStrategy"]) == (True, "Manual")
    assert "status" not in stored
    platform_crds.kubectl("delete", "installplan", name)


@pytest.mark.parametrize("resource", COLUMNS)
def test_kubectl_shows_useful_columns(platform_crds, resource):
    name = f"c{uuid.uuid4().hex[:8]}"
    obj = _sample(resource, name)
    assert apply(platform_crds, obj).returncode == 0
    shown = platform_crds.kubectl("get", resource, name)
    header, line = shown.stdout.splitlines()
    assert header.split()[0] == "NAME"
    assert set(COLUMNS[resource]) <= set(header.split())
    assert header.split()[-1] == "AGE"
    assert line.split()[0] == name
    platform_crds.kubectl("delete", resource, name)


def _sample(resource, name):
    examples = shape_examples()
    kind = {
        "extensions": "Extension", "extensionversions": "ExtensionVersion", "installplans": "Subscription",
        "repositories": "Repository", "apiservices.extensions.kubesphere.io": "APIService", "jsbundles": "JSBundle",
        "reverseproxies": "ReverseProxy", "users": "Category",
    }[resource]  # fmt: skip
    obj = {**examples[kind], "metadata": {"name": name}}
    if resource in ("apiservices.extensions.kubesphere.io", "jsbundles", "reverseproxies"):
        obj["apiVersion"] = "extensions.kubesphere.io/v1alpha1"
    if resource == "installplans":
        obj["kind"] = "InstallPlan"
    if resource == "users":
        return {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User", "metadata": {"name": name},
                "spec": {"email": ""}}  # fmt: skip
    return obj
