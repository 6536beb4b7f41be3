"""OAuth clients: labelled Secrets of `kubesphere-system` -> `OAuthClient` values (reference/kubesphere-core.md 3.4).

    type: config.kubesphere.io/oauthclient, label config.kubesphere.io/type=oauthclient, key configuration.yaml:
    name, secret, trusted, grantMethod (auto | prompt | deny), scopeRestrictions, redirectURIs,
    postLogoutRedirectURIs, accessTokenMaxAgeSeconds, accessTokenInactivityTimeoutSeconds

A client without a secret is public: it proves itself with PKCE. `trusted` means that the platform trusts the client
with the rights of its users: only such a client may take passwords, and only its access tokens open the platform's
APIs; those of others tell who the user is. A client that breaks a rule is left out, with what is wrong in the log.
Where two have one name, the older one counts. The client `kubesphere` is there without a Secret.
"""

import hmac
import logging
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from dovetail.iam.policy import Account

SECRET_TYPE: Final = "config.kubesphere.io/oauthclient"
SELECTOR: Final = "config.kubesphere.io/type=oauthclient"
DATA_KEY: Final = "configuration.yaml"
DEFAULT: Final = "kubesphere"
ACCOUNT_PREFIX: Final = "kubesphere:oauthclient:"
SHORTEST_SECONDS: Final = 600
LONGEST_SECONDS: Final = 30 * 24 * 3600
_METHODS: Final = ("auto", "prompt", "deny")
_SCRIPTS: Final = frozenset({"javascript", "data", "vbscript", "file", "about", "blob", "view-source", "filesystem"})

_log = logging.getLogger(__name__)


class UnusableClient(Exception):
    """A Secret describes no client that could be used."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client. `secret` "" for a public one; `uid` is its Secret's; times in seconds, 0 for the platform's."""

    name: str
    secret: str = field(default="", repr=False)
    trusted: bool = False
    grant_method: Literal["auto", "prompt", "deny"] = "prompt"
    scope_restrictions: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    access_seconds: int = 0
    inactivity_seconds: int = 0
    uid: str = ""
    secret_optional: bool = False

    @property
    def public(self) -> bool:
        return not self.secret or self.secret_optional

    @property
    def idle_life(self) -> int:
        """How long a refresh token lasts: as long as the access token, and the inactivity after it."""
        return self.access_seconds + self.inactivity_seconds if self.access_seconds else 0

    @property
    def account(self) -> str:
        """As whom the client itself calls: client credentials."""
        return ACCOUNT_PREFIX + self.name

    def authenticates(self, secret: str | None) -> bool:
        """Whether this is the client's secret; compared in constant time."""
        if secret is None:
            return self.public
        return bool(self.secret) and hmac.compare_digest(_digest(secret), _digest(self.secret))


def default_client(issuer: str) -> OAuthClient:
    """The client that everybody knows, with the secret that everybody knows."""
    uris = (issuer, issuer + "/")
    return OAuthClient(
        name=DEFAULT, secret=DEFAULT, trusted=True, grant_method="auto", redirect_uris=uris,
        post_logout_redirect_uris=uris, secret_optional=True,
    )  # fmt: skip


def read_client(obj: Mapping[str, Any]) -> OAuthClient:
    """The client that a Secret describes. Raises UnusableClient."""
    if obj.get("type") != SECRET_TYPE:
        raise UnusableClient(f"its type is not {SECRET_TYPE}")
    said = _configuration(obj)
    redirects = _redirects(said, "redirectURIs")
    method = _text(said, "grantMethod") or "prompt"
    name = _text(said, "name")
    if not name or ":" in name or len(name) > 200 or not name.isprintable():
        raise UnusableClient("name is missing or not usable")
    if method not in _METHODS:
        raise UnusableClient(f"grantMethod must be one of {', '.join(_METHODS)}")
    return OAuthClient(
        name=name, secret=_text(said, "secret"), trusted=said.get("trusted") is True,
        grant_method=cast("Any", method), scope_restrictions=_texts(said, "scopeRestrictions"),
        redirect_uris=redirects, post_logout_redirect_uris=_redirects(said, "postLogoutRedirectURIs") or redirects,
        access_seconds=_seconds(said, "accessTokenMaxAgeSeconds"),
        inactivity_seconds=_seconds(said, "accessTokenInactivityTimeoutSeconds"),
        uid=str(obj["metadata"].get("uid", "")),
    )  # fmt: skip


class OAuthClients:
    """The clients of now, by name. `stored` gives the Secrets of a lister; each version of one is read once."""

    def __init__(self, stored: Callable[[], Iterable[Mapping[str, Any]]], issuer: str) -> None:
        self._stored = stored
        self._default = default_client(issuer)
        self._read: dict[str, tuple[str, OAuthClient | None]] = {}

    def get(self, name: str) -> OAuthClient | None:
        """The client of this name."""
        return self.all().get(name)

    def all(self) -> dict[str, OAuthClient]:
        """All of them."""
        found: dict[str, OAuthClient] = {}
        read: dict[str, tuple[str, OAuthClient | None]] = {}
        for obj in sorted(self._stored(), key=_age):
            metadata = obj["metadata"]
            client = read.setdefault(str(metadata["name"]), self._client(obj))[1]
            if client is not None and not metadata.get("deletionTimestamp"):
                found.setdefault(client.name, client)
        self._read = read
        found.setdefault(DEFAULT, self._default)
        return found

    def accounts(self) -> dict[str, Account]:
        """As whom the clients with a secret of their own may call."""
        clients = self.all().values()
        return {one.account: Account(uid=one.uid) for one in clients if one.uid and not one.public}

    def _client(self, obj: Mapping[str, Any]) -> tuple[str, OAuthClient | None]:
        name, version = str(obj["metadata"]["name"]), str(obj["metadata"].get("resourceVersion", ""))
        before = self._read.get(name)
        if before is not None and before[0] == version:
            return before
        try:
            return version, read_client(obj)
        except UnusableClient as problem:
            _log.warning("no OAuth client", extra={"fields": {"secret": name, "reason": problem}})
            return version, None


def safe_redirect(uri: str) -> bool:
    """Whether a browser may be sent there at all: an absolute address of another program, and no script."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if not parts.scheme or "#" in uri or parts.scheme.lower() in _SCRIPTS or any(ord(one) <= 32 for one in uri):
        return False
    return bool(parts.hostname) if parts.scheme.lower() in ("http", "https") else True


def _age(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), str(obj["metadata"]["name"])


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _configuration(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(b64decode(str(obj["data"][DATA_KEY])))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UnusableClient(f"{DATA_KEY} is missing or is not YAML") from error
    if not isinstance(said, dict):
        raise UnusableClient(f"{DATA_KEY} is not a map")
    return cast("Mapping[str, Any]", said)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableClient(f"{name} is not text")
    return value


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values: object = said.get(name) or []
    if not isinstance(values, list) or not all(isinstance(one, str) for one in cast("list[object]", values)):
        raise UnusableClient(f"{name} is not a list of texts")
    return tuple(cast("list[str]", values))


def _redirects(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    uris = _texts(said, name)
    for uri in uris:
        if not safe_redirect(uri):
            raise UnusableClient(f"{name}: {uri!r} is not an absolute address that a browser may be sent to")
    return uris


def _seconds(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnusableClient(f"{name} is not a whole number")
    if value and not SHORTEST_SECONDS <= value <= LONGEST_SECONDS:
        raise UnusableClient(f"{name} must be {SHORTEST_SECONDS} to {LONGEST_SECONDS}")
    return value
