"""Mutated requests and answers, in memory: nothing answers 500, nothing forwards two requests for one, no answer that
broke off looks whole, and both ends see HTTP as h11 understands it. By hand for longer: see `fuzzing`."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway_proxy import fuzzing
from tests.gateway_proxy.in_memory import OK, Broken, InMemory, plainly_read, read_answers, read_request


@pytest.fixture
async def world(tmp_path: Path) -> InMemory:
    return InMemory(tmp_path)


async def test_mutants_of_the_corpora(world: InMemory) -> None:
    numbers = random.Random(4)
    for _ in range(1500):
        fuzzing.one(world, numbers.randrange)


@settings(max_examples=150)
@given(st.data())
async def test_mutants_that_shrink(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    fuzzing.one(InMemory(tmp_path_factory.getbasetemp()), lambda below: data.draw(st.integers(0, below - 1)))


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]), max_size=5))
async def test_rubbish(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    fuzzing.check_request(InMemory(tmp_path_factory.getbasetemp()), parts)


async def test_in_memory_is_as_with_sockets(world: InMemory) -> None:
    sight = world.run(
        [b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na", b"bcGET /b HTTP/1.1\r\nHost: x\r\n\r\n"]
    )
    assert [(each.start, each.body) for each in sight.requests] == [((b"POST", b"/a"), b"abc"), ((b"GET", b"/b"), b"")]
    assert [answer.body for answer in sight.answers] == [b"ok", b"ok"]
    assert (sight.whole, sight.closed) == (True, False)


def test_the_eyes_of_the_fuzzer() -> None:
    """It would see what it looks for."""
    get = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    for bad in (get + get, get + b"x", b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\nC: d\0\r\n\r\n"):
        with pytest.raises(Broken):
            read_request(bad)
    assert read_request(get[:-1]) is None
    assert read_answers(OK + OK[:-1], [b"GET", b"GET"])[1] is False
    with pytest.raises(Broken):
        read_answers(OK + b"rubbish\r\n\r\n", [b"GET"])
    assert [each.start for each in plainly_read(get + b"\r\n" + get)[0]] == [(b"GET", b"/a")] * 2


async def test_a_proxy_that_forwards_what_it_should_not_is_caught(
    world: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutants find a defect that is put in on purpose: a chunked body is sent on under a length that is wrong."""
    monkeypatch.setattr("dovetail.gateway.proxy.outgoing._CHUNKED", b"Content-Length: 1\r\n")
    numbers = random.Random(1)
    with pytest.raises(Broken):  # noqa: PT012
        for _ in range(2000):
            fuzzing.one(world, numbers.randrange)
