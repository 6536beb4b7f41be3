"""The generated CRDs are what a real kube-apiserver accepts, and are useful to kubectl."""

import copy

import argon2
import pytest
import yaml

from dovetail.apis import iam_v1beta1, kubesphere_installplan, kubesphere_v1alpha1
from dovetail.apis.crds import crds
from dovetail.apis.wire import ObjectMeta, manifest
from tests.apis.schemas import refusals
from tests.apis.structural import check_crd, check_schema
from tests.apis.validation import violations

CRDS = crds()
BCRYPT = "$2b$10$" + "a" * 53
ARGON = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$RdescudvJCsgt3ub+b27dA"


@pytest.mark.parametrize("crd", CRDS, ids=lambda crd: crd["metadata"]["name"])
def test_is_structural(crd):
    assert check_crd(crd) == []


def test_all_kinds_are_there_and_in_order():
    names = [crd["metadata"]["name"] for crd in CRDS]
    assert names == sorted(names)
    assert len(names) == len(set(names)) == 32
    for plural in ("apiservices", "jsbundles", "reverseproxies"):
        assert f"{plural}.kubesphere.io" in names
        assert f"{plural}.extensions.kubesphere.io" in names


def test_is_deterministic_and_not_shared():
    first = crds()
    assert yaml.safe_dump(first) == yaml.safe_dump(CRDS)
    assert "&id" not in yaml.safe_dump(first)
    untouched = copy.deepcopy(crds())
    first[0]["spec"]["versions"][0]["schema"].clear()
    assert crds() == untouched


def test_short_names_are_unique_and_take_nothing_from_kubernetes():
    short = [name for crd in CRDS for name in crd["spec"]["names"].get("shortNames", [])]
    taken = {"cm", "cs", "crd", "crds", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits", "netpol", "no", "ns", "pc"}
    assert len(short) == len(set(short))
    assert not set(short) & taken


def test_every_kind_shows_its_age_and_has_described_fields():
    for crd in CRDS:
        version = crd["spec"]["versions"][0]
        assert version["additionalPrinterColumns"][-1]["name"] == "Age"
        assert version["schema"]["openAPIV3Schema"]["description"]


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"properties": {}}, "needs a type"),
        ({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}, "exclude each other"),
        ({"type": "array"}, "needs items"),
        ({"x-kubernetes-int-or-string": True, "type": "string"}, "forbids a type"),
        ({"type": "string", "x-kubernetes-preserve-unknown-fields": True}, "only on objects"),
        ({"type": "object", "additionalProperties": False}, "must be a schema"),
        ({"type": "string", "pattern": "(?=a)"}, "not RE2"),
        ({"type": "boolean", "default": "yes"}, "default"),
        ({"type": "object", "required": ["x"]}, "requires unknown x"),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "must be required",
        ),
    ],
)
def test_the_checker_finds_what_the_server_refuses(schema, complaint):
    assert any(complaint in found for found in check_schema(schema))


def _user(password):
    return {
        "apiVersion": "iam.kubesphere.io/v1beta1",
        "kind": "User",
        "metadata": {"name": "ann"},
        "spec": {"email": "", "password": password},
    }


@pytest.mark.parametrize("password", [BCRYPT, ARGON])
def test_a_password_hash_is_accepted(password):
    assert refusals(_user(password)) == []


@pytest.mark.parametrize("password", ["P@88w0rd", "", "$2b$10$short", "$1$md5", f"x{BCRYPT}", f"{ARGON}$"])
def test_a_plain_password_is_refused(password):
    assert refusals(_user(password))


def test_the_hash_of_our_own_hasher_is_accepted():
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64).hash("Secret-123")
    assert refusals(_user(hashed)) == []


def test_a_wire_model_writes_an_object_that_its_schema_accepts():
    model = kubesphere_installplan.InstallPlan(
        metadata=ObjectMeta(name="greeter"),
        spec=kubesphere_installplan.InstallPlanSpec(
            extension=kubesphere_installplan.ExtensionReference(name="greeter", version="0.1.0")
        ),
    )
    obj = manifest(kubesphere_v1alpha1.INSTALLPLANS, model)
    assert obj == {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "InstallPlan",
        "metadata": {"name": "greeter"},
        "spec": {"extension": {"name": "greeter", "version": "0.1.0"}},
    }
    assert refusals(obj) == []


def test_resource_names_say_what_the_kube_room_needs():
    assert iam_v1beta1.USERS.api_version == "iam.kubesphere.io/v1beta1"
    assert iam_v1beta1.USERS.crd_name == "users.iam.kubesphere.io"
    assert not iam_v1beta1.USERS.namespaced


def test_unknown_fields_are_refused_as_kubectl_does():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert violations(schema, {"a": "x", "b": 1}) == [".b: unknown field"]
