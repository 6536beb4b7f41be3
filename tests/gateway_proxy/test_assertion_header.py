"""The gateway's signed word: what a backend gets on plain requests and upgrades, and how seldom it is signed."""

import asyncio
import time

import pytest

from dovetail.gateway.proxy.credentials import User
from dovetail.iam.assertion_keys import made
from dovetail.iam.assertions import HEADER, LIFETIME, RENEW_AFTER, AssertionKey, AssertionSigner, verify
from dovetail.iam.errors import InvalidToken
from dovetail.iam.keys import PublicKey
from dovetail.iam.policy import Identity
from dovetail.iam.tokens import VerifiedToken
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.rig import ISSUER, STRANGER, bearer, gateway, route, token, upstream

_MADE, _NEXT = made(0, 1), made(0, 1)
KEY, NEXT = AssertionKey(_MADE.kid, _MADE.private), AssertionKey(_NEXT.kid, _NEXT.private)
PUBLIC = (PublicKey(_MADE.kid, _MADE.public), PublicKey(_NEXT.kid, _NEXT.public))
AUTHORITY = "backend.test:80"


async def _accepting(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if (protocol := seen.get("upgrade")) is None:
        writer.write(answer())
        return False
    writer.write(f"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
    return True


def heard(seen: Seen, audience: str = AUTHORITY) -> Identity:
    """What a backend that checks understands."""
    return verify(seen.get(HEADER) or "", PUBLIC, ISSUER, audience, time.time())


@pytest.mark.parametrize("kind", ["plain", "websocket", "SPDY/3.1"])
async def test_it_says_the_same_as_the_headers(kind: str) -> None:
    backend = await Backend(_accepting).start()
    to = upstream(backend.port)
    lies = [f"{HEADER}: forged", f"{HEADER.lower()}: forged", f"{HEADER.replace('-', '_')}: forged"]
    lies += ["X-DOVETAIL_Assertion: forged", f"Connection: Upgrade, {HEADER}", bearer()]
    upgrade = [] if kind == "plain" else [f"Upgrade: {kind}"]
    async with gateway([route("/", to)], [to]) as running:
        await running.serve([route("/", to)], [to], assertion_key=KEY)
        async with await running.client() as client:
            client.request("GET", "/", *lies, *upgrade)
            assert (await client.head()).status == (200 if kind == "plain" else 101)
    (seen,) = backend.seen
    identity = heard(seen)
    assert (identity.name, identity.uid) == (seen.get("x-remote-user"), seen.get("x-remote-uid"))
    assert list(identity.groups) == seen.all("x-remote-group")
    assert "x-dovetail_assertion" not in seen.names
    with pytest.raises(InvalidToken):
        heard(seen, "another.test:80")


async def test_it_is_signed_once_for_a_user_and_a_backend() -> None:
    one = await Backend().start()
    ups = [upstream(one.port)]
    routes = [route("/one", ups[0]), route("/none", ups[0], identity="none")]
    async with gateway(routes, ups) as running:
        await running.serve(routes, ups, assertion_key=KEY)
        who = bearer(), bearer(STRANGER)
        for _ in range(3):
            for line in who:
                assert (await running.once("GET", "/one", line)).status == 200
        assert len({seen.get(HEADER) for seen in one.seen}) == 2
        assert [heard(seen).name for seen in one.seen] == ["alice", "bob"] * 3
        assert (await running.once("GET", "/one")).status == 200
        assert (await running.once("GET", "/none", who[0])).status == 200
        assert [seen.get(HEADER) for seen in one.seen[6:]] == [None, None], "nobody, and a backend that is not told"
        # A new key, and a change of somebody else: what was signed lasts, what is new is signed with the new key.
        await running.serve(routes, ups, assertion_key=NEXT)
        assert (await running.once("GET", "/one", who[0])).status == 200
        assert one.seen[-1].get(HEADER) == one.seen[0].get(HEADER)
        assert (await running.once("GET", "/one", bearer(session="s-2"))).status == 200
        assert heard(one.seen[-1]).name == "alice"
        assert one.seen[-1].get(HEADER) != one.seen[0].get(HEADER)


async def test_without_a_key_there_is_none() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        assert (await running.once("GET", "/", bearer(), f"{HEADER}: forged")).status == 200
    assert backend.seen[0].get(HEADER) is None
    assert backend.seen[0].get("x-remote-user") == "alice"


def test_it_ages() -> None:
    signer = AssertionSigner(ISSUER, KEY)
    user = User.of(VerifiedToken(Identity(name="alice"), 0.0, ""))
    first = user.vouched(signer, "a", 1000.0)
    assert user.vouched(signer, "a", 1000.0 + RENEW_AFTER - 1) is first
    later = user.vouched(signer, "a", 1000.0 + RENEW_AFTER)
    assert later != first
    assertion = later.decode().partition(f"{HEADER}: ")[2].strip()
    verify(assertion, PUBLIC, ISSUER, "a", 1000.0 + RENEW_AFTER + LIFETIME - 1)
    assert user.vouched(signer, "b", 1000.0) != first
    for number in range(1000):  # backends come and go: what is kept is bounded
        user.vouched(signer, f"b{number}", 1000.0)
    assert len(user._vouched) <= 256  # pyright: ignore[reportPrivateUsage]


async def test_a_cookies_user_is_vouched_for_too() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        await running.serve([route("/", to)], [to], assertion_key=KEY)
        assert (await running.once("GET", "/", f"Cookie: a=1; dovetail-token={token()}; b=2")).status == 200
    assert heard(backend.seen[0]).name == "alice"
    assert backend.seen[0].names & {"cookie", "authorization"} == set()
