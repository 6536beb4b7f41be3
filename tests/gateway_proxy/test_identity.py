"""What a backend is told of the user, and what of a client's words never reaches it."""

import asyncio

import pytest

from dovetail.routing.model import HeaderEdit, RewriteStep
from tests.gateway_proxy.backend import Backend, Seen, always, answer
from tests.gateway_proxy.rig import POLICY, STRANGER, bearer, gateway, route, token, upstream

_LIES = (
    "Cookie: dovetail-token=stolen; theirs=1", "X-Remote-User: root", "X-Remote-Group: system:masters",
    "X-REMOTE-EXTRA-Scopes: all", "x_remote_user: root", "X-Remote_User: root", "Impersonate-User: root",
    "Impersonate-Group: system:masters", "impersonate_user: root", "Impersonate-Extra-Foo: x",
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil", "X-Forwarded-User: root", "X_Forwarded_For: 6.6.6.6",
    "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "Remote-User: root", "X-Dovetail-Assertion: x",
    "Proxy-Authorization: Basic x", "X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE",
)  # fmt: skip
_FORBIDDEN = {
    "authorization", "cookie", "impersonate-group", "forwarded", "x-real-ip", "remote-user", "x-dovetail-assertion",
    "proxy-authorization", "x-original-url", "x-http-method-override", "x-forwarded-user", "impersonate-extra-foo",
    "x-remote-extra-scopes",
}  # fmt: skip


