"""What makes a token good, by attacks on each part of it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from dovetail.iam.errors import InvalidToken
from dovetail.iam.keys import SigningKey
from dovetail.iam.policy import Account
from dovetail.iam.tokens import Lifetimes, Subject, TokenIssuer, TokenVerifier

ISSUER = "http://127.0.0.1:30880"
NOW = 1_800_000_000
KEY, OLD = SigningKey.generate(), SigningKey.generate()
KEYS = (KEY.public(), OLD.public())
ALICE = Subject(user="alice", uid="uid-1", session="s1")
ACCOUNTS = {"alice": Account(uid="uid-1", groups=("team",))}


def verifier(accounts: dict[str, Account] | None = None, revoked: tuple[str, ...] = ()) -> TokenVerifier:
    return TokenVerifier(ISSUER, KEYS, ACCOUNTS if accounts is None else accounts, revoked)


def access(key: SigningKey = KEY, issuer: str = ISSUER, now: int = NOW, subject: Subject = ALICE) -> str:
    return TokenIssuer(issuer, key).access(subject, now + 10**6, now)


def refused(token: str, why: str, now: float = NOW, by: TokenVerifier | None = None) -> None:
    with pytest.raises(InvalidToken) as caught:
        (by or verifier()).verify(token, now)
    assert why in str(caught.value)
    assert token == "" or token not in str(caught.value)


def forged(header: dict[str, Any], claims: dict[str, Any], key: Any = None, signature: bytes = b"") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def claims(**changes: Any) -> dict[str, Any]:
    whole = {
        "iss": ISSUER, "sub": "alice", "uid": "uid-1", "aud": "dovetail", "iat": NOW, "exp": NOW + 60, "jti": "j",
        "sid": "s1", "token_type": "access_token",
    }  # fmt: skip
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def signed(key: SigningKey = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(
        {"alg": "ES256", "kid": key.kid, **(header or {})}, claims(**changes), key.key, algorithms=["ES256"]
    )


def test_a_good_token_says_who() -> None:
    found = verifier().verify(access(), NOW)
    assert found.identity.name == "alice"
    assert found.identity.uid == "uid-1"
    assert found.identity.groups == ("team", "system:authenticated")
    assert found.session == "s1"
    assert found.expires_at == NOW + Lifetimes().access


def test_a_key_that_signed_before_still_verifies() -> None:
    assert verifier().verify(access(OLD), NOW).identity.name == "alice"


def test_a_token_ends_with_its_session() -> None:
    token = TokenIssuer(ISSUER, KEY).access(ALICE, NOW + 5, NOW)
    assert verifier().verify(token, NOW).expires_at == NOW + 5


def test_the_claims_are_what_other_parties_expect() -> None:
    found = jwt.decode(access(), ECKey.import_key(json.loads(KEY.public().jwk)), algorithms=["ES256"])
    assert found.header["kid"] == KEY.kid
    assert set(found.claims) == {"iss", "sub", "uid", "aud", "iat", "exp", "jti", "sid", "token_type"}


def test_times() -> None:
    refused(access(), "expired", now=NOW + Lifetimes().access)
    assert verifier().verify(access(now=NOW + 5), NOW)
    refused(access(now=NOW + 60), "future")


def test_another_key_issuer_or_audience() -> None:
    stranger = SigningKey.generate()
    refused(access(stranger), "key is unknown")
    refused(signed(stranger, {"kid": KEY.kid}), "not signed")
    refused(access(issuer="http://elsewhere"), "issuer")
    refused(signed(aud="other"), "another service")
    refused(signed(aud=["dovetail", "other"]), "another service")
    refused(signed(aud=None), "another service")


def test_other_token_types() -> None:
    refused(TokenIssuer(ISSUER, KEY).refresh(ALICE, 1, NOW + 60, NOW), "type access_token")
    for kind in ("code", "id_token", "static_token", None):
        refused(signed(token_type=kind), "type access_token")
    with pytest.raises(InvalidToken):
        verifier().verify_refresh(access(), NOW)


@pytest.mark.parametrize(
    "changes",
    [{"sub": None}, {"sub": ""}, {"sub": 7}, {"uid": None}, {"sid": None}, {"exp": None}, {"exp": "9999999999"},
     {"exp": True}, {"iat": None}, {"iat": 1.5}, {"exp": float("inf")}],
)  # fmt: skip
def test_missing_and_odd_claims(changes: dict[str, Any]) -> None:
    refused(signed(**changes), "")


def test_algorithm_confusion() -> None:
    refused(forged({"alg": "none", "kid": KEY.kid}, claims()), "not signed")
    refused(forged({"alg": "ES256", "kid": KEY.kid}, claims()), "not signed")
    refused(forged({"alg": "ES256", "kid": KEY.kid}, claims(), signature=bytes(64)), "not signed")
    for secret in (KEY.public().jwk.encode(), KEY.kid.encode().ljust(32)):
        token = jwt.encode({"alg": "HS256", "kid": KEY.kid}, claims(), OctKey.import_key(secret), algorithms=["HS256"])
        refused(token, "not signed")
    rsa = RSAKey.generate_key(2048)
    refused(jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims(), rsa, algorithms=["RS256"]), "not signed")


def test_a_key_inside_the_token_counts_for_nothing() -> None:
    stranger = SigningKey.generate()
    header = {"alg": "ES256", "kid": KEY.kid, "jwk": json.loads(stranger.public().jwk)}
    refused(jwt.encode(header, claims(), stranger.key, algorithms=["ES256"]), "not signed")
    refused(forged({"alg": "ES256", "kid": [KEY.kid]}, claims()), "")
    refused(forged({"alg": "ES256"}, claims()), "")


def test_changed_in_transit() -> None:
    token = access()
    head, body, tail = token.split(".")
    other = base64.urlsafe_b64encode(json.dumps(claims(sub="admin")).encode()).rstrip(b"=").decode()
    refused(f"{head}.{other}.{tail}", "not signed")
    refused(f"{head}.{body}.{tail[:-4]}AAAA", "not signed")
    refused(token + "x" * 5000, "too long")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(InvalidToken):
        verifier().verify(text, NOW)


def test_deeply_nested_headers() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 2500).decode()
    refused(f"{deep}.e30.x", "not signed")


def test_accounts_decide() -> None:
    refused(access(), "does not exist", by=verifier({}))
    refused(access(), "does not exist", by=verifier({"alice": Account(uid="uid-2")}))
    refused(access(), "disabled", by=verifier({"alice": Account(uid="uid-1", disabled=True)}))
    refused(access(), "older", by=verifier({"alice": Account(uid="uid-1", tokens_not_before=NOW + 1)}))
    assert verifier({"alice": Account(uid="uid-1", tokens_not_before=NOW)}).verify(access(), NOW)


def test_revoked_sessions() -> None:
    refused(access(), "ended", by=verifier(revoked=("s0", "s1")))
    assert verifier(revoked=("s0",)).verify(access(), NOW)


def test_logout_reads_any_token_of_ours() -> None:
    refresh = TokenIssuer(ISSUER, KEY).refresh(ALICE, 3, NOW + 60, NOW)
    assert verifier({}).session_of(refresh, NOW) == ALICE
    assert verifier({}).session_of(access(), NOW) == ALICE
    assert verifier({}).session_of("nonsense", NOW) is None
    assert verifier().verify_refresh(refresh, NOW).generation == 3


def test_keys_keep_their_secret() -> None:
    assert '"d"' not in KEY.public().jwk
    private = KEY.key.as_dict(private=True)["d"]
    assert str(private) not in repr(KEY)
    assert str(private) not in repr(KEYS)
