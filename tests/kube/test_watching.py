"""Bytes to lines to events."""

import contextlib
import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import Gone, UnreadableAnswer
from dovetail.kube.watching import LineSplitter, read_event


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(min_value=0), max_size=20))
def test_lines_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(pieces)
    splitter = LineSplitter()
    lines = [line for chunk in split_at(data, cuts) for line in splitter.feed(chunk)]
    *whole, rest = data.split(b"\n")
    assert lines == [line for line in whole if line.strip()]
    assert splitter.pending == len(rest)


def test_a_line_of_many_megabytes_in_small_chunks_is_one_line() -> None:
    splitter = LineSplitter()
    for _ in range(8192):
        assert splitter.feed(b"x" * 1024) == []
    assert [len(line) for line in splitter.feed(b"\n{}")] == [8 * 1024 * 1024]
    assert splitter.pending == 2


def test_a_line_over_the_limit_is_refused() -> None:
    splitter = LineSplitter(limit=10)
    splitter.feed(b"123456789")
    with pytest.raises(UnreadableAnswer, match="larger than 10 bytes"):
        splitter.feed(b"ab")


def test_events() -> None:
    event = read_event(orjson.dumps({"type": "ADDED", "object": {"a": 1}}))
    assert (event.type, event.object) == ("ADDED", {"a": 1})
    with pytest.raises(Gone):
        read_event(orjson.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}))


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"{}", b'{"type":"X","object":{}}', b'{"type":"ADDED","object":1}']
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_event(line)


@given(st.binary(max_size=60))
def test_no_line_can_raise_anything_else(line: bytes) -> None:
    with contextlib.suppress(UnreadableAnswer):
        read_event(line)
