"""Reading YAML 1.1, and writing it in Helm's way."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging.canonical import dump
from dovetail.packaging.errors import InvalidYaml
from dovetail.packaging.scalars import resolve, text_of
from dovetail.packaging.yaml11 import load, load_all


def test_only_the_first_document_counts() -> None:
    assert load(b"a: 1\n---\na: 2\n", "x").value == {"a": 1}
    assert [document.value for document in load_all(b"a: 1\n---\n---\na: 2\n", "x")] == [{"a": 1}, None, {"a": 2}]
    assert load(b"", "x").value is None


def test_the_last_of_two_keys_wins_and_is_told() -> None:
    document = load(b"screenshots: [a]\nname: x\nscreenshots: []\n", "x")
    assert document.value == {"screenshots": [], "name": "x"}
    assert document.repeated == ((("screenshots",), 3),)


def test_every_value_has_a_line() -> None:
    document = load(b"a:\n  - b: 1\n    c: 2\n", "x")
    assert document.line(("a", 0, "c")) == 3
    assert document.line(("a", 0, "missing", "deeper")) == 2
    assert document.line(("nothing",)) == 1


def test_aliases_and_merge_keys() -> None:
    document = load(b"base: &b {p: 1, q: 1}\nuse:\n  <<: *b\n  q: 2\nagain: *b\n", "x")
    assert document.value["use"] == {"p": 1, "q": 2}
    assert document.value["again"] == {"p": 1, "q": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("On", True), ("y", True), ("no", False), ("N", False), ("~", None), ("null", None), ("", None),
        ("010", 8), ("0o17", 15), ("0x1F", 31), ("-0b11", -3), ("1_000", 1000), ("08", 8.0), ("1.10", 1.1), (".5", 0.5),
        ("1e3", 1000.0), ("2001-01-01", "2001-01-01"), ("12:30", "12:30"), ("1.2.3", "1.2.3"), ("1e1000", "1e1000"),
        ("0x" + "f" * 100, "0x" + "f" * 100), ("-", "-"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.1, "1.1"), (True, "true"), (123, "123"), (1e6, "1e+06"), (123456.0, "123456"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (-1.5e-7, "-1.5e-07"), (0.0, "0"), (1e300, "1e+300"), (float("inf"), "+Inf"),
    ],
)  # fmt: skip
def test_a_number_where_text_is_wanted(value: float, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000, b"- " * 100_000, b"{a: " * 100_000, b"? " * 100_000, b"&a [*a]", b"*x", b"{? [a]: b}", b"a: 'x",
        b"\xff\xfe", b"\x00", b"a: !!int x", b"<<: 1", b"a: b: c",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)
        ),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused_with_a_place(data: bytes) -> None:
    with pytest.raises(InvalidYaml, match=r"^file\.yaml"):
        list(load_all(data, "file.yaml"))


def test_keys_are_in_helms_order() -> None:
    keys = ["b", "a10", "a9", "a-1", "B", "1", "_x", "a"]
    written = [line.partition(":")[0].strip('"') for line in dump(dict.fromkeys(keys, "")).splitlines()]
    assert written == ["_x", "1", "B", "a", "a-1", "a9", "a10", "b"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", '""'), ("yes", '"yes"'), ("1.0", '"1.0"'), ("2001-01-01", '"2001-01-01"'), ("12:30:45", '"12:30:45"'),
        (">=1.19.0-0", "'>=1.19.0-0'"), ("plain text", "plain text"), ("a: b", "'a: b'"), ("a\nb\n", "|\n  a\n  b"),
        ("问候", "问候"), ("emoji 😀", '"emoji \\U0001F600"'),
    ],
)  # fmt: skip
def test_styles(text: str, written: str) -> None:
    assert dump({"k": text}) == f"k: {written}\n"


keys = st.text().filter(lambda key: key != "<<")
"""Helm writes the key `<<` without quotes, byte for byte so do we, and every reader takes it for a merge."""
values = st.recursive(
    st.text() | st.booleans(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)


@given(st.dictionaries(keys, values, max_size=5))
def test_what_is_written_reads_back(value: dict[str, object]) -> None:
    assert load(dump(value).encode("utf-8", "surrogatepass"), "x").value == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidYaml):
        list(load_all(data, "x"))
