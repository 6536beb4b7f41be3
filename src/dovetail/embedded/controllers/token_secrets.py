"""Secrets of type `kubernetes.io/service-account-token`: filled for their account, deleted with it.

Somebody creates such a Secret with the annotation `kubernetes.io/service-account.name`; it gets `ca.crt`, `namespace`
and a `token` that lives as long as the Secret. New programs ask for tokens that expire instead (TokenRequest).
"""

import base64
from collections.abc import Mapping
from typing import Any

from dovetail.embedded.controllers.signing_keys import SigningKeys
from dovetail.kube import (
    SECRETS,
    SERVICEACCOUNTS,
    Conflict,
    Controller,
    ControllerRuntime,
    Key,
    NotFound,
    Object,
    annotations_of,
    is_deleting,
    key_of,
    metadata,
    uid_of,
)

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
ISSUER, _CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"


def token_secrets(runtime: ControllerRuntime, keys: SigningKeys, authority: str) -> Controller:
    """The controller; its keys are those of Secrets. `authority` is PEM."""
    secrets = runtime.informer(SECRETS, field_selector=f"type={TYPE}")
    accounts = runtime.informer(SERVICEACCOUNTS, metadata_only=True)

    async def reconcile(key: Key) -> None:
        secret = secrets.lister.by_key(key)
        if secret is None or is_deleting(secret):
            return
        account = await _account(runtime, annotations_of(secret).get(NAME, ""), key.namespace)
        if account is None or annotations_of(secret).get(UID, uid_of(account)) != uid_of(account):
            await _delete(runtime, secret)
        elif lacking := missing(secret, account, authority):
            if "token" in lacking:
                lacking["token"] = sign(keys, secret, account)
            await _fill(runtime, secret, account, lacking)

    def of_account(account: Object) -> list[Key]:
        name, namespace = key_of(account).name, key_of(account).namespace
        return [key_of(s) for s in secrets.lister.list(namespace) if annotations_of(s).get(NAME) == name]

    controller = Controller("service-account-tokens", reconcile, workers=2)
    controller.watches(secrets)
    controller.watches(accounts, of_account)
    return controller


def missing(secret: Mapping[str, Any], account: Mapping[str, Any], authority: str) -> dict[str, str]:
    """What the Secret's data lacks, as plain text; the token is left to be signed. Pure."""
    data: Mapping[str, str] = secret.get("data") or {}
    lacking: dict[str, str] = {}
    if data.get("ca.crt") != _encoded(authority):
        lacking["ca.crt"] = authority
    if not data.get("namespace"):
        lacking["namespace"] = key_of(secret).namespace
    if not data.get("token") or annotations_of(secret).get(UID) != uid_of(account):
        lacking["token"] = ""
    return lacking


def sign(keys: SigningKeys, secret: Mapping[str, Any], account: Mapping[str, Any]) -> str:
    """A token without an end."""
    from joserfc import jwt

    key, name = key_of(secret), key_of(account).name
    claims = {
        "iss": ISSUER, f"{_CLAIM}namespace": key.namespace, f"{_CLAIM}secret.name": key.name,
        f"{_CLAIM}service-account.name": name, f"{_CLAIM}service-account.uid": uid_of(account),
        "sub": f"system:serviceaccount:{key.namespace}:{name}",
    }  # fmt: skip
    signer = keys.accounts_jwk()
    return jwt.encode({"alg": "ES256", "kid": signer.kid}, claims, signer, algorithms=["ES256"])


async def _account(runtime: ControllerRuntime, name: str, namespace: str) -> Object | None:
    """Asked for at the API: a cache that is behind must not delete a Secret of a new account."""
    if not name:
        return None
    try:
        return await runtime.client.get(SERVICEACCOUNTS, name, namespace, metadata_only=True)
    except NotFound:
        return None


async def _fill(runtime: ControllerRuntime, secret: Object, account: Object, values: Mapping[str, str]) -> None:
    present: Mapping[str, str] = secret.get("data") or {}
    data = {**present, **{name: _encoded(value) for name, value in values.items()}}
    annotations = {**annotations_of(secret), NAME: key_of(account).name, UID: uid_of(account)}
    filled: Object = {**secret, "metadata": {**metadata(secret), "annotations": annotations}, "data": data}
    try:
        await runtime.client.update(SECRETS, filled)
    except NotFound:
        return


async def _delete(runtime: ControllerRuntime, secret: Object) -> None:
    key = key_of(secret)
    try:
        await runtime.client.delete(SECRETS, key.name, key.namespace, uid=uid_of(secret))
    except (NotFound, Conflict):
        return


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
