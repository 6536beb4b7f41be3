"""Acting as somebody else: the Impersonate-* headers of one user.

The API server honours them if our own credential may impersonate. Keys of extra fields are percent-encoded as
client-go encodes them, because header names know no capitals and few characters.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from dovetail.kube.errors import ConfigError

_TOKEN_CHARACTERS = "!#$&'*+-.^_`|~"


def impersonation_headers(
    user: str, groups: Iterable[str] = (), uid: str = "", extra: Mapping[str, Iterable[str]] | None = None
) -> list[tuple[str, str]]:
    """The headers for this user; one Impersonate-Group a group. Raises ConfigError for control characters."""
    if not user:
        raise ConfigError("impersonation", "no user is named", "groups, uid and extra need a user")
    headers = [("Impersonate-User", user)]
    if uid:
        headers.append(("Impersonate-Uid", uid))
    headers += [("Impersonate-Group", group) for group in groups]
    for key, values in (extra or {}).items():
        name = "Impersonate-Extra-" + quote(key.lower(), safe=_TOKEN_CHARACTERS)
        headers += [(name, value) for value in values]
    for name, value in headers:
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise ConfigError("impersonation", f"the value of {name} has control characters")
    return headers
