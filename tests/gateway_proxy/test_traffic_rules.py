"""What decides about traffic, as pure functions: buckets, circuits, balancing, retries, who the client is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects.resilience import RETRY_CAUSES
from dovetail.gateway.proxy.traffic.balance import Candidate, order
from dovetail.gateway.proxy.traffic.buckets import take
from dovetail.gateway.proxy.traffic.circuit import CLOSED, LONGEST_EJECTION, Circuit, is_failure, permits, step
from dovetail.gateway.proxy.traffic.client_address import Trusted, came_over_tls
from dovetail.gateway.proxy.traffic.retrying import LEAST_CONCURRENT, Load, cause_of, may_retry, pause
from dovetail.routing.traffic import Breaker, RateLimit, Retries

# Buckets

limits = st.builds(
    RateLimit,
    name=st.just("x"),
    requests=st.integers(1, 1000),
    per_seconds=st.sampled_from((1, 60, 3600)),
    burst=st.integers(1, 50),
)
gaps = st.lists(st.integers(0, 5000), min_size=1, max_size=200)
"""Milliseconds between two requests."""


class Tokens:
    """A token bucket as it is usually written, in exact numbers."""

    def __init__(self, rule: RateLimit) -> None:
        self.rule, self.tokens, self.at = rule, Fraction(rule.burst), Fraction(0)

    def take(self, now: Fraction) -> bool:
        gained = (now - self.at) * self.rule.requests / self.rule.per_seconds
        self.tokens, self.at = min(self.tokens + gained, Fraction(self.rule.burst)), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@given(limits, gaps)
def test_the_number_is_a_token_bucket(rule, between):
    model, full_at, start = Tokens(rule), 0.0, 1000.0
    now = Fraction(0)
    for gap in between:
        now += Fraction(gap, 1000)
        verdict = take(rule, full_at, start + float(now))
        full_at = verdict.full_at
        assert verdict.allowed == model.take(now)
        assert verdict.remaining == (int(model.tokens) if verdict.allowed else 0)
        missing = max(1 - model.tokens, Fraction(0)) * rule.per_seconds / rule.requests
        assert verdict.retry_after == pytest.approx(float(missing), abs=1e-6)
        empty = (rule.burst - model.tokens) * rule.per_seconds / rule.requests
        assert verdict.reset == pytest.approx(float(empty), abs=1e-6)


@given(limits, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_full_bucket_may_be_forgotten(rule, now, earlier):
    assert take(rule, min(earlier, now), now) == take(rule, 0.0, now)


@given(limits)
def test_a_time_of_another_boot_is_not_believed(rule):
    depth = rule.burst * rule.per_seconds / rule.requests
    assert take(rule, 500.0 + 2 * depth + rule.per_seconds * 2, 500.0).allowed


# Circuits

breakers = st.builds(
    Breaker,
    name=st.just("x"),
    consecutive_failures=st.none() | st.integers(1, 6),
    error_percent=st.none() | st.integers(1, 100),
    minimum_requests=st.integers(1, 20),
    interval=st.sampled_from((1.0, 10.0)),
    ejection_time=st.sampled_from((0.5, 5.0)),
)
moves = st.lists(
    st.tuples(st.sampled_from(("request", "good", "bad", "gone")), st.sampled_from((0.0, 0.01, 0.3, 2.0, 20.0))),
    max_size=120,
)


@given(breakers, moves)
def test_a_circuit_under_any_traffic(rule, script):
    """Requests are sent when permitted, and their outcomes come in any order, at any time, or never."""
    circuit, now = CLOSED, 100.0
    under_way: list[bool] = []
    probed_at: list[float] = []
    for move, later in script:
        now += later
        before = circuit
        if move == "request":
            if not permits(circuit, now):
                assert circuit.state != "closed"
                continue
            circuit = step(rule, circuit, "sent", now)
            probe = before.state != "closed"
            under_way.append(probe)
            if probe:
                assert circuit.state == "half-open", "one request tries, the others wait for what becomes of it"
                assert not permits(circuit, now)
                assert all(now - at >= rule.ejection_time for at in probed_at), "only one tries at a time"
                probed_at = [now]
        elif under_way:
            probe = under_way.pop(0)
            circuit = step(rule, circuit, move, now, probe=probe)
            if probe and before.state == "half-open":
                probed_at = []
                assert circuit.state == {"good": "closed", "bad": "open", "gone": "open"}[move]
                assert permits(circuit, now) == (move != "bad")
            elif before.state != "closed":
                assert circuit == before, "what was sent before counts no more"
            elif move == "good":
                assert (circuit.state, circuit.failures) == ("closed", 0)
        if circuit.state == "open" and before.state != "open" and circuit.until > now:
            assert rule.ejection_time - 1e-9 <= circuit.until - now <= LONGEST_EJECTION * rule.ejection_time + 1e-9
            assert not permits(circuit, now)
            assert circuit.reason
        assert permits(circuit, now + LONGEST_EJECTION * rule.ejection_time + 1e-6), "it never stays away for ever"


@given(st.integers(1, 6), st.lists(st.booleans(), max_size=60))
def test_failures_in_a_row_open_it_and_nothing_else_does(most, outcomes):
    rule, circuit, row = Breaker(name="x", consecutive_failures=most), CLOSED, 0
    for good in outcomes:
        circuit = step(rule, circuit, "good" if good else "bad", 1.0)
        row = 0 if good else row + 1
        assert (circuit.state == "open") == (row >= most)
        if circuit.state == "open":
            assert f"{most} failures in a row" in circuit.reason
            return


@given(st.integers(1, 100), st.integers(1, 20), st.lists(st.booleans(), max_size=80))
def test_the_share_of_failures_opens_it(percent, minimum, outcomes):
    rule = Breaker(name="x", error_percent=percent, minimum_requests=minimum, interval=10.0)
    circuit, bad = CLOSED, 0
    for index, good in enumerate(outcomes):
        circuit = step(rule, circuit, "good" if good else "bad", 50.0 + index * 0.01)
        bad += not good
        share = bad * 100 >= percent * (index + 1) and index + 1 >= minimum and not good
        assert (circuit.state == "open") == share
        if share:
            return


def test_failures_are_forgotten_after_the_interval_and_ejections_grow():
    rule = Breaker(name="x", error_percent=50, minimum_requests=4, interval=10.0, ejection_time=1.0)
    circuit = CLOSED
    for at in (0.0, 11.0, 22.0, 33.0):  # one failure an interval is never four
        circuit = step(rule, circuit, "bad", 100.0 + at)
    assert circuit.state == "closed"
    rule = Breaker(name="x", consecutive_failures=1, ejection_time=1.0)
    lasted: list[float] = []
    now = 100.0
    circuit = step(rule, circuit, "bad", now)
    for _ in range(14):
        lasted.append(circuit.until - now)
        now = circuit.until
        circuit = step(rule, step(rule, circuit, "sent", now), "bad", now, probe=True)
    assert lasted == pytest.approx([min(count, LONGEST_EJECTION) for count in range(1, 15)])
    closed = step(rule, step(rule, circuit, "sent", circuit.until), "good", circuit.until, probe=True)
    soon = step(rule, closed, "bad", circuit.until + 0.1)
    assert soon.until - circuit.until - 0.1 == pytest.approx(LONGEST_EJECTION), "failing again at once is no new start"
    late = step(rule, closed, "bad", circuit.until + 1000.0)
    assert late.until - circuit.until - 1000.0 == pytest.approx(1.0)
    assert [status for status in range(100, 600) if is_failure(status)] == [500, 502, 503, 504]


def test_a_probe_that_nobody_hears_of_gives_its_place_up():
    rule = Breaker(name="x", consecutive_failures=1, ejection_time=5.0)
    probing = step(rule, Circuit("open", until=0.0), "sent", 10.0)
    assert not permits(probing, 14.9)
    assert permits(probing, 15.0)


# Balancing

candidates = st.lists(st.builds(Candidate, st.booleans(), st.integers(0, 5)), min_size=1, max_size=8)


@given(candidates, st.sampled_from(("RoundRobin", "LeastRequests")), st.integers(0, 99), st.sets(st.integers(0, 7)))
def test_an_order_has_each_available_address_once(given_, balance, turn, avoid):
    found = order(given_, balance, turn, avoid)
    assert sorted(found) == [index for index, each in enumerate(given_) if each.available]
    avoided = [index in avoid for index in found]
    assert avoided == sorted(avoided), "where a try has failed comes last"
    if balance == "LeastRequests":
        for group in (True, False):
            busy = [given_[index].busy for index in found if (index in avoid) == group]
            assert busy == sorted(busy)


@given(st.integers(1, 8), st.integers(0, 50))
def test_turns_go_round(count, start):
    idle = [Candidate(True, 0)] * count
    for balance in ("RoundRobin", "LeastRequests"):
        firsts = [order(idle, balance, start + turn)[0] for turn in range(count)]
        assert sorted(firsts) == list(range(count))


# Retries


@given(st.integers(0, 200), st.integers(0, 100), st.integers(0, 100), st.none() | st.integers(0, 5))
def test_retries_have_a_budget(requests, retrying, percent, most):
    rule = Retries(attempts=5, budget_percent=percent)
    load = Load(requests, retrying, most)
    allowed = may_retry(rule, "Reset", tries=1, repeatable=True, load=load)
    assert allowed == (retrying < (most if most is not None else max(LEAST_CONCURRENT, requests * percent // 100)))


def test_what_is_tried_again():
    rule, free = Retries(attempts=2, on=("Reset", "503")), Load(100, 0)
    for cause in RETRY_CAUSES:
        for tries in (1, 2, 3):
            for repeatable in (True, False):
                expected = cause in ("Reset", "503") and tries < 3 and repeatable
                assert may_retry(rule, cause, tries=tries, repeatable=repeatable, load=free) == expected
    assert [(code, cause_of(code)) for code in (200, 500, 502, 503, 504, 429)] == [
        (200, None), (500, None), (502, "502"), (503, "503"), (504, "504"), (429, None),
    ]  # fmt: skip


@given(st.integers(1, 11), st.floats(0, 1))
def test_pauses_double_up_to_a_limit_and_are_random(tries, chance):
    rule = Retries(attempts=10, back_off=0.025, max_back_off=0.25)
    assert 0 <= pause(rule, tries, chance) <= 0.25
    assert pause(rule, tries, 1.0) == min(0.025 * 2 ** (tries - 1), 0.25)
    assert pause(rule, tries, 0.5) == pause(rule, tries, 1.0) / 2


# Who the client is

addresses = st.ip_addresses().map(str)


@given(addresses, st.lists(st.text(max_size=20).filter(lambda text: "," not in text) | addresses, max_size=4))
def test_a_client_cannot_say_who_it_is(client, written):
    trusted = Trusted(["127.0.0.0/8", "fd00::/8"])
    header = ",".join([*written, client]).encode("utf-8", "replace")
    if client not in trusted:
        seen = trusted.client("127.0.0.1", header)
        assert seen == trusted.client("127.0.0.1", client.encode())
        assert seen not in trusted


def test_chains_of_proxies():
    trusted = Trusted(["10.0.0.0/8", "2001:db8::1"])
    cases = {
        "203.0.113.9": "203.0.113.9",
        "1.2.3.4, 203.0.113.9": "203.0.113.9",
        "203.0.113.9, 10.1.1.1, 10.2.2.2": "203.0.113.9",
        "203.0.113.9:4711, 10.1.1.1:80": "203.0.113.9",
        "[2001:db8::7]:443": "2001:db8::7",
        "2001:db8::7": "2001:db8::7",
        "::ffff:203.0.113.9": "203.0.113.9",
        "nonsense": "10.9.9.9",
        "1.2.3.4, nonsense, 10.1.1.1": "10.1.1.1",
        "10.3.3.3": "10.3.3.3",
        "": "10.9.9.9",
    }
    for header, client in cases.items():
        assert trusted.client("10.9.9.9", header.encode()) == client, header
    assert "::ffff:10.0.0.1" in trusted
    assert "unknown" not in trusted
    with pytest.raises(ValueError, match="no address or network"):
        Trusted(["ingress"])
    assert came_over_tls(b"http, HTTPS ", otherwise=False)
    assert not came_over_tls(b"https,http", otherwise=True)
    assert came_over_tls(b"gopher", otherwise=True)
