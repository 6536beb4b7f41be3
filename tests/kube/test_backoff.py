"""Waits grow, stop growing, and start over."""

from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import Backoff, BackoffPolicy


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_bounds(failures: int, chance: float) -> None:
    policy = BackoffPolicy(initial=0.1, factor=2, maximum=30, jitter=0.5)
    assert 0.1 <= policy.delay(failures) <= 30
    assert policy.delay(failures) <= policy.delay(failures + 1)
    backoff = Backoff(policy, lambda: chance)
    backoff.failures = failures
    assert 0.1 <= backoff.next() <= 45


def test_growth_and_reset() -> None:
    backoff = Backoff(BackoffPolicy(initial=1, factor=2, maximum=5, jitter=0), lambda: 1.0)
    assert [backoff.next() for _ in range(4)] == [1, 2, 4, 5]
    backoff.reset()
    assert backoff.next() == 1
