"""Defects of the original that concern identity, by their place in the reference; it fails each of these.

What is tested elsewhere: groups that tokens drop (P25), spelling tricks (H13) and the gateway that backends cannot
recognise (8.2) in test_identity, test_assertion_header and test_client_certificate; sessions that outlive a password,
a log-out or their idle time (8.4) in tests/e2e/test_in_force; the holes of the grammar (8.3) in tests/iam.
"""

import asyncio
import base64
import time

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.iam.keys import SigningKey
from dovetail.iam.tokens import Subject, TokenIssuer
from dovetail.routing.model import Upstream
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.rig import ADMIN, ISSUER, KEY, POLICY, bearer, gateway, route, token, upstream

_LOGIN = {"builtin/oauth", "builtin/oauth-discovery"}
"""Our own log-in reads credentials itself."""


async def _any(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if (protocol := seen.get("upgrade")) is None:
        writer.write(answer())
        return False
    writer.write(f"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
    return True


@pytest.mark.parametrize("kind", ["plain", "websocket", "SPDY/3.1"])
async def test_no_credential_ever_leaves(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """8.2 H, H14: every route there is, with the token in each place that carries one; backends never see it."""
    sockets = tmp_path_factory.mktemp("s")
    inside = [await Backend(_any).start(unix_path=sockets / name) for name in ("control", "console")]
    cluster, outside = await Backend(_any).start(), await Backend(_any).start()
    to = upstream(outside.port)
    built_in = BuiltIn(
        internal(str(sockets / "control")), internal(str(sockets / "console")), upstream(cluster.port)
    )  # fmt: skip
    routes = [*built_in.routes(), route("/proxy/x", to), route("/proxy/y", to, identity="none", access="authorized")]
    canary = token()
    credentials = (
        (f"Authorization: Bearer {canary}",), (f"Cookie: a=b; dovetail-token={canary}", "Origin: http://gateway"),
        (f"Proxy-Authorization: Bearer {canary}", f"Authorization: Bearer {canary}"),
        (f"X-KubeSphere-Authorization: Bearer {canary}", f"Authorization: bearer {canary}"),
        ("Authorization: Basic " + base64.b64encode(f"alice:{canary}".encode()).decode(),),
    )  # fmt: skip
    upgrade = [] if kind == "plain" else ["Connection: Upgrade", f"Upgrade: {kind}"]
    async with gateway(routes, [*built_in.upstreams, to]) as running:
        for each in routes:
            if each.id in _LOGIN:
                continue
            for lines in credentials:
                async with await running.client() as client:
                    client.request("GET", each.match.path, *lines, *upgrade)
                    await client.head()
    seen = [request for backend in (*inside, cluster, outside) for request in backend.seen]
    assert len(seen) > 20
    encoded = base64.b64encode(f"alice:{canary}".encode()).decode()
    assert not [request for request in seen if canary in str(request.headers) or encoded in str(request.headers)]
    assert not [request for request in seen if request.names & {"authorization", "cookie", "proxy-authorization"}]


async def test_short_paths_of_a_cluster_do_no_harm() -> None:
    """8.2 C, 9.3: `/clusters/x/api` without a token reset the connection."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authorized")], [to]) as running, await running.client() as client:
        for path in ("/clusters/x/api", "/clusters/x/api/v1", "/clusters", "/clusters/x", "/api", "/kapis/clusters/x"):
            client.request("GET", path)
            assert (await client.answer()).status in (401, 404), path
        client.request("GET", "/api", bearer())
        assert (await client.answer()).status == 200
    assert len(backend.seen) == 1


def _others() -> dict[str, str]:
    """Tokens that are well made and are not access tokens of ours."""
    now, subject = time.time(), Subject(ADMIN, POLICY.accounts[ADMIN].uid, "s-1")
    ours, theirs = TokenIssuer(ISSUER, KEY), SigningKey.generate()
    claims = {"iss": ISSUER, "sub": ADMIN, "uid": subject.uid, "sid": "s", "iat": int(now), "exp": int(now) + 60}
    good = {**claims, "aud": "dovetail", "token_type": "access_token"}

    def signed(**other: object) -> str:
        header = {"alg": "ES256", "kid": KEY.kid}
        return jwt.encode(header, {**good, **other}, KEY.key, algorithms=["ES256"])

    shared = OctKey.import_key("a secret in a ConfigMap, known to all clusters")
    return {
        "a refresh token": ours.refresh(subject, 1, int(now) + 60, now),
        "a code": signed(token_type="code"),
        "an identity token": signed(token_type="id_token", aud="kubesphere"),
        "a static token": signed(token_type="static_token"),
        "another audience": signed(aud="other"),
        "several audiences": signed(aud=["dovetail", "other"]),
        "another issuer": signed(iss="https://other.test"),
        "expired": signed(exp=int(now) - 1),
        "from the future": signed(iat=int(now) + 3600),
        "another account of that name": signed(uid="u-0"),
        "no such user": signed(sub="nobody"),
        "another key": TokenIssuer(ISSUER, theirs).access(subject, int(now) + 60, now),
        "a shared secret": jwt.encode({"alg": "HS256", "kid": KEY.kid}, good, shared, algorithms=["HS256"]),
        "our public key as a secret": jwt.encode(
            {"alg": "HS256", "kid": KEY.kid}, good, OctKey.import_key(KEY.public().jwk), algorithms=["HS256"]
        ),
    }


async def test_only_an_access_token_of_ours_is_one() -> None:
    """8.4 H: type, audience and issuer were never looked at, and one secret signed for all."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authenticated")], [to]) as running, await running.client() as client:
        for what, bad in _others().items():
            for line in (f"Authorization: Bearer {bad}", f"Cookie: dovetail-token={bad}"):
                client.request("GET", "/", line)
                assert (await client.answer()).is_status(401), what
        client.request("GET", "/", bearer())
        assert (await client.answer()).status == 200
    assert len(backend.seen) == 1


async def test_addresses_are_not_what_clients_say() -> None:
    """1.4, 8.4 L: the source address came from X-Client-IP, X-Real-IP or X-Forwarded-For, whoever sent them."""
    backend = await Backend().start()
    to: Upstream = upstream(backend.port)
    lies = ("X-Client-IP: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6")
    async with gateway([route("/", to)], [to]) as running:
        await running.once("GET", "/", *lies)
    assert backend.seen[0].get("x-forwarded-for") == "127.0.0.1"
    assert "6.6.6.6" not in str(backend.seen[0].headers)
