"""What is asked: every operation of the platform's OpenAPI documents, at each place it can be asked about.

A request is made so that it changes nothing when it is let through: names that do not exist, bodies that are refused
(a list where an object is needed), media types that nobody reads. Whether it was let through shows all the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.authz_matrix.callers import OURS, THEIRS, Tenants, project

Json = dict[str, Any]

_PARAMETER = re.compile(r"\{([^}]+)\}")
_FORMS = {
    "/oauth/token": {"grant_type": "nonsense", "client_id": "kubesphere"},
    "/oauth/revoke": {"token": "nonsense", "client_id": "kubesphere"},
}
_ENDS_SESSIONS = frozenset({"/oauth/logout", "/oauth/session"})


@dataclass(frozen=True)
class Endpoint:
    """An operation at a place: `ours`, `theirs`, `self`, `other`, or "" where there is only one."""

    method: str
    path: str
    place: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}" + (f" @{self.place}" if self.place else "")


@dataclass(frozen=True)
class Ask:
    """A request to send. `names_them`: the other tenant's name is in it, so it may be in the answer."""

    method: str
    path: str
    query: str = ""
    form: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    own_session: bool = False

    @property
    def names_them(self) -> bool:
        return THEIRS in self.path


def documents(tenants: Tenants) -> dict[str, Json]:
    """The OpenAPI documents as the platform serves them, by name."""
    index = tenants.world.get("/openapi/v3/kapis", "admin").json["paths"]
    return {name: tenants.world.get(entry["serverRelativeURL"], "admin").json for name, entry in index.items()}


def endpoints(documents: dict[str, Json]) -> list[Endpoint]:
    """All operations at all places."""
    found: list[Endpoint] = []
    for document in documents.values():
        for path, item in document["paths"].items():
            for method in item:
                found += [Endpoint(method.upper(), path, place) for place in _places(path)]
    return found


def _places(path: str) -> Iterator[str]:
    names = _PARAMETER.findall(path)
    if {"workspace", "namespace", "place"} & set(names):
        yield from ("ours", "theirs")
    elif "user" in names:
        yield from ("self", "other")
    else:
        yield ""


def ask(endpoint: Endpoint, caller: str, tenants: Tenants) -> Ask:
    """The request of one caller to one endpoint."""
    path = _filled(endpoint, caller, tenants)
    if endpoint.path in _FORMS:
        return Ask(endpoint.method, path, form=_FORMS[endpoint.path])
    own = endpoint.path in _ENDS_SESSIONS
    if endpoint.method in {"POST", "PUT"}:
        return Ask(endpoint.method, path, headers={"Content-Type": "application/json"}, body=b"[]", own_session=own)
    if endpoint.method == "PATCH":
        return Ask(endpoint.method, path, headers={"Content-Type": "text/plain"}, body=b"nothing")
    query = "propagationPolicy=Nonsense" if endpoint.method == "DELETE" else ""
    return Ask(endpoint.method, path, query=query, own_session=own)


def _filled(endpoint: Endpoint, caller: str, tenants: Tenants) -> str:
    workspace = THEIRS if endpoint.place == "theirs" else OURS
    namespace = project(workspace)
    if endpoint.method == "DELETE" and endpoint.path.endswith("/namespaces/{namespace}"):
        namespace = tenants.spare(caller, workspace)
    in_workspace = "/workspaces/{place}" in endpoint.path
    values = {
        "workspace": workspace, "namespace": namespace, "place": workspace if in_workspace else namespace,
        "user": tenants.user_of(caller) if endpoint.place == "self" else "somebody",
        "group": "nowhere.example.org", "version": "v1", "plural": "things",
        "resources": "pods",
    }  # fmt: skip
    return _PARAMETER.sub(lambda found: values.get(found[1], "no-such-thing"), endpoint.path)
