"""Rules of custom resources (``x-kubernetes-validations``) over HTTP: what is refused when, in which words."""

import asyncio
import uuid
from typing import Any

import pytest

from .conftest import SOON, Http

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Schema = dict[str, Any]


def ruled(schema: Schema, *rules: str | dict[str, Any]) -> Schema:
    entries = [{"rule": rule} if isinstance(rule, str) else rule for rule in rules]
    return {**schema, "x-kubernetes-validations": entries}


def struct(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


INT, STRING = {"type": "integer"}, {"type": "string"}


class Kind:
    """A definition of one schema for ``spec``, and requests for its objects."""

    def __init__(self, http: Http, spec: Schema, root: list[dict[str, Any]] | None = None) -> None:
        self.http, self.group = http, f"g{uuid.uuid4().hex[:8]}.example.dev"
        self.url = f"/apis/{self.group}/v1/rules"
        schema = struct(spec=spec, status={"type": "object", "x-kubernetes-preserve-unknown-fields": True})
        if root:
            schema["x-kubernetes-validations"] = root
        self.crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"rules.{self.group}"},
            "spec": {
                "group": self.group,
                "scope": "Cluster",
                "names": {"plural": "rules", "kind": "Rule"},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
                     "subresources": {"status": {}}}
                ],
            },
        }  # fmt: skip

    async def define(self) -> "Kind":
        code, body = await self.http("POST", CRDS, self.crd)
        assert code == 201, body
        return self

    async def redefine(self, spec: Schema) -> None:
        versions = self.crd["spec"]["versions"]
        versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec
        code, body = await self.http(
            "PATCH", f"{CRDS}/rules.{self.group}", {"spec": {"versions": versions}},
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert code == 200, body

    def obj(self, spec: Any, name: str = "x") -> dict[str, Any]:
        return {"apiVersion": f"{self.group}/v1", "kind": "Rule", "metadata": {"name": name}, "spec": spec}

    async def create(self, spec: Any, name: str = "x") -> list[str]:
        return problems(*await self.http("POST", self.url, self.obj(spec, name)))

    async def patch(self, spec: Any, name: str = "x") -> list[str]:
        answer = await self.http(
            "PATCH", f"{self.url}/{name}", {"spec": spec}, content_type="application/merge-patch+json"
        )
        return problems(*answer)


def problems(code: int, body: Any) -> list[str]:
    if code < 300:
        return []
    assert code == 422, body
    return [f"{cause['field']}: {cause['message']}" for cause in body["details"]["causes"]]


async def refused(http: Http, spec: Schema) -> list[str]:
    kind = Kind(http, spec)
    code, body = await http("POST", CRDS, kind.crd)
    return problems(code, body)


async def test_a_rule_says_what_is_wrong_and_where(http: Http) -> None:
    spec = ruled(
        struct(min=INT, max=INT, name=ruled(STRING, {"rule": "self != 'bad'", "message": " not bad "})),
        "self.min <= self.max",
    )
    kind = await Kind(http, spec).define()
    assert await kind.create({"min": 1, "max": 2, "name": "good"}) == []
    assert await kind.create({"min": 3, "max": 2, "name": "bad"}, "y") == [
        "spec: Invalid value: failed rule: self.min <= self.max",
        'spec.name: Invalid value: "bad": not bad',
    ]
    assert await kind.patch({"min": 5}) == ["spec: Invalid value: failed rule: self.min <= self.max"]


async def test_reasons_field_paths_and_message_expressions(http: Http) -> None:
    rules = [
        {"rule": "self.a != 1", "reason": "FieldValueForbidden", "fieldPath": ".a", "message": "no"},
        {"rule": "self.a != 2", "reason": "FieldValueRequired", "fieldPath": ".b", "message": "missing"},
        {"rule": "self.a != 3", "reason": "FieldValueDuplicate", "fieldPath": ".a"},
        {"rule": "self.a != 4", "messageExpression": "'a is ' + string(self.a) + ', b is ' + self.b"},
        {"rule": "self.a != 5", "messageExpression": "self.b.charAt(100)", "message": "fallback"},
    ]
    kind = await Kind(http, ruled(struct(a=INT, b=STRING), *rules)).define()
    assert await kind.create({"a": 1, "b": "x"}) == ["spec.a: Forbidden: no"]
    assert await kind.create({"a": 2, "b": "x"}) == ["spec.b: Required value: missing"]
    assert await kind.create({"a": 3, "b": "x"}) == ["spec.a: Duplicate value"]
    assert await kind.create({"a": 4, "b": "x"}) == ["spec: Invalid value: a is 4, b is x"]
    assert await kind.create({"a": 5, "b": "x"}) == ["spec: Invalid value: fallback"]


async def test_rules_wait_for_a_valid_object(http: Http) -> None:
    kind = await Kind(http, ruled(struct(a={**INT, "enum": [1]}, b=INT), "self.a > self.b")).define()
    assert await kind.create({"a": 2, "b": 5}) == [
        'spec.a: Unsupported value: 2: supported values: "1"',
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct "
        "the existing errors to complete validation",
    ]


async def test_transition_rules_compare_with_the_stored_object(http: Http) -> None:
    item = {**struct(name=STRING, size=ruled(INT, "self >= oldSelf")), "required": ["name"]}
    items = {
        "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
    }  # fmt: skip
    fixed = ruled(STRING, {"rule": "self == oldSelf", "message": "fixed is immutable"})
    kind = await Kind(http, struct(fixed=fixed, items=items)).define()
    assert await kind.create({"fixed": "a", "items": [{"name": "x", "size": 5}, {"name": "y", "size": 1}]}) == []
    assert await kind.patch({"fixed": "b"}) == ['spec.fixed: Invalid value: "b": fixed is immutable']
    assert await kind.patch({"fixed": None}) == []
    assert await kind.patch({"fixed": "c"}) == []
    assert await kind.patch({"items": [{"name": "y", "size": 1}, {"name": "x", "size": 4}]}) == [
        "spec.items[1].size: Invalid value: 4: failed rule: self >= oldSelf"
    ]
    assert await kind.patch({"items": [{"name": "y", "size": 2}, {"name": "z", "size": 0}]}) == []


async def test_optional_old_self_also_runs_at_creation(http: Http) -> None:
    rule = {"rule": "oldSelf.hasValue() || self == 'first'", "optionalOldSelf": True, "message": "begin with first"}
    kind = await Kind(http, struct(a=ruled(STRING, rule))).define()
    assert await kind.create({"a": "second"}) == ['spec.a: Invalid value: "second": begin with first']
    assert await kind.create({"a": "first"}) == []
    assert await kind.patch({"a": "second"}) == []


async def test_old_objects_are_not_held_to_new_rules_where_they_do_not_change(http: Http) -> None:
    kind = await Kind(http, struct(a=STRING, b=STRING, n=INT)).define()
    assert await kind.create({"a": "long", "b": "x", "n": 50}) == []
    stricter = struct(a=ruled(STRING, "self.size() < 3"), b=STRING, n={**INT, "maximum": 10})
    await kind.redefine(stricter)
    async with http.session.patch(
        f"{http.server.url}{kind.url}/x", data='{"spec": {"b": "y"}}',
        headers={"content-type": "application/merge-patch+json"},
    ) as response:  # fmt: skip
        assert response.status == 200
        assert 'spec.a: Invalid value: \\"long\\": failed rule: self.size() < 3' in response.headers["warning"]
    assert await kind.patch({"a": "other"}) == ['spec.a: Invalid value: "other": failed rule: self.size() < 3']
    assert await kind.patch({"n": 60}) == [
        "spec.n: Invalid value: 60: spec.n in body should be less than or equal to 10"
    ]
    assert await kind.patch({"a": "ok", "n": 5}) == []


async def test_rules_at_the_root_and_on_status(http: Http) -> None:
    root = [
        {"rule": "self.metadata.name.startsWith('r-')", "message": "names begin with r-"},
        {"rule": "!has(self.spec.a) || self.kind == 'Rule' && self.apiVersion.endsWith('/v1')"},
    ]
    kind = await Kind(http, struct(a=INT), root).define()
    assert await kind.create({"a": 1}) == ["<nil>: Invalid value: names begin with r-"]
    assert await kind.create({"a": 1}, "r-1") == []


async def test_status_updates_are_checked_too(http: Http) -> None:
    kind = Kind(http, struct(a=INT))
    version = kind.crd["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["status"] = ruled(struct(n=INT), "self.n < 10")
    await kind.define()
    assert await kind.create({"a": 1}) == []
    code, body = await http(
        "PATCH", f"{kind.url}/x/status", {"status": {"n": 11}}, content_type="application/merge-patch+json"
    )
    assert problems(code, body) == ["status: Invalid value: failed rule: self.n < 10"]


VALUES = struct(
    namespace=STRING,
    **{"a-b": INT, "x.y": INT},
    when={**STRING, "format": "date-time"},
    wait={**STRING, "format": "duration"},
    raw={**STRING, "format": "byte"},
    ratio={"type": "number"},
    port={"x-kubernetes-int-or-string": True},
    labels={"type": "object", "additionalProperties": STRING},
    tags={"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
    day={**STRING, "format": "date"},
)


@pytest.mark.parametrize(
    "rule",
    [
        "self.__namespace__ == 'n' && self.a__dash__b == 1 && self.x__dot__y == 2",
        "self.when > timestamp('2020-01-01T00:00:00Z') && self.when.getFullYear() == 2024",
        "self.wait == duration('90s') && self.wait.getSeconds() == 90",
        "self.raw == b'hello' && size(self.raw) == 5",
        "self.ratio / 2.0 == 1.0 && self.ratio >= 2",
        "type(self.port) == int ? self.port == 80 : self.port.endsWith('%')",
        "self.labels.all(k, k.startsWith('l')) && self.labels['l1'] == 'v' && !('x' in self.labels)",
        "self.labels.exists(k, v, v == 'v') && self.labels.?nope.orValue('d') == 'd'",
        "self.tags == ['b', 'a'] && self.tags + ['a'] == ['a', 'b']",
        "self.day.getDayOfMonth() == 4",
        "!has(self.labels.nope) && has(self.labels.l1)",
    ],
)
async def test_values_are_what_their_formats_say(http: Http, rule: str) -> None:
    kind = await Kind(http, ruled(VALUES, rule)).define()
    spec = {
        "namespace": "n", "a-b": 1, "x.y": 2, "when": "2024-05-06T07:08:09Z", "wait": "1m30s", "raw": "aGVsbG8=",
        "ratio": 2, "port": 80, "labels": {"l1": "v"}, "tags": ["a", "b"], "day": "2024-03-05",
    }  # fmt: skip
    assert await kind.create(spec) == []


RULE = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]"
LIST = {"type": "array", "items": ruled(STRING, "self == oldSelf")}


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (ruled(struct(a=INT), "self.b > 1"), f'{RULE}.rule: Invalid value: {{"Rule":"self.b \\u003e 1","Message":""'),
        (ruled(struct(a=INT), "self.b > 1"), "<input>:1:5: undefined field 'b'"),
        (ruled(struct(a=INT), "self.a"), "cel expression must evaluate to a bool"),
        (ruled(struct(a=INT), "self.a > 'x'"), "found no matching overload for '_>_' applied to '(int, string)'"),
        (ruled(struct(a=INT), ""), f"{RULE}.rule: Required value: rule is not specified"),
        (ruled(struct(a=INT), {"rule": "true", "message": "a\nb"}), "message must not contain line breaks"),
        (ruled(struct(a=INT), {"rule": "true\n&& true"}), "message must be specified if rule contains line breaks"),
        (ruled(struct(a=INT), {"rule": "true", "reason": "X"}), 'reason: Unsupported value: "X": supported values: '),
        (ruled(struct(a=INT), {"rule": "true", "fieldPath": ".b"}), "fieldPath must be a valid path"),
        (ruled(struct(a=INT), {"rule": "true", "messageExpression": "self.a"}), "must evaluate to a string"),
        (ruled(struct(a=INT), {"rule": "true", "optionalOldSelf": True}), "may not be set if oldSelf is not used in rule"),  # noqa: E501
        (
            struct(l=LIST),
            "spec.validation.openAPIV3Schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: "
            'Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema '
            "within spec.validation.openAPIV3Schema.properties[spec].properties[l]",
        ),
        ({**struct(a=INT), "anyOf": [ruled({}, "true")]}, "x-kubernetes-validations: Forbidden: must be empty to be structural"),  # noqa: E501
        (ruled(struct(a={"x-kubernetes-preserve-unknown-fields": True}), "self.a == 1"), "undefined field 'a'"),
    ],
)  # fmt: skip
async def test_rules_that_cannot_be_used_are_refused_with_the_definition(
    http: Http, spec: Schema, problem: str
) -> None:
    found = await refused(http, spec)
    assert any(problem in text for text in found), found


