"""The verdict on a changed CustomResourceDefinition: every prohibited class, its allowed neighbour, its exact place."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dovetail.lifecycle.preview.crd_safety import PROHIBITED, Change, Finding, is_unsafe, verdict

Object = dict[str, Any]
Edit = Callable[[Object], None]


def definition(*versions: str) -> Object:
    return {
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [
                {"name": name, "served": True, "storage": not at, "schema": {"openAPIV3Schema": schema()}}
                for at, name in enumerate(versions or ("v1",))
            ],
        },
    }


def schema() -> Object:
    port = {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer", "maximum": 65535}}}
    spec: Object = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "name": {"type": "string", "minLength": 2, "maxLength": 20},
            "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "ports": {"type": "array", "minItems": 1, "maxItems": 8, "items": port},
            "notes": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 40}},
            "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "limits": {"type": "object", "minProperties": 1, "maxProperties": 4, "additionalProperties": True},
            "ratio": {"type": "number", "nullable": True},
        },
    }
    return {"type": "object", "properties": {"spec": spec}}


def of(crd: Object, *path: str, version: int = 0) -> Object:
    found = crd["spec"]["versions"][version]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for name in path:
        found = found["items"] if name == "[]" else found["additionalProperties"] if name == "{}" else found[name]
    return found


def put(*path: str, **fields: Any) -> Edit:
    return lambda crd: of(crd, *path).update(fields)


def drop(name: str, *path: str) -> Edit:
    return lambda crd: of(crd, *path).pop(name)


def required(*names: str) -> Edit:
    return put(required=list(names))


P = "properties"
UNSAFE: list[tuple[str, Change, str, Edit]] = [
    ("scope", Change.SCOPE_CHANGED, "", lambda crd: crd["spec"].update(scope="Cluster")),
    ("stored version", Change.STORED_VERSION_REMOVED, "", lambda crd: crd["spec"]["versions"][0].update(name="v2")),
    ("required", Change.REQUIRED_ADDED, "spec.name", required("size", "name")),
    ("required new field", Change.REQUIRED_ADDED, "spec.fresh", lambda crd: (
        of(crd, P).update(fresh={"type": "string"}), required("size", "fresh")(crd))[0]),
    ("required in a list", Change.REQUIRED_ADDED, "spec.ports[].host", put(
        P, "ports", "[]", required=["number", "host"], properties={"number": {"type": "integer", "maximum": 65535},
        "host": {"type": "string"}})),
    ("field", Change.FIELD_REMOVED, "spec.name", drop("name", P)),
    ("nested field", Change.FIELD_REMOVED, "spec.ports[].number", drop("number", P, "ports", "[]", P)),
    ("map", Change.FIELD_REMOVED, "spec.notes{}", drop("additionalProperties", P, "notes")),
    ("type", Change.TYPE_CHANGED, "spec.name", put(P, "name", type="integer")),
    ("type to int-or-string", Change.TYPE_CHANGED, "spec.name", put(
        P, "name", **{"type": None, "x-kubernetes-int-or-string": True})),
    ("type in a list", Change.TYPE_CHANGED, "spec.ports[].number", put(P, "ports", "[]", P, "number", type="string")),
    ("type of the spec", Change.TYPE_CHANGED, "spec", put(type="string")),
    ("default added", Change.DEFAULT_ADDED, "spec.name", put(P, "name", default="anon")),
    ("default added, false", Change.DEFAULT_ADDED, "spec.name", put(P, "name", default="")),
    ("default changed", Change.DEFAULT_CHANGED, "spec.colour", put(P, "colour", default="blue")),
    ("default removed", Change.DEFAULT_REMOVED, "spec.colour", drop("default", P, "colour")),
    ("enum added", Change.ENUM_ADDED, "spec.name", put(P, "name", enum=["one", "two"])),
    ("enum value", Change.ENUM_VALUES_REMOVED, "spec.colour", put(P, "colour", enum=["red", "green"])),
    ("minimum", Change.MINIMUM_INCREASED, "spec.size", put(P, "size", minimum=2)),
    ("minLength", Change.MINIMUM_INCREASED, "spec.name", put(P, "name", minLength=3)),
    ("minItems", Change.MINIMUM_INCREASED, "spec.ports", put(P, "ports", minItems=2)),
    ("minProperties", Change.MINIMUM_INCREASED, "spec.limits", put(P, "limits", minProperties=2)),
    ("maximum", Change.MAXIMUM_DECREASED, "spec.size", put(P, "size", maximum=8)),
    ("maximum in a list", Change.MAXIMUM_DECREASED, "spec.ports[].number", put(
        P, "ports", "[]", P, "number", maximum=1024)),
    ("maxLength", Change.MAXIMUM_DECREASED, "spec.name", put(P, "name", maxLength=19)),
    ("maxLength in a map", Change.MAXIMUM_DECREASED, "spec.notes{}", put(P, "notes", "{}", maxLength=39)),
    ("maxItems", Change.MAXIMUM_DECREASED, "spec.ports", put(P, "ports", maxItems=7)),
    ("maxProperties", Change.MAXIMUM_DECREASED, "spec.limits", put(P, "limits", maxProperties=3)),
    ("new minimum", Change.LIMIT_ADDED, "spec.ratio", put(P, "ratio", minimum=0)),
    ("new maximum", Change.LIMIT_ADDED, "spec.ratio", put(P, "ratio", maximum=0)),
    ("new minLength", Change.LIMIT_ADDED, "spec.colour", put(P, "colour", minLength=1)),
    ("new maxProperties", Change.LIMIT_ADDED, "spec.notes", put(P, "notes", maxProperties=3)),
    ("pruned", Change.UNKNOWN_FIELDS_PRUNED, "spec.extra", drop("x-kubernetes-preserve-unknown-fields", P, "extra")),
    ("pruned map", Change.UNKNOWN_FIELDS_PRUNED, "spec.limits", drop("additionalProperties", P, "limits")),
    ("kind", Change.NAMES_CHANGED, "", lambda crd: crd["spec"]["names"].update(kind="Gadget")),
]  # fmt: skip

SAFE: list[tuple[str, Edit]] = [
    ("nothing", lambda _: None),
    ("an optional field", lambda crd: of(crd, P).update(fresh={"type": "string", "default": "x", "minLength": 4})),
    ("a required field of a new field", lambda crd: of(crd, P).update(
        fresh={"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}})),
    ("no longer required", required()),
    ("a new enum value", put(P, "colour", enum=["blue", "red", "green"])),
    ("no enum", drop("enum", P, "colour")),
    ("a lower minimum", put(P, "size", minimum=0)),
    ("a higher maximum", put(P, "size", maximum=10)),
    ("no minimum", drop("minimum", P, "size")),
    ("no maxLength", drop("maxLength", P, "name")),
    ("a description", put(P, "name", description="the name")),
    ("a new version that is otherwise", lambda crd: crd["spec"]["versions"].append(
        {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}})),
    ("the same required in another order", required("size")),
    ("a printer column", lambda crd: crd["spec"]["versions"][0].update(additionalPrinterColumns=[{"name": "Age"}])),
]  # fmt: skip


def changed(edit: Edit, old: Object | None = None) -> Object:
    crd = copy.deepcopy(old or definition())
    edit(crd)
    return crd


@pytest.mark.parametrize(("change", "path", "edit"), [row[1:] for row in UNSAFE], ids=[row[0] for row in UNSAFE])
def test_a_prohibited_change_is_named_with_its_place(change: Change, path: str, edit: Edit) -> None:
    findings = verdict(definition(), changed(edit), ["v1"], 3)
    assert [(one.change, one.path) for one in findings if one.unsafe] == [(change, path)]
    assert is_unsafe(findings)


@pytest.mark.parametrize("edit", [row[1] for row in SAFE], ids=[row[0] for row in SAFE])
def test_a_safe_change_is_not_mentioned(edit: Edit) -> None:
    assert verdict(definition(), changed(edit), ["v1"], 3) == []


def test_the_table_has_every_prohibited_class() -> None:
    assert len(PROHIBITED) == 13
    assert {row[1] for row in UNSAFE} >= set(PROHIBITED)


@pytest.mark.parametrize(
    ("edit", "count"),
    [
        (put(P, "name", pattern="^a"), 1),
        (put(P, "ratio", nullable=False), 1),
        (put(P, "ports", **{"x-kubernetes-list-type": "set"}), None),
        (put(**{"x-kubernetes-validations": [{"rule": "self.size > 1"}]}), None),
    ],
)
def test_a_narrower_field_is_a_warning(edit: Edit, count: int | None) -> None:
    (finding,) = verdict(definition(), changed(edit), ["v1"], count)
    assert (finding.change, finding.unsafe) == (Change.NARROWED, False)


def test_a_removed_version_in_which_nothing_is_stored_is_a_warning() -> None:
    old = definition("v1", "v1beta1")
    new = changed(lambda crd: crd["spec"]["versions"].pop(), old)
    (finding,) = verdict(old, new, ["v1"], 1)
    assert (finding.change, finding.version, finding.unsafe) == (Change.VERSION_NOT_SERVED, "v1beta1", False)
    stored = verdict(old, new, ["v1", "v1beta1"], 1)
    assert [(one.change, one.version) for one in stored] == [(Change.STORED_VERSION_REMOVED, "v1beta1")]


def test_each_version_is_compared_with_itself() -> None:
    old = definition("v1", "v1beta1")
    new = changed(lambda crd: of(crd, P, version=1).pop("name"), old)
    (finding,) = verdict(old, new, ["v1"], 1)
    assert finding == Finding(
        Change.FIELD_REMOVED, "the field is removed; what is stored in it is lost", "v1beta1", "spec.name"
    )


@pytest.mark.parametrize(("change", "edit"), [(row[1], row[3]) for row in UNSAFE], ids=[row[0] for row in UNSAFE])
def test_without_stored_objects_only_what_the_api_refuses_is_prohibited(change: Change, edit: Edit) -> None:
    findings = verdict(definition(), changed(edit), ["v1"], 0)
    refused = change in (Change.SCOPE_CHANGED, Change.STORED_VERSION_REMOVED)
    assert [one.change for one in findings if one.unsafe] == ([change] if refused else [])
    assert change in {one.change for one in findings}
    assert is_unsafe(verdict(definition(), changed(edit), ["v1"], None)), (
        "not knowing is not knowing that there is none"
    )


def test_numbers_and_booleans_are_told_apart() -> None:
    old = changed(put(P, "ratio", default=1))
    assert verdict(old, changed(put(P, "ratio", default=True)), ["v1"], 1)[0].change is Change.DEFAULT_CHANGED


def test_a_whole_number_is_the_same_however_it_is_written() -> None:
    old = changed(put(P, "ratio", default=1, enum=[1, 2]))
    assert verdict(old, changed(put(P, "ratio", default=1.0, enum=[1.0, 2.0])), ["v1"], 1) == []
