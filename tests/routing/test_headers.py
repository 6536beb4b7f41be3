"""Header edits."""

import pytest

from dovetail.routing import headers
from dovetail.routing.model import HeaderEdit

GIVEN = [("Foo", "1"), ("foo", "2"), ("X-Old-A", "a"), ("x-old-b", "b"), ("Location", "http://inner/x")]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (HeaderEdit("set", "FOO", "9"), [("FOO", "9"), *GIVEN[2:]]),
        (HeaderEdit("set", "New", "9"), [*GIVEN, ("New", "9")]),
        (HeaderEdit("add", "Foo", "9"), [*GIVEN, ("Foo", "9")]),
        (HeaderEdit("delete", "foo"), GIVEN[2:]),
        (HeaderEdit("delete", "X-Old-*"), [*GIVEN[:2], GIVEN[4]]),
        (HeaderEdit("replace", "location", "https://outer/$1", r"^http://inner/(.*)$"),
         [*GIVEN[:4], ("Location", "https://outer/x")]),
    ],
)  # fmt: skip
def test_edits(edit, expected):
    assert headers.apply((edit,), GIVEN) == expected


def test_edits_run_in_order():
    edits = (HeaderEdit("set", "A", "1"), HeaderEdit("delete", "A"), HeaderEdit("add", "A", "2"))
    assert headers.apply(edits, []) == [("A", "2")]


def test_no_edits_change_nothing():
    assert headers.apply((), GIVEN) == GIVEN


def test_headers_as_they_are_on_the_wire():
    given = [(b"Foo", b"caf\xe9")]
    assert headers.apply_bytes((HeaderEdit("add", "Bar", "中"),), given) == [*given, (b"Bar", "中".encode())]


def test_a_value_too_long_for_its_expression_stays():
    long = "a" * 20_000
    edit = HeaderEdit("replace", "Foo", "x", ".*a.*b")
    assert headers.apply((edit,), [("Foo", long)]) == [("Foo", long)]
