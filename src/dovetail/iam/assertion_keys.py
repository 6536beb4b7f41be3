"""The keys that sign assertions: one Secret of the cluster, shared by all replicas, with a new key every day.

A backend verifies with any key that is published, whichever replica's workers signed. A key is published ten minutes
before it signs, which is longer than anybody keeps `/oauth/keys` (`Cache-Control: max-age=300`), and ten minutes after.
"""

from collections.abc import Sequence
from typing import Final

from dovetail.iam.assertions import AssertionKey
from dovetail.iam.rotating_secret import RotatingSecret
from dovetail.iam.rotation import Schedule, signing
from dovetail.iam.timed_keys import TimedKey, made, public_keys

__all__ = ["ASSERTION_KEYS", "SCHEDULE", "TimedKey", "made", "public_keys", "signing_key"]

SCHEDULE: Final = Schedule(life=24 * 3600, lead=600, grace=600)


def signing_key(keys: Sequence[TimedKey], now: float) -> AssertionKey:
    """The key that signs now."""
    key = signing(keys, int(now))
    return AssertionKey(key.kid, key.private)


ASSERTION_KEYS: Final = RotatingSecret(
    "dovetail-assertion-keys", "dovetail.dev/assertion-keys", TimedKey, SCHEDULE, made
)
