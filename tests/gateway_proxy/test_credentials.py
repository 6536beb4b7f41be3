"""Who somebody is: verified once, kept by digest, in force no longer than it holds."""

import asyncio
import base64
import contextlib
import secrets
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from dovetail.gateway.passwords import Login, PasswordServer, Verdict
from dovetail.gateway.proxy.credentials import Credentials, Unchecked, User
from dovetail.gateway.proxy.heads import HeadReader
from dovetail.gateway.proxy.serving import Serving
from dovetail.gateway.reports import ReportServer, beside
from dovetail.iam import compiled_roles
from dovetail.iam.policy import Account, Policy, Rule
from dovetail.iam.rules import Grants
from dovetail.iam.tokens import TokenVerifier
from dovetail.routing.model import Route, Upstream
from tests.gateway_proxy.backend import Backend, Seen
from tests.gateway_proxy.client import PATIENCE, Client
from tests.gateway_proxy.rig import ADMIN, POLICY, STRANGER, Gateway, bearer, gateway, route, snapshot, token, upstream


def changed(user: str, account: Account) -> Policy:
    return msgspec.structs.replace(POLICY, accounts={**POLICY.accounts, user: account})


def basic(name: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Asked:
    """Control's log-in, as a test scripts it."""

    def __init__(self) -> None:
        self.logins: list[Login] = []
        self.password = "Right-1"
        self.later = False

    async def __call__(self, login: Login) -> Verdict:
        self.logins.append(login)
        await asyncio.sleep(0.02)
        if self.later:
            return Verdict(problem="too busy", later=True)
        right = login.password == self.password
        return Verdict(username=login.username) if right else Verdict(problem="the password is wrong")


@contextlib.asynccontextmanager
async def with_passwords(routes: list[Route], ups: list[Upstream]) -> AsyncIterator[tuple[Gateway, Asked]]:
    asked = Asked()
    async with gateway(routes, ups) as running:
        socket = running.control.socket.with_name("passwords.sock")
        server = asyncio.create_task(PasswordServer(socket, asked).run())
        try:
            await running.serve(routes, ups, password_socket=str(socket))
            yield running, asked
        finally:
            server.cancel()
            await asyncio.wait({server}, timeout=PATIENCE)


async def test_basic_is_refused_unless_allowed() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authenticated")], [to]) as running:
        refused = await running.once("GET", "/", basic(ADMIN, "Right-1"))
        assert refused.is_status(401)
        assert "not allowed" in refused.json()["message"]
    assert backend.seen == []


async def test_a_password_is_checked_once() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes, ups = [route("/", to, access="authenticated")], [to]
    async with with_passwords(routes, ups) as (running, asked):
        for _ in range(3):
            assert (await running.once("POST", "/", basic(ADMIN, "Right-1"), body=b"x" * 5000)).json()["length"] == 5000
        assert [(login.username, login.address) for login in asked.logins] == [(ADMIN, "127.0.0.1")]
        assert [seen.get("x-remote-user") for seen in backend.seen] == [ADMIN] * 3
        assert all("authorization" not in seen.names for seen in backend.seen)
        for _ in range(3):
            assert (await running.once("GET", "/", basic(ADMIN, "wrong"))).is_status(401)
        assert len(asked.logins) == 2, "a wrong one is not asked again and again"
        for bad in ("Authorization: Basic !", "Authorization: Basic " + base64.b64encode(b"nameless").decode()):
            assert (await running.once("GET", "/", bad)).is_status(401)
        assert len(asked.logins) == 2
        asked.password = "New-1"
        held = {"password_socket": str(running.control.socket.with_name("passwords.sock"))}
        account = Account(uid="u-1", groups=("devs", "ops team"), tokens_not_before=int(time.time()))
        await running.serve(routes, ups, policy=changed(ADMIN, account), **held)
        assert (await running.once("GET", "/", basic(ADMIN, "Right-1"))).is_status(401), "the password was changed"
        assert (await running.once("GET", "/", basic(ADMIN, "New-1"))).status == 200
        await running.serve(routes, ups, policy=changed(ADMIN, Account(uid="u-1", disabled=True)), **held)
        assert (await running.once("GET", "/", basic(ADMIN, "New-1"))).is_status(401)


async def test_a_clients_own_password_is_left_to_the_log_in() -> None:
    """RFC 6749 2.3.1: at the token endpoint Basic names an OAuth client, which is no user."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with with_passwords([route("/oauth", to, id="builtin/oauth")], [to]) as (running, asked):
        assert (await running.once("POST", "/oauth/token", basic("kubesphere", "kubesphere"), body=b"")).status == 200
    assert asked.logins == []
    assert backend.seen[0].get("authorization") == basic("kubesphere", "kubesphere").partition(": ")[2]


async def test_while_control_is_away_or_busy_a_password_is_not_judged() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes, ups = [route("/", to)], [to]
    async with with_passwords(routes, ups) as (running, asked):
        asked.later = True
        assert (await running.once("GET", "/", basic(ADMIN, "Right-1"))).is_status(503)
        asked.later = False
        assert (await running.once("GET", "/", basic(ADMIN, "Right-1"))).status == 200
        await running.serve(routes, ups, password_socket="/nowhere/x.sock")
        assert (await running.once("GET", "/", basic(ADMIN, "Other-1"))).is_status(503)
        async with await running.client() as gone:
            gone.request("GET", "/", basic(ADMIN, "Leaves-1"))
        assert (await running.once("GET", "/")).status == 200


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was checked."""
    found: list[str] = []
    real = TokenVerifier.verify

    def counting(self: TokenVerifier, token: str, now: float) -> object:
        found.append(token)
        return real(self, token, now)

    monkeypatch.setattr(TokenVerifier, "verify", counting)
    return found


async def test_a_change_of_somebody_else_costs_no_signature(verified: list[str]) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes, ups = [route("/", to)], [to]
    line = bearer()
    async with gateway(routes, ups) as running:
        for number in range(4):
            assert (await running.once("GET", "/", line)).status == 200
            groups = ("devs", "ops team") if number < 2 else ("fewer",)
            policy = changed(ADMIN, Account(uid="u-1", groups=groups))
            policy = msgspec.structs.replace(policy, accounts={**policy.accounts, f"new-{number}": Account(uid="n")})
            await running.serve(routes, ups, policy=policy, revoked_sessions=(f"other-{number}",))
        assert len(verified) == 1
        assert backend.seen[2].all("x-remote-group") == ["devs", "ops team", "system:authenticated"]
        assert backend.seen[3].all("x-remote-group") == ["fewer", "system:authenticated"], "groups are those of now"
        await running.serve(routes, ups, revoked_sessions=("s-1",))
        assert (await running.once("GET", "/", line)).status == 200, "a public route is open to a bad credential, too"
        assert backend.seen[-1].get("x-remote-user") is None
    assert len(verified) == 1


async def _streaming(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if seen.get("upgrade"):
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await writer.drain()
    await reader.read()
    return True


@pytest.mark.parametrize(
    ("why", "upgrade"), [("logged out", True), ("disabled", False), ("lost the role", True), ("deleted", False)]
)
async def test_what_is_under_way_ends_with_the_right_to_it(why: str, upgrade: bool) -> None:
    backend = await Backend(_streaming).start()
    to = upstream(backend.port)
    routes, ups = [route("/", to, access="authorized")], [to]
    roles = {"viewer": (Rule(verbs=("get",), non_resource_urls=("*",)),)}
    users = {ADMIN: ("viewer",), STRANGER: ("viewer",)}
    policy = msgspec.structs.replace(POLICY, roles=roles, user_roles=users)
    less = _less(policy)
    async with gateway(routes, ups) as running:
        await running.serve(routes, ups, policy=policy)
        async with await running.client() as mine, await running.client() as theirs:
            for client, line in ((mine, bearer()), (theirs, bearer(STRANGER, session="s-9"))):
                asked = ("Connection: Upgrade", "Upgrade: websocket") if upgrade else ()
                client.request("GET", "/watch", line, *asked)
                assert (await client.head()).status == (101 if upgrade else 200)
                async with asyncio.timeout(PATIENCE):
                    await client.reader.readuntil(b"hello")
            await running.serve(routes, ups, **less[why])
            await ended(mine)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.7):
                    await theirs.reader.readuntil(b"never")


def _less(policy: Policy) -> dict[str, dict[str, object]]:
    replace = msgspec.structs.replace
    return {
        "logged out": {"policy": policy, "revoked_sessions": ("s-1",)},
        "disabled": {"policy": replace(policy, accounts={**POLICY.accounts, ADMIN: Account(uid="u-1", disabled=True)})},
        "lost the role": {"policy": replace(policy, user_roles={STRANGER: ("viewer",)})},
        "deleted": {"policy": replace(policy, accounts={STRANGER: Account(uid="u-2")})},
    }


async def ended(client: Client) -> None:
    """The connection is cut, cleanly or not."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            await client.reader.read()


async def test_uses_are_reported_by_session() -> None:
    backend = await Backend(_streaming).start()
    to = upstream(backend.port)
    told: dict[str, float] = {}
    async with gateway([route("/", to)], [to]) as running:
        server = ReportServer(beside(running.control.socket))
        server.on("sessions", lambda items: told.update(*items))
        task = asyncio.create_task(server.run())
        begun = time.time()
        try:
            async with await running.client() as one, await running.client() as two:
                one.request("GET", "/", bearer(session="long"))
                two.request("GET", "/", f"Cookie: dovetail-token={token(session='cookie')}")
                async with asyncio.timeout(PATIENCE):
                    while set(told) != {"long", "cookie"}:  # noqa: ASYNC110 - nothing tells when control was told
                        await asyncio.sleep(0.02)
            assert all(begun - 1 <= at <= time.time() for at in told.values())
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=PATIENCE)


def test_what_is_kept_is_bounded_and_holds_no_token() -> None:
    given = snapshot(1, [], [])
    credentials = Credentials(given)
    text = token()
    user = credentials.read(f"Bearer {text}".encode(), time.time())
    assert isinstance(user, User)
    credentials.forget_headers()
    assert text.encode() not in repr(vars(credentials)).encode()
    for _ in range(5000):
        assert isinstance(credentials.read(b"Bearer " + secrets.token_bytes(8), time.time()), str)
    assert credentials.read(f"Bearer {text}".encode(), time.time()) is user, "a flood of bad ones pushes none out"
    assert len(credentials._rejected) <= 2000  # pyright: ignore[reportPrivateUsage]
    again = Serving(snapshot(2, [], []), Serving(given)).credentials
    assert isinstance(again, Credentials)
    assert "Secret-1" not in repr(Unchecked(b"", "n", "Secret-1"))


async def test_rules_are_compiled_once_whatever_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[Rule, ...]] = []

    class Counting(Grants):
        def __init__(self, rules: tuple[Rule, ...]) -> None:
            compiled.append(rules)
            super().__init__(rules)

    monkeypatch.setattr(compiled_roles, "Grants", Counting)
    backend = await Backend().start()
    to = upstream(backend.port)
    routes = [route("/", to, access="authorized")]
    async with gateway(routes, [to]) as running:
        for number in range(3):
            for path in ("/a", "/b", "/api/v1/pods"):
                assert (await running.once("GET", path, bearer())).status == 200
                assert (await running.once("GET", path, bearer(STRANGER))).is_status(403)
            await running.serve([*routes, route(f"/new-{number}", to)], [to])
        assert len(compiled) == 1, "other routes change nothing"
        more = {**POLICY.user_roles, STRANGER: POLICY.user_roles[ADMIN]}
        await running.serve(routes, [to], policy=msgspec.structs.replace(POLICY, user_roles=more))
        assert (await running.once("GET", "/a", bearer(STRANGER))).status == 200
        assert len(compiled) == 1, "another binding changes no role"
        await running.serve(routes, [to], policy=msgspec.structs.replace(POLICY, user_roles={}))
        assert (await running.once("GET", "/a", bearer())).is_status(403)
    assert len(compiled) == 1


async def test_no_credential_is_kept_as_it_came_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Header blocks are kept with what is in them, but not for more than a minute."""
    monkeypatch.setattr("dovetail.gateway.proxy.presence._FORGET_SECONDS", 0.1)
    kept: list[HeadReader] = []
    real = HeadReader.forget

    def noting(self: HeadReader) -> None:
        kept.append(self)
        real(self)

    monkeypatch.setattr(HeadReader, "forget", noting)
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        line = bearer()
        assert (await running.once("GET", "/", line)).status == 200
        async with asyncio.timeout(PATIENCE):
            while not kept or kept[-1].weight or line in repr(vars(kept[-1])):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await running.once("GET", "/", line)).status == 200
    assert [seen.get("x-remote-user") for seen in backend.seen] == [ADMIN, ADMIN]
