"""OpenAPI: what is taken of a backend's document, how documents become one, and that a hostile one harms nobody."""

import copy
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.gateway.openapi.accepting import BadDocument, accept, references
from dovetail.gateway.openapi.catalogue import Catalogue
from dovetail.gateway.openapi.merging import merge
from dovetail.gateway.openapi.swagger import to_v3

PREFIX = "/kapis/a.io/v1"
THING = {"type": "object", "properties": {"name": {"type": "string"}}}


def answer(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}


def document(group: str = "a.io", **schemas: Any) -> dict[str, Any]:
    schemas = schemas or {"Thing": THING}
    first = next(iter(schemas))
    operation = {"operationId": "list", "responses": answer({"$ref": f"#/components/schemas/{first}"})}
    return {
        "openapi": "3.0.3",
        "info": {"title": "x", "version": "7"},
        "paths": {f"/kapis/{group}/v1/things": {"get": operation}},
        "components": {"schemas": schemas},
    }


def accepted(group: str = "a.io", **schemas: Any) -> dict[str, Any]:
    return accept(document(group, **schemas), f"/kapis/{group}/v1", f"{group}/v1")


def test_a_document_keeps_its_operations_and_what_they_need() -> None:
    given_document = document(Thing={"$ref": "#/components/schemas/Part"}, Part=THING, Unused=THING)

    taken = accept(given_document, PREFIX, "a.io/v1")

    operation = taken["paths"][PREFIX + "/things"]["get"]
    assert operation["tags"] == ["a.io/v1"]
    assert operation["operationId"] == "list"
    assert set(taken["components"]["schemas"]) == {"Thing", "Part"}
    assert taken["info"] == {"title": "a.io/v1", "version": "7"}


def test_only_paths_of_the_own_group_and_version_are_taken() -> None:
    greedy = document()
    operation = greedy["paths"][PREFIX + "/things"]
    for path in ("/kapis/iam.kubesphere.io/v1beta1/users", "/kapis/a.io/v10/x", "/oauth/token", "/kapis/a.io/v1x"):
        greedy["paths"][path] = operation

    assert set(accept(greedy, PREFIX, "t")["paths"]) == {PREFIX + "/things"}


def test_nothing_by_which_a_page_would_send_something_elsewhere_is_taken() -> None:
    hostile = document()
    item = hostile["paths"][PREFIX + "/things"]
    servers = [{"url": "https://evil.example.org"}]
    hostile |= {"servers": servers, "externalDocs": {"url": "https://evil.example.org"}}
    hostile["components"]["securitySchemes"] = {
        "x": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://evil.example.org", "scopes": {}}}}
    }
    item["servers"] = item["get"]["servers"] = servers
    item["get"]["callbacks"] = {"x": {"https://evil.example.org": {}}}
    item["get"]["security"] = [{"x": []}]
    item["get"]["responses"]["200"]["links"] = {"x": {"operationRef": "https://evil.example.org"}}

    taken = accept(hostile, PREFIX, "t")

    assert b"evil" not in orjson.dumps(taken)
    assert set(taken["components"]["securitySchemes"]) == {"BearerToken"}


