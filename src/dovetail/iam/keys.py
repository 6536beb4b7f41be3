"""Keys as values: ES256 key pairs, what signs and what verifies. Where they are kept: `token_keys`, `assertion_keys`.

Private keys leave this module only inside a `SigningKey`, whose repr does not show them; workers get `PublicKey`s.
"""

from dataclasses import dataclass, field

import msgspec
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
CURVE = "P-256"


class PublicKey(msgspec.Struct, frozen=True):
    """What verifies: the key's id and its public JWK as JSON text."""

    kid: str
    jwk: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs. `kid` is the key's RFC 7638 thumbprint."""

    kid: str
    key: ECKey = field(repr=False)

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls.of(ECKey.generate_key(CURVE))

    @classmethod
    def of(cls, key: ECKey) -> "SigningKey":
        return cls(kid=key.thumbprint(), key=key)

    def public(self) -> PublicKey:
        """The half that may be told to everybody, with the fields that a JWKS reader wants."""
        jwk = {**self.key.as_dict(private=False), "kid": self.kid, "alg": ALGORITHM, "use": "sig"}
        return PublicKey(kid=self.kid, jwk=msgspec.json.encode(jwk).decode())
