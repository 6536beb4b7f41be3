"""The keys that sign tokens: one Secret of the cluster, made once, ES256.

`KeySet` is the value: the key that signs now and, after a rotation, those that signed before and still verify. It is
kept as JSON in Secret `kubesphere-system/dovetail-signing-keys`, so all replicas and all restarts sign with the same
key, and a token outlives the process that issued it. `ensure` reads it or creates it; when two processes start at once
one creation wins and the other one reads it. Rotation itself is not here yet: it will put a new key in front.

Private keys leave this module only inside a `SigningKey`, whose repr does not show them; workers get `PublicKey`s.
"""

import asyncio
import contextlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.iam.errors import UnusableKeys
from dovetail.kube.client import Client
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.resources import SECRETS

SECRET_NAME = "dovetail-signing-keys"
SECRET_TYPE = "dovetail.dev/signing-keys"
DATA_KEY = "keys.json"
ALGORITHM = "ES256"
CURVE = "P-256"
_TRIES = 20
_PAUSE = 0.05


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


@dataclass(frozen=True, slots=True)
class KeySet:
    """All keys in use; the first one signs."""

    keys: tuple[SigningKey, ...]

    @property
    def signing(self) -> SigningKey:
        return self.keys[0]

    def public(self) -> tuple[PublicKey, ...]:
        return tuple(key.public() for key in self.keys)


def secret(keys: KeySet) -> dict[str, Any]:
    """The Secret that holds `keys`."""
    private = [key.key.as_dict(private=True) for key in keys.keys]
    data = b64encode(msgspec.json.encode({"keys": private})).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {MANAGED_BY: "dovetail"},
        },
        "type": SECRET_TYPE,
        "data": {DATA_KEY: data},
    }


def from_secret(obj: Mapping[str, Any]) -> KeySet:
    """The keys in a Secret. Raises UnusableKeys."""
    try:
        stored = msgspec.json.decode(b64decode(obj["data"][DATA_KEY], validate=True))
        keys = tuple(SigningKey.of(ECKey.import_key(jwk)) for jwk in stored["keys"])
        if any(not key.key.is_private or key.key.curve_name != CURVE for key in keys):
            raise ValueError(f"a key is not a private key on {CURVE}")
    except (KeyError, TypeError, ValueError, msgspec.DecodeError, JoseError) as error:
        raise UnusableKeys(SYSTEM_NAMESPACE, SECRET_NAME, f"it cannot be read ({type(error).__name__})") from error
    if not keys:
        raise UnusableKeys(SYSTEM_NAMESPACE, SECRET_NAME, "it holds none")
    return KeySet(keys)


async def ensure(client: Client) -> KeySet:
    """The cluster's keys, made now if there are none. Raises UnusableKeys, and kube's ApiError."""
    for _ in range(_TRIES):
        with contextlib.suppress(NotFound):
            return from_secret(await client.get(SECRETS, SECRET_NAME, SYSTEM_NAMESPACE))
        with contextlib.suppress(AlreadyExists):
            return from_secret(await client.create(SECRETS, secret(KeySet((SigningKey.generate(),))), SYSTEM_NAMESPACE))
        await asyncio.sleep(_PAUSE)  # somebody else's is on its way
    return from_secret(await client.get(SECRETS, SECRET_NAME, SYSTEM_NAMESPACE))