def test_a_property_may_be_called_like_a_word_of_openapi() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}, "servers": THING, "example": THING}}

    assert accepted(Thing=schema)["components"]["schemas"]["Thing"] == schema


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(openapi="4.0"), "NotOpenAPI"),
        (lambda d: d.update(paths={}), "NoPaths"),
        (lambda d: d.update(paths={"/elsewhere": {}}), "NoPaths"),
        (lambda d: d.update(components={}), "BrokenReference"),
        (lambda d: d["components"]["schemas"].update(Thing={"$ref": "https://evil.example.org/x"}), "ForeignReference"),
        (lambda d: d["components"]["schemas"].update(Thing={"$ref": "/api/v1/secrets"}), "ForeignReference"),
        (lambda d: d["components"]["schemas"].update(Thing={"$ref": "#/paths/~1x"}), "ForeignReference"),
        (lambda d: d["components"]["schemas"].update(Thing=nested(500)), "TooDeep"),
        (lambda d: d["components"]["schemas"].update(Thing={"example": nested(500)}), "TooDeep"),
        (lambda d: d["paths"].update({f"{PREFIX}/{n}": {} for n in range(6000)}), "TooLarge"),
        (lambda d: d["paths"].update({PREFIX + "/../../x": {}}), "BadPath"),
    ],
)
def test_a_bad_document_is_left_out_with_a_reason(change: Any, reason: str) -> None:
    bad = document()
    change(bad)

    with pytest.raises(BadDocument) as caught:
        accept(bad, PREFIX, "t")
    assert caught.value.reason == reason


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"items": value}
    return value


