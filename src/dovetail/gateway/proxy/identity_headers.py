"""Telling a backend who the user is: the headers of both styles, rendered once per user and snapshot. Pure.

X-Remote-* is the contract of extension backends (reference/kubesphere-core.md 1.9), Impersonate-* that of a
kube-apiserver. Values come from objects and tokens, so they are made safe for a header here: keys of extras are
percent-encoded as Kubernetes does, anything that is not printable ASCII in a value is percent-encoded too.
"""

from urllib.parse import quote

from dovetail.iam.assertions import HEADER
from dovetail.iam.policy import Identity
from dovetail.iam.rules import ANONYMOUS, UNAUTHENTICATED
from dovetail.routing.model import IdentityStyle

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_KEY_SAFE = "!#$&'*+-.^_`|~"


NOBODY = Identity(name=ANONYMOUS, groups=(UNAUTHENTICATED,))
"""Who a request without a user is to a Kubernetes API. Not naming anybody would make it the gateway's own."""


def identity_headers(identity: Identity, style: IdentityStyle) -> bytes:
    """The header lines that name this user; empty for style `none`."""
    if style == "none":
        return b""
    prefix = "X-Remote-" if style == "remote-headers" else "Impersonate-"
    lines = [f"{prefix}User: {_value(identity.name)}"]
    if identity.uid:
        lines.append(f"{prefix}Uid: {_value(identity.uid)}")
    lines += [f"{prefix}Group: {_value(group)}" for group in identity.groups]
    for key, values in identity.extra.items():
        lines += [f"{prefix}Extra-{quote(key.lower(), safe=_KEY_SAFE)}: {_value(value)}" for value in values]
    return "".join(line + "\r\n" for line in lines).encode()


def assertion_line(assertion: str) -> bytes:
    """The line that carries an assertion."""
    return f"{HEADER}: {assertion}\r\n".encode()


def _value(text: str) -> str:
    """Percent-encoded where it must be, also at the ends: a reader would cut spaces there, and see another name."""
    quoted = quote(text, safe=_PRINTABLE)
    bare = quoted.strip(" ")
    if bare == quoted:
        return quoted
    before = len(quoted) - len(quoted.lstrip(" "))
    return "%20" * before + bare + "%20" * (len(quoted) - len(bare) - before)
