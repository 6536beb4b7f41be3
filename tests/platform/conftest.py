"""The platform's API as control runs it: real informers, a real client, a real socket, the embedded API behind.

It acts as a user who holds the gateway's Kubernetes roles and nothing else, so the tests also show that they suffice.

looptime asks the event loop policy for a loop even in synchronous tests; in Python 3.11 the policy then makes one that
nobody closes. Saying "there is none" beforehand keeps it from that.
"""

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.gateway.policy_objects import PolicyObjects
from dovetail.iam import bootstrap, pre_registration, token_keys
from dovetail.iam.identity_providers.bad_providers import BadProviders
from dovetail.iam.identity_providers.registry import IdentityProviders
from dovetail.iam.identity_providers.settings import SELECTOR as PROVIDERS
from dovetail.iam.lockout import Lockout, LockoutRules
from dovetail.iam.login_records import LoginRecords
from dovetail.iam.oauth_clients import SELECTOR, OAuthClients
from dovetail.iam.passwords import hash_password
from dovetail.iam.policy import Policy
from dovetail.iam.process_roles import GATEWAY, process_roles
from dovetail.iam.sessions import Sessions
from dovetail.iam.tokens import TokenIssuer, TokenVerifier
from dovetail.kube.client import Client
from dovetail.kube.errors import Conflict
from dovetail.kube.resources import CLUSTERROLEBINDINGS, ROLEBINDINGS, SECRETS
from dovetail.kube.runtime import ControllerRuntime
from dovetail.platform.app import create_app
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.directories import Directories
from dovetail.platform.serve import serve

asyncio.set_event_loop(None)

ISSUER = "http://127.0.0.1:30880"
STAND_IN = "system:dovetail-test:gateway"
TLS_GOODBYE = 0.1
"""aiohttp does not wait for connections that were dropped half-way (watches); their sockets close a moment later."""
PASSWORD = "Correct-horse1"
PASSWORD_HASH = hash_password(PASSWORD)


@dataclass
class Answer:
    """What came back, read to the end."""

    code: int
    body: Any
    headers: Any
    cookies: dict[str, Any]

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))