async def _accepting(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if (protocol := seen.get("upgrade")) is None:
        writer.write(answer())
        return False
    writer.write(f"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
    return True


@pytest.mark.parametrize("kind", ["plain", "websocket", "SPDY/3.1"])
@pytest.mark.parametrize("style", ["remote-headers", "impersonate", "none"])
@pytest.mark.parametrize("known", [True, False])
async def test_stripped_and_rebuilt(kind: str, style: str, known: bool) -> None:
    backend = await Backend(_accepting).start()
    to = upstream(backend.port)
    lines = [*_LIES, "X-Kept: 1"] + [bearer()] * known
    if kind != "plain":
        lines += ["Connection: Upgrade", f"Upgrade: {kind}"]
    async with gateway([route("/", to, identity=style)], [to]) as running, await running.client() as client:
        client.request("GET", "/", *lines)
        assert (await client.head()).status == (200 if kind == "plain" else 101)
    (seen,) = backend.seen
    assert (seen.get("x-kept"), seen.get("host")) == ("1", "backend.test:80")
    assert not any("_" in name for name in seen.names)
    assert (seen.get("x-forwarded-for"), seen.get("x-forwarded-proto")) == ("127.0.0.1", "http")
    assert seen.get("x-forwarded-host") == "gateway"
    assert seen.get("upgrade") == (None if kind == "plain" else kind)
    prefix = {"remote-headers": "x-remote-", "impersonate": "impersonate-", "none": "?"}[style]
    told = {name for name in seen.names if name.startswith(("x-remote-", "impersonate-"))}
    if known and style != "none":
        assert told == {prefix + "user", prefix + "uid", prefix + "group"}
        assert (seen.get(prefix + "user"), seen.get(prefix + "uid")) == ("alice", "u-1")
        assert set(seen.all(prefix + "group")) >= {"devs", "ops team", "system:authenticated"}
    elif style == "impersonate":  # nobody is not the gateway itself
        assert told == {prefix + "user", prefix + "group"}
        assert seen.get(prefix + "user") == "system:anonymous"
    else:
        assert told == set()
    assert seen.names & _FORBIDDEN - told == set()


_NAMES = ("X-Remote-User", "X-Remote-Group", "Impersonate-User", "X-Dovetail-Assertion", "X-Remote-Extra-Scopes")
_ELSEWHERE = ("Authorization", "Cookie", "X-Forwarded-For", "Remote-User", "X-Original-URL")
_SPELLINGS = (
    str.lower,
    str.upper,
    str.swapcase,
    *(lambda name, mark=mark: name.replace("-", mark) for mark in "_.~!|*"),
)


@pytest.mark.parametrize("kind", ["plain", "websocket", "SPDY/3.1"])
async def test_no_spelling_survives(kind: str) -> None:
    """In any case, with other marks in place of the hyphens, twice, and named by Connection."""
    backend = await Backend(_accepting).start()
    to = upstream(backend.port)
    names = [spelled(name) for name in (*_NAMES, *_ELSEWHERE) for spelled in _SPELLINGS]
    lines = [f"{name}: root" for name in names if name.lower() not in {"authorization", "cookie"}]
    lines += [f"{name}: other" for name in _NAMES]
    options = ", ".join((*_NAMES, "Upgrade"))
    lines += [f"Connection: {options}", "Cookie: a=root", "COOKIE: b=root", bearer()]
    lines += [] if kind == "plain" else [f"Upgrade: {kind}"]
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/", *lines)
        assert (await client.head()).status == (200 if kind == "plain" else 101)
    (seen,) = backend.seen
    assert "root" not in str(seen.headers)
    assert "other" not in str(seen.headers)
    assert seen.get("x-remote-user") == "alice", "what Connection names is the client's, never ours"
    assert "remote" not in (seen.get("connection") or "").lower()


async def test_no_trailer_says_who_somebody_is() -> None:
    bodies: list[bytes] = []

    async def raw(_: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readuntil(b"\r\n0\r\n") + await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer())

    backend = await Backend(raw, read_bodies=False).start()
    to = upstream(backend.port)
    names = [spelled(name) for name in (*_NAMES, *_ELSEWHERE) for spelled in (*_SPELLINGS, str)]
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        for name in names:
            head = f"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nTrailer: {name}, X-Sum\r\n{bearer()}"
            client.send(f"{head}\r\n\r\n2\r\nab\r\n0\r\n{name}: root\r\nX-Sum: kept\r\n\r\n".encode())
            assert (await client.answer()).status == 200
    assert all(b"X-Sum: kept" in body and b"root" not in body for body in bodies), "one of them passed"
    for name, seen in zip(names, backend.seen, strict=True):
        assert name.lower() not in (seen.get("trailer") or "").lower()
        assert "root" not in str(seen.headers)


async def test_names_cannot_break_out_of_their_header() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    name = next(user for user in POLICY.accounts if "\n" in user)
    async with gateway([route("/", to)], [to]) as running:
        await running.once("GET", "/", f"Authorization: Bearer {token(name)}")
    assert backend.seen[0].get("x-remote-user") == "m%C3%A9%0D%0AX-Evil: 1"
    assert "x-evil" not in backend.seen[0].names


async def test_rewrites_and_edits_cannot_split_a_head() -> None:
    broken = "a\r\nX-Evil: 1\r\n\r\nGET /hidden HTTP/1.1\r\n"
    edits = (
        HeaderEdit("set", "X-A", broken), HeaderEdit("set", "X-B\r\nX-Evil", "1"), HeaderEdit("add", "X-Good", "1"),
        HeaderEdit("add", "X-Remote-User", "root"), HeaderEdit("set", "impersonate_user", "root"),
        HeaderEdit("add", "Content-Length", "100"), HeaderEdit("add", "Transfer-Encoding", "chunked"),
        HeaderEdit("add", "Set-Cookie", "dovetail-token=mine"), HeaderEdit("add", "Authorization", "Basic theirs"),
    )  # fmt: skip
    rewrite = (RewriteStep("rewrite", "*", "/p{path}\r\nX-Evil: 1?{query}"), RewriteStep("replace", "x", "\r\n\0 "))
    backend = await Backend(always(answer(b"ok", "200 OK", "X-Was: x"))).start()
    to = upstream(backend.port)
    routes = [route("/", to, header_up=edits, header_down=edits, rewrite=rewrite)]
    async with gateway(routes, [to]) as running, await running.client() as client:
        for _ in range(2):
            client.request("GET", "/x%20X-Evil:%201?x=%0d%0aX-Evil:%201", bearer())
            got = await client.answer()
            assert got.body == b"ok"
            names = {name.lower() for name, _ in got.headers}
            assert "x-evil" not in names
            assert {"x-good", "x-was"} <= names
            assert names & {"set-cookie", "transfer-encoding"} == set()
    assert [seen.method for seen in backend.seen] == ["GET", "GET"]
    for seen in backend.seen:
        assert seen.names & {"x-evil", "content-length", "transfer-encoding"} == set()
        assert (seen.get("x-remote-user"), seen.get("x-good")) == ("alice", "1")
        assert seen.get("authorization") == "Basic theirs", "a backend's own credential is the route's business"
        assert not any(char in seen.target for char in "\r\n\0 ")
    assert not backend.errors


@pytest.mark.parametrize(
    ("method", "lines", "status"),
    [
        ("GET", [], 200),
        ("HEAD", ["Origin: https://evil.test"], 200),
        ("POST", [], 401),
        ("POST", ["Origin: http://gateway"], 200),
        ("POST", ["Origin: http://evil.test"], 401),
        ("POST", ["Origin: null"], 401),
        ("POST", ["Origin: http://gateway.evil.test"], 401),
        ("DELETE", ["Sec-Fetch-Site: same-origin"], 200),
        ("DELETE", ["Sec-Fetch-Site: same-site"], 401),
        ("PUT", ["Sec-Fetch-Site: cross-site", "Origin: http://gateway"], 401),
        ("PATCH", ["Sec-Fetch-Site: none"], 401),
        ("POST", ["Connection: origin", "Origin: http://gateway"], 401),
        ("GET", ["Connection: Upgrade", "Upgrade: websocket"], 401),
        ("GET", ["Connection: Upgrade", "Upgrade: websocket", "Origin: http://evil.test"], 401),
        ("GET", ["Connection: Upgrade", "Upgrade: websocket", "Origin: http://gateway"], 101),
        ("GET", ["Connection: Upgrade", "Upgrade: SPDY/3.1", "Sec-Fetch-Site: same-origin"], 101),
    ],
)
async def test_a_cookie_counts_only_from_our_own_pages(method: str, lines: list[str], status: int) -> None:
    backend = await Backend(_accepting).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authenticated")], [to]) as running, await running.client() as client:
        client.request(method, "/", f"Cookie: a=b; dovetail-token={token()}; c=d", *lines)
        assert (await client.head()).status == status
    assert all(seen.get("x-remote-user") == "alice" for seen in backend.seen)
    assert all("cookie" not in seen.names for seen in backend.seen)
    assert len(backend.seen) == (status != 401)


@pytest.mark.parametrize(
    "cookie",
    ["dovetail-token=x", " dovetail-token =x; Path=/", "dovetail-refresh=x", "=dovetail-token=x", "\tdovetail-token=x"],
)
async def test_the_session_is_set_by_the_login_alone(cookie: str) -> None:
    backend = await Backend(always(answer(b"", "200 OK", f"Set-Cookie: {cookie}", "Set-Cookie: theirs=1"))).start()
    to = upstream(backend.port)
    routes = [route("/x", to), route("/oauth", to, id="builtin/oauth")]
    async with gateway(routes, [to]) as running:
        other = await running.once("GET", "/x")
        assert [value for name, value in other.headers if name == "Set-Cookie"] == ["theirs=1"]
        login = await running.once("POST", "/oauth/token", "Cookie: dovetail-refresh=r", bearer(), body=b"")
        assert len([name for name, _ in login.headers if name == "Set-Cookie"]) == 2
    seen = backend.seen[1]
    assert seen.get("cookie") == "dovetail-refresh=r"
    assert (seen.get("authorization") or "").startswith("Bearer ")


async def test_two_credentials_are_none() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authenticated")], [to]) as running:
        assert (await running.once("GET", "/", bearer(), bearer(STRANGER))).is_status(400)
        mixed = await running.once("GET", "/", bearer(STRANGER), f"Cookie: dovetail-token={token()}")
        assert mixed.json()["headers"] == [[name, value] for name, value in backend.seen[0].headers]
    assert [seen.get("x-remote-user") for seen in backend.seen] == ["bob"]


async def test_the_gateways_own_credential(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("t") / "token"
    path.write_text("own-credential\n")
    backend = await Backend().start()
    to = upstream(backend.port, bearer_token_file=str(path))
    async with gateway([route("/", to, identity="impersonate")], [to]) as running:
        got = await running.once("GET", "/", bearer())
        assert "own-credential" in got.body.decode(), "the backend shows what it saw"
        traced = await running.once("TRACE", "/", bearer())
        assert traced.is_status(405)
    assert backend.seen[0].all("authorization") == ["Bearer own-credential"]
    assert backend.seen[0].get("impersonate-user") == "alice"
    assert len(backend.seen) == 1
