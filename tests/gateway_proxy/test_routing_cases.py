"""The routing cases through a running worker; upgrades by the same rules."""

import orjson
import pytest

from tests.gateway_proxy.applied import apply, serving
from tests.gateway_proxy.backend import Backend, answer
from tests.gateway_proxy.backend import Seen as Request
from tests.gateway_proxy.client import Answer
from tests.gateway_proxy.rig import ADMIN, Gateway, bearer
from tests.gateway_proxy.routing_cases import CASES, DOWN, Case, Expected, Moved, Seen, one, to


async def _echo(seen: Request, reader: object, writer: object) -> None:
    lines = [f"{name}: {value}" for name, value in DOWN]
    writer.write(answer(orjson.dumps({"host": seen.get("host")}), "200 OK", *lines))  # type: ignore[attr-defined]


async def _ask(running: Gateway, request: str) -> Answer:
    line, *headers = request.split(" | ")
    method, target = line.split(" ")
    return await running.once(method, target, bearer(ADMIN), *headers, body=b"{}" if method == "POST" else None)


def _wrong(expected: Expected, got: Answer, seen: list[Request]) -> object:
    """What is not as expected; None when all is."""
    if isinstance(expected, int):
        ok = got.status == expected and bool(seen) == (expected == 200)
        return None if ok else (got.status, got.body)
    if isinstance(expected, Moved):
        ok = (got.status, got.get("location"), seen) == (expected.status, expected.location, [])
        return None if ok else (got.status, got.get("location"), seen)
    wanted = Seen(expected) if isinstance(expected, str) else expected
    if got.status != wanted.status or len(seen) != 1:
        return got.status, got.body
    (request,) = seen
    facts = [
        f"{request.get('host')} {request.target}" == wanted.to,
        request.method == (wanted.method or request.method),
    ]
    facts += [request.all(name) == values for name, values in wanted.up.items()]
    facts += [[v for n, v in got.headers if n.lower() == name] == values for name, values in wanted.down.items()]
    return None if all(facts) else (facts, request, got.headers)


async def test_cases() -> None:
    backend = await Backend(_echo).start()
    wrong: dict[str, object] = {}
    async with serving([], backend) as running:
        for case in CASES:
            await apply(running, case.objects, backend)
            for request, expected in case.requests.items():
                backend.seen.clear()
                if problem := _wrong(expected, await _ask(running, request), backend.seen):
                    wrong[f"{case.name}: {request}"] = problem
    assert wrong == {}
    assert backend.errors == []


def test_the_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


UPGRADED = Case("upgrades", [one("/p/*", stripPathPrefix="/p", headerUp=["X-Up: 1"], headerDown=["X-Down: 1"]),
                             to("two", "/p/exec", "GET")], {
    "/p/a?stdin=1": "one.test /a?stdin=1", "/p/exec": "two.test /p/exec",
})  # fmt: skip


@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
async def test_upgrades_are_routed_and_rewritten_alike(protocol: str) -> None:
    async def switch(seen: Request, reader, writer) -> bool:
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
        writer.write(await reader.readexactly(3))
        return True

    backend = await Backend(switch).start()
    async with serving(UPGRADED.objects, backend) as running:
        for target, expected in UPGRADED.requests.items():
            backend.seen.clear()
            async with await running.client() as client:
                client.request("GET", target, "Connection: Upgrade", f"Upgrade: {protocol}", bearer(ADMIN))
                head = await client.head()
                assert head.status == 101
                client.send(b"abc")
                assert await client.reader.readexactly(3) == b"abc"
            (seen,) = backend.seen
            assert f"{seen.get('host')} {seen.target}" == expected
            if expected == "one.test /a?stdin=1":
                assert (seen.get("x-up"), head.get("x-down")) == ("1", "1")


HOSTILE = [
    "/p/../oauth/token", "/p/%2e%2e/x", "/p/.%2E/x", "/p//x", "//p/x", "/p/./x", "/p%2Fx", "/p/a%2f..%2fx", "/p/a%5Cx",
    "/p/a\\x", "/p;a=b/x", "/p/..;/x", "/p/a%00", "/p/a%0d%0aX:1", "/p/%c0%ae%c0%ae/x", "/p/%c0%afx", "/p/%e0%80%afx",
    "/p/%ff", "/p/%", "/p/%2", "/p/%zz", "/p/a%09", "/p/a%7f", '/p/"', "/p/<x>", "/p/{x}", "/p/x|y", "/p/^",
]  # fmt: skip


async def test_paths_with_two_readings_reach_no_backend() -> None:
    backend = await Backend().start()
    async with serving([one("/p/*"), to("two", "/p/x/*")], backend) as running:
        for target in HOSTILE:
            assert (await running.once("GET", target, bearer(ADMIN))).status in (400, 404), target
        for target in ("/P/x", "/p%252fx", "/kapis%2Fiam.kubesphere.io/v1/users"):
            assert (await running.once("GET", target, bearer(ADMIN))).status in (400, 404), target
        assert backend.seen == []
        assert (await running.once("GET", "/%70/%78/a", bearer(ADMIN))).status == 200
        assert (backend.seen[0].get("host"), backend.seen[0].target) == ("two.test", "/p/x/a")
