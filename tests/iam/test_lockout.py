"""Counting failures: per user and address, so that nobody can lock out somebody else."""

import asyncio
import dataclasses

import pytest

from dovetail.iam.errors import HashingBusy, TooManyAttempts
from dovetail.iam.lockout import Lockout, LockoutRules

RULES = LockoutRules(per_user_and_address=3, per_address=10, window=60, remembered=100, longest_line=20)


async def attempt(lockout: Lockout, user: str, address: str, now: float = 0, *, right: bool = False) -> None:
    async with lockout.attempt(user, address, lambda: now) as tried:
        await asyncio.sleep(0)
        if right:
            tried.succeeded()
        else:
            tried.failed(now)


async def test_the_fourth_try_waits() -> None:
    lockout = Lockout(RULES)
    for _ in range(3):
        await attempt(lockout, "alice", "10.0.0.1")
    with pytest.raises(TooManyAttempts) as caught:
        await attempt(lockout, "alice", "10.0.0.1", 20)
    assert caught.value.retry_after == 40
    await attempt(lockout, "alice", "10.0.0.1", 61)


async def test_others_are_not_locked_out() -> None:
    lockout = Lockout(RULES)
    for _ in range(3):
        await attempt(lockout, "alice", "10.0.0.1")
    await attempt(lockout, "alice", "10.0.0.2")
    await attempt(lockout, "bob", "10.0.0.1")


async def test_success_gives_the_tries_back() -> None:
    """To the pair; what the address did wrong stays, or one good account would unlock guessing at all others."""
    lockout = Lockout(RULES)
    for _ in range(9):
        await attempt(lockout, "alice", "10.0.0.1")
        await attempt(lockout, "alice", "10.0.0.1", right=True)
    await attempt(lockout, "alice", "10.0.0.1")
    with pytest.raises(TooManyAttempts):
        await attempt(lockout, "bob", "10.0.0.1")
    await attempt(lockout, "alice", "10.0.0.1", right=True)  # she is known here


async def test_many_addresses_slow_down_strangers_and_not_the_user() -> None:
    async def familiar(user: str, place: str) -> bool:
        return (user, place) == ("alice", "10.9.0.2")

    lockout = Lockout(dataclasses.replace(RULES, per_user=12), familiar)
    await attempt(lockout, "alice", "10.9.0.1", right=True)
    for number in range(12):
        await attempt(lockout, "alice", f"10.8.0.{number}")
    with pytest.raises(TooManyAttempts):
        await attempt(lockout, "alice", "10.8.1.1")
    for place in ("10.9.0.1", "10.9.0.2"):
        await attempt(lockout, "alice", place, right=True)
    await attempt(lockout, "bob", "10.8.1.1")
    for _ in range(3):
        await attempt(lockout, "alice", "10.9.0.1")
    with pytest.raises(TooManyAttempts):
        await attempt(lockout, "alice", "10.9.0.1")


async def test_guessing_in_parallel_gains_nothing() -> None:
    lockout = Lockout(RULES)
    results = await asyncio.gather(*(attempt(lockout, "alice", "10.0.0.1") for _ in range(20)), return_exceptions=True)
    assert results.count(None) == 3
    assert sum(isinstance(result, TooManyAttempts) for result in results) == 17


async def test_a_burst_of_right_passwords_only_queues() -> None:
    lockout = Lockout(RULES)
    await asyncio.gather(*(attempt(lockout, "alice", "10.0.0.1", right=True) for _ in range(20)))


async def test_no_verdict_counts_for_nothing() -> None:
    lockout = Lockout(RULES)
    for _ in range(20):
        with pytest.raises(RuntimeError):
            async with lockout.attempt("alice", "10.0.0.1", lambda: 0):
                raise RuntimeError("the cluster is down")
    await attempt(lockout, "alice", "10.0.0.1")


async def test_the_line_has_an_end() -> None:
    lockout = Lockout(RULES)
    results = await asyncio.gather(
        *(attempt(lockout, "alice", "10.0.0.1", right=True) for _ in range(40)), return_exceptions=True
    )
    assert any(isinstance(result, HashingBusy) for result in results)
    assert results.count(None) >= 20


async def test_one_address_cannot_try_everybody() -> None:
    lockout = Lockout(RULES)
    for number in range(10):
        await attempt(lockout, f"user{number}", "2001:db8::1")
    with pytest.raises(TooManyAttempts):
        await attempt(lockout, "another", "2001:db8::ffff")
    await attempt(lockout, "another", "2001:db8:0:1::1")


async def test_memory_is_bounded() -> None:
    lockout = Lockout(dataclasses.replace(RULES, per_user=10_000))
    for number in range(1000):
        await attempt(lockout, "x" * 10_000, f"10.0.{number // 250}.{number % 250}")
    assert len(vars(lockout)["_counts"]) <= 100
