"""Schemas of custom resources beside other judges: jsonschema-rs, and Kubernetes' own texts."""

import asyncio
import copy
import json
import uuid
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.embedded.apiserver.schema.acceptance import schema_problems
from dovetail.embedded.apiserver.schema.formats import CHECKS
from dovetail.embedded.apiserver.schema.structural import Structural

from .conftest import SOON, Http

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Schema = dict[str, Any]


def whole(**properties: Any) -> Schema:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def refusals(schema: Schema, *, status: bool = False) -> list[str]:
    return [str(error) for error in schema_problems(schema, "s", status)]


def errors_of(field: Schema, value: Any, old: Any = None) -> list[str]:
    def obj(x: Any) -> dict[str, Any]:
        return {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "spec": {"x": x}}

    structural = Structural(whole(x=field))
    return [str(e) for e in structural.validate(obj(value), obj(old) if old is not None else None)]


# -- formats

GOOD_AND_BAD = {
    "bsonobjectid": ("507f1f77bcf86cd799439011", "507f1f77bcf86cd79943901"),
    "byte": ("aGVsbG8=", "aGVsbG8"),
    "cidr": ("10.0.0.0/8", "10.0.0.0"),
    "creditcard": ("4111 1111 1111 1111", "4111 1111 1111 1112"),
    "date": ("2024-02-29", "2023-02-29"),
    "date-time": ("2024-02-29T10:00:00Z", "2024-02-29T25:00:00Z"),
    "duration": ("1h30m", "soon"),
    "email": ("a@b.io", "a.b.io"),
    "hexcolor": ("#ff00aa", "#ff00a"),
    "hostname": ("a-b.example.io", "-a.example.io"),
    "ipv4": ("10.0.0.1", "::1"),
    "ipv6": ("::1", "10.0.0.1"),
    "isbn": ("978-3-16-148410-0", "978-3-16-148410-1"),
    "isbn10": ("0-306-40615-2", "0-306-40615-3"),
    "isbn13": ("9783161484100", "0306406152"),
    "k8s-long-name": ("a.b-c", "A.b"),
    "k8s-short-name": ("a-b", "a.b"),
    "mac": ("00:1B:44:11:3a:b7", "00:1B:44:11:3a"),
    "rgbcolor": ("rgb(1, 2, 255)", "rgb(1, 2, 256)"),
    "ssn": ("123-45-6789", "12-345-6789"),
    "uri": ("https://a.io/b?c#d", "a b"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "123e4567"),
    "uuid3": ("a3bb189e-8bf9-3888-9912-ace4e6543002", "a3bb189e-8bf9-4888-9912-ace4e6543002"),
    "uuid4": ("a3bb189e-8bf9-4888-9912-ace4e6543002", "a3bb189e-8bf9-3888-9912-ace4e6543002"),
    "uuid5": ("a3bb189e-8bf9-5888-9912-ace4e6543002", "a3bb189e-8bf9-3888-9912-ace4e6543002"),
}


def test_every_format_is_tried() -> None:
    assert set(GOOD_AND_BAD) == set(CHECKS) - {"datetime"}


@pytest.mark.parametrize("name", sorted(GOOD_AND_BAD))
def test_formats(name: str) -> None:
    good, bad = GOOD_AND_BAD[name]
    field = {"type": "string", "format": name}
    assert errors_of(field, good) == []
    shown = json.dumps(bad)
    assert errors_of(field, bad) == [f"spec.x: Invalid value: {shown}: spec.x in body must be of type {name}: {shown}"]


@given(st.sampled_from(sorted(CHECKS)), st.text(max_size=60))
def test_formats_never_raise(name: str, text: str) -> None:
    assert CHECKS[name](text) in (True, False)


