"""The keys that sign assertions: one Secret of the cluster, shared by all replicas, with a new key every day.

A backend verifies with any key that is published, whichever replica's workers signed, so the keys lie in Secret
`kubesphere-system/dovetail-assertion-keys`. A key is published ten minutes before it signs, which is longer than
anybody keeps `/oauth/keys` (`Cache-Control: max-age=300`), and ten minutes after. `refresh` makes,
turns and forgets; when two replicas do so at the same moment one write wins and the other one reads it.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.iam.assertions import AssertionKey
from dovetail.iam.errors import UnusableKeys
from dovetail.iam.keys import PublicKey, SigningKey
from dovetail.iam.rotation import Schedule, signing, turned
from dovetail.kube.client import Client
from dovetail.kube.errors import AlreadyExists, Conflict, NotFound
from dovetail.kube.resources import SECRETS

SECRET_NAME: Final = "dovetail-assertion-keys"
SECRET_TYPE: Final = "dovetail.dev/assertion-keys"
DATA_KEY: Final = "keys.json"
SCHEDULE: Final = Schedule(life=24 * 3600, lead=600, grace=600)
REFRESH_SECONDS: Final = 60.0
_TRIES = 20
_PAUSE = 0.05


class TimedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key, both halves as JSON text, and when it signs."""

    kid: str
    private: str
    public: str
    signs_from: int
    signs_until: int

    def __repr__(self) -> str:
        return f"TimedKey({self.kid!r}, {self.signs_from}, {self.signs_until})"


class AssertionKeySet(msgspec.Struct, frozen=True):
    """All keys that are published."""

    keys: tuple[TimedKey, ...]

    def signing(self, now: float) -> AssertionKey:
        """The key that signs now."""
        key = signing(self.keys, int(now))
        return AssertionKey(key.kid, key.private)

    def public(self) -> tuple[PublicKey, ...]:
        """What backends verify with."""
        return tuple(PublicKey(key.kid, key.public) for key in self.keys)


def made(signs_from: int, signs_until: int) -> TimedKey:
    """A new key."""
    key = SigningKey.generate()
    private = msgspec.json.encode({**key.key.as_dict(private=True), "kid": key.kid}).decode()
    return TimedKey(
        kid=key.kid, private=private, public=key.public().jwk, signs_from=signs_from, signs_until=signs_until
    )


def secret(keys: AssertionKeySet) -> dict[str, Any]:
    """The Secret that holds `keys`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {MANAGED_BY: "dovetail"},
        },
        "type": SECRET_TYPE,
        "data": {DATA_KEY: b64encode(msgspec.json.encode(keys)).decode()},
    }


def from_secret(obj: Mapping[str, Any]) -> AssertionKeySet:
    """The keys in a Secret. Raises UnusableKeys."""
    try:
        return msgspec.json.decode(b64decode(obj["data"][DATA_KEY], validate=True), type=AssertionKeySet)
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableKeys(SYSTEM_NAMESPACE, SECRET_NAME, f"it cannot be read ({type(error).__name__})") from error


async def refresh(client: Client, now: float) -> AssertionKeySet:
    """The keys of now: made, turned and written where that is due. Raises UnusableKeys, and kube's errors."""
    for _ in range(_TRIES):
        try:
            stored = await client.get(SECRETS, SECRET_NAME, SYSTEM_NAMESPACE)
        except NotFound:
            stored = None
        before = from_secret(stored) if stored else AssertionKeySet(())
        after = AssertionKeySet(turned(before.keys, SCHEDULE, int(now), made))
        if after == before:
            return after
        try:
            if stored is None:
                await client.create(SECRETS, secret(after), SYSTEM_NAMESPACE)
            else:
                await client.update(SECRETS, {**stored, "data": secret(after)["data"]})
        except (AlreadyExists, Conflict):
            await asyncio.sleep(_PAUSE)  # somebody else's is on its way
            continue
        return after
    raise UnusableKeys(SYSTEM_NAMESPACE, SECRET_NAME, "it keeps changing under us")
