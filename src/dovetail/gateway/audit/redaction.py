"""What a record must not hold: credentials in a query or in a body. Pure.

Names decide, not values: a parameter or a field whose name speaks of a credential keeps its name and loses its
value. A name that is spelled with percent-escapes is read before it is judged.
"""

import re
from typing import Any, Final, cast
from urllib.parse import unquote_plus

REDACTED: Final = "REDACTED"
LONGEST_URI: Final = 4096
_SECRET = re.compile(
    r"token|secret|passw|passphrase|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|signature|authorization|"
    r"assertion|bearer|\A(?:auth|code|jwt|key|session|sessionid|sid|sig|pwd|pin|otp|state|ticket|cookie)\Z",
    re.IGNORECASE,
)
_HARMLESS: Final = frozenset(
    {"tokenreviews", "secretref", "secretname", "secretkeyref", "automountserviceaccounttoken"}
)


def is_secret(name: str) -> bool:
    """Whether something of this name is a credential."""
    return _SECRET.search(name) is not None and name.lower() not in _HARMLESS


def redacted_uri(target: str) -> str:
    """A request target as it may be recorded: path and query, no credential in it, of bounded length."""
    path, mark, query = _origin_form(target.partition("#")[0]).partition("?")
    uri = path + mark + redacted_query(query)
    return uri if len(uri) <= LONGEST_URI else uri[:LONGEST_URI] + "..."


def redacted_query(query: str) -> str:
    """A raw query with the values of secret parameters taken out; the rest is left as it was sent."""
    if not query:
        return query
    return re.sub(r"[^&;]+", _redact_pair, query)


def _redact_pair(found: "re.Match[str]") -> str:
    name, equals, _ = found.group().partition("=")
    return f"{name}={REDACTED}" if equals and is_secret(_decoded(name)) else found.group()


def _decoded(name: str) -> str:
    """Decoded twice: what one server leaves escaped another one reads."""
    return unquote_plus(unquote_plus(name)).strip()


def _origin_form(target: str) -> str:
    """An absolute target could carry a password in front of its host."""
    scheme, found, rest = target.partition("://")
    if not found or "/" in scheme or "?" in scheme:
        return target
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    return rest[cut:] or "/"


def redacted_body(value: Any, *, secret_kind: bool = False) -> Any:
    """A decoded JSON body as it may be recorded. Of a Kubernetes Secret nothing but the keys stays."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        secret = secret_kind or fields.get("kind") == "Secret"
        return {name: _redacted_field(name, field, secret) for name, field in fields.items()}
    if isinstance(value, list):
        return [redacted_body(item, secret_kind=secret_kind) for item in cast("list[Any]", value)]
    return value


def _redacted_field(name: str, value: Any, secret: bool) -> Any:
    if secret and name in ("data", "stringData") and isinstance(value, dict):
        return dict.fromkeys(cast("dict[str, Any]", value), REDACTED)
    if name == "kubectl.kubernetes.io/last-applied-configuration":
        return REDACTED
    if is_secret(name) and not isinstance(value, dict | list | bool):
        return REDACTED
    return redacted_body(value, secret_kind=secret)
