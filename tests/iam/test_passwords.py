"""Hashes, the strength rule, and what a stranger can learn from the time it takes."""

import asyncio
import time

import argon2
import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.iam.errors import HashingBusy, UnusableHash, WeakPassword
from dovetail.iam.passwords import (
    Passwords,
    check_strength,
    generate_password,
    hash_password,
    verify_password,
)

GOOD = "Correct-horse1"


def test_argon2id_round_trip() -> None:
    stored = hash_password(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("u", stored, GOOD) == verify_password("u", stored, GOOD)
    assert verify_password("u", stored, GOOD).matches
    assert not verify_password("u", stored, GOOD).upgrade
    assert not verify_password("u", stored, GOOD + "x").matches
    assert hash_password(GOOD) != stored


def test_the_crd_accepts_our_hashes_and_no_plain_password() -> None:
    import re

    from dovetail.apis.iam_v1beta1 import PASSWORD_HASH_PATTERN

    assert re.match(PASSWORD_HASH_PATTERN, hash_password(GOOD))
    assert re.match(PASSWORD_HASH_PATTERN, bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4)).decode())
    assert not re.match(PASSWORD_HASH_PATTERN, GOOD)


def test_bcrypt_is_read_and_flagged() -> None:
    stored = bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4)).decode()
    for prefix in ("$2a$", "$2b$", "$2y$"):
        verdict = verify_password("u", prefix + stored[4:], GOOD)
        assert verdict.matches
        assert verdict.upgrade
    assert not verify_password("u", stored, "wrong").matches
    assert not verify_password("u", stored, "x" * 100).matches


def test_weaker_argon2_is_flagged() -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    verdict = verify_password("u", weaker, GOOD)
    assert verdict.matches
    assert verdict.upgrade


@pytest.mark.parametrize(
    "stored",
    ["plain", "", "$argon2id$nonsense", "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
     "$2b$31$x", "$2b$xx$", "$argon2id$v=19$m=1024,t=999,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$5$old$hash"],
)  # fmt: skip
def test_unusable_hashes_are_refused_without_work(stored: str) -> None:
    started = time.monotonic()
    with pytest.raises(UnusableHash) as caught:
        verify_password("alice", stored, GOOD)
    assert time.monotonic() - started < 5
    assert "alice" in str(caught.value)
    assert stored == "" or stored not in str(caught.value)


@pytest.mark.parametrize("weak", ["", "Short1", "alllowercase1", "ALLUPPERCASE1", "NoDigitsHere", "Aa1" * 22])
def test_weak_passwords(weak: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        check_strength(weak)
    assert caught.value.missing
    assert weak == "" or weak not in str(caught.value)


def test_strong_enough() -> None:
    for password in (GOOD, "Aa345678", "Aa1" + "x" * 61):
        check_strength(password)


@settings(max_examples=50)
@given(st.integers(min_value=8, max_value=64))
def test_generated_passwords_satisfy_the_rule(length: int) -> None:
    password = generate_password(length)
    assert len(password) == length
    check_strength(password)
    assert generate_password(length) != password


async def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    passwords, stored = Passwords(), hash_password(GOOD)
    await passwords.verify("nobody", None, GOOD)

    async def median(hashed: str | None) -> float:
        times: list[float] = []
        for _ in range(7):
            started = time.perf_counter()
            assert not (await passwords.verify("x", hashed, "wrong-Password1")).matches
            times.append(time.perf_counter() - started)
        return sorted(times)[3]

    known, unknown = await median(stored), await median(None)
    assert unknown > known / 3  # no short cut; a machine shared with others allows no tighter bound


async def test_no_password_and_overlong_passwords_never_match() -> None:
    passwords = Passwords()
    assert not (await passwords.verify("u", "", "")).matches
    assert not (await passwords.verify("u", None, GOOD)).matches
    assert not (await passwords.verify("u", hash_password("x" * 1000), "x" * 1000)).matches


async def test_the_line_has_an_end() -> None:
    passwords = Passwords(longest_line=3)
    results = await asyncio.gather(*(passwords.hash(GOOD) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, HashingBusy) for result in results) == 2
    assert await passwords.hash(GOOD)
