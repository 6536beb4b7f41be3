"""Composing and running the server: database, certificates, catalogue, listener, kubeconfigs, upkeep.

``serve`` runs until it is cancelled, then ends watches, finishes requests, commits and closes. Start-up order matters:
the database lock is taken before anything is written, the port is bound before kubeconfigs name it, and ``on_ready``
is called last.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from functools import partial

import orjson

from .access.authentication import Authenticator
from .access.bootstrap import bootstrap, publish_service
from .access.identity import MASTERS
from .access.rbac import Authorizer
from .access.service_tokens import ServiceTokens
from .admission.webhooks.dispatch import close as close_webhooks
from .aggregation.aggregator import Aggregator
from .app import App
from .discovery.endpoints import Endpoints
from .discovery.figures import storage_figures
from .errors import InternalError, StateDamaged, StateUnusable
from .kubeconfig import write_kubeconfig
from .objects import definitions
from .objects.services import FIRST
from .pki import Authority, Subject
from .registry.catalogue import Catalogue
from .registry.resource import pack
from .renewal import renew_certificates
from .settings import ApiServerSettings
from .storage.database import Database
from .storage.history import History
from .storage.hub import Hub
from .storage.store import Store
from .transport import Listener, Peer, PrivateListener, tls_context
from .verbs.call import Api

_log = logging.getLogger("dovetail.embedded.apiserver")

EVENT_SECONDS = 3600.0
STOP_SECONDS = 2.0
_FRAMES = 3_000
"""Objects may be 250 levels deep, and some of what reads them takes several calls a level."""
_COMPONENTS = ("gateway", "controllers", "console")
_ALWAYS = (
    "127.0.0.1",
    "::1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    FIRST,
)


_ADMIN = Peer("admin", (MASTERS,))


async def serve(settings: ApiServerSettings, on_ready: Callable[[], None]) -> None:
    """Run the API server. Raises StartError when it cannot start."""
    sys.setrecursionlimit(max(_FRAMES, sys.getrecursionlimit()))
    started = False

    def ready() -> None:
        nonlocal started
        started = True
        on_ready()

    database: Database | None = None
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = Database(settings.database)
        await _serve(settings, database, ready)
    except (OSError, sqlite3.OperationalError, InternalError) as error:  # a full disk, permissions
        if started:
            raise
        raise StateUnusable(settings.data_dir, getattr(error, "strerror", None) or str(error)) from error
    except (sqlite3.DatabaseError, orjson.JSONDecodeError) as error:
        if started:
            raise
        raise StateDamaged(settings.database, str(error)) from error
    finally:
        if database is not None:
            database.close()


async def _serve(settings: ApiServerSettings, database: Database, on_ready: Callable[[], None]) -> None:
    authority = _authority(settings)
    api = build_api(database, authority.signing_key)
    endpoints = Endpoints(api.catalogue, api.tokens, "")
    endpoints.health.add("etcd", lambda: api.store.problem)
    endpoints.metrics.gauges.append(lambda: storage_figures(database))
    authenticator = Authenticator(api.tokens, api.authorizer.refusal)
    front = Authority(settings.data_dir / "pki" / "front-proxy")
    aggregator = Aggregator(api, front.client(Subject("front-proxy-client", "front-proxy-client")))
    api.store.on_commit.append(aggregator.changed)
    app = App(api, authenticator, endpoints, aggregator)
    authority.keep_signing_key()
    certificate = authority.server(_hosts(settings))
    context = tls_context(certificate.certificate_file, certificate.key_file, authority.ca_file)
    listener = Listener(app, settings.host, settings.port, context)
    own = PrivateListener(app, settings.private_socket, _ADMIN) if settings.private_socket is not None else None
    bootstrap(api, authority.ca_pem, front.ca_pem, settings.objects)
    await listener.start()
    try:
        if own is not None:
            await own.start()
        publish_service(api, FIRST, listener.port)
        endpoints.server = _address(settings.host, listener.port)
        server = partial(authority.server, _hosts(settings))
        clients = partial(write_kubeconfigs, settings, authority, endpoints.server)
        clients()
        on_ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(aggregator.run(), name="aggregation")
            tasks.create_task(_upkeep(api, settings), name="upkeep")
            tasks.create_task(renew_certificates(context, server, clients), name="renewal")
    finally:
        endpoints.health.stopping = True
        api.hub.close()
        await asyncio.shield(_stop(listener, own))
        await close_webhooks()
        api.store.flush()


async def _stop(*listeners: Listener | None) -> None:
    await asyncio.gather(*(one.stop(STOP_SECONDS) for one in listeners if one is not None))


def _authority(settings: ApiServerSettings) -> Authority:
    folder = settings.data_dir / "pki"
    try:
        return Authority(folder)
    except (ValueError, TypeError) as error:
        raise StateDamaged(folder, f"a key in it cannot be read ({error})") from error


def build_api(database: Database, signing_key: Callable[[], bytes]) -> Api:
    """The parts on an open database, stored definitions served."""
    store = Store(database)
    history = History(database, store)
    hub = Hub(store, history)
    authorizer = Authorizer(store)
    tokens = ServiceTokens(store, signing_key)
    store.on_commit += [hub.publish, authorizer.changed, tokens.changed]
    api = Api(store, history, hub, Catalogue(), authorizer, tokens)
    definitions.load(api)
    return api


def write_kubeconfigs(settings: ApiServerSettings, authority: Authority, server: str) -> None:
    """The administrator's kubeconfig and one for each component of the platform."""
    url = f"https://{server}"
    admin = authority.client(Subject("admin", "admin", (MASTERS,)))
    write_kubeconfig(settings.data_dir / "kubeconfig", url, authority.ca_pem, "admin", admin)
    for name in _COMPONENTS:
        # No group: what a component may do is in its role, where it can be seen and changed.
        credential = authority.client(Subject(name, f"system:dovetail:{name}"))
        path = settings.data_dir / "kubeconfigs" / f"{name}.yaml"
        write_kubeconfig(path, url, authority.ca_pem, f"system:dovetail:{name}", credential)


def _hosts(settings: ApiServerSettings) -> Sequence[str]:
    host = [] if settings.host in ("0.0.0.0", "::", "") else [settings.host]
    machine = [os.uname().nodename] if not host else []
    return list(dict.fromkeys([*_ALWAYS, *host, *machine, *settings.names]))


def _address(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    try:
        bracketed = f"[{reachable}]" if ipaddress.ip_address(reachable).version == 6 else reachable
    except ValueError:
        bracketed = reachable
    return f"{bracketed}:{port}"


async def _upkeep(api: Api, settings: ApiServerSettings) -> None:
    """Forget old versions and old events, for ever."""
    while True:
        await asyncio.sleep(settings.upkeep_seconds)
        try:
            expire_events(api)
            await api.store.committed()
            for _ in api.history.compaction(settings.keep_seconds):
                await asyncio.sleep(0)
        except (InternalError, sqlite3.Error) as error:  # a full disk: requests tell their callers, upkeep tries again
            _log.error("old versions were not forgotten: %s", error)


def expire_events(api: Api) -> int:
    """Events live an hour, as in Kubernetes; the number removed."""
    horizon = api.clock() - EVENT_SECONDS
    removed = 0
    for key, record in api.history.older("/events", horizon):
        event = orjson.loads(record.value)
        event["metadata"]["resourceVersion"] = str(api.store.next_rev)
        api.store.remove(key, pack(event), record)
        removed += 1
    return removed
