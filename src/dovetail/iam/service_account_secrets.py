"""Keeps a token of each ServiceAccount in a Secret beside it, for pods to mount, and renews it in time.

The Secret `<name>-platform-token` has KubeSphere's type and annotations and the key `token`; it goes with its account.
A token lasts a day and is replaced after half of it, so whoever reads the file again now and then always has a good
one. Deleting the Secret ends all tokens of the account; a new Secret with a new token follows.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final

from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.apis.serviceaccounts_v1alpha1 import SERVICEACCOUNTS
from dovetail.kube import SECRETS, Client, Controller, ControllerRuntime, Informer, Key, RequeueAfter
from dovetail.kube.errors import NotFound
from dovetail.kube.objects import annotations_of, is_deleting, key_of, owners_of, uid_of
from dovetail.kube.resources import CONFIGMAPS

SECRET_TYPE: Final = "kubesphere.io/service-account-token"
LABEL: Final = "dovetail.dev/service-account-token"
SELECTOR: Final = f"{LABEL}=true"
ACCOUNT_NAME: Final = "kubesphere.io/service-account.name"
ACCOUNT_UID: Final = "kubesphere.io/service-account.uid"
EXPIRES: Final = "dovetail.dev/token-expires"
ISSUER: Final = "dovetail.dev/token-issuer"
SECONDS: Final = 24 * 3600
_GATEWAY: Final = "dovetail-gateway"
"""The ConfigMap in which the gateway says what it calls itself."""

Object = dict[str, Any]


def secret_name(account: str) -> str:
    """The Secret of an account."""
    return f"{account}-platform-token"


def secret(account: Mapping[str, Any], issuer: str, token: str, expires: int) -> Object:
    """The Secret with a token."""
    key = key_of(account)
    owner = {"apiVersion": SERVICEACCOUNTS.api_version, "kind": "ServiceAccount", "name": key.name}
    marks = {ACCOUNT_NAME: key.name, ACCOUNT_UID: uid_of(account), EXPIRES: str(expires), ISSUER: issuer}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE,
        "metadata": {
            "name": secret_name(key.name), "namespace": key.namespace, "annotations": marks,
            "labels": {MANAGED_BY: "dovetail", LABEL: "true"},
            "ownerReferences": [{**owner, "uid": uid_of(account)}],
        },
        "data": {"token": b64encode(token.encode()).decode()},
    }  # fmt: skip


def seconds_left(account: Mapping[str, Any], found: Mapping[str, Any], issuer: str, now: float) -> float:
    """How long the Secret's token need not be replaced; 0 when it must be."""
    marks = annotations_of(found)
    if (marks.get(ACCOUNT_UID), marks.get(ISSUER)) != (uid_of(account), issuer):
        return 0.0
    expires = marks.get(EXPIRES, "")
    return max(0.0, int(expires) - SECONDS / 2 - now) if expires.isdigit() else 0.0


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controller; add it to the runtime that it was made for."""
    accounts = runtime.informer(SERVICEACCOUNTS, optional=True)
    secrets = runtime.informer(SECRETS, label_selector=SELECTOR, metadata_only=True)
    keeper = _Keeper(runtime.client, accounts, time)
    controller = Controller("service account tokens", keeper.reconcile)
    controller.watches(accounts)
    controller.watches(secrets, lambda obj: [Key(key_of(obj).namespace, str(one["name"])) for one in owners_of(obj)])
    return [controller]


def _secret_uid(account: Mapping[str, Any]) -> str:
    status: Mapping[str, Any] = account.get("status") or {}
    return str(status.get("secretUid") or "")


class _Keeper:
    def __init__(self, client: Client, accounts: Informer, clock: Callable[[], float]) -> None:
        self._client = client
        self._accounts = accounts
        self._clock = clock

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        account = self._accounts.lister.by_key(key)
        if account is None or is_deleting(account):
            await self._forget(key)
            return None
        account = await self._client.get(SERVICEACCOUNTS, key.name, key.namespace)
        found, issuer, now = await self._found(key), await self._issuer(), self._clock()
        known = _secret_uid(account)
        if known and (found is None or uid_of(found) != known):
            not_before = {"tokensNotBefore": int(now) + 1, "secretUid": ""}
            account = await self._status(key, not_before)
            if found is not None:
                await self._forget(key)
                found = None
        left = seconds_left(account, found, issuer, now) if found is not None else 0.0
        if found is None or not left:
            found = await self._written(account, found, issuer, now)
            left = SECONDS / 2
        await self._told(account, found)
        return RequeueAfter(left)

    async def _written(self, account: Object, found: Object | None, issuer: str, now: float) -> Object:
        # Cryptography is 10 MiB of a process that may have no service account at all.
        from dovetail.iam import token_keys
        from dovetail.iam.service_accounts import token_for
        from dovetail.iam.tokens import TokenIssuer

        keys = await token_keys.ensure(self._client, self._clock)
        token, expires = token_for(TokenIssuer(issuer, keys), account, SECONDS, now)
        wanted, key = secret(account, issuer, token, expires), key_of(account)
        if found is None:
            return await self._client.create(SECRETS, wanted, key.namespace)
        kept = {"name": found["metadata"]["name"], "resourceVersion": found["metadata"]["resourceVersion"]}
        return await self._client.update(SECRETS, {**wanted, "metadata": {**wanted["metadata"], **kept}})

    async def _told(self, account: Object, found: Object) -> None:
        key, name = key_of(account), str(found["metadata"]["name"])
        references: list[Mapping[str, Any]] = account.get("secrets") or []
        if name not in [one.get("name") for one in references]:
            told = [*references, {"kind": "Secret", "apiVersion": "v1", "name": name, "namespace": key.namespace}]
            await self._client.patch(SERVICEACCOUNTS, key.name, {"secrets": told}, key.namespace)
        if _secret_uid(account) != uid_of(found):
            await self._status(key, {"secretUid": uid_of(found)})

    async def _status(self, key: Key, status: Object) -> Object:
        return await self._client.patch(
            SERVICEACCOUNTS, key.name, {"status": status}, key.namespace, subresource="status"
        )

    async def _found(self, key: Key) -> Object | None:
        try:
            return await self._client.get(SECRETS, secret_name(key.name), key.namespace)
        except NotFound:
            return None

    async def _issuer(self) -> str:
        """What the gateway calls itself. Raises NotFound before it has said so for the first time; then again later."""
        found = await self._client.get(CONFIGMAPS, _GATEWAY, SYSTEM_NAMESPACE)
        return str(found["data"]["issuer"])

    async def _forget(self, key: Key) -> None:
        """Our own Secret of an account that is gone, or one of that name that somebody else has put there."""
        found = await self._found(key)
        if found is None or found.get("type") != SECRET_TYPE:
            return
        try:
            await self._client.delete(SECRETS, secret_name(key.name), key.namespace, uid=uid_of(found))
        except NotFound:
            return
