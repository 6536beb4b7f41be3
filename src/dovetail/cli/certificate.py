"""The certificate that the gateway shows: tried before anything is started, so that a wrong file is a clear refusal."""

import ssl
from pathlib import Path

from dovetail.cli.errors import CertificateUnusable


def check_certificate(cert: Path | None, key: Path | None) -> None:
    """Whether the two files make a server certificate; None and None is no TLS. Raises CertificateUnusable."""
    if cert is None or key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The processes have no terminal to ask for a passphrase on; an empty one makes an encrypted key an error here.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateUnusable(cert, key, _reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key belongs to another certificate"
        return "one of them is not PEM, or the key has a passphrase"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
