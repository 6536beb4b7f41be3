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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from dovetail.iam.labelled_secrets import (
    DATA_KEY,
    LabelledSecrets,
    UnusableConfiguration,
    configuration,
    text,
    texts,
    whole,
)
from dovetail.iam.policy import Account

__all__ = ["DATA_KEY", "DEFAULT", "SECRET_TYPE", "SELECTOR", "OAuthClient", "OAuthClients", "default_client"]

SECRET_TYPE: Final = "config.kubesphere.io/oauthclient"
SELECTOR: Final = "config.kubesphere.io/type=oauthclient"
DEFAULT: Final = "kubesphere"
ACCOUNT_PREFIX: Final = "kubesphere:oauthclient:"
SHORTEST_SECONDS: Final = 600
LONGEST_SECONDS: Final = 30 * 24 * 3600
_METHODS: Final = ("auto", "prompt", "deny")
_SCRIPTS: Final = frozenset({"javascript", "data", "vbscript", "file", "about", "blob", "view-source", "filesystem"})

_log = logging.getLogger(__name__)


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
    """The client that a Secret describes. Raises UnusableConfiguration."""
    said = configuration(obj, SECRET_TYPE)
    redirects = _redirects(said, "redirectURIs")
    method = text(said, "grantMethod") or "prompt"
    name = text(said, "name")
    if not name or ":" in name or len(name) > 200 or not name.isprintable():
        raise UnusableConfiguration("name is missing or not usable")
    if method not in _METHODS:
        raise UnusableConfiguration(f"grantMethod must be one of {', '.join(_METHODS)}")
    return OAuthClient(
        name=name, secret=text(said, "secret"), trusted=said.get("trusted") is True,
        grant_method=cast("Any", method), scope_restrictions=texts(said, "scopeRestrictions"),
        redirect_uris=redirects, post_logout_redirect_uris=_redirects(said, "postLogoutRedirectURIs") or redirects,
        access_seconds=whole(said, "accessTokenMaxAgeSeconds", SHORTEST_SECONDS, LONGEST_SECONDS),
        inactivity_seconds=whole(said, "accessTokenInactivityTimeoutSeconds", SHORTEST_SECONDS, LONGEST_SECONDS),
        uid=str(obj["metadata"].get("uid", "")),
    )  # fmt: skip


class OAuthClients:
    """The clients of now, by name. `stored` gives the Secrets of a lister."""

    def __init__(self, stored: Callable[[], Iterable[Mapping[str, Any]]], issuer: str) -> None:
        self._default = default_client(issuer)
        self._secrets = LabelledSecrets(stored, read_client, _left_out)

    def get(self, name: str) -> OAuthClient | None:
        """The client of this name."""
        return self.all().get(name)

    def all(self) -> dict[str, OAuthClient]:
        """All of them."""
        return {DEFAULT: self._default, **self._secrets.all()}

    def accounts(self) -> dict[str, Account]:
        """As whom the clients with a secret of their own may call."""
        clients = self.all().values()
        return {one.account: Account(uid=one.uid) for one in clients if one.uid and not one.public}


def _left_out(obj: Mapping[str, Any], problem: str) -> None:
    _log.warning("no OAuth client", extra={"fields": {"secret": obj["metadata"]["name"], "reason": problem}})


def safe_redirect(uri: str) -> bool:
    """Whether a browser may be sent there at all: an absolute address of another program, and no script."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if not parts.scheme or "#" in uri or parts.scheme.lower() in _SCRIPTS or any(ord(one) <= 32 for one in uri):
        return False
    return bool(parts.hostname) if parts.scheme.lower() in ("http", "https") else True


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _redirects(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    uris = texts(said, name)
    for uri in uris:
        if not safe_redirect(uri):
            raise UnusableConfiguration(f"{name}: {uri!r} is not an absolute address that a browser may be sent to")
    return uris
