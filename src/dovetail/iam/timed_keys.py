"""A signing key that takes its turn (`dovetail.iam.rotation`): both halves as JSON text, and when it signs."""

from collections.abc import Iterable

import msgspec

from dovetail.iam.keys import PublicKey, SigningKey


class TimedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key. Its repr does not show the private half."""

    kid: str
    private: str
    public: str
    signs_from: int
    signs_until: int

    def __repr__(self) -> str:
        return f"TimedKey({self.kid!r}, {self.signs_from}, {self.signs_until})"


def timed(key: SigningKey, signs_from: int, signs_until: int) -> TimedKey:
    """A key with its turn."""
    private = msgspec.json.encode(key.key.as_dict(private=True)).decode()
    return TimedKey(
        kid=key.kid, private=private, public=key.public().jwk, signs_from=signs_from, signs_until=signs_until
    )


def made(signs_from: int, signs_until: int) -> TimedKey:
    """A new key."""
    return timed(SigningKey.generate(), signs_from, signs_until)


def public_keys(keys: Iterable[TimedKey]) -> tuple[PublicKey, ...]:
    """What others verify with."""
    return tuple(PublicKey(key.kid, key.public) for key in keys)
