"""The control process: snapshots for the workers, health of the backends, and the platform's own API.

Three rooms that do not know each other meet here: `gateway` compiles and publishes, `iam` has the keys and sessions,
`platform` answers HTTP on a Unix socket.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dovetail import __version__
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.apis.serviceaccounts_v1alpha1 import SERVICEACCOUNTS
from dovetail.cli.audit_log import OFF, AuditLog
from dovetail.cli.authentication import Authentication
from dovetail.cli.password_check import check_password
from dovetail.gateway import passwords
from dovetail.gateway.audit.file_sink import FileSettings
from dovetail.gateway.availability import Availability
from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.gateway.cluster_upstream import cluster_upstream
from dovetail.gateway.control import Control
from dovetail.gateway.objects import RoutingObjects
from dovetail.gateway.observing import Observing
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.reports import ReportServer, beside
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.gateway.trust import Trust
from dovetail.iam import idle_sessions, oauth_clients, pre_registration, token_keys
from dovetail.iam.ended_accounts import ended_accounts
from dovetail.iam.errors import IamError
from dovetail.iam.identity_providers.bad_providers import BadProviders
from dovetail.iam.identity_providers.registry import IdentityProviders
from dovetail.iam.identity_providers.settings import SELECTOR as PROVIDERS
from dovetail.iam.idle_sessions import IdleSessions
from dovetail.iam.idleness import Idleness
from dovetail.iam.lockout import Lockout
from dovetail.iam.login_records import LoginRecords
from dovetail.iam.oauth_clients import OAuthClients
from dovetail.iam.service_accounts import accounts_of_services
from dovetail.iam.session import SELECTOR
from dovetail.iam.sessions import Sessions
from dovetail.iam.token_keys import TokenKeys
from dovetail.iam.tokens import TokenIssuer
from dovetail.kube import SECRETS, Client, ClusterConfig, ControllerRuntime, Informer
from dovetail.kube.config import default_files
from dovetail.kube.errors import Forbidden, KubeError, NotFound, Unauthorized, Unreachable
from dovetail.platform.app import create_app
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.directories import Directories
from dovetail.platform.documents import documents
from dovetail.platform.guard_server import GuardServer
from dovetail.platform.quota_reviews import QuotaReviews
from dovetail.platform.serve import serve as serve_app

_NOT_PREPARED = (Forbidden, NotFound, Unauthorized, Unreachable)
_RETRY_SECONDS = 0.1
_KEYS_SECONDS = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ControlSettings:
    """Where the cluster is, who signs tokens, and where the sockets lie."""

    kubeconfig: Path | None
    issuer: str
    run_dir: Path
    audit_file: FileSettings | None = None
    authentication: Authentication = field(default_factory=Authentication)


def file_settings(audit: AuditLog) -> FileSettings | None:
    """The audit's file as the options say it."""
    if audit.path in ("", OFF):
        return None
    return FileSettings(Path(audit.path), audit.max_size << 20, float(audit.max_age), audit.max_backups)


async def serve(settings: ControlSettings, on_ready: Callable[[], None]) -> None:
    """Serve until cancelled. Ready means that the caches are in step and the platform's API answers."""
    config = ClusterConfig.load(settings.kubeconfig)
    async with Client(config, user_agent=f"dovetail-gateway/{__version__}") as client:
        await _serve(settings, config, client, await _keys(client), on_ready)


async def _keys(client: Client) -> TokenKeys:
    """The cluster's signing keys, as soon as `dovetail init` has prepared the cluster for us."""
    while True:
        try:
            return await token_keys.ensure(client)
        except _NOT_PREPARED:
            await asyncio.sleep(_RETRY_SECONDS)


def _verifying(signing: TokenKeys) -> tuple[VerificationKey, ...]:
    return tuple(VerificationKey(key.kid, key.jwk) for key in signing.public())


async def _turn_keys(client: Client, signing: TokenKeys, control: Control) -> None:
    """Keep the keys of tokens turning, and the workers told of them."""
    while True:
        await asyncio.sleep(_KEYS_SECONDS)
        try:
            if await signing.renew(client):
                await control.verify_with(_verifying(signing))
        except (KubeError, IamError) as error:
            _log.warning("the keys of tokens stay as they were", extra={"fields": {"reason": error}})


def _secrets(runtime: ControllerRuntime, selector: str) -> Informer:
    return runtime.informer(SECRETS, namespace=SYSTEM_NAMESPACE, label_selector=selector)