# -- values


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ({"type": "integer", "maximum": 10}, 11, ["spec.x: Invalid value: 11: spec.x in body should be less than or equal to 10"]),  # noqa: E501
        ({"type": "number", "multipleOf": 0.1}, 0.35, ["spec.x: Invalid value: 0.35: spec.x in body should be a multiple of 0.1"]),  # noqa: E501
        ({"type": "number", "multipleOf": 0.1}, 0.3, []),
        ({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}, {"a": "", "b": ""},
         ["spec.x: Too many: 2: must have at most 1 items"]),
        ({"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}, {},
         ["spec.x: Invalid value: {}: spec.x in body should have at least 1 properties"]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, [], ["spec.x: Invalid value: []: spec.x in body should have at least 1 items"]),  # noqa: E501
        ({"type": "boolean"}, "true", ['spec.x: Invalid value: "string": spec.x in body must be of type boolean: "string"']),  # noqa: E501
        ({"type": "string"}, None, ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"']),
        ({"type": "string", "not": {"pattern": "^a"}}, "ab", ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)']),  # noqa: E501
        ({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}, 3,
         ['<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
          "spec.x: Invalid value: 3: spec.x in body should be greater than or equal to 5"]),
        ({"type": "integer", "oneOf": [{"minimum": 5}, {"minimum": 1}]}, 7,
         ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives']),  # noqa: E501
        ({"type": "integer", "allOf": [{"minimum": 5}, {"minimum": 1}]}, 3,
         ["spec.x: Invalid value: 3: spec.x in body should be greater than or equal to 5",
          '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf)']),
        ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}, ["a", "b", "a", "a"],
         ['spec.x[2]: Duplicate value: "a"']),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "p"],
          "items": {"type": "object", "properties": {"k": {"type": "string"}, "p": {"type": "string", "default": "d"}}}},  # noqa: E501
         [{"k": "a"}, {"k": "a", "p": "e"}, {"k": "a", "p": "d"}], ['spec.x[2]: Duplicate value: {"k":"a","p":"d"}']),
        ({"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}, {"a": 1},  # noqa: E501
         ["spec.x.apiVersion: Required value: must not be empty", "spec.x.kind: Required value: must not be empty"]),
    ],
)  # fmt: skip
def test_values_are_judged_in_the_words_of_kubernetes(field: Schema, value: Any, wanted: list[str]) -> None:
    assert errors_of(field, value) == wanted


def test_what_did_not_change_is_not_judged_again() -> None:
    items = {
        "type": "object",
        "required": ["k"],
        "properties": {"k": {"type": "string"}, "n": {"type": "integer", "maximum": 5}},
    }
    field = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": items}
    old = [{"k": "a", "n": 50}, {"k": "b", "n": 1}]
    assert errors_of(field, old) != []
    assert errors_of(field, [{"k": "b", "n": 2}, {"k": "a", "n": 50}], old) == []
    assert errors_of(field, [{"k": "a", "n": 60}], old) == [
        "spec.x[0].n: Invalid value: 60: spec.x[0].n in body should be less than or equal to 5"
    ]


# -- what is accepted

