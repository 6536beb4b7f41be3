"""Whether a backend is there: its Service, its endpoints, and its own discovery document over verified TLS.

The reasons and messages are those of kube-aggregator's availability controller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ..foreign import part, parts
from ..registry.resource import ResourceType
from ..service_endpoints import NoEndpoint, NoService, NoServicePort, resolve
from ..storage.store import Store
from .backends import Backend
from .connections import BackendUnreachable, Connections

Object = dict[str, Any]

SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """``resources`` are empty when the backend is not available."""

    available: bool
    reason: str
    message: str
    resources: tuple[ResourceType, ...] = ()


async def probe(store: Store, connections: Connections, backend: Backend) -> Verdict:
    where = f'service/{backend.service} in "{backend.namespace}"'
    try:
        resolve(store, backend.target)
    except NoService:
        return Verdict(False, "ServiceNotFound", f"{where} is not present")
    except NoServicePort:
        return Verdict(False, "ServicePortError", f"{where} is not listening on port {backend.port}")
    except NoEndpoint:
        return Verdict(False, "MissingEndpoints", f"endpoints for {where} have no addresses")
    path = f"/apis/{backend.group}/{backend.version}"
    shown = f"https://{backend.host}:{backend.port}{path}"
    try:
        code, document = await connections.fetch(backend, path, SECONDS)
    except BackendUnreachable as error:
        return _failed(shown, str(error))
    if code != 200 or not isinstance(document, dict):
        return _failed(shown, f"bad status from {shown}: {code}")
    found = tuple(resources_of(backend, cast("Object", document)))
    return Verdict(True, "Passed", "all checks passed", found)


def _failed(shown: str, why: str) -> Verdict:
    return Verdict(False, "FailedDiscoveryCheck", f"failing or missing response from {shown}: {why}")


def resources_of(backend: Backend, document: Object) -> Iterator[ResourceType]:
    """The kinds of an APIResourceList."""
    entries: list[Object] = [entry for entry in parts(document, "resources") if isinstance(entry, dict)]
    for entry in entries:
        name = str(entry.get("name", ""))
        if not name or "/" in name:
            continue
        yield ResourceType(
            backend.group, backend.version, name, str(entry.get("kind", "")),
            namespaced=bool(entry.get("namespaced")), singular=str(entry.get("singularName", "")),
            short_names=tuple(map(str, parts(entry, "shortNames"))),
            categories=tuple(map(str, parts(entry, "categories"))), verbs=tuple(map(str, parts(entry, "verbs"))),
            subresources=_subresources(name, entries), list_kind=f"{entry.get('kind', '')}List", remote=backend.name,
        )  # fmt: skip


def _subresources(plural: str, entries: list[Object]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        owner, slash, name = str(entry.get("name", "")).partition("/")
        if slash and owner == plural:
            found[name] = tuple(map(str, parts(entry, "verbs")))
    return found


def condition(verdict: Verdict, before: Object | None, now: str) -> Object:
    """The ``Available`` condition; the time changes with the status only."""
    status = "True" if verdict.available else "False"
    kept = before is not None and before.get("status") == status
    since = part({"c": before or {}}, "c").get("lastTransitionTime") if kept else now
    return {
        "lastTransitionTime": since or now, "message": verdict.message, "reason": verdict.reason, "status": status,
        "type": "Available",
    }  # fmt: skip
