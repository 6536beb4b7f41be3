"""schemathesis makes up requests for every endpoint from its own description, and each is sent as every caller.

No answer may be a 5xx, and none may name the other tenant, which no made-up request does. Who is the platform's
administrator is not sent what would change the platform: deleting, and objects that take routes or rights.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from tests.e2e.authz_matrix.callers import CALLERS, OURS, THEIRS, Tenants, project

_OWN_SESSIONS = ("/oauth/logout", "/oauth/session", "/oauth/revoke", "/oauth/token", "/password")
"""Ends sessions, or costs a password hash each time: the matrix asks these once."""


@dataclass
class Tried:
    """How many requests were sent and what was wrong."""

    sent: int = 0
    violations: list[str] = field(default_factory=list)


def fuzz(tenants: Tenants, documents: dict[str, Any], examples: int, *, every: int = 1) -> Tried:
    """Send `examples` made-up requests an endpoint, each as every caller; only to each `every`th endpoint."""
    tried = Tried()
    with contextlib.ExitStack() as stack:
        sessions = {caller: stack.enter_context(_session(tenants.tokens.get(caller, ""))) for caller in CALLERS}
        schemas = [schemathesis.openapi.from_dict(document) for document in documents.values()]
        operations = [operation for schema in schemas for operation in _operations(schema)]
        for operation in operations[::every]:
            _try(operation, tenants.world.url, sessions, examples, tried)
    return tried


def _session(token: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _operations(schema: Any) -> Iterator[Any]:
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.endswith(_OWN_SESSIONS):
            yield operation


def _try(operation: Any, url: str, sessions: dict[str, requests.Session], examples: int, tried: Tried) -> None:
    @seed(7)
    @settings(
        max_examples=examples, database=None, deadline=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        _place(case)
        for caller in CALLERS:
            if caller == "platform-admin" and operation.method.upper() != "GET":
                continue
            tried.sent += 1
            problem = _sent(case, url, sessions[caller], caller)
            if problem:
                tried.violations.append(f"{operation.method.upper()} {operation.path} as {caller}: {problem}")

    send()


def _place(case: Any) -> None:
    """Have the request be about our tenant, and its path about one object."""
    for name in case.path_parameters or {}:
        if name in {"workspace", "namespace", "place"}:
            in_workspace = name == "workspace" or "/workspaces/{place}" in case.operation.path
            case.path_parameters[name] = OURS if in_workspace else project(OURS)
        elif name == "resources":
            case.path_parameters[name] = "pods"
        else:
            case.path_parameters[name] = quote(str(case.path_parameters[name]), safe="") or "x"


def _sent(case: Any, url: str, session: requests.Session, caller: str) -> str:
    response = case.call(base_url=url, session=session, allow_redirects=False, timeout=20)
    if response.status_code >= 500:
        return f"answered {response.status_code}: {response.content[:200]!r} to {case.as_curl_command()[:400]}"
    if THEIRS.encode() in response.content and caller != "platform-admin":
        return f"told of {THEIRS}: {response.content[:200]!r}"
    return ""
