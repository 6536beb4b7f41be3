"""What is taken over from one snapshot to the next never says anything that a fresh look would not say.

Random accounts, sessions, keys and passwords change under random requests; the credentials that are carried along are
compared with ones that know nothing but the snapshot of the moment.
"""

import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.gateway.passwords import Verdict
from dovetail.gateway.proxy.credentials import Credentials, Unchecked, User
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam.keys import SigningKey
from dovetail.iam.policy import Account, Policy
from dovetail.iam.tokens import Subject, TokenIssuer
from tests.gateway_proxy.rig import ISSUER

START = 1_800_000_000
KEYS = (SigningKey.generate(), SigningKey.generate())
PUBLIC = tuple(VerificationKey(key.kid, key.public().jwk) for key in KEYS)
SIGNED = (
    ("alice", "1", "s", 0), ("alice", "1", "t", 0), ("alice", "1", "s", 1), ("alice", "2", "s", 0),
    ("bob", "1", "s", 0),
)  # fmt: skip
HEADERS = [
    f"Bearer {TokenIssuer(ISSUER, KEYS[key]).access(Subject(user, uid, session), START + 50, START)}".encode()
    for user, uid, session, key in SIGNED
]
PASSWORD = b"Basic " + base64.b64encode(b"alice:Right-1")

ACCOUNTS = st.dictionaries(
    st.sampled_from(["alice", "bob"]),
    st.builds(
        Account, uid=st.sampled_from(["1", "2"]), groups=st.sampled_from([(), ("g",), ("g", "h")]),
        disabled=st.booleans(), tokens_not_before=st.sampled_from([0, START - 1, START + 1, START + 20]),
    ),
)  # fmt: skip
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "accounts": ACCOUNTS,
        "revoked_sessions": st.sampled_from([(), ("s",), ("t",), ("s", "t")]),
        "keys": st.sampled_from([PUBLIC, PUBLIC[:1], PUBLIC[1:]]),
        "password_socket": st.sampled_from(["", "/run/x.sock"]),
    },
)
ASKED = st.tuples(st.sampled_from([*HEADERS, PASSWORD]), st.integers(0, 8))
STEPS = st.lists(st.one_of(CHANGES, ASKED, ASKED), min_size=4, max_size=30)


def changed(snapshot: Snapshot, change: dict[str, Any]) -> Snapshot:
    fields = {name: getattr(snapshot, name) for name in ("keys", "revoked_sessions", "password_socket")}
    accounts = change.get("accounts", snapshot.policy.accounts)
    fields |= {name: value for name, value in change.items() if name != "accounts"}
    return Snapshot(generation=snapshot.generation + 1, issuer=ISSUER, policy=Policy(accounts=accounts), **fields)


def told(credentials: Credentials, header: bytes, now: float) -> object:
    """The identity and session, or that there is none; control says of a password what the account says."""
    user = credentials.lately(header, now) or credentials.read(header, now)
    if isinstance(user, Unchecked):
        credentials.learn(user, Verdict(username="alice"), now)
        user = credentials.read(header, now)
    return (user.identity, user.verified.session) if isinstance(user, User) else None


@settings(max_examples=150)
@given(STEPS)
def test_never_more_than_a_fresh_look(steps: list[Any]) -> None:
    snapshot = Snapshot(generation=1, issuer=ISSUER, keys=PUBLIC, policy=Policy(accounts={"alice": Account(uid="1")}))
    carried, now = Credentials(snapshot), float(START)
    for step in steps:
        if isinstance(step, dict):
            snapshot = changed(snapshot, step)
            carried = carried if carried.suit(snapshot) else Credentials(snapshot, carried)
            continue
        header, later = step
        now += later
        assert told(carried, header, now) == told(Credentials(snapshot), header, now)
