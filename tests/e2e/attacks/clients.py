"""A client that says exactly what it is told to: raw paths, any header, no redirects, upgrades."""

import http.client
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.authz_matrix.callers import IAM, Tenants
from tests.e2e.demo.web import Answer

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
EVERYTHING = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
PLATFORM_ADMIN = {"apiGroup": "iam.kubesphere.io", "kind": "GlobalRole", "name": "platform-admin"}


def send(
    tenants: Tenants, method: str, path: str, caller: str = "", body: Any = None, content: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Answer:  # fmt: skip
    """A request; `path` goes over the wire as it stands."""
    sent = dict(headers or {})
    if caller:
        sent["Authorization"] = f"Bearer {tenants.tokens[caller]}"
    if body is not None:
        sent["Content-Type"] = content
    address = urlsplit(tenants.world.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        for name, value in {**sent, "Content-Length": str(len(data))}.items():
            connection.putheader(name, value)
        connection.endheaders(data or None)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), b"" if response.status == 101 else response.read())
    finally:
        connection.close()


def fresh(prefix: str = "x") -> str:
    """A name nobody has used."""
    return prefix + secrets.token_hex(4)


def iam(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An object of iam.kubesphere.io."""
    return {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": kind, "metadata": {"name": name}, **more}


def binding(kind: str, name: str, user: str, role: dict[str, str], **more: Any) -> dict[str, Any]:
    """A binding of one user."""
    return iam(kind, name, subjects=[{"kind": "User", "name": user}], roleRef=role, **more)


def is_platform_admin(tenants: Tenants, caller: str) -> bool:
    """Whether the caller got what only the platform's administrator has."""
    return send(tenants, "GET", f"{IAM}/globalroles", caller).code == 200