@dataclass
class Platform:
    """A running platform API and what is behind it."""

    deps: PlatformDeps
    http: aiohttp.ClientSession
    client: Client
    ended: list[str] = field(default_factory=list)
    now: float = field(default_factory=time.time)

    async def call(
        self, method: str, path: str, *, user: str = "", groups: Collection[str] = (), address: str = "192.0.2.1",
        headers: dict[str, str] | None = None, **more: Any,
    ) -> Answer:  # fmt: skip
        """A request as the gateway's worker passes it on."""
        sent = [("X-Forwarded-For", address), *(headers or {}).items()]
        sent += [("X-Remote-User", user)] if user else []
        sent += [("X-Remote-Group", group) for group in groups]
        async with self.http.request(method, f"http://platform{path}", headers=sent, **more) as response:
            text = await response.read()
            assert PASSWORD.encode() not in text
            assert b"$argon2id" not in text
            body = await response.json(content_type=None) if text else None
            return Answer(response.status, body, response.headers, dict(response.cookies))

    async def page(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        """A browser's request, without following redirects; the body as text."""
        sent = {"X-Forwarded-For": "192.0.2.1", **(headers or {})}
        async with self.http.request(
            method, f"http://platform{path}", headers=sent, allow_redirects=False, **more
        ) as response:
            return Answer(response.status, await response.text(), response.headers, dict(response.cookies))

    async def token(self, **form: str) -> Answer:
        """POST /oauth/token for the trusted client."""
        return await self.call("POST", "/oauth/token", data={"client_id": "kubesphere", **form})

    async def log_in(self, user: str, password: str = PASSWORD, **more: Any) -> Answer:
        form = {"client_id": "kubesphere", "grant_type": "password", "username": user, "password": password}
        return await self.call("POST", "/oauth/token", data=form, **more)

    async def user(self, role: str = "", *, stored: str = PASSWORD_HASH, **spec: Any) -> str:
        """A user of a test's own, put there behind the platform's back."""
        name = "u" + secrets.token_hex(5)
        made = bootstrap.admin_user(name, stored)
        made["spec"] |= spec
        await self.client.create(USERS, made)
        if role:
            bound = bootstrap.binding(bootstrap.binding_name(name, role), role, "User", name)
            await self.client.create(GLOBALROLEBINDINGS, bound)
        await self.until(lambda: name in self.deps.policy().accounts)
        if role:
            await self.until(lambda: role in self.deps.policy().user_roles.get(name, ()))
        return name

    async def role(self, *rules: dict[str, Any]) -> str:
        """A GlobalRole of a test's own."""
        name = "r" + secrets.token_hex(5)
        kind = {"apiVersion": bootstrap.API_VERSION, "kind": "GlobalRole"}
        await self.client.create(GLOBALROLES, {**kind, "metadata": {"name": name}, "rules": list(rules)})
        await self.until(lambda: name in self.deps.policy().roles)
        return name

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the caches have caught up."""
        async with asyncio.timeout(15):
            while not holds():  # noqa: ASYNC110 - caches have no event of their own
                await asyncio.sleep(0.005)

    def verifier(self, revoked: Collection[str] = ()) -> TokenVerifier:
        """What a worker would check tokens with."""
        return TokenVerifier(ISSUER, self.deps.keys(), self.deps.policy().accounts, revoked)


class _Policy:
    """The policy of the present caches, compiled when it is asked for and out of date."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self.objects = PolicyObjects(runtime, self._changed)
        self._stale, self._policy = True, Policy()

    def _changed(self) -> None:
        self._stale = True

    def __call__(self) -> Policy:
        if self._stale:
            self._stale, self._policy = False, self.objects.compile()
        return self._policy


@contextlib.asynccontextmanager
async def running(api: Any) -> AsyncIterator[Platform]:
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, TLS_GOODBYE)
        client = await stack.enter_async_context(api.client())
        gateway = client.impersonate(STAND_IN, ["system:authenticated"])
        signing = await token_keys.ensure(gateway)
        runtime = ControllerRuntime(gateway)
        directory = Directories(runtime)
        clients = runtime.informer(SECRETS, namespace=SYSTEM_NAMESPACE, label_selector=SELECTOR)
        stored_providers = runtime.informer(SECRETS, namespace=SYSTEM_NAMESPACE, label_selector=PROVIDERS)
        providers = IdentityProviders(lambda: stored_providers.lister, BadProviders(gateway, runtime).tell)
        policy = _Policy(runtime)
        policy.objects.others(pre_registration.ACCOUNT)
        ended: list[str] = []

        async def note(sessions: Collection[str]) -> None:
            ended.extend(sessions)

        issuer = TokenIssuer(ISSUER, signing)
        platform: list[Platform] = []
        records = LoginRecords(gateway, clock=lambda: platform[0].now)
        deps = PlatformDeps(
            client=gateway, directory=directory, definitions=directory.definitions, users=directory(USERS),
            global_roles=directory(GLOBALROLES), global_role_bindings=directory(GLOBALROLEBINDINGS), policy=policy,
            issuer=ISSUER, keys=signing.public,
            sessions=Sessions(gateway, issuer, note), token_issuer=issuer,
            oauth_clients=OAuthClients(lambda: clients.lister, ISSUER),
            identity_providers=providers, login_records=records,
            lockout=Lockout(LockoutRules(per_address=1000), records.familiar),
            clock=lambda: platform[0].now, version="v0.1.0", kubeconfig=api.kubeconfig,
        )  # fmt: skip
        socket = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "control.sock"
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        synced, ready = asyncio.Event(), asyncio.Event()
        jobs = [tasks.create_task(runtime.run(synced.set)), tasks.create_task(records.run())]
        await synced.wait()
        jobs.append(tasks.create_task(serve(create_app(deps), socket, ready.set)))
        await asyncio.wait_for(ready.wait(), 15)
        assert socket.stat().st_mode & 0o777 == 0o600
        connector = aiohttp.UnixConnector(path=str(socket))
        http = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(20)
        )
        platform.append(Platform(deps=deps, http=http, client=client, ended=ended))
        try:
            yield platform[0]
        finally:
            await http.close()
            for job in jobs:
                job.cancel()


@pytest.fixture(scope="session")
def prepared(platform_crds: Any) -> Any:
    """The session's cluster with the built-in roles."""

    async def prepare() -> None:
        async with platform_crds.client() as client:
            await bootstrap.ensure(client)
            for obj in process_roles():
                if obj["kind"].endswith("Binding") and obj["subjects"][0]["name"] == GATEWAY:
                    stand_in = [{**obj["subjects"][0], "name": STAND_IN}]
                    named = {**obj["metadata"], "name": "test:" + obj["metadata"]["name"]}
                    resource = ROLEBINDINGS if obj["kind"] == "RoleBinding" else CLUSTERROLEBINDINGS
                    await client.create(resource, {**obj, "metadata": named, "subjects": stand_in})
        await asyncio.sleep(TLS_GOODBYE)

    with asyncio.Runner() as runner:
        runner.run(prepare())
    asyncio.set_event_loop(None)
    return platform_crds


@pytest.fixture
async def platform(prepared: Any) -> AsyncIterator[Platform]:
    """A platform API on the session's cluster."""
    async with running(prepared) as started:
        yield started


async def update(client: Client, name: str, change: Callable[[dict[str, Any]], dict[str, Any]], **more: Any) -> None:
    """Read, change, write, again on conflict."""
    for _ in range(5):
        try:
            await client.update(USERS, change(await client.get(USERS, name)), **more)
            return
        except Conflict:
            continue
    pytest.fail("the user keeps changing")
