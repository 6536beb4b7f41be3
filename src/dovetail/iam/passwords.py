"""Passwords: the strength rule, argon2id hashes, and checking that takes as long for a user who does not exist.

A stored hash is a PHC string. argon2id with m = 19 MiB, t = 2, p = 1 (OWASP's first recommendation; about 30 ms of one
core here) is what we write: the platform's memory goal leaves no room for 64 MiB a log-in. bcrypt hashes, which
KubeSphere wrote, are accepted and flagged for upgrade, and so is argon2id with other parameters. A stored hash that
asks for more work than the limits below is refused instead of computed.

Hashing blocks for tens of milliseconds, so the async edge (`Passwords`) runs it on a thread, at most two at a time;
the line behind them has an end.
Deciding who may try, and how often, is `dovetail.iam.lockout`'s; storing is the caller's.
"""

import asyncio
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import argon2
import bcrypt
from argon2.exceptions import InvalidHashError, VerificationError

from dovetail.iam.errors import HashingBusy, UnusableHash, WeakPassword

MEMORY_KIB = 19 * 1024
TIME_COST = 2
PARALLELISM = 1
SHORTEST, LONGEST = 8, 64

_MAX_MEMORY_KIB, _MAX_TIME, _MAX_LANES = 128 * 1024, 10, 8
_MAX_BCRYPT_COST = 14
_BCRYPT_BYTES = 72
_WORKERS = 2
_LONGEST_LINE = 200
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_GENERATED = "".join(letter for letter in string.ascii_letters + string.digits if letter not in "0O1lI")

P = ParamSpec("P")
T = TypeVar("T")

_hasher = argon2.PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and whether its hash should be written anew now that the password is at hand."""

    matches: bool
    upgrade: bool = False


def check_strength(password: str) -> None:
    """Raise WeakPassword unless it has 8 to 64 characters with a lower-case letter, an upper-case one and a digit."""
    missing = [] if SHORTEST <= len(password) <= LONGEST else [f"{SHORTEST} to {LONGEST} characters"]
    rules = ((str.islower, "a lower-case letter"), (str.isupper, "an upper-case letter"), (str.isdigit, "a digit"))
    missing += [name for holds, name in rules if not any(map(holds, password))]
    if missing:
        raise WeakPassword(missing)


def generate_password(length: int = 20) -> str:
    """A random password that satisfies the rule and has no letters that look alike."""
    while True:
        password = "".join(secrets.choice(_GENERATED) for _ in range(length))
        if all(any(letter in password for letter in letters) for letters in _CLASSES):
            return password


def hash_password(password: str) -> str:
    """The PHC string to store. Blocks for tens of milliseconds; does not check strength."""
    return _hasher.hash(password)


def verify_password(user: str, stored: str, password: str) -> Verdict:
    """Check a password against a stored hash. Blocks. Raises UnusableHash when the stored one cannot be checked."""
    if stored.startswith("$argon2"):
        return _verify_argon2(user, stored, password)
    if stored.startswith(("$2a$", "$2b$", "$2y$")):
        return _verify_bcrypt(user, stored, password)
    raise UnusableHash(user, "it is neither an argon2id nor a bcrypt hash")


def _verify_argon2(user: str, stored: str, password: str) -> Verdict:
    try:
        asked = argon2.extract_parameters(stored)
    except InvalidHashError as error:
        raise UnusableHash(user, "it is damaged") from error
    if asked.memory_cost > _MAX_MEMORY_KIB or asked.time_cost > _MAX_TIME or asked.parallelism > _MAX_LANES:
        raise UnusableHash(user, "it asks for more memory or time than is allowed")
    try:
        _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return Verdict(matches=False)
    return Verdict(matches=True, upgrade=_hasher.check_needs_rehash(stored))


def _verify_bcrypt(user: str, stored: str, password: str) -> Verdict:
    cost = stored[4:6]
    if not cost.isdigit() or int(cost) > _MAX_BCRYPT_COST:
        raise UnusableHash(user, "its bcrypt cost is not allowed")
    given = password.encode()
    try:
        matches = bcrypt.checkpw(given[:_BCRYPT_BYTES], stored.encode())
    except ValueError as error:
        raise UnusableHash(user, "it is damaged") from error
    return Verdict(matches=matches and len(given) <= _BCRYPT_BYTES, upgrade=True)


class Passwords:
    """The async edge: two hashes are computed at a time, each on a thread; some wait in line, more are turned away."""

    def __init__(self, workers: int = _WORKERS, longest_line: int = _LONGEST_LINE) -> None:
        self._turn = asyncio.Semaphore(workers)
        self._longest_line = longest_line
        self._waiting = 0
        self._decoy = ""

    async def hash(self, password: str) -> str:
        """Hash on a thread. Raises HashingBusy."""
        return await self._in_turn(hash_password, password)

    async def verify(self, user: str, stored: str | None, password: str) -> Verdict:
        """Check on a thread; without a stored hash (no such user) it takes as long and never matches.

        Raises HashingBusy, UnusableHash.
        """
        stored = stored or None
        if len(password) > LONGEST * 4:
            password, stored = "", None
        if stored is None and not self._decoy:
            self._decoy = await self.hash(secrets.token_urlsafe())
        verdict = await self._in_turn(verify_password, user, stored or self._decoy, password)
        return verdict if stored is not None else Verdict(matches=False)

    async def _in_turn(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        if self._waiting >= self._longest_line:
            raise HashingBusy(self._waiting)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *args, **more)
        finally:
            self._waiting -= 1
