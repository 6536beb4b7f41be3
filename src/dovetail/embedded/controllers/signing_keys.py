"""The private keys that controllers sign with, as files, like the flags of kube-controller-manager.

Signing is not done by the API server: whoever may write a certificate or a token into the API is decided there by
rights (``sign`` on ``signers``), and only the process that signs can read the keys. Without keys the controllers that
need them are not run. Files are read when something is to be signed, so that replaced keys count at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SigningKeys:
    """`authority` and `authority_key` sign certificates, `accounts_key` signs tokens of service accounts."""

    authority: Path
    authority_key: Path
    accounts_key: Path

    @classmethod
    def below(cls, folder: Path) -> "SigningKeys":
        """The files as the embedded API server lays them out."""
        return cls(folder / "ca.crt", folder / "ca.key", folder / "sa.key")

    def accounts_jwk(self) -> Any:
        """The key for tokens as it is now, with the key id that the API server publishes. Raises OSError."""
        from joserfc.jwk import ECKey

        pem = self.accounts_key.read_bytes()
        return ECKey.import_key(pem, {"kid": ECKey.import_key(pem).thumbprint(), "alg": "ES256", "use": "sig"})
