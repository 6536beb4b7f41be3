"""Codes: only what was agreed to redeems one, once, and in time; the stored half redeems nothing."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam import session as sessions
from dovetail.iam.authorization_codes import LIFETIME, Redemption, judge, new_code, session_of
from dovetail.iam.tokens import Lifetimes

NOW, URI, SESSION = 1_800_000_000, "https://app/callback", "0" * 24
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@given(
    st.sampled_from(["code", "redirect_uri", "verifier", ""]), st.text(max_size=60), st.integers(0, 2 * LIFETIME),
    st.booleans(),
)  # fmt: skip
def test_only_what_was_agreed_to(wrong: str, text: str, later: int, redeemed: bool) -> None:
    code, stored = new_code(SESSION, URI, CHALLENGE, "n", NOW)
    shown = Redemption(code, URI, VERIFIER)
    if wrong and text != getattr(shown, wrong):
        shown = replace(shown, **{wrong: text})
    same = shown == Redemption(code, URI, VERIFIER)
    if redeemed:
        stored = msgspec.structs.replace(stored, redeemed_at=NOW)
    verdict = judge(stored, shown, NOW + later)
    assert (verdict == "good") == (same and later < LIFETIME and not redeemed)
    assert (verdict == "replayed") == (redeemed and shown.code == code)


def test_a_challenge_is_neither_left_out_nor_slipped_in() -> None:
    code, stored = new_code(SESSION, URI, "", "", NOW)
    assert judge(stored, Redemption(code, URI, ""), NOW) == "good"
    assert judge(stored, Redemption(code, URI, VERIFIER), NOW) != "good"
    code, stored = new_code(SESSION, URI, CHALLENGE, "", NOW)
    assert judge(stored, Redemption(code, URI, ""), NOW) != "good"
    assert judge(stored, Redemption(code, URI, CHALLENGE), NOW) != "good"


def test_what_is_stored_redeems_nothing() -> None:
    code, stored = new_code(SESSION, URI, CHALLENGE, "n", NOW)
    assert code.partition(".")[2] not in msgspec.json.encode(stored).decode()
    assert code not in repr(Redemption(code, URI, VERIFIER))
    assert session_of(code) == SESSION
    assert session_of("../../secrets/x.y") is None
    assert judge(stored, Redemption(f"{SESSION}.{stored.digest[:43]}", URI, VERIFIER), NOW) != "good"


def test_a_session_begins_with_its_code_and_ends_with_the_second_one() -> None:
    code, stored = new_code(SESSION, URI, CHALLENGE, "n", NOW)
    terms = sessions.Terms(scope="openid", access_life=700, idle_life=1500)
    session = sessions.begin(SESSION, "alice", "uid-1", "app", Lifetimes(), NOW, terms, stored)
    assert session.expires_at == NOW + LIFETIME, "nobody has it yet"
    good = sessions.redeem(session, Redemption(code, URI, VERIFIER), Lifetimes(), NOW + 5)
    assert isinstance(good, sessions.Session)
    assert (good.expires_at, good.ended_at) == (NOW + 5 + 1500, 0)
    again = sessions.redeem(good, Redemption(code, URI, VERIFIER), Lifetimes(), NOW + 6)
    assert isinstance(again, sessions.Session)
    assert again.ended_at == NOW + 6
    assert isinstance(
        sessions.redeem(sessions.end(session, NOW), Redemption(code, URI, VERIFIER), Lifetimes(), NOW), str
    )
    assert sessions.from_secret(sessions.secret(good)) == good
