"""ID tokens of providers: a good one passes, and each thing that can be wrong with one makes it nobody's."""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from dovetail.iam.identity_providers.cas import user_of
from dovetail.iam.identity_providers.id_token import Expected, UnknownKey, verified
from dovetail.iam.identity_providers.provider import NotProven, ProviderFailed

NOW = 1_800_000_000.0
RSA, EC, FOREIGN = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
EXPECTED = Expected("https://idp.example", "dovetail", "n-1")
GOOD: dict[str, Any] = {
    "iss": EXPECTED.issuer, "aud": "dovetail", "sub": "s-1", "nonce": "n-1", "iat": int(NOW), "exp": int(NOW) + 300,
}  # fmt: skip


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid, **more}


KEYS = [public(RSA, "r"), public(EC, "e"), public(FOREIGN, "enc", use="enc")]


def signed(key: Any = RSA, alg: str = "RS256", kid: str | None = "r", **claims: Any) -> str:
    said = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    return jwt.encode(header, said, key, algorithms=[alg])


@pytest.mark.parametrize("token", [
    signed(), signed(EC, "ES256", "e"), signed(RSA, "PS384"), signed(kid=None), signed(aud=["dovetail"]),
    signed(aud=["dovetail", "x"], azp="dovetail"), signed(exp=int(NOW) - 30), signed(iat=int(NOW) + 30),
])  # fmt: skip
def test_good_tokens(token: str) -> None:
    assert verified(token, KEYS, EXPECTED, NOW)["sub"] == "s-1"


@pytest.mark.parametrize("wrong", [
    {"iss": "https://evil.example"}, {"iss": "https://idp.example/"}, {"aud": "other"}, {"aud": ["dovetail", "x"]},
    {"aud": None}, {"azp": "other"}, {"nonce": "n-2"}, {"nonce": None}, {"nonce": ["n-1"]}, {"exp": int(NOW) - 61},
    {"exp": None}, {"exp": "later"}, {"iat": int(NOW) + 61}, {"iat": None}, {"nbf": int(NOW) + 61}, {"sub": ""},
    {"sub": None}, {"sub": 7}, {"sub": "x" * 256},
])  # fmt: skip
def test_claims_that_are_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotProven):
        verified(signed(**wrong), KEYS, EXPECTED, NOW)


def confused() -> str:
    """Signed by HMAC with the public key as the secret, which is no secret."""
    header, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "kid": "r"}, GOOD)
    )
    digest = hmac.digest(RSA.as_pem(private=False), header + b"." + body, "sha256")
    return b".".join((header, body, urlsafe_b64encode(digest).rstrip(b"="))).decode()


def test_signatures_that_are_wrong() -> None:
    head, body, signature = signed().split(".")
    none = "eyJhbGciOiJub25lIn0"
    shared = confused()
    for token in (
        signed(FOREIGN), signed(FOREIGN, kid=None), shared, f"{none}.{body}.", f"{none}.{body}.{signature}",
        f"{head}.{body}.", f"{head}.{body}", "", "a.b.c", "x" * 70_000, f"{head}.{body}.{signature[:-4]}AAAA",
    ):  # fmt: skip
        with pytest.raises(NotProven):
            verified(token, KEYS, EXPECTED, NOW)
    with pytest.raises(UnknownKey):
        verified(signed(FOREIGN, kid="enc"), KEYS, EXPECTED, NOW)
    with pytest.raises(UnknownKey):
        verified(signed(kid="new"), KEYS, EXPECTED, NOW)


CAS = '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{}</cas:serviceResponse>'


def test_what_cas_says() -> None:
    good = CAS.format("<cas:authenticationSuccess><cas:user>ann</cas:user></cas:authenticationSuccess>")
    assert user_of("cas", good.encode()) == "ann"
    with pytest.raises(NotProven):
        user_of("cas", CAS.format('<cas:authenticationFailure code="INVALID_TICKET"/>').encode())
    success = "<cas:authenticationSuccess><cas:user>a</cas:user></cas:authenticationSuccess>"
    both = f'<cas:authenticationFailure code="X"/>{success}'
    with pytest.raises(NotProven):
        user_of("cas", CAS.format(both).encode())
    bomb = '<!DOCTYPE x [<!ENTITY a "' + "b" * 100 + '">]>' + good.replace("ann", "&a;")
    for odd in ("", "<html>", good.replace("yale", "evil"), CAS.format("<cas:user>ann</cas:user>"), bomb,
                good.replace("ann", "")):  # fmt: skip
        with pytest.raises(ProviderFailed):
            user_of("cas", odd.encode())
    for wide in ("utf-16", "utf-32"):
        with pytest.raises(ProviderFailed):
            user_of("cas", f'<?xml version="1.0" encoding="{wide}"?>{bomb}'.encode(wide))
