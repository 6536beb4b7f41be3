"""The schema of custom resources: pruning, defaulting, validation, and what cannot be served."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.schema.acceptance import schema_problems
from dovetail.embedded.apiserver.schema.goregex import translate
from dovetail.embedded.apiserver.schema.structural import Structural

Schema = dict[str, Any]


def spec_schema(**properties: Any) -> Schema:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def processed(schema: Schema, spec: Any) -> tuple[Any, list[str], list[str]]:
    """(spec after pruning and defaulting, dropped paths, problems)."""
    structural, dropped = Structural(schema), list[str]()
    obj = {"apiVersion": "a.b/v1", "kind": "K", "metadata": {"name": "x"}, "spec": copy.deepcopy(spec)}
    structural.prune_and_default(obj, dropped)
    return obj.get("spec"), dropped, [str(error) for error in structural.validate(obj)]


def problems(field: Schema, value: Any) -> list[str]:
    return processed(spec_schema(x=field), {"x": value})[2]


def test_unknown_fields_go_and_are_named() -> None:
    spec, dropped, _ = processed(spec_schema(a={"type": "string"}), {"a": "1", "b": 2})
    assert (spec, dropped) == ({"a": "1"}, ["spec.b"])


def test_unknown_fields_stay_where_the_schema_says_so() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"k": spec_schema()}}
    spec, dropped, _ = processed(spec_schema(x=free), {"x": {"any": {"thing": 1}, "k": {"spec": {}, "gone": 1}}})
    assert (spec, dropped) == ({"x": {"any": {"thing": 1}, "k": {"spec": {}}}}, ["spec.x.k.gone"])


def test_an_embedded_resource_keeps_its_type_and_metadata() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"data": {"type": "string"}}}
    whole = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "data": "d"}
    spec, _, _ = processed(spec_schema(x=embedded), {"x": {**whole, "gone": 1}})
    assert spec == {"x": whole}


def test_defaults_are_filled_in_deep_and_not_shared() -> None:
    schema = spec_schema(x={"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}})
    first, _, _ = processed(schema, {})
    assert first == {"x": {"n": 3}}
    first["x"]["n"] = 99
    assert processed(schema, {})[0] == {"x": {"n": 3}}


def test_null_counts_as_missing_unless_nullable() -> None:
    schema = spec_schema(
        a={"type": "string", "default": "d"}, b={"type": "string"}, c={"type": "string", "nullable": True}
    )
    spec, _, errors = processed(schema, {"a": None, "b": None, "c": None})
    assert (spec, errors) == ({"a": "d", "c": None}, [])


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ({"type": "integer"}, "1", 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'),
        (
            {"type": "integer", "minimum": 1},
            0,
            "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1",
        ),
        (
            {"type": "number", "exclusiveMaximum": True, "maximum": 2},
            2,
            "spec.x: Invalid value: 2: spec.x in body should be less than 2",
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'spec.x: Unsupported value: "c": supported values: "a", "b"'),
        (
            {"type": "string", "pattern": "^a+$"},
            "a\n",
            "spec.x: Invalid value: \"a\\n\": spec.x in body should match '^a+$'",
        ),
        ({"type": "string", "maxLength": 2}, "abc", "spec.x: Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "minLength": 1},
            "",
            'spec.x: Invalid value: "": spec.x in body should be at least 1 chars long',
        ),
        (
            {"type": "string", "format": "date-time"},
            "soon",
            'spec.x: Invalid value: "soon": spec.x in body must be of type date-time: "soon"',
        ),
        (
            {"type": "array", "items": {"type": "integer"}, "maxItems": 1},
            [1, 2],
            "spec.x: Too many: 2: must have at most 1 items",
        ),
        (
            {"type": "array", "items": {"type": "integer"}},
            [1, "2"],
            'spec.x[1]: Invalid value: "string": spec.x[1] in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
            {},
            "spec.x.a: Required value",
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            ["a", "a"],
            'spec.x[1]: Duplicate value: "a"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            'spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"',
        ),
    ],
)
def test_problems_are_told_in_the_words_of_kubernetes(field: Schema, value: Any, problem: str) -> None:
    assert problems(field, value) == [problem]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"x-kubernetes-int-or-string": True}, 1),
        ({"x-kubernetes-int-or-string": True}, "1"),
        ({"type": "number"}, 1),
        ({"type": "integer"}, 1.0),
        ({"type": "string", "nullable": True, "enum": ["a"]}, None),
        ({"type": "string", "format": "unheard-of"}, "x"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
        ({"type": "object", "additionalProperties": True}, {"a": [1]}),
    ],
)
def test_what_a_schema_allows(field: Schema, value: Any) -> None:
    assert problems(field, value) == []


def test_combinations() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    one["oneOf"] = [{"required": ["a"]}, {"required": ["b"]}]
    assert problems(one, {"a": "1"}) == []
    assert "Found 2 valid alternatives" in problems(one, {"a": "1", "b": "2"})[0]
    assert "Found none valid" in problems(one, {})[0]
    assert "must not validate the schema" in problems({"type": "string", "not": {"enum": ["a"]}}, "a")[0]
    assert "at least one schema" in problems({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}, 3)[0]


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({}, "s.type: Required value"),
        ({"type": "string"}, 's.type: Invalid value: "string": must be object at the root'),
        (spec_schema(x={}), "s.properties[spec].properties[x].type: Required value"),
        (spec_schema(x={"type": "array"}), "s.properties[spec].properties[x].items: Required value"),
        (spec_schema(x={"type": "string", "pattern": "("}), "must be a valid regular expression"),
        (spec_schema(x={"type": "string", "$ref": "#/x"}), "$ref is not supported"),
    ],
)
def test_a_schema_that_is_not_structural_is_refused(schema: Schema, problem: str) -> None:
    assert any(problem in str(error) for error in schema_problems(schema, "s", status=False))


leaf = st.sampled_from(
    [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": "string", "default": "d"}]
)
schemas = st.recursive(
    leaf,
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda p: {"type": "object", "properties": p})
        | inner.map(lambda i: {"type": "array", "items": i})
        | inner.map(lambda i: {"type": "object", "additionalProperties": i})
    ),
    max_leaves=6,
)
any_value = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)


@given(schemas, any_value)
def test_processing_twice_changes_nothing_more(schema: Schema, value: Any) -> None:
    once, _, first = processed(spec_schema(x=schema), {"x": value})
    twice, dropped, second = processed(spec_schema(x=schema), once)
    assert (twice, dropped, second) == (once, [], first)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^a$", "a\n", False),
        (r"^[a$]+$", "a$", True),
        (r"\$", "$", True),
        (r"[[:alpha:]]+\z", "ab", True),
        (r"[]a]", "]", True),
    ],
)
def test_go_expressions(pattern: str, text: str, found: bool) -> None:
    assert bool(translate(pattern).search(text)) is found
