"""The keys that sign tokens: one Secret of the cluster, shared by all replicas, with a new key every thirty days.

`TokenKeys` holds what is in the Secret and counts as a signing key itself, so that whoever was given it signs with the
key whose turn it is. A key is published an hour before it signs: workers have it from their next snapshot, and nobody
keeps `/oauth/keys` for longer. It stays published for a month after, which is longer than anything that it signed.

A cluster of the first release has one key without a turn; it is taken over, and gives way to a new one after the lead.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam.errors import UnusableKeys
from dovetail.iam.keys import CURVE, PublicKey, SigningKey
from dovetail.iam.rotating_secret import RotatingSecret
from dovetail.iam.rotation import Schedule, signing
from dovetail.iam.timed_keys import TimedKey, made, public_keys, timed
from dovetail.kube.client import Client

SECRET_NAME: Final = "dovetail-signing-keys"
SECRET_TYPE: Final = "dovetail.dev/signing-keys"
OLD_DATA_KEY: Final = "keys.json"
SCHEDULE: Final = Schedule(life=30 * 24 * 3600, lead=3600, grace=31 * 24 * 3600)


def adopted(obj: Mapping[str, Any], now: int) -> tuple[TimedKey, ...] | None:
    """The keys of a Secret of the first release, the first of which signs until a new one is known everywhere."""
    data: Mapping[str, str] = obj.get("data") or {}
    if OLD_DATA_KEY not in data:
        return None
    try:
        stored = msgspec.json.decode(b64decode(data[OLD_DATA_KEY]))
        keys = [SigningKey.of(ECKey.import_key(jwk)) for jwk in stored["keys"]]
        if not keys or any(not key.key.is_private or key.key.curve_name != CURVE for key in keys):
            raise ValueError(f"a key is not a private key on {CURVE}")
    except (KeyError, TypeError, ValueError, msgspec.DecodeError, JoseError) as error:
        raise UnusableKeys(SYSTEM_NAMESPACE, SECRET_NAME, f"it cannot be read ({type(error).__name__})") from error
    first, *others = keys
    return (timed(first, now, now + SCHEDULE.lead), *(timed(key, 0, now) for key in others))


STORED: Final = RotatingSecret(SECRET_NAME, SECRET_TYPE, TimedKey, SCHEDULE, made, adopted)


class TokenKeys:
    """The keys in use, as they were when they were last read. A `tokens.SigningKeyLike`."""

    def __init__(self, keys: tuple[TimedKey, ...], clock: Callable[[], float] = time) -> None:
        self._keys = keys
        self._clock = clock
        self._private: dict[str, ECKey] = {}

    @property
    def kid(self) -> str:
        return self._signing.kid

    @property
    def key(self) -> ECKey:
        signs = self._signing
        if signs.kid not in self._private:
            self._private = {signs.kid: ECKey.import_key(msgspec.json.decode(signs.private))}
        return self._private[signs.kid]

    def public(self) -> tuple[PublicKey, ...]:
        """What verifies: the next key, the one that signs, those that did."""
        return public_keys(self._keys)

    async def renew(self, client: Client) -> bool:
        """Read and turn the Secret; whether something changed. Raises UnusableKeys, and kube's errors."""
        before, self._keys = self._keys, await STORED.refresh(client, self._clock())
        return before != self._keys

    @property
    def _signing(self) -> TimedKey:
        return signing(self._keys, int(self._clock()))


async def ensure(client: Client, clock: Callable[[], float] = time) -> TokenKeys:
    """The cluster's keys, made now if there are none. Raises UnusableKeys, and kube's errors."""
    return TokenKeys(await STORED.refresh(client, clock()), clock)
