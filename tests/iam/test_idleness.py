"""A session ends when nobody uses it, and not before, whoever of several replicas looks."""

from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam.idleness import Idleness
from dovetail.iam.session import Session

RULE = Idleness(800.0)


def session(used_at: float = 0.0, refreshed_at: int = 0) -> Session:
    return Session(
        id="s", user="u", uid="1", client="c", created_at=0, refreshed_at=refreshed_at, expires_at=10**9,
        used_at=used_at,
    )  # fmt: skip


def test_the_time_slides() -> None:
    assert not RULE.lapsed(session(), 0.0, 800.0)
    assert not RULE.lapsed(session(), 0.0, 900.0)
    assert RULE.lapsed(session(), 0.0, 901.0)
    assert not RULE.lapsed(session(), 700.0, 1600.0), "a request counts"
    assert not RULE.lapsed(session(used_at=700.0), 0.0, 1600.0), "so does one that another replica saw"
    assert not RULE.lapsed(session(refreshed_at=700), 0.0, 1600.0), "so does a refresh"
    assert not Idleness(0.0).lapsed(session(), 0.0, 1e12), "0 is never"


@given(st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=40), st.integers(0, 2000))
def test_replicas_agree_without_talking(uses: list[tuple[int, bool]], later: int) -> None:
    """Two replicas hear different requests; each writes what is worth it, and neither ends a session too early."""
    stored, heard, now = session(), [0.0, 0.0], 0.0
    for wait, which in uses:
        now += wait
        assert not any(RULE.lapsed(stored, one, now) for one in heard)
        heard[which] = now
        if RULE.worth_storing(stored, heard[which]):
            stored = session(used_at=heard[which])
    moment = now + later
    for one in heard:
        if later <= RULE.timeout:
            assert not RULE.lapsed(stored, one, moment)
        if later > RULE.timeout + RULE.slack:
            assert RULE.lapsed(stored, one, moment)


def test_few_requests_become_writes() -> None:
    stored, writes = session(), 0
    for now in range(8000):
        if RULE.worth_storing(stored, float(now)):
            stored, writes = session(used_at=float(now)), writes + 1
    assert writes <= 8 * 10
