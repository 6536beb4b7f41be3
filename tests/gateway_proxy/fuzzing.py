"""What must hold whatever comes, and bytes that try to break it.

`test_fuzzing` runs it for seconds. By hand for longer: `python -m tests.gateway_proxy.fuzzing --seconds 600 [--seed 1]`
mutates the corpora at random, `guided_fuzzing` lets atheris choose. Ends with what it did, or with what broke.
"""

import argparse
import logging
import random
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from tests.gateway_proxy import smuggling_corpus, test_hostile_backends
from tests.gateway_proxy.in_memory import OK, Broken, InMemory, Message, Sight, plainly_read

_H11_DIFFERS = re.compile(
    rb"upgrade|connect |  |content-length:\s*0{10}|content-length:[ \t]*\d{20}"
    rb"|\r\n[0-9a-f]{17}|\r\n[0-9a-f]+;",
    re.IGNORECASE,
)
"""h11 refuses these or stops at them: upgrades, two spaces, numbers of many digits, odd extensions."""
_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b"0", b"1", b"ffffffff", b";a=b", b"chunked",
    b"HTTP/1.1",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Trailer: X-T\r\n", b"0\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: gateway\r\n\r\n", b"Host: gateway\r\n", b"\xff",
    b"%2e",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"Set-Cookie: dovetail-token=x\r\n", b"TE: trailers\r\n",
)  # fmt: skip
REQUESTS = [raw + smuggling_corpus.SENTINEL for raw, _ in smuggling_corpus.CASES.values() if len(raw) < 2000]
ANSWERS = [raw for raw, _ in test_hostile_backends.CASES.values() if len(raw) < 2000]


def mutated(raw: bytes, choose: Callable[[int], int]) -> bytes:
    """`raw` with a few changes. `choose(n)` is a number below n."""
    data = bytearray(raw)
    for _ in range(choose(4) + 1):
        at, kind = choose(len(data) + 1), choose(5)
        end = min(len(data), at + choose(8))
        if kind == 0:
            data[at:at] = _TOKENS[choose(len(_TOKENS))]
        elif kind == 1:
            data[at:end] = _TOKENS[choose(len(_TOKENS))]
        elif kind == 2:
            del data[at:end]
        elif kind == 3 and data:
            data[at % len(data)] = choose(256)
        else:
            data[at:at] = data[choose(len(data) + 1) :][: choose(60)]
    return bytes(data)


def pieces(raw: bytes, choose: Callable[[int], int]) -> list[bytes]:
    """`raw` in one piece or in several."""
    if not choose(3):
        return [raw]
    cuts = sorted({choose(len(raw) + 1) for _ in range(choose(6))})
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) if start < end]


def check_request(world: InMemory, parts: list[bytes]) -> Sight:
    """A client sends this; the backend answers as it should."""
    world.answer = lambda _: [OK]
    sight = world.run(parts)
    _check_answers(sight)
    raw = b"".join(parts)
    theirs, failed = plainly_read(raw)
    if not _H11_DIFFERS.search(raw):
        rest = iter(theirs)
        for request in sight.requests:
            if not any(_same(request, each) for each in rest):
                raise Broken(f"h11 does not find {request} in {raw!r} (failed: {failed})")
    return sight


def check_answer(world: InMemory, parts: list[bytes], method: bytes) -> Sight:
    """A backend answers this to the first of two requests."""
    said = iter([parts])
    world.answer = lambda _: next(said, [OK])
    request = b"%b /a HTTP/1.1\r\nHost: gateway\r\nTE: trailers\r\n\r\n" % method
    sight = world.run([request, b"GET /sentinel HTTP/1.1\r\nHost: gateway\r\n\r\n"])
    _check_answers(sight)
    if len(sight.answers) > 1 and sight.answers[1].body != b"ok":
        raise Broken(f"the second answer is not the backend's: {parts!r}")
    return sight


def _same(ours: Message, theirs: Message) -> bool:
    return (ours.start[0], ours.body) == (theirs.start[0], theirs.body)


def _check_answers(sight: Sight) -> None:
    if any(answer.start[0] == 500 and b"the gateway" in answer.body for answer in sight.answers):
        raise Broken("the gateway answered 500")
    if not sight.whole and not sight.closed:
        raise Broken("an answer broke off, and the connection stayed")
    for answer in sight.answers:
        cookies = [value.lstrip(b"= \t") for name, value in answer.headers if name == b"set-cookie"]
        if any(cookie.partition(b"=")[0].strip() == b"dovetail-token" for cookie in cookies):
            raise Broken(f"a backend has set the gateway's cookie: {answer}")


def one(world: InMemory, choose: Callable[[int], int]) -> None:
    """One try."""
    if choose(2):
        check_request(world, pieces(mutated(REQUESTS[choose(len(REQUESTS))], choose), choose))
    else:
        answer = mutated(ANSWERS[choose(len(ANSWERS))], choose)
        check_answer(world, pieces(answer, choose), (b"GET", b"HEAD", b"PUT")[choose(3)])


async def endure(seconds: float, seed: int) -> None:
    """Try for so long, at random."""
    world, numbers, done = InMemory(Path(tempfile.mkdtemp(prefix="fuzz-"))), random.Random(seed), 0
    start, until = resident(), time.monotonic() + seconds
    while time.monotonic() < until:
        one(world, numbers.randrange)
        done += 1
    print(f"{done} tries in {seconds:g} s, seed {seed}: nothing broke; {start} -> {resident()} MiB")


def resident() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    logging.disable(logging.CRITICAL)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(endure(asked().seconds, asked().seed))
