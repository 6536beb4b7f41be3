"""Assertions: what a backend believes, and everything that it must not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from dovetail.iam.assertion_keys import made
from dovetail.iam.assertions import LIFETIME, RENEW_AFTER, TYPE, AssertionKey, AssertionSigner, verify
from dovetail.iam.errors import InvalidToken
from dovetail.iam.keys import PublicKey, SigningKey
from dovetail.iam.policy import Account, Identity
from dovetail.iam.tokens import Subject, TokenIssuer, TokenVerifier

ISSUER, BACKEND, NOW = "https://gateway.test", "greeter.extension-greeter.svc:8080", 1_800_000_000.0
MADE, OTHER = made(0, 1), made(0, 1)
KEY, PUBLIC = AssertionKey(MADE.kid, MADE.private), (PublicKey(MADE.kid, MADE.public),)
SIGNER = AssertionSigner(ISSUER, KEY)
ALICE = Identity(name="alice", uid="u-1", groups=("devs", "system:authenticated"), extra={"scopes": ("a", "b")})


def believed(assertion: str, *, issuer: str = ISSUER, audience: str = BACKEND, now: float = NOW) -> Identity:
    return verify(assertion, PUBLIC, issuer, audience, now)


def forged(claims: dict[str, Any], key: ECKey, **header: Any) -> str:
    return jwt.encode({"alg": "ES256", "kid": MADE.kid, "typ": TYPE, **header}, claims, key, algorithms=["ES256"])


def claims(**other: Any) -> dict[str, Any]:
    said = {"iss": ISSUER, "aud": BACKEND, "sub": "alice", "uid": "u", "groups": [], "extra": {}, "exp": int(NOW) + 60}
    return {name: value for name, value in {**said, **other}.items() if value is not None}


TEXT = st.text(max_size=12)
IDENTITIES = st.builds(
    Identity, name=TEXT, uid=TEXT, groups=st.lists(TEXT, max_size=3).map(tuple),
    extra=st.dictionaries(TEXT, st.lists(TEXT, max_size=2).map(tuple), max_size=2),
)  # fmt: skip


@given(IDENTITIES, TEXT)
def test_what_is_said_is_what_is_heard(identity: Identity, audience: str) -> None:
    assert verify(SIGNER.sign(identity, audience, NOW), PUBLIC, ISSUER, audience, NOW) == identity


def test_it_is_good_for_a_while_and_for_this_backend_only() -> None:
    assertion = SIGNER.sign(ALICE, BACKEND, NOW)
    assert believed(assertion, now=NOW + LIFETIME - 1) == ALICE
    assert RENEW_AFTER <= LIFETIME / 2, "what a backend gets lasts for a while"
    for wrong in ({"now": NOW + LIFETIME}, {"audience": "other.svc:8080"}, {"issuer": "https://other.test"}):
        with pytest.raises(InvalidToken):
            believed(assertion, **wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidToken):
        verify(assertion, (PublicKey(OTHER.kid, OTHER.public),), ISSUER, BACKEND, NOW)
    assert "greeter" not in repr(KEY)
    assert json.loads(MADE.private)["d"] not in repr(KEY) + repr(MADE)


@pytest.mark.parametrize(
    "broken",
    [
        claims(aud=["other", BACKEND]), claims(aud=None), claims(exp=None), claims(exp="soon"), claims(iss=None),
        claims(sub=None), claims(groups="all"), claims(extra={"a": "b"}), claims(sub=7),
    ],
)  # fmt: skip
def test_claims_that_are_not_ours(broken: dict[str, Any]) -> None:
    ours = ECKey.import_key(json.loads(MADE.private))
    assert believed(forged(claims(), ours)).name == "alice"
    with pytest.raises(InvalidToken):
        believed(forged(broken, ours))


def test_forgeries() -> None:
    theirs, ours = ECKey.import_key(json.loads(OTHER.private)), ECKey.import_key(json.loads(MADE.private))
    good = forged(claims(), ours)
    head, body, signature = good.split(".")
    public = OctKey.import_key(MADE.public)
    confused = jwt.encode({"alg": "HS256", "kid": MADE.kid, "typ": TYPE}, claims(), public)
    for bad in (
        forged(claims(), theirs), forged(claims(), ours, typ="JWT"), forged(claims(), ours, kid="x"), confused,
        f"{head}.{body}.", f"{head}.{body[:-4]}AAAA.{signature}", "", "a.b.c", good + "x" * 20_000,
        "eyJhbGciOiJub25lIn0." + body + ".",
    ):  # fmt: skip
        with pytest.raises(InvalidToken):
            believed(bad)


def test_neither_is_taken_for_the_other() -> None:
    """An access token is no assertion and an assertion is no access token, even under one key."""
    signing = SigningKey.of(ECKey.import_key(json.loads(MADE.private)))
    accounts = {"alice": Account(uid="u-1")}
    tokens = TokenVerifier(ISSUER, [signing.public()], accounts)
    access = TokenIssuer(ISSUER, signing).access(Subject("alice", "u-1", "s"), int(NOW) + 60, NOW)
    assert tokens.verify(access, NOW).identity.name == "alice"
    with pytest.raises(InvalidToken):
        believed(access, audience="dovetail")
    with pytest.raises(InvalidToken):
        tokens.verify(SIGNER.sign(ALICE, "dovetail", NOW), NOW)
