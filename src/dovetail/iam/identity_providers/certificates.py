"""Whom a connection to a provider trusts: the system's authorities, or those that its settings name.

`insecureSkipVerify` means what it says: anybody on the way can be the provider.
"""

import ssl
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from dovetail.iam.labelled_secrets import UnusableConfiguration, flag, text


def context_of(provider: Mapping[str, Any]) -> ssl.SSLContext:
    """Of the keys insecureSkipVerify, rootCA (a file) and rootCAData (PEM, or that in base64)."""
    path, data = text(provider, "rootCA"), text(provider, "rootCAData")
    try:
        context = ssl.create_default_context(cafile=path or None, cadata=_pem(data) or None)
    except (OSError, ValueError) as error:
        raise UnusableConfiguration("rootCA or rootCAData holds no certificates that can be read") from error
    if flag(provider, "insecureSkipVerify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _pem(data: str) -> str:
    if not data or "-----BEGIN" in data:
        return data
    return b64decode(data, validate=False).decode("ascii")
