"""Deltas: what they lead to is what was meant, what did not change stays the same object, and what does not fit is
noticed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.gateway.delta import Delta, DeltaMismatch, applied, decode_frame, delta_between, encode_delta
from dovetail.gateway.snapshot import LENGTH, Snapshot, VerificationKey, decode, encode
from dovetail.iam.policy import Account, Policy, Rule
from dovetail.routing.model import Match, Route, RouteTable, Upstream

_NAMES = st.sampled_from("abcdefgh")
_ROUTES = {
    name: [Route(id=name, match=Match("prefix", f"/{name}"), upstream=f"u{n}", max_body=n) for n in range(3)]
    for name in "abcdefghijklmnop"
}
_ENTRIES: dict[str, st.SearchStrategy[Any]] = {
    "accounts": st.builds(Account, uid=_NAMES, disabled=st.booleans()),
    "roles": st.lists(st.builds(Rule, verbs=st.tuples(_NAMES)), max_size=2).map(tuple),
    "user_roles": st.lists(_NAMES, max_size=2).map(tuple),
    "group_roles": st.lists(_NAMES, max_size=2).map(tuple),
}


@st.composite
def _tables(draw: st.DrawFn) -> RouteTable:
    names = draw(st.sets(st.sampled_from(sorted(_ROUTES)), min_size=0))
    routes = tuple(_ROUTES[name][draw(st.integers(0, 2))] for name in sorted(names))
    upstreams = draw(st.dictionaries(st.sampled_from(["u0", "u1", "u2"]), st.builds(Upstream, key=_NAMES)))
    return RouteTable(routes=routes, upstreams=upstreams)


def _snapshots(generation: int) -> st.SearchStrategy[Snapshot]:
    policy = st.builds(Policy, **{name: st.dictionaries(_NAMES, entry) for name, entry in _ENTRIES.items()})
    keys = st.lists(st.builds(VerificationKey, kid=_NAMES, jwk=_NAMES), max_size=2).map(tuple)
    sessions = st.lists(_NAMES, max_size=2).map(tuple)
    return st.builds(
        Snapshot, generation=st.just(generation), issuer=_NAMES, table=_tables(), policy=policy, keys=keys,
        revoked_sessions=sessions,
    )  # fmt: skip


def _over_the_wire(delta: Delta) -> Delta:
    frame = decode_frame(encode_delta(delta)[LENGTH.size :])
    assert isinstance(frame, Delta)
    return frame


@settings(max_examples=200, deadline=None)
@given(_snapshots(3), _snapshots(5))
def test_a_delta_leads_from_any_snapshot_to_any_other(before: Snapshot, after: Snapshot) -> None:
    held = decode(encode(before)[LENGTH.size :])
    assert applied(held, _over_the_wire(delta_between(before, after))) == after


def _wide(changed: int = -1) -> Snapshot:
    routes = tuple(
        Route(id=str(n), match=Match("prefix", f"/{n}"), upstream="u", unavailable="down" if n == changed else "")
        for n in range(2000)
    )
    accounts = {f"user-{n}": Account(uid=str(n), disabled=n == changed) for n in range(2000)}
    table = RouteTable(routes=routes, upstreams={"u": Upstream(key="u")})
    return Snapshot(generation=1, table=table, policy=Policy(accounts=accounts))


def test_one_change_among_thousands_is_a_small_frame_and_the_rest_stays_the_same() -> None:
    before = _wide()
    after = msgspec.structs.replace(_wide(changed=777), generation=2)
    delta = delta_between(before, after)
    assert len(encode_delta(delta)) < 1500 < len(encode(after)) // 10
    assert (delta.whole, delta.table is None, delta.policy is None) == ((), False, False)
    result = applied(before, delta)
    assert result == after
    assert result.table.routes[5] is before.table.routes[5]
    assert result.policy.accounts["user-5"] is before.policy.accounts["user-5"]
    assert result.policy.roles is before.policy.roles


def test_another_generation_is_no_start() -> None:
    before = _wide()
    delta = delta_between(before, msgspec.structs.replace(before, generation=2, issuer="x"))
    with pytest.raises(DeltaMismatch, match="generation 1"):
        applied(msgspec.structs.replace(before, generation=9), delta)


@pytest.mark.parametrize("spoil", ["order", "missing", "upstream"])
def test_a_table_that_ends_up_different_is_noticed(spoil: str) -> None:
    before = _wide()
    routes = before.table.routes
    delta = delta_between(before, msgspec.structs.replace(_wide(changed=777), generation=2))
    upstreams = before.table.upstreams
    held = {
        "order": RouteTable(routes=(routes[1], routes[0], *routes[2:]), upstreams=upstreams),
        "missing": RouteTable(routes=routes[:-1], upstreams=upstreams),
        "upstream": RouteTable(routes=routes, upstreams={}),
    }[spoil]
    with pytest.raises(DeltaMismatch):
        applied(msgspec.structs.replace(before, table=held), delta)
