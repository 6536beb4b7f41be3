"""The query grammar of lists: every filter, order, pages, and that nothing unreadable is skipped."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.platform.errors import BadRequest
from dovetail.platform.field_paths import parse_path, values_at
from dovetail.platform.listing import list_of, page_of, read_query, select

THING: dict[str, Any] = {
    "metadata": {
        "name": "red-apple", "namespace": "garden", "uid": "u-1", "creationTimestamp": "2026-01-02T00:00:00Z",
        "labels": {"kubesphere.io/workspace": "w1", "size": "3"},
        "annotations": {"kubesphere.io/alias-name": "Boskoop", "note": "a=b"},
        "ownerReferences": [{"kind": "Tree", "uid": "t-1"}],
    },
    "spec": {
        "weight": 7, "ripe": True, "kinds": ["a", "b,c"], "parts": [{"n": "x"}, {"n": "y"}], "text": "He said",
        "no": None,
    },
    "status": {"state": "Active"},
}  # fmt: skip


@pytest.mark.parametrize(("name", "value", "matches"), [
    ("name", "apple", True), ("name", "Apple", False), ("nameAndAlias", "Bosk", True), ("nameAndAlias", "red", True),
    ("nameAndAlias", "pear", False), ("names", "pear,red-apple", True), ("names", "pear", False), ("uid", "u-1", True),
    ("uid", "u", False), ("namespace", "garden", True), ("namespace", "gard", False), ("ownerReference", "t-1", True),
    ("ownerReference", "Tree", False), ("ownerKind", "Tree", True), ("ownerKind", "tree", False),
    ("annotation", "note", True), ("annotation", "note=a=b", True), ("annotation", "note=a", False),
    ("label", "size>2", True), ("label", "size=4", False), ("labelSelector", "size in (3,4),!colour", True),
    ("labelSelector", "!size", False), ("status", "active", True), ("status", "Disabled", False),
    ("fieldSelector", "spec.weight=7", True), ("fieldSelector", "spec.weight!=7", False),
    ("fieldSelector", "spec.ripe==true", True), ("fieldSelector", "spec.kinds=a", True),
    ("fieldSelector", r"spec.kinds=b\,c", True), ("fieldSelector", "spec.kinds[0]=b", False),
    ("fieldSelector", "spec.parts[*].n=y,spec.parts[0].n=x", True), ("fieldSelector", "spec.text=~HE S", True),
    ("fieldSelector", "spec.text!=~he", False), ("fieldSelector", "spec.none=", True),
    ("fieldSelector", "spec.none!=x", True), ("fieldSelector", "spec.no=", True),
    ("fieldSelector", "spec.none=x", False),
    ("fieldSelector", "metadata.labels['kubesphere.io/workspace']=w1", True),
    ("fieldSelector", r"metadata.labels.kubesphere\.io/workspace=w1", True), ("name", "", True),
    ("labelSelector", "", True),
])  # fmt: skip
def test_each_filter(name: str, value: str, matches: bool) -> None:
    assert read_query([(name, value)]).matches(THING) is matches


@pytest.mark.parametrize(("name", "value"), [
    ("page", "0"), ("page", "-1"), ("page", "x"), ("page", "1.0"), ("page", "１"), ("page", "9" * 10), ("limit", "0"),
    ("limit", "-2"), ("limit", "ten"), ("ascending", "yes"), ("sortBy", "size"), ("sortBy", "spec..x"),
    ("label", "a b"),
    ("labelSelector", "a in ("), ("fieldSelector", "spec.x"), ("fieldSelector", "=x"), ("fieldSelector", "a=b,"),
    ("fieldSelector", "a[x]=b"), ("annotation", "=x"), ("continue", "abc"), ("q", "x"), ("watch", "1"), ("", "x"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_query([(name, value)])
    assert repr(name) in str(refused.value)


def test_a_parameter_stands_there_once() -> None:
    with pytest.raises(BadRequest, match="'name' is given twice"):
        read_query([("name", "a"), ("name", "a")])


def test_parameters_of_the_list_itself() -> None:
    assert read_query([("q", "x"), ("name", "a")], custom=("q",)).custom == {"q": "x"}


def named(name: str, created: str = "", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": created}, "spec": spec}


def test_the_newest_first_unless_said_and_equals_by_name() -> None:
    things = [named("b", "2026-01-01"), named("c", "2026-01-02"), named("a", "2026-01-01")]
    assert [one["metadata"]["name"] for one in select(things, read_query([]))] == ["c", "a", "b"]
    assert [one["metadata"]["name"] for one in select(things, read_query([("ascending", "true")]))] == ["a", "b", "c"]
    assert [one["metadata"]["name"] for one in select(things, read_query([("sortBy", "name")]))] == ["c", "b", "a"]


def test_anything_can_be_sorted_by() -> None:
    things = [
        named("a", x="ü"),
        named("b", x=3),
        named("c"),
        named("d", x=True),
        named("e", x={"y": 1}),
        named("f", x=[2]),
    ]
    query = read_query([("sortBy", "spec.x"), ("ascending", "true")])
    assert select(things, query)[0]["metadata"]["name"] == "c"
    assert {one["metadata"]["name"] for one in select(things, query)} == set("abcdef")


THINGS = st.lists(
    st.tuples(st.text("ab", min_size=1, max_size=3), st.sampled_from(["1", "2"])), unique_by=lambda one: one[0]
)


@given(THINGS, st.integers(1, 5), st.booleans())
def test_pages_are_the_whole_list_in_pieces(things: list[tuple[str, str]], limit: int, ascending: bool) -> None:
    items = [named(name, created) for name, created in things]
    order = [("ascending", str(ascending).lower())]
    whole = page_of(items, read_query(order))
    assert whole["totalItems"] == len(items) == len(whole["items"])
    pieces: list[Any] = []
    for page in range(1, len(items) // limit + 3):
        query = read_query([*order, ("page", str(page)), ("limit", str(limit))])
        piece = page_of(items, query)
        assert piece["totalItems"] == len(items)
        kubernetes = list_of(items, query, "v1", "ThingList")
        assert kubernetes["items"] == piece["items"]
        assert kubernetes["metadata"]["continue"] == str(len(items))
        assert kubernetes["metadata"]["remainingItemCount"] == max(0, len(items) - page * limit)
        pieces += piece["items"]
    assert pieces == whole["items"]
    assert page_of(items, read_query([("page", "2")]))["items"] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "x"]), JSON), st.text(max_size=20))
def test_no_object_and_no_text_breaks_a_query(obj: dict[str, Any], text: str) -> None:
    for name in ("fieldSelector", "labelSelector", "sortBy", "status", "annotation", "name", "ownerKind"):
        try:
            query = read_query([(name, text)])
        except BadRequest:
            continue
        foreign = {**obj, "metadata": {"name": "x"}}
        assert page_of([foreign], query)["totalItems"] in (0, 1)


def test_paths() -> None:
    assert parse_path("a.b[0]['c.d'][*].e") == ("a", "b", 0, "c.d", None, "e")
    assert values_at({"a": [{"b": 1}, {"b": [2, 3]}]}, parse_path("a[*].b")) == [1, 2, 3]
    for bad in ("", ".", "a..b", "a[", "a[]", "a b", "['']"):
        with pytest.raises(ValueError, match=r"."):
            parse_path(bad)
