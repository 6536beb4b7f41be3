"""Rotation, replay and forgetting, as rules over values."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam.session import (
    GRACE,
    StoredSessions,
    begin,
    end,
    forgettable,
    from_secret,
    revoked_sessions,
    secret,
    turn,
    user_label,
)
from dovetail.iam.tokens import Lifetimes

NOW = 1_800_000_000
LIVES = Lifetimes(access=100, idle=1000, session=5000)
FRESH = begin("s1", "alice", "u1", "kubesphere", LIVES, NOW)


def test_each_token_is_good_once() -> None:
    first = turn(FRESH, 1, LIVES, NOW + 50)
    assert first.outcome == "rotated"
    assert first.session.generation == 2
    assert first.session.expires_at == NOW + 1050
    assert turn(first.session, 2, LIVES, NOW + 60).outcome == "rotated"


def test_using_a_token_twice_ends_the_session_for_both() -> None:
    rotated = turn(FRESH, 1, LIVES, NOW).session
    stolen = turn(rotated, 1, LIVES, NOW + GRACE + 1)
    assert stolen.outcome == "replayed"
    assert turn(stolen.session, 2, LIVES, NOW + GRACE + 2).outcome == "over"


def test_two_tabs_at_once_get_the_same_generation() -> None:
    rotated = turn(FRESH, 1, LIVES, NOW).session
    again = turn(rotated, 1, LIVES, NOW + GRACE)
    assert again.outcome == "repeat"
    assert again.session == rotated
    assert turn(turn(rotated, 2, LIVES, NOW).session, 1, LIVES, NOW).outcome == "replayed"


def test_generations_that_never_were() -> None:
    assert turn(FRESH, 7, LIVES, NOW).outcome == "replayed"
    assert turn(FRESH, -1, LIVES, NOW).outcome == "replayed"


def test_idle_and_absolute_ends() -> None:
    assert turn(FRESH, 1, LIVES, NOW + 1000).outcome == "over"
    late = msgspec.structs.replace(FRESH, expires_at=NOW + 4900, refreshed_at=NOW + 3900)
    assert turn(late, 1, LIVES, NOW + 4800).session.expires_at == NOW + 5000


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 400)), max_size=12))
def test_an_ended_session_never_comes_back(uses: list[tuple[int, int]]) -> None:
    session, now = FRESH, NOW
    for generation, pause in uses:
        now += pause
        result = turn(session, generation, LIVES, now)
        if session.ended_at:
            assert result.outcome == "over"
            assert result.session == session
        assert result.session.generation >= session.generation
        assert result.session.expires_at <= NOW + LIVES.session
        session = result.session


def test_revocations_last_as_long_as_access_tokens() -> None:
    ended = end(FRESH, NOW + 10)
    secrets = [secret(FRESH), secret(ended), {"metadata": {"name": "other"}}, {}]
    assert revoked_sessions(StoredSessions().of(secrets), LIVES, NOW + 20) == ("s1",)
    assert revoked_sessions(StoredSessions().of(secrets), LIVES, NOW + 10 + LIVES.access + 11) == ()
    assert forgettable(ended, LIVES, NOW + 10 + LIVES.access + 11)
    assert not forgettable(FRESH, LIVES, NOW + 1000)
    assert end(ended, NOW + 50) == ended


def test_nothing_stored_is_good_for_logging_in() -> None:
    stored = secret(FRESH)
    assert from_secret(stored) == FRESH
    assert "token" not in str(stored)
    assert len(user_label("x" * 253)) <= 63
    assert from_secret({**stored, "metadata": {"name": "dovetail-session-other"}}) is None