async def test_a_rule_that_runs_too_long_is_an_error_and_nobody_waits(http: Http) -> None:
    spec = struct(l={"type": "array", "items": INT, "maxItems": 100_000})
    rule = "self.l.all(x, self.l.all(y, self.l.all(z, x + y + z >= 0)))"
    kind = await Kind(http, ruled(spec, rule, "true")).define()
    async with asyncio.timeout(SOON):
        found = await kind.create({"l": list(range(20_000))})
    assert len(found) == 1
    assert "call cost exceeds limit for rule: self.l.all(" in found[0]


async def test_a_rule_without_a_value_is_an_error(http: Http) -> None:
    port = {"x-kubernetes-int-or-string": True}
    kind = await Kind(http, ruled(struct(a=INT, b=INT, p=port), "self.a / self.b > 0", "self.p < 5")).define()
    assert await kind.create({"a": 1, "b": 0, "p": 1}) == [
        'spec: Invalid value: "object": division by zero evaluating rule: self.a / self.b > 0'
    ]
    assert await kind.create({"a": 1, "p": 1}) == [
        'spec: Invalid value: "object": no such key: b evaluating rule: self.a / self.b > 0'
    ]
    assert await kind.create({"a": 1, "b": 1, "p": "x"}) == [
        "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
        "function or macro signature for rule: self.p < 5"
    ]
