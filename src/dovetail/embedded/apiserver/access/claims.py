"""What a service account token says, and whether what it names is still there. Pure, but for reading the store.

A bound token names its account and perhaps a pod, a secret or a node; it is good as long as each of them exists with
the same uid and has not been deleted for more than a minute. A legacy token has no end of its own: it is good as long
as the secret that holds it exists. The sentences are those of kube-apiserver; TokenReview shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ..foreign import part
from ..storage.records import ObjectKey, Record
from .identity import User, authenticated

ISSUER, LEGACY_ISSUER = "https://kubernetes.default.svc.cluster.local", "kubernetes/serviceaccount"
LEEWAY = 60.0
CREDENTIAL = "authentication.kubernetes.io/credential-id"
_EXTRA = "authentication.kubernetes.io/"
_LEGACY = "kubernetes.io/serviceaccount/"
_INVALIDATED = "service account token has been invalidated"

Claims = Mapping[str, Any]
Read = Callable[[ObjectKey], Record | None]


class TokenRejected(Exception):
    """The message says why; only TokenReview tells it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whom a token stands for, for which audiences, until when (seconds since the epoch; infinite for legacy ones),
    and the objects on which that depends.
    """

    user: User
    audiences: tuple[str, ...]
    until: float
    depends_on: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class _Reference:
    key: ObjectKey
    uid: str
    missing: str
    replaced: str


def check(claims: Claims, token: str, read: Read, now: float) -> Verified:
    """Raises TokenRejected. The signature has been verified; audiences are the token's own."""
    if claims.get("iss") == LEGACY_ISSUER:
        return _legacy(claims, token, read, now)
    expires = float(claims.get("exp", 0))
    if now > expires + LEEWAY:
        raise TokenRejected("service account token has expired")
    if now + LEEWAY < float(claims.get("nbf", 0)):
        raise TokenRejected("service account token is not valid yet")
    bound = part(claims, "kubernetes.io")
    until, keys = expires + LEEWAY, list[ObjectKey]()
    for reference in _references(bound):
        until = min(until, _alive(reference, read, now))
        keys.append(reference.key)
    return Verified(_user(claims), tuple(claims.get("aud") or ()), until, tuple(keys))


def _references(bound: Claims) -> Iterator[_Reference]:
    namespace, account = str(bound.get("namespace", "")), part(bound, "serviceaccount")
    name, uid = str(account.get("name")), str(account.get("uid"))
    yield _Reference(
        ObjectKey("/serviceaccounts", namespace, name), uid, f'serviceaccounts "{name}" not found',
        f"service account UID ({{}}) does not match claim ({uid})",
    )  # fmt: skip
    kinds = [("secret", "/secrets", namespace), ("pod", "/pods", namespace)]
    if "pod" not in bound:  # with a pod the node is told, not checked: the pod goes with it
        kinds.append(("node", "/nodes", ""))
    for kind, resource, home in kinds:
        if kind in bound:
            claimed = part(bound, kind)
            name, uid = str(claimed.get("name")), str(claimed.get("uid"))
            replaced = f"{kind} UID ({{}}) does not match service account {kind} ref claim ({uid})"
            yield _Reference(ObjectKey(resource, home, name), uid, _INVALIDATED, replaced)


def _alive(reference: _Reference, read: Read, now: float) -> float:
    """Until when the object is there, as far as is known now."""
    record = read(reference.key)
    if record is None:
        raise TokenRejected(reference.missing)
    meta = part(orjson.loads(record.value), "metadata")
    until = _deleted_at(meta) + LEEWAY
    if now > until:
        account = reference.key.resource == "/serviceaccounts"
        name = f"{reference.key.namespace}/{reference.key.name}"
        raise TokenRejected(f"service account {name} has been deleted" if account else _INVALIDATED)
    if meta.get("uid") != reference.uid:
        raise TokenRejected(reference.replaced.format(meta.get("uid")))
    return until


def _deleted_at(meta: Claims) -> float:
    text = meta.get("deletionTimestamp")
    if not text:
        return float("inf")
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def account_user(namespace: str, name: str, uid: str, extra: Mapping[str, tuple[str, ...]]) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return authenticated(f"system:serviceaccount:{namespace}:{name}", groups, uid, **extra)


def _user(claims: Claims) -> User:
    bound = part(claims, "kubernetes.io")
    extra: dict[str, tuple[str, ...]] = {}
    if claims.get("jti"):
        extra[CREDENTIAL] = (f"JTI={claims['jti']}",)
    for kind in ("node", "pod"):
        found = part(bound, kind)
        for field in ("name", "uid"):
            if found.get(field):
                extra[f"{_EXTRA}{kind}-{field}"] = (str(found[field]),)
    account = part(bound, "serviceaccount")
    return account_user(str(bound["namespace"]), str(account["name"]), str(account["uid"]), extra)


def _legacy(claims: Claims, token: str, read: Read, now: float) -> Verified:
    namespace, secret_name, name, uid = (
        str(claims.get(_LEGACY + field) or "")
        for field in ("namespace", "secret.name", "service-account.name", "service-account.uid")
    )
    for value, field in ((namespace, "namespace"), (secret_name, "secretName"), (name, "serviceAccountName")):
        if not value:
            raise TokenRejected(f"{field} claim is missing")
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise TokenRejected("sub claim is invalid")
    secret = ObjectKey("/secrets", namespace, secret_name)
    record = read(secret)
    if record is None:
        raise TokenRejected("service account token has been invalidated")
    stored = orjson.loads(record.value)
    until = _deleted_at(part(stored, "metadata")) + LEEWAY
    if now > until or not _same_text(part(stored, "data").get("token"), token):
        raise TokenRejected("service account token has been invalidated")
    account = _Reference(
        ObjectKey("/serviceaccounts", namespace, name), uid, f'serviceaccounts "{name}" not found',
        f"service account UID ({{}}) does not match claim ({uid})",
    )  # fmt: skip
    until = min(until, _alive(account, read, now))
    return Verified(account_user(namespace, name, uid, {}), (), until, (secret, account.key))


def _same_text(encoded: object, token: str) -> bool:
    import base64
    import hmac

    try:
        return hmac.compare_digest(base64.b64decode(str(encoded or ""), validate=True), token.encode())
    except ValueError:
        return False
