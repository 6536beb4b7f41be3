"""Label and field selectors, in both notations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.errors import BadRequest
from dovetail.embedded.apiserver.selecting import fields, labels

WEB = {"app": "web", "tier": "front", "example.dev/size": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("other notin (db)", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("example.dev/size>4", True),
        ("example.dev/size<5", False),
        ("app>4", False),
        ("app=web,tier=front,!gone", True),
        ("app=web,tier=back", False),
        ("app in (web),tier notin (back,side)", True),
        ("app=", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert labels.parse(text).matches(WEB) is matches


@pytest.mark.parametrize(
    "text", ["a b", "=x", "app in web", "app in (web", "app>x", "-bad=1", "app=b$d", "a,,b", "x/y/z=1"]
)
def test_a_wrong_label_selector_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        labels.parse(text)


keys = st.sampled_from(["a", "b", "c"])
words = st.sampled_from(["x", "y", ""])
terms = st.one_of(
    st.tuples(keys, st.just("In"), st.lists(words, min_size=1, max_size=2)),
    st.tuples(keys, st.just("NotIn"), st.lists(words, min_size=1, max_size=2)),
    st.tuples(keys, st.sampled_from(["Exists", "DoesNotExist"]), st.just([])),
)


def as_text(term: tuple[str, str, list[str]]) -> str:
    key, operator, listed = term
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({','.join(listed)})"


@given(st.lists(terms, max_size=3), st.dictionaries(keys, words))
def test_the_two_notations_of_a_selector_agree(found: Any, present: dict[str, str]) -> None:
    expressions = [{"key": k, "operator": o, "values": v} for k, o, v in found]
    from_object = labels.from_object({"matchExpressions": expressions})
    assert labels.parse(",".join(map(as_text, found))).matches(present) == from_object.matches(present)


POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "x"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("metadata.namespace=n,status.phase=Running", True),
        ("spec.nodeName=", False),
        ("status.phase!=Failed", True),
        (r"metadata.name=a\,b", False),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    assert fields.parse(text, ("spec.nodeName", "status.phase")).matches(POD) is matches


@pytest.mark.parametrize("text", ["spec.image=x", "nonsense"])
def test_an_unsupported_field_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest, match=r"not a known field selector|understand"):
        fields.parse(text, ())
