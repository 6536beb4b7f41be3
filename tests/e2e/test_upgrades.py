"""Connections that become something else: WebSockets through the gateway, as consoles and `kubectl exec` use them."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import yaml

from tests.e2e.demo.world import World, wait
from tests.e2e.echo import echo
from tests.e2e.running import answers, create_user, up_of

pytestmark = pytest.mark.e2e

PATH = "/proxy/echo/ws"
SECONDS = 15


@pytest.fixture(scope="module")
def echoing(world: World) -> Iterator[str]:
    """A ReverseProxy to the echo backend; the address of its WebSocket through the gateway."""
    with echo() as url:
        proxy = {
            "apiVersion": "extensions.kubesphere.io/v1alpha1",
            "kind": "ReverseProxy",
            "metadata": {"name": "echo"},
            "spec": {
                "matcher": {"path": "/proxy/echo/*", "method": "*"},
                "upstream": {"url": url},
                "directives": {"stripPathPrefix": "/proxy/echo", "authProxy": True},
            },
        }
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(proxy))
        try:
            wait(lambda: answers(lambda: world.get("/proxy/echo/", "admin")), "the proxy")
            yield world.url + PATH
        finally:
            world.kubectl("delete", "reverseproxies.extensions.kubesphere.io", "echo")


def bearer(world: World, user: str = "admin") -> dict[str, str]:
    return {"Authorization": f"Bearer {world.tokens[user]}"}


async def refused(url: str, headers: dict[str, str]) -> int:
    """The code with which a handshake is refused."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=SECONDS))
        return caught.value.status


async def test_identity_is_stripped_and_rebuilt(world: World, echoing: str) -> None:
    forged = {
        "X-Remote-User": "root", "X-Remote-Group": "system:masters", "Impersonate-User": "root", "Cookie": "a=b",
        "X-Forwarded-For": "203.0.113.9", "X-Custom": "kept",
    }  # fmt: skip
    async with (
        asyncio.timeout(SECONDS),
        aiohttp.ClientSession(trust_env=False) as session,
        session.ws_connect(echoing + "?a=1&b=%20", headers={**bearer(world), **forged}) as socket,
    ):
        facts: dict[str, Any] = json.loads(await socket.receive_str())
    seen: dict[str, list[str]] = {}
    for name, value in facts["headers"]:
        seen.setdefault(name, []).append(value)
    assert facts["path"] == "/ws?a=1&b=%20"
    assert seen["x-remote-user"] == ["admin"]
    assert "system:masters" not in seen.get("x-remote-group", [])
    assert not {"authorization", "cookie", "impersonate-user"} & set(seen), seen
    assert "203.0.113.9" not in str(seen.get("x-forwarded-for"))
    assert seen["x-custom"] == ["kept"]


async def test_messages_pass_whole_in_both_kinds_and_the_end_with_its_code(world: World, echoing: str) -> None:
    async with (
        asyncio.timeout(SECONDS * 2),
        aiohttp.ClientSession(trust_env=False) as session,
        session.ws_connect(
            echoing, headers=bearer(world), protocols=("echo.example.org",), max_msg_size=64 << 20
        ) as socket,
    ):
        assert socket.protocol == "echo.example.org"
        await socket.receive_str()
        for text in ("", "hello", "grüß dich 你好", "x" * 200_000):
            await socket.send_str(text)
            assert await socket.receive_str() == text
        blob = bytes(range(256)) * 16_384  # 4 MiB: far more than fits into any buffer on the way
        await socket.send_bytes(blob)
        assert await socket.receive_bytes() == blob
        await socket.ping()
        await socket.send_str("close")
        end = await socket.receive()
        assert end.type is aiohttp.WSMsgType.CLOSE
        assert (end.data, end.extra) == (4001, "as asked")


async def test_many_at_once_do_not_mix(world: World, echoing: str) -> None:
    async def talk(session: aiohttp.ClientSession, number: int) -> None:
        async with session.ws_connect(echoing, headers=bearer(world)) as socket:
            await socket.receive_str()
            for turn in range(20):
                await socket.send_str(f"{number}/{turn}")
                assert await socket.receive_str() == f"{number}/{turn}"

    async with asyncio.timeout(SECONDS * 2), aiohttp.ClientSession(trust_env=False) as session:
        await asyncio.gather(*(talk(session, number) for number in range(40)))


async def test_who_may_not_is_refused_before_the_upgrade(world: World, echoing: str) -> None:
    create_user(world, "no-upgrades")
    async with asyncio.timeout(SECONDS * 2):
        assert await refused(echoing, {}) == 401
        assert await refused(echoing, {"Authorization": "Bearer nonsense"}) == 401
        assert await refused(echoing, bearer(world, "no-upgrades")) == 403
        assert await refused(world.url + "/proxy/nowhere/ws", bearer(world)) == 404


async def test_a_cookie_counts_only_from_our_own_pages(world: World, echoing: str) -> None:
    cookie = {"Cookie": f"dovetail-token={session_cookie(world)}"}
    async with asyncio.timeout(SECONDS * 2), aiohttp.ClientSession(trust_env=False) as session:
        assert await refused(echoing, {**cookie, "Origin": "https://evil.example.org"}) in (401, 403)
        assert await refused(echoing, cookie) in (401, 403)
        async with session.ws_connect(echoing, headers={**cookie, "Origin": world.url}) as socket:
            facts = json.loads(await socket.receive_str())
    names = {name for name, _ in facts["headers"]}
    assert ["x-remote-user", "admin"] in facts["headers"]
    assert "cookie" not in names


def session_cookie(world: World) -> str:
    """Log in as the page does; the access token in its cookie."""
    body = json.dumps({"username": "admin", "password": up_of(world).password})
    connection = http.client.HTTPConnection(world.url.removeprefix("http://"), timeout=20)
    try:
        headers = {"Content-Type": "application/json", "Origin": world.url}
        connection.request("POST", "/oauth/session", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        values = answer.headers.get_all("Set-Cookie", [])
    finally:
        connection.close()
    (token,) = [v.partition(";")[0].partition("=")[2] for v in values if v.startswith("dovetail-token=")]
    return token


async def test_a_conversation_outlives_a_new_snapshot(world: World, echoing: str) -> None:
    """Changing routes swaps the workers' tables; what is open goes on."""
    async with (
        asyncio.timeout(SECONDS * 2),
        aiohttp.ClientSession(trust_env=False) as session,
        session.ws_connect(echoing, headers=bearer(world)) as socket,
    ):
        await socket.receive_str()
        world.kubectl("annotate", "reverseproxies.extensions.kubesphere.io", "echo", "touched=yes", "--overwrite")
        create_user(world, "somebody-new")
        await socket.send_str("still here")
        assert await socket.receive_str() == "still here"
