"""The keys of tokens take turns: known before they sign, good until everything they signed has ended."""

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from dovetail.iam.errors import InvalidToken, UnusableKeys
from dovetail.iam.keys import SigningKey
from dovetail.iam.policy import Account
from dovetail.iam.rotation import turned
from dovetail.iam.timed_keys import TimedKey, made
from dovetail.iam.token_keys import SCHEDULE, TokenKeys, adopted
from dovetail.iam.tokens import Lifetimes, Subject, TokenIssuer, TokenVerifier

ISSUER, NOW = "https://platform.example.org", 1_800_000_000
ALICE = Subject(user="alice", uid="uid-1", session="s1")
ACCOUNTS = {"alice": Account(uid="uid-1")}


class World:
    """A clock, the stored keys as replicas turn them, and what workers know."""

    def __init__(self) -> None:
        self.now = NOW
        self.stored: tuple[TimedKey, ...] = ()
        self.turn()

    def turn(self) -> TokenKeys:
        self.stored = turned(self.stored, SCHEDULE, self.now, made)
        return TokenKeys(self.stored, lambda: self.now)

    def verifies(self, token: str, keys: TokenKeys, now: int) -> bool:
        try:
            TokenVerifier(ISSUER, keys.public(), ACCOUNTS).verify(token, now)
        except InvalidToken:
            return False
        return True


def test_a_key_is_known_an_hour_before_it_signs() -> None:
    world = World()
    first = world.turn()
    world.now += SCHEDULE.life - 3600
    with_next = world.turn()
    assert [key.kid for key in with_next.public()][1:] == [first.kid]
    assert with_next.kid == first.kid, "the new one does not sign yet"
    world.now += 3599
    assert with_next.kid == first.kid
    world.now += 1
    assert with_next.kid != first.kid
    token = TokenIssuer(ISSUER, with_next).access(ALICE, world.now + 60, world.now)
    assert world.verifies(token, with_next, world.now)
    assert not world.verifies(token, first, world.now)


def test_what_an_old_key_signed_stays_good_as_long_as_it_can() -> None:
    world = World()
    first = world.turn()
    world.now += SCHEDULE.life - 1
    world.turn()
    longest = Lifetimes().session
    token = TokenIssuer(ISSUER, first).access(ALICE, world.now + longest, world.now, life=longest)
    world.now += longest - 1
    keys = world.turn()
    assert keys.kid != first.kid
    assert world.verifies(token, keys, world.now)
    world.now += SCHEDULE.grace
    assert first.kid not in {key.kid for key in world.turn().public()}


def secret(keys: list[Any]) -> dict[str, Any]:
    return {"data": {"keys.json": b64encode(msgspec.json.encode({"keys": keys})).decode()}}


def test_a_key_of_the_first_release_is_taken_over() -> None:
    old = SigningKey.generate()
    token = TokenIssuer(ISSUER, old).access(ALICE, NOW + 7200, NOW)
    found = adopted(secret([old.key.as_dict(private=True)]), NOW)
    assert found is not None
    stored = turned(found, SCHEDULE, NOW, made)
    assert stored != found, "so it is written in the new form"
    keys = TokenKeys(stored, lambda: NOW)
    assert keys.kid == old.kid
    TokenVerifier(ISSUER, keys.public(), ACCOUNTS).verify(token, NOW)
    assert TokenKeys(stored, lambda: NOW + SCHEDULE.lead).kid != old.kid
    assert adopted({"data": {"entries.json": ""}}, NOW) is None


@pytest.mark.parametrize(
    "keys", [[], [{"kty": "oct", "k": "AA"}], ["x"], [SigningKey.generate().key.as_dict(private=False)]]
)
def test_a_damaged_one_is_told(keys: list[Any]) -> None:
    with pytest.raises(UnusableKeys):
        adopted(secret(keys), NOW)


def test_the_private_half_is_not_shown() -> None:
    key = made(NOW, NOW + 1)
    assert key.private not in repr((key, TokenKeys((key,), lambda: NOW)))