WORDS = [
    "$ref",
    "get",
    "post",
    "parameters",
    "responses",
    "schema",
    "content",
    "200",
    "in",
    "name",
    "body",
    "properties",
    "items",
    "allOf",
    "requestBody",
    "description",
    "enum",
    "x",
]
PLACES = ["#/components/schemas/A", "#/definitions/A", "#/parameters/A", "body", "query"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(PLACES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=25,
)


PARTS = {"parameters": JSON, "requestBody": JSON, "responses": st.dictionaries(st.sampled_from(["200", "x"]), JSON)}
ITEMS = JSON | st.fixed_dictionaries({"parameters": JSON, "get": JSON | st.fixed_dictionaries(PARTS)})


@settings(max_examples=120, deadline=None)
@given(ITEMS, JSON, JSON, st.booleans())
def test_no_document_breaks_anything(item: Any, schema: Any, parameters: Any, old: bool) -> None:
    """Whatever a backend serves: a document that stands on its own and can be merged, or BadDocument."""
    given_document: Any = {"openapi": "3.0.0", "paths": {PREFIX + "/x": item}, "components": {"schemas": {"A": schema}}}
    if old:
        given_document = {"swagger": "2.0", "paths": {PREFIX + "/x": item}, "definitions": {"A": schema}}
        given_document["parameters"] = parameters
    before = copy.deepcopy(given_document)
    try:
        taken = accept(given_document, PREFIX, "t")
    except BadDocument:
        return
    assert given_document == before
    schemas = taken["components"].get("schemas", {})
    for reference in references(taken):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in taken["components"][kind]
    merged = merge({"kapis/a.io/v1": taken, "kapis/b.io/v1": accepted("b.io")}, "t", "v")
    assert "/kapis/b.io/v1/things" in merged["paths"]
    assert len(merged["definitions"]) >= len(schemas)
    orjson.dumps(merged)


def test_the_same_schema_is_there_once_and_another_of_its_name_is_renamed_with_its_references() -> None:
    same, other = (
        {"Thing": THING},
        {"Thing": {"properties": {"part": {"$ref": "#/components/schemas/Part"}}}, "Part": THING},
    )
    third = {"Thing": other["Thing"], "Part": {"type": "string"}}

    merged = merge(
        {
            "kapis/d.io/v1": accepted("d.io", **third), "kapis/a.io/v1": accepted("a.io", **same),
            "kapis/c.io/v1": accepted("c.io", **other), "kapis/b.io/v1": accepted("b.io", **same),
        },
        "t", "v",
    )  # fmt: skip

    def schema_of(group: str) -> str:
        schema = merged["paths"][f"/kapis/{group}/v1/things"]["get"]["responses"]["200"]["schema"]
        return str(schema["$ref"]).removeprefix("#/definitions/")

    assert [schema_of(group) for group in ("a.io", "b.io", "c.io", "d.io")] == [
        "Thing",
        "Thing",
        "Thing_v2",
        "Thing_v3",
    ]
    assert merged["definitions"]["Thing_v2"]["properties"]["part"] == {"$ref": "#/definitions/Part"}
    assert merged["definitions"]["Thing_v3"]["properties"]["part"] == {"$ref": "#/definitions/Part_v2"}
    assert merged["definitions"]["Part_v2"] == {"type": "string"}


@given(st.permutations(["a.io", "b.io", "c.io", "d.io"]))
def test_merging_does_not_depend_on_the_order_in_which_documents_came(order: list[str]) -> None:
    documents = {
        f"kapis/{group}/v1": accepted(group, Thing={"properties": {group[: 1 + n % 2]: {"type": "string"}}})
        for n, group in enumerate(sorted(order))
    }

    expected = merge(documents, "t", "v")
    assert merge({f"kapis/{group}/v1": documents[f"kapis/{group}/v1"] for group in order}, "t", "v") == expected


def test_merging_a_long_chain_is_no_endless_work_and_changes_are_still_told_apart() -> None:
    chain: dict[str, Any] = {
        f"S{n:04}": {"properties": {"next": {"$ref": f"#/components/schemas/S{n + 1:04}"}}} for n in range(1500)
    }
    ends = ({"type": "string"}, {"type": "string"}, {"type": "integer"})
    begun = time.process_time()
    documents = {
        f"kapis/{at}.io/v1": accepted(f"{at}.io", **chain, S1500=end) for at, end in zip("abc", ends, strict=True)
    }
    merged = merge(documents, "t", "v")
    assert time.process_time() - begun < 5
    assert len(merged["definitions"]) == 2 * 1501, "two of the three documents mean the same"
    assert merged["definitions"]["S1500_v2"] == {"type": "integer"}
    assert merged["definitions"]["S0000_v2"]["properties"]["next"]["$ref"] == "#/definitions/S0001_v2"


def test_swagger_becomes_openapi_3() -> None:
    old = {
        "swagger": "2.0",
        "consumes": ["application/json"],
        "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer", "maximum": 5}},
        "definitions": {"Thing": THING},
        "paths": {
            PREFIX + "/things": {
                "parameters": [{"$ref": "#/parameters/limit"}],
                "post": {
                    "parameters": [
                        {"in": "body", "name": "b", "required": True, "schema": {"$ref": "#/definitions/Thing"}}
                    ],
                    "responses": {"201": {"description": "made", "schema": {"$ref": "#/definitions/Thing"}}},
                },
                "put": {"parameters": [{"in": "formData", "name": "f", "type": "string"}], "responses": {}},
            }
        },
    }  # fmt: skip

    item = to_v3(old)["paths"][PREFIX + "/things"]

    reference = {"schema": {"$ref": "#/components/schemas/Thing"}}
    assert item["parameters"] == [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 5}}]
    assert item["post"]["requestBody"]["content"] == {"application/json": reference}
    assert item["post"]["requestBody"]["required"] is True
    assert item["post"]["responses"]["201"]["content"] == {"application/json": reference}
    form = item["put"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    assert form["properties"] == {"f": {"type": "string"}}


def test_a_hash_changes_with_its_document_and_only_then() -> None:
    first, second = accepted("a.io"), accepted("b.io")
    before = Catalogue({"kapis/a.io/v1": first, "kapis/b.io/v1": second}, "v")
    after = Catalogue({"kapis/a.io/v1": first, "kapis/b.io/v1": accepted("b.io", Other=THING)}, "v", before)

    assert after.of("kapis/a.io/v1") is before.of("kapis/a.io/v1")
    fresh, old = after.of("kapis/b.io/v1"), before.of("kapis/b.io/v1")
    assert fresh is not None
    assert old is not None
    assert fresh.digest != old.digest
    urls = orjson.loads(after.index.body)["paths"]
    assert urls["kapis/b.io/v1"]["serverRelativeURL"] == f"/openapi/v3/kapis/b.io/v1?hash={fresh.digest}"