LIST = "x-kubernetes-list-type"
X = "s.properties[spec].properties[x]"


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({}, f"{X}.type: Required value: must not be empty for specified object fields"),
        ({"type": "array", "items": {}}, f"{X}.items.type: Required value: must not be empty for specified array items"),  # noqa: E501
        ({"type": "array"}, f"{X}.items: Required value: must be specified"),
        ({"type": "strin"}, f'{X}.type: Unsupported value: "strin": supported values: "array", "boolean", "integer", '),
        ({"type": "string", "anyOf": [{"type": "string"}]}, f"{X}.anyOf[0].type: Forbidden: must be empty to be structural"),  # noqa: E501
        ({"type": "object", "allOf": [{"properties": {"a": {"minLength": 1}}}]},
         f"{X}.properties[a]: Required value: because it is defined in {X}.allOf[0].properties[a]"),
        ({"type": "string", "not": {"default": 1}}, f"{X}.not.default: Forbidden: must be undefined to be structural"),
        ({"type": "string", "oneOf": [{"nullable": True}]}, "oneOf[0].nullable: Forbidden: must be false to be structural"),  # noqa: E501
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
         f"{X}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, f"{X}.uniqueItems: Forbidden: uniqueItems cannot be set"),  # noqa: E501
        ({"type": "integer", "default": "a"}, f'{X}.default: Invalid value: "string": {X}.default in body must be of type integer'),  # noqa: E501
        ({"type": "object", "default": {"gone": 1}}, f'{X}.default: Invalid value: {{"gone":1}}: must not have unknown fields'),  # noqa: E501
        ({"type": "string", "pattern": "(?=a)"}, "must be a valid regular expression, but isn't: error parsing regexp: invalid or"),  # noqa: E501
        ({"type": "string", LIST: "set"}, f'{X}.type: Invalid value: "string": must be array if {LIST} is specified'),
        ({"type": "array", "items": {"type": "string"}, LIST: "bag"}, f'{X}.{LIST}: Unsupported value: "bag": supported values: "atomic", "set", "map"'),  # noqa: E501
        ({"type": "array", "items": {"type": "object"}, LIST: "set"}, "must be atomic as item of a list with x-kubernetes-list-type=set"),  # noqa: E501
        ({"type": "array", "items": {"type": "object"}, LIST: "map"}, "must not be empty if x-kubernetes-list-type is map"),  # noqa: E501
        ({"type": "array", "items": {"type": "object"}, LIST: "map", "x-kubernetes-list-map-keys": ["k"]}, "entries must all be names of item properties"),  # noqa: E501
        ({"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}, LIST: "map", "x-kubernetes-list-map-keys": ["k"]},  # noqa: E501
         "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),
        ({"type": "object", "x-kubernetes-map-type": "big"}, 'supported values: "atomic", "granular"'),
        ({"type": "string", "x-kubernetes-embedded-resource": True}, "must be object if x-kubernetes-embedded-resource is true"),  # noqa: E501
        ({"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}, "must be false if x-kubernetes-int-or-string is true"),  # noqa: E501
        ({"x-kubernetes-preserve-unknown-fields": False, "type": "object"}, "must be true or undefined"),
        ({"type": "null"}, "type cannot be set to null, use nullable as an alternative"),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(field: Schema, problem: str) -> None:
    found = refusals(whole(x=field))
    assert any(problem in text for text in found), found


@pytest.mark.parametrize(
    "field",
    [
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^[0-9]+%?$"},  # noqa: E501
        {"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "a"}]},  # noqa: E501
        {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        {"type": "string", "default": "", "nullable": True, "format": "unheard-of"},
    ],
)  # fmt: skip
def test_schemas_that_are_accepted(field: Schema) -> None:
    assert refusals(whole(x=field)) == []


def test_the_root_has_rules_of_its_own() -> None:
    assert refusals({"type": "string"}) == ['s.type: Invalid value: "string": must be object at the root']
    assert refusals({"type": "object", "nullable": True}) == [
        "s.nullable: Forbidden: nullable cannot be true at the root"
    ]
    assert "must not be used at the root" in refusals({"type": "object", "additionalProperties": {"type": "string"}})[0]
    meta = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^a"}}}
    assert refusals({"type": "object", "properties": {"metadata": meta}}) == []
    labels = {"type": "object", "properties": {"labels": {"type": "object"}}}
    assert (
        "must not specify anything other than name and generateName"
        in refusals({"type": "object", "properties": {"metadata": labels}})[0]
    )
    assert "fields are allowed at the root of the schema if the status subresource is enabled" in refusals(
        {"type": "object", "anyOf": [{"required": ["spec"]}]}, status=True
    )[0]  # fmt: skip


# -- generated schemas

_SCALARS = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 3), "maxLength": st.integers(2, 5),  # noqa: E501
                          "pattern": st.sampled_from(["^a*$", "b", "^[a-c]{1,3}$"]), "enum": st.just(["a", "ab", "c"])}),  # noqa: E501
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": st.integers(-3, 3), "maximum": st.integers(0, 5),  # noqa: E501
                          "multipleOf": st.integers(1, 3)}),
    st.fixed_dictionaries({"type": st.just("number")}, optional={"minimum": st.integers(-3, 3)}),
    st.just({"type": "boolean"}),
)  # fmt: skip


def _compound(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.sampled_from(["a", "b", "c"])
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=3)},
                              optional={"required": st.lists(names, min_size=1, max_size=2, unique=True)}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"maxItems": st.integers(0, 2)}),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}, optional={"minProperties": st.integers(0, 1)}),  # noqa: E501
    )  # fmt: skip


SCHEMAS = st.recursive(_SCALARS, _compound, max_leaves=6)
VALUES = st.recursive(
    st.one_of(st.text("abc", max_size=4), st.integers(-4, 6), st.booleans(), st.floats(-3, 3).map(lambda f: round(f, 1))),  # noqa: E501
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, VALUES)
def test_plain_schemas_are_judged_as_json_schema_does(schema: Schema, value: Any) -> None:
    judge = jsonschema_rs.Draft202012Validator(schema)
    assert (errors_of(schema, value) == []) is judge.is_valid(value)


