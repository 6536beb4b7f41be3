"""The keys that sign assertions: one Secret of the cluster, shared by all replicas, with a new key every day.

A backend verifies with any key that is published, whichever replica's workers signed. A key is published ten minutes
before it signs, which is longer than anybody keeps `/oauth/keys` (`Cache-Control: max-age=300`), and ten minutes after.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from dovetail.iam.assertions import AssertionKey
from dovetail.iam.keys import PublicKey, SigningKey
from dovetail.iam.rotating_secret import RotatingSecret
from dovetail.iam.rotation import Schedule, signing

SCHEDULE: Final = Schedule(life=24 * 3600, lead=600, grace=600)


class TimedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key, both halves as JSON text, and when it signs. Its repr does not show the private half."""

    kid: str
    private: str
    public: str
    signs_from: int
    signs_until: int

    def __repr__(self) -> str:
        return f"TimedKey({self.kid!r}, {self.signs_from}, {self.signs_until})"


def made(signs_from: int, signs_until: int) -> TimedKey:
    """A new key."""
    key = SigningKey.generate()
    private = msgspec.json.encode(key.key.as_dict(private=True)).decode()
    return TimedKey(
        kid=key.kid, private=private, public=key.public().jwk, signs_from=signs_from, signs_until=signs_until
    )


def signing_key(keys: Sequence[TimedKey], now: float) -> AssertionKey:
    """The key that signs now."""
    key = signing(keys, int(now))
    return AssertionKey(key.kid, key.private)


def public_keys(keys: Sequence[TimedKey]) -> tuple[PublicKey, ...]:
    """What backends verify with."""
    return tuple(PublicKey(key.kid, key.public) for key in keys)


ASSERTION_KEYS: Final = RotatingSecret(
    "dovetail-assertion-keys", "dovetail.dev/assertion-keys", TimedKey, SCHEDULE, made
)
