"""JSON patch and JSON merge patch: the RFCs' cases, the habits of Kubernetes, and properties."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.patching.json_patch import apply_json_patch
from dovetail.embedded.apiserver.patching.merge_patch import apply_merge_patch
from dovetail.embedded.apiserver.patching.rejected import PatchMalformed, PatchRejected

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
)
objects = st.dictionaries(st.text("ab/~", max_size=2), values, max_size=4)


# -- RFC 6902


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["a", "b"]}, [{"op": "add", "path": "/foo/1", "value": "x"}], {"foo": ["a", "x", "b"]}),
        ({"foo": ["a"]}, [{"op": "add", "path": "/foo/-", "value": ["b"]}], {"foo": ["a", ["b"]]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"foo": [1, 2, 3]}, [{"op": "remove", "path": "/foo/1"}], {"foo": [1, 3]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": None}], {"a": None}),
        (
            {"a": {"b": 1}, "c": {}},
            [{"op": "move", "from": "/a/b", "path": "/c/d"}],
            {"a": {}, "c": {"d": 1}},
        ),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": {"b": [1]}}, [{"op": "copy", "from": "/a/b", "path": "/c"}], {"a": {"b": [1]}, "c": [1]}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
        ({"a": 1}, [{"op": "test", "path": "/missing", "value": None}], {"a": 1}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/-1"}], {"a": [1]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-1", "value": 2}], {"a": [1, 2]}),
        ({"a/b": {"m~n": 1}}, [{"op": "replace", "path": "/a~1b/m~0n", "value": 2}], {"a/b": {"m~n": 2}}),
    ],
)
def test_a_json_patch_changes_what_it_says(document: Any, patch: Any, result: Any) -> None:
    assert apply_json_patch(document, patch) == result


@pytest.mark.parametrize(
    ("document", "patch"),
    [
        ({"a": 1}, [{"op": "remove", "path": "/b"}]),
        ({"a": 1}, [{"op": "replace", "path": "/b", "value": 1}]),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": True}]),
        ({"a": 1}, [{"op": "add", "path": "/b/c", "value": 1}]),
        ({"a": [1]}, [{"op": "add", "path": "/a/2", "value": 1}]),
        ({"a": [1]}, [{"op": "remove", "path": "/a/-"}]),
        ({"a": [1]}, [{"op": "add", "path": "/a/x", "value": 1}]),
        ({"a": [1]}, [{"op": "add", "path": "/a/-3", "value": 1}]),
        ({"a": 1}, [{"op": "paint", "path": "/a"}]),
        ({"a": 1}, [{"op": "add", "path": "a", "value": 1}]),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
    ],
)
def test_a_json_patch_that_does_not_fit_is_rejected(document: Any, patch: Any) -> None:
    before = copy.deepcopy(document)
    with pytest.raises(PatchRejected):
        apply_json_patch(document, patch)
    assert document == before


@pytest.mark.parametrize("patch", [{}, [1], ["x"]])
def test_what_is_not_a_json_patch_is_malformed(patch: Any) -> None:
    with pytest.raises(PatchMalformed):
        apply_json_patch({"a": 1}, patch)


def difference(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    """A simple JSON patch from one value to another."""
    if isinstance(old, dict) and isinstance(new, dict):
        escape = lambda key: path + "/" + key.replace("~", "~0").replace("/", "~1")  # noqa: E731
        gone = [{"op": "remove", "path": escape(key)} for key in old if key not in new]
        added = [{"op": "add", "path": escape(key), "value": new[key]} for key in new if key not in old]
        return gone + added + [op for key in new if key in old for op in difference(old[key], new[key], escape(key))]
    same = old == new and type(old) is type(new)
    return [] if same else [{"op": "replace", "path": path, "value": new}]


@given(objects, objects)
def test_a_patch_made_from_a_difference_leads_to_the_new_value(old: Any, new: Any) -> None:
    before = copy.deepcopy(old)
    assert apply_json_patch(old, difference(old, new)) == new
    assert old == before


# -- RFC 7386


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert apply_merge_patch(target, patch) == result


@given(objects, objects)
def test_a_merge_patch_is_idempotent_and_leaves_its_arguments_alone(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    once = apply_merge_patch(target, patch)
    assert apply_merge_patch(once, patch) == once
    assert (target, patch) == before
