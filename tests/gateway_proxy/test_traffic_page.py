"""What docs/routes.md says about traffic: its examples are served by a worker, and do as it says.

(That each example is accepted, and what its redirects answer, is seen to by test_routes_page.)
"""

import asyncio
import re
from typing import Any

import yaml

from tests.gateway_proxy.applied import compiled, serving
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.rig import ADMIN, STRANGER, Gateway, bearer
from tests.gateway_proxy.test_routes_page import PAGE


def example(name: str) -> dict[str, Any]:
    """The example with this name."""
    section = PAGE.read_text().partition("\n## Traffic\n")[2].partition("\n## ")[0]
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n([\s\S]*?)```", section)]
    (found,) = [block for block in blocks if block["metadata"]["name"] == name]
    found["metadata"]["uid"] = f"uid-{name}"
    return found


def failing(*statuses: str) -> Backend:
    """A backend that answers these, one after the other, and 200 from then on."""
    left = list(statuses)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"page", left.pop(0) if left else "200 OK"))

    return Backend(handler)


async def ask(running: Gateway, path: str, user: str = ADMIN, method: str = "GET") -> Any:
    return await running.once(method, path, bearer(user))


async def test_limited() -> None:
    backend = await Backend().start()
    async with serving([example("limited")], backend) as running:
        first, *others = [await ask(running, "/reports/1") for _ in range(4)]
        assert first.get("ratelimit-policy") == '"default";q=60;w=60'
        assert first.get("ratelimit") == '"default";r=2;t=1'
        assert [got.status for got in others] == [200, 200, 429]
        assert others[-1].get("retry-after") == "1"
        assert "rate limit" in others[-1].json()["message"]
        assert (await ask(running, "/reports/1", STRANGER)).is_status(403)


async def test_persistent() -> None:
    backend = await failing("503 No", "503 No", "200 OK", "502 No", "503 No").start()
    async with serving([example("persistent")], backend) as running:
        assert (await ask(running, "/catalogue/x")).status == 200
        assert len(backend.seen) == 3
        assert (await ask(running, "/catalogue/x")).status == 502, "a 502 is not on the list"
        assert (await ask(running, "/catalogue/x", method="PATCH")).status == 503


async def test_guarded() -> None:
    backend = await failing(*["500 No"] * 5).start()
    async with serving([example("guarded")], backend) as running:
        for _ in range(5):
            assert (await ask(running, "/stock/x")).status == 500
        got = await ask(running, "/stock/x")
        assert got.is_status(503)
        said = re.search(r"\nthe backend of .*\n", PAGE.read_text())
        assert said is not None
        assert got.json()["message"] == said[0].strip()
        assert 1 <= int(got.get("retry-after")) <= 31


async def test_hasty() -> None:
    backend = await Backend().start()
    (upstream,) = compiled([example("hasty")]).table.upstreams.values()
    assert (upstream.connect_timeout, upstream.response_timeout, upstream.idle_timeout) == (0.5, 2.0, 30.0)
    async with serving([example("hasty")], backend) as running:
        assert (await running.once("PUT", "/hasty/x", bearer(), body=b"x" * (1 << 20))).status == 200
        assert (await running.once("PUT", "/hasty/x", bearer(), body=b"x" * ((1 << 20) + 1))).is_status(413)


async def test_wrapped() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        prefix = (seen.get("x-forwarded-prefix") or "").encode()
        writer.write(answer(b'<a href="/page">%b</a>' % prefix, "200 OK", "Content-Type: text/html"))

    backend = await Backend(handler).start()
    async with serving([example("wrapped")], backend) as running:
        got = await ask(running, "/proxy/wiki/start")
        assert got.body == b'<a href="/proxy/wiki/page">/proxy/wiki</a>'
        assert backend.seen[0].target == "/start"
