"""caBundle: certificates given as PEM, as base64 of PEM, or as base64 twice (a habit that an old defect taught)."""

import base64
import binascii
import functools
import ssl
from typing import Final

from dovetail.apis.dialects.reading import Fields

_MARK: Final = "-----BEGIN CERTIFICATE-----"
_HOW: Final = "must be certificates in PEM (-----BEGIN CERTIFICATE-----), or base64 of that"


def is_placeholder(text: str) -> bool:
    """True for what documentation prints in place of a value: `<Base64Data>`."""
    return text.startswith("<") and text.endswith(">")


def read_ca_bundle(fields: Fields, *names: str) -> tuple[str, str]:
    """The PEM text, or empty; and a note when a placeholder was left in, which counts as absent."""
    text = fields.text(*names).strip()
    name = fields.spelled(*names)
    if not text:
        return "", ""
    if is_placeholder(text):
        note = f"{fields.at(name)} still holds the placeholder {text[:40]}; the system's certificates are used"
        return "", note
    pem = decode_pem(text)
    if not pem:
        fields.fail(name, _HOW)
    elif not loads(pem):
        fields.fail(name, "holds a certificate that cannot be parsed; export it again as PEM")
        return "", ""
    return pem, ""


def decode_pem(text: str) -> str:
    """PEM text from any accepted form; empty when it is none of them."""
    for _ in range(3):
        if _MARK in text:
            return text
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
        except (binascii.Error, ValueError):
            return ""
    return ""


@functools.lru_cache(maxsize=256)
def loads(pem: str) -> bool:
    """Whether these are certificates that can be used."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True