def _with_defaults(schema: Schema, value: Any) -> Schema:
    return (
        {
            **schema,
            "properties": {
                **schema.get("properties", {}),
                "d": {"type": "object", "default": {"a": 1}, "x-kubernetes-preserve-unknown-fields": True},
                "v": {**_open(), "default": value},
            },
        }
        if schema["type"] == "object" and "additionalProperties" not in schema
        else schema
    )


def _open() -> Schema:
    return {"x-kubernetes-preserve-unknown-fields": True}


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, VALUES, VALUES)
def test_pruning_and_defaulting_twice_is_the_same_as_once(schema: Schema, default: Any, value: Any) -> None:
    structural = Structural(whole(x=_with_defaults(schema, default)))
    once = {"apiVersion": "a/v1", "kind": "K", "metadata": {}, "spec": {"x": value, "gone": 1}}
    structural.prune_and_default(once, [])
    twice, unknown = copy.deepcopy(once), list[str]()
    structural.prune_and_default(twice, unknown)
    assert (twice, unknown) == (once, [])


# -- over HTTP


def definition(schema: Schema) -> dict[str, Any]:
    group = f"g{uuid.uuid4().hex[:8]}.example.dev"
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"things.{group}"},  # noqa: E501
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]},
    }  # fmt: skip


def nested(depth: int, word: str) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(depth):
        schema = (
            {"type": "object", "properties": {"a": schema}}
            if word == "properties"
            else {"type": "string", word: schema}
        )
    return whole(x=schema)


@pytest.mark.parametrize(
    "schema",
    [
        nested(400, "properties"), nested(400, "not"), whole(x={"type": "string", "pattern": "(" * 5_000}),
        whole(x={"type": "string", "pattern": "a{1000}{1000}"}), whole(x={"type": "string", "pattern": "(a{1000}){1000}"}),  # noqa: E501
        whole(x={"type": "string", "pattern": "x" * 200_000}), whole(x={"type": 5}), whole(x=[]), {"type": "object", "properties": 1},  # noqa: E501
    ],
    ids=range(9),
)  # fmt: skip
async def test_hostile_schemas_are_answered(http: Http, schema: Schema) -> None:
    crd = definition(schema)
    async with asyncio.timeout(SOON):
        code, body = await http("POST", CRDS, crd)
        assert code in (201, 400, 422), body
        if code == 201:
            group = crd["spec"]["group"]
            kind = {"apiVersion": f"{group}/v1", "kind": "Thing"}
            thing = {**kind, "metadata": {"name": "t"}, "spec": {"x": "a" * 3_000}}
            assert (await http("POST", f"/apis/{group}/v1/things", thing))[0] in (201, 400, 422)
            await http("DELETE", f"{CRDS}/things.{group}")


async def test_a_pattern_that_backtracks_does_not_stop_the_server(http: Http) -> None:
    crd = definition(whole(x={"type": "string", "pattern": "^(a+)+$"}))
    group = crd["spec"]["group"]
    assert (await http("POST", CRDS, crd))[0] == 201
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"x": "a" * 50_000 + "b"}}
    async with asyncio.timeout(SOON):
        assert (await http("POST", f"/apis/{group}/v1/things", thing))[0] == 422


async def test_a_yaml_bomb_is_refused(http: Http) -> None:
    levels = "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12))
    kind = {"content-type": "application/yaml"}
    url = f"{http.server.url}{CRDS}"
    async with asyncio.timeout(SOON), http.session.post(url, data="a: &a [x, x]\n" + levels, headers=kind) as response:
        assert 400 <= response.status < 500


async def test_the_words_of_a_schema_have_types(http: Http) -> None:
    code, body = await http("POST", CRDS, definition(whole(x={"type": "string", "description": 1})))
    assert (code, "JSONSchemaProps.spec.versions.schema.openAPIV3Schema." in body["message"]) == (400, True)
    crd = definition(whole(x={"type": "string", "x-mine": 1, "nullable": False}))
    code, body = await http("POST", f"{CRDS}?fieldValidation=Strict", crd)
    field = "spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.x.x-mine"
    assert (code, f'unknown field "{field}"' in body["message"]) == (400, True)
    code, body = await http("POST", CRDS, crd)
    stored = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert (code, stored) == (201, {"x": {"type": "string"}})