def _outsiders(
    settings: ControlSettings, client: Client, runtime: ControllerRuntime, control: Control
) -> tuple[OAuthClients, IdentityProviders]:
    """Who else may call or vouch, besides users: service accounts and OAuth clients as themselves, and, where a
    provider lets people choose their names, who is about to register. The policy follows what is stored of them."""
    stored, vouching = _secrets(runtime, oauth_clients.SELECTOR), _secrets(runtime, PROVIDERS)
    services = runtime.informer(SERVICEACCOUNTS, optional=True)
    clients = OAuthClients(lambda: stored.lister, settings.issuer)
    providers = IdentityProviders(lambda: vouching.lister, BadProviders(client, runtime).tell)

    def follow(*_: object) -> None:
        others = {**accounts_of_services(services.lister), **clients.accounts()}
        manual = any(one.settings.mapping == "manual" for one in providers.all().values())
        control.policy_objects.others(others | (pre_registration.ACCOUNT if manual else {}))

    for informer in (services, stored, vouching):
        informer.add_handler(follow)
    return clients, providers


def _login_records(client: Client, runtime: ControllerRuntime, control: Control) -> LoginRecords:
    """The log-in history; it goes with the user."""
    records = LoginRecords(client)
    runtime.add_task("login records", records.run)

    def forget(change: str, _: object, user: Mapping[str, Any]) -> None:
        if change == "DELETED":
            records.forget(str(user["metadata"]["name"]))

    control.users.add_handler(forget)
    return records


async def _serve(
    settings: ControlSettings, config: ClusterConfig, client: Client, signing: TokenKeys,
    on_ready: Callable[[], None],
) -> None:  # fmt: skip
    run = settings.run_dir
    issuer = TokenIssuer(settings.issuer, signing)
    built_in = BuiltIn(internal(str(run / "control.sock")), internal(str(run / "console.sock")),
                       cluster_upstream(config, run))  # fmt: skip
    runtime = ControllerRuntime(client)
    trust = Trust(client, run, settings.issuer)
    await trust.prepare()
    objects = RoutingObjects(runtime, built_in, trust.certificate)
    availability = Availability(client, objects)
    publisher = Publisher(run / "snapshot.sock")
    reports = ReportServer(beside(run / "snapshot.sock"))
    start = Snapshot(
        generation=0, issuer=settings.issuer, keys=_verifying(signing), assertion_key=trust.signing_key(),
        password_socket=str(run / passwords.NAME) if settings.authentication.basic else "",
    )  # fmt: skip
    control = Control(runtime, publisher, objects, start, issuer.lifetimes, availability.refresh)
    idleness = Idleness(settings.authentication.idle_timeout)
    sessions = Sessions(
        client, issuer, control.revoke, idleness, multiple_login=not settings.authentication.single_session
    )
    stored = _secrets(runtime, SELECTOR)
    idle = IdleSessions(sessions, lambda: stored.lister, idleness)
    runtime.add(ended_accounts(control.users, sessions))
    reports.on(idle_sessions.KIND, idle.heard)
    version = f"v{__version__}"
    observing = Observing(
        client, runtime, control, publisher, reports, objects, availability, run, settings.audit_file, version
    )  # fmt: skip
    clients, providers = _outsiders(settings, client, runtime, control)
    directories, login_records = Directories(runtime), _login_records(client, runtime, control)
    deps = PlatformDeps(
        client=client, directory=directories, definitions=directories.definitions,
        users=control.users.lister, global_roles=control.roles.lister,
        global_role_bindings=control.bindings.lister, policy=lambda: control.policy, issuer=settings.issuer,
        keys=signing.public, sessions=sessions, token_issuer=issuer,
        oauth_clients=clients, identity_providers=providers, login_records=login_records,
        lockout=Lockout(familiar=login_records.familiar),
        assertion_keys=trust.public_keys, logged_in=observing.logged_in,
        version=version, kubeconfig=settings.kubeconfig or next(iter(default_files()), None),
    )  # fmt: skip
    app = create_app(deps, observing.routes())
    guards = GuardServer(client, run, QuotaReviews(runtime, time.monotonic))
    trust.follow(runtime)
    runtime.add_task("idle sessions", idle.run)
    runtime.add_task("trust", lambda: trust.run(control.sign_with))
    for controller in availability.controllers:
        runtime.add(controller)
    runtime.add_task("token keys", lambda: _turn_keys(client, signing, control))
    runtime.add_task("control", control.run)
    runtime.add_task("prober", availability.prober.run)
    async with asyncio.TaskGroup() as group:
        synced, listening = asyncio.Event(), asyncio.Event()
        group.create_task(publisher.run(), name="publisher")
        group.create_task(reports.run(), name="reports")
        group.create_task(observing.run(), name="observing")
        if settings.authentication.basic:
            checked = passwords.PasswordServer(run / passwords.NAME, partial(check_password, deps))
            group.create_task(checked.run(), name="passwords")
        group.create_task(serve_app(app, run / "control.sock", listening.set), name="platform")
        group.create_task(guards.run(), name="guards")
        group.create_task(runtime.run(synced.set), name="runtime")
        await synced.wait()
        control.start()
        await listening.wait()
        on_ready()
        # Nobody logs in by the documents, so the start does not wait for them.
        observing.describe(await asyncio.to_thread(documents, app.routes, version))
        gc.collect()
        gc.freeze()  # the caches stay: a collection that looks at ten thousand objects would hold up every change
