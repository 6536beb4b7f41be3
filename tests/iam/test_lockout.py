"""Counting failures: per user and address, so that nobody can lock out somebody else."""

import pytest

from dovetail.iam.errors import TooManyAttempts
from dovetail.iam.lockout import Lockout, LockoutRules

RULES = LockoutRules(per_user_and_address=3, per_address=10, window=60, remembered=100)


def test_the_fourth_try_waits() -> None:
    lockout = Lockout(RULES)
    for _ in range(3):
        lockout.begin("alice", "10.0.0.1", 0)
    with pytest.raises(TooManyAttempts) as caught:
        lockout.begin("alice", "10.0.0.1", 20)
    assert caught.value.retry_after == 40
    lockout.begin("alice", "10.0.0.1", 61)


def test_others_are_not_locked_out() -> None:
    lockout = Lockout(RULES)
    for _ in range(3):
        lockout.begin("alice", "10.0.0.1", 0)
    lockout.begin("alice", "10.0.0.2", 0)
    lockout.begin("bob", "10.0.0.1", 0)


def test_success_gives_the_tries_back() -> None:
    lockout = Lockout(RULES)
    for _ in range(50):
        lockout.begin("alice", "10.0.0.1", 0)
        lockout.succeed("alice", "10.0.0.1")


def test_guessing_in_parallel_gains_nothing() -> None:
    lockout = Lockout(RULES)
    started = 0
    for _ in range(20):
        try:
            lockout.begin("alice", "10.0.0.1", 0)
            started += 1
        except TooManyAttempts:
            continue
    assert started == 3


def test_one_address_cannot_try_everybody() -> None:
    lockout = Lockout(RULES)
    for number in range(10):
        lockout.begin(f"user{number}", "2001:db8::1", 0)
    with pytest.raises(TooManyAttempts):
        lockout.begin("another", "2001:db8::ffff", 0)
    lockout.begin("another", "2001:db8:0:1::1", 0)


def test_memory_is_bounded() -> None:
    lockout = Lockout(RULES)
    for number in range(1000):
        lockout.begin("x" * 10_000, f"10.0.{number // 250}.{number % 250}", 0)
    assert len(vars(lockout)["_counts"]) <= 100
