"""Label selectors as text, against the embedded API server's own reading of them, which was written apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.errors import BadRequest
from dovetail.embedded.apiserver.selecting import labels as reference
from dovetail.kube.label_query import LabelQuery, parse_label_query

NAMES = st.sampled_from(["a", "b", "kubesphere.io/workspace", "x-y.z/a_b.c"])
VALUES = st.sampled_from(["", "1", "2", "10", "w1", "W-2.x", "-3", "01"])
SPACE = st.sampled_from(["", " ", "  "])


@st.composite
def requirements(draw: st.DrawFn) -> str:
    name, space = draw(NAMES), draw(SPACE)
    match draw(st.integers(0, 4)):
        case 0:
            return f"{draw(SPACE)}{name}{space}"
        case 1:
            return f"!{space}{name}"
        case 2:
            return f"{name}{space}{draw(st.sampled_from(['=', '==', '!=']))}{space}{draw(VALUES)}"
        case 3:
            return f"{name}{space}{draw(st.sampled_from('<>'))}{space}{draw(st.sampled_from(['1', '5', '-2']))}"
        case _:
            values = f"{space},".join(draw(st.lists(VALUES, min_size=1, max_size=3)))
            return f"{name} {draw(st.sampled_from(['in', 'notin']))}{space}({values})"


WELL_FORMED = st.lists(requirements(), max_size=3).map(",".join)
ALPHABET = st.text("ab/.=!(),<> in-_1notx\t", max_size=24)
LABELS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(st.one_of(WELL_FORMED, ALPHABET), LABELS)
def test_it_is_read_as_the_api_server_reads_it(text: str, labels: dict[str, str]) -> None:
    try:
        expected = reference.parse(text)
    except BadRequest:
        with pytest.raises(ValueError, match=r"."):
            parse_label_query(text)
        return
    assert parse_label_query(text).matches(labels) == expected.matches(labels)


@given(WELL_FORMED, LABELS)
def test_what_is_written_reads_the_same(text: str, labels: dict[str, str]) -> None:
    try:
        query = parse_label_query(text)
    except ValueError:
        return
    assert parse_label_query(str(query)).matches(labels) == query.matches(labels)


@given(WELL_FORMED, LABELS)
def test_narrowing_only_takes_away(text: str, labels: dict[str, str]) -> None:
    try:
        query = parse_label_query(text)
    except ValueError:
        return
    narrowed = query.narrowed("kubesphere.io/workspace", "w1")
    assert narrowed.matches(labels) == (query.matches(labels) and labels.get("kubesphere.io/workspace") == "w1")
    assert parse_label_query(str(narrowed)).matches(labels) == narrowed.matches(labels)


def test_nothing_selects_everything() -> None:
    assert parse_label_query("  ") == LabelQuery()
    assert LabelQuery().matches({})
    assert str(LabelQuery()) == ""


@pytest.mark.parametrize("text", ["a,,b", "a in (", "a in b", "=", "a=b=c", "!", "a b", ",", "a,", "x>y",
                                  "_", "a/b/c", "A.b/c", "a=" + "x" * 64, "x" * 64, "a notin (b", "a=ü"])  # fmt: skip
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_label_query(text)
