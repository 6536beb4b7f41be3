"""Keeps APIService objects, probes, the catalogue and discovery in step. One task; requests only read its table."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from ..access.identity import User
from ..errors import StatusError, Unavailable
from ..foreign import parts
from ..pki import Credential
from ..registry.resource import pack
from ..requests import RequestInfo
from ..storage.records import Change, ObjectKey
from ..transport.messages import Reply, Request
from ..verbs.call import Api
from .backends import STORE, Backend, backend_of
from .connections import Connections
from .forwarding import forward
from .locals import LABEL, local_services
from .probing import Verdict, condition, probe

Object = dict[str, Any]

PROBE_SECONDS = 30.0
SETTLE_SECONDS = 0.05
_WATCHED = frozenset({"/services", "/endpoints", "discovery.k8s.io/endpointslices"})
_log = logging.getLogger("dovetail.embedded.apiserver")


class Aggregator:
    """``changed`` is to be called with every commit; ``run`` until cancelled."""

    def __init__(self, api: Api, credential: Credential) -> None:
        self._api = api
        self._connections = Connections(api.store, credential)
        self._backends: dict[tuple[str, str], Backend] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._wake = asyncio.Event()
        self._revision = -1
        self._load()

    def changed(self, changes: Sequence[Change]) -> None:
        if any(change.key.resource == STORE for change in changes):
            self._load()
            self._wake.set()
        if self._backends and any(change.key.resource in _WATCHED for change in changes):
            self._connections.moved()
            self._wake.set()
        elif self._api.catalogue.revision != self._revision:
            self._wake.set()

    def _load(self) -> None:
        found = [backend_of(orjson.loads(record.value)) for record in self._api.store.list(STORE).records]
        self._backends = {(b.group, b.version): b for b in found if b is not None}

    def backend(self, info: RequestInfo) -> Backend | None:
        """Who serves this request, when it is not this server itself."""
        if not self._backends:
            return None
        if info.is_resource:
            return self._backends.get((info.group, info.version))
        parts = info.path.split("/", 4)  # ["", "apis", group, version, ...]
        return self._backends.get((parts[2], parts[3])) if len(parts) > 3 and parts[1] == "apis" else None

    async def answer(self, backend: Backend, request: Request, user: User) -> Reply:
        """Raises StatusError."""
        verdict = self._verdicts.get(backend.name)
        if verdict is None or not verdict.available:
            raise Unavailable("service unavailable")
        return await forward(self._connections, backend, request, user)

    async def run(self) -> None:
        try:
            while True:
                self._wake.clear()
                pause = PROBE_SECONDS if self._backends else None
                try:
                    await self._settle()
                except (StatusError, sqlite3.Error) as error:  # requests tell their callers, this tries again
                    _log.error("aggregation: the state could not be read or written: %s", error)
                    pause = PROBE_SECONDS
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                    await asyncio.sleep(SETTLE_SECONDS)  # a chart brings several objects at once
                except TimeoutError:
                    continue
        finally:
            await self._connections.close()

    async def _settle(self) -> None:
        backends = list(self._backends.values())
        self._connections.keep_only(set(backends))
        for name in set(self._verdicts) - {backend.name for backend in backends}:
            del self._verdicts[name]
            self._api.catalogue.set_custom(_place(name), ())
        verdicts = await asyncio.gather(*(probe(self._api.store, self._connections, b) for b in backends))
        for backend, verdict in zip(backends, verdicts, strict=True):
            self._judge(backend, verdict)
        self._locals()
        await self._api.store.committed()

    def _judge(self, backend: Backend, verdict: Verdict) -> None:
        if self._backends.get((backend.group, backend.version)) != backend:
            return  # it changed while it was asked; the next round asks again
        before = self._verdicts.get(backend.name)
        self._verdicts[backend.name] = verdict
        if before is None or _shape(before) != _shape(verdict):
            self._api.catalogue.set_custom(_place(backend.name), verdict.resources)
        self._tell(backend, verdict)

    def _tell(self, backend: Backend, verdict: Verdict) -> None:
        store, key = self._api.store, ObjectKey(STORE, "", backend.name)
        record = store.latest(key)
        if record is None:
            return
        obj: Object = orjson.loads(record.value)
        conditions: list[Object] = parts(obj, "status", "conditions")
        before = next((c for c in conditions if c.get("type") == "Available"), None)
        after = condition(verdict, before, self._api.now())
        if after == before:
            return
        obj["status"] = {"conditions": [*(c for c in conditions if c is not before), after]}
        obj["metadata"]["resourceVersion"] = str(store.next_rev)
        store.put(key, pack(obj), record)

    def _locals(self) -> None:
        """Write what is missing of the local ones, take away those of definitions that are gone."""
        from ..objects import metadata

        store, self._revision = self._api.store, self._api.catalogue.revision
        wanted = {obj["metadata"]["name"]: obj for obj in local_services(self._api.catalogue, self._api.now())}
        for record in list(store.latest_all(STORE)):
            obj: Object = orjson.loads(record.value)
            managed = LABEL in (obj["metadata"].get("labels") or {})
            if wanted.pop(record.name, None) is None and managed:
                obj["metadata"]["resourceVersion"] = str(store.next_rev)
                store.remove(ObjectKey(STORE, "", record.name), pack(obj), record)
        for name, obj in wanted.items():
            obj["metadata"] = metadata.start(obj["metadata"], "", self._api.now(), False)
            obj["metadata"]["resourceVersion"] = str(store.next_rev)
            store.put(ObjectKey(STORE, "", name), pack(obj), None)


def _place(name: str) -> str:
    """The key of a backend's resources in the catalogue, beside those of definitions."""
    return f"apiservice/{name}"


def _shape(verdict: Verdict) -> list[tuple[Any, ...]]:
    return [(r.plural, r.kind, r.verbs, r.namespaced, r.short_names, tuple(r.subresources)) for r in verdict.resources]
