"""Who asks: client certificate, else bearer token, else nobody; then impersonation on top.

A request without credentials is anonymous (RBAC then allows it next to nothing). A request with a token that is not
good is refused, never taken for anonymous; beside a good client certificate a token is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ..errors import BadRequest, Forbidden, Unauthorized
from ..gotext import quoted
from .claims import CREDENTIAL
from .identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, authenticated
from .rules import Attributes
from .service_tokens import ServiceTokens, TokenRejected

Headers = Iterable[tuple[bytes, bytes]]
_EXTRA = b"impersonate-extra-"
_GROUP = "authentication.k8s.io"
_BROKEN_ESCAPE = re.compile("%(?![0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Peer:
    """The subject of a verified client certificate; ``digest`` is the SHA-256 of its DER form in hex."""

    name: str
    groups: tuple[str, ...]
    digest: str = ""

    def user(self) -> User:
        extra = {CREDENTIAL: (f"X509SHA256={self.digest}",)} if self.digest else {}
        return authenticated(self.name, self.groups, "", **extra)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The headers of an impersonation, as they came."""

    users: tuple[str, ...]
    groups: tuple[str, ...]
    uids: tuple[str, ...]
    extra: dict[str, tuple[str, ...]]

    @property
    def user(self) -> str:
        return self.users[0] if self.users else ""


class Authenticator:
    """``refusal(user, attributes)`` says why somebody may not do something, "" when they may."""

    def __init__(self, tokens: ServiceTokens, refusal: Callable[[User, Attributes], str]) -> None:
        self._tokens, self._refusal = tokens, refusal
        self._peers: dict[Peer, User] = {}

    def identify(self, peer: Peer | None, headers: Headers) -> User:
        """Raises Unauthorized for a bad token, Forbidden for impersonation that is not allowed."""
        token = ""
        wanted: list[tuple[bytes, str]] = []
        for name, value in headers:
            if name == b"authorization":
                token = token or _bearer(value)
            elif name.startswith(b"impersonate-"):
                wanted.append((name, value.decode("utf-8", "replace")))
        user = self._credential(peer, token)
        return self._impersonate(user, _wish(wanted)) if wanted else user

    def _credential(self, peer: Peer | None, token: str) -> User:
        if peer is not None:
            return self._peer(peer)
        if not token:
            return ANONYMOUS
        try:
            return self._tokens.verify(token).user
        except TokenRejected as error:
            raise Unauthorized from error

    def _peer(self, peer: Peer) -> User:
        user = self._peers.get(peer)
        if user is None:
            if len(self._peers) >= 1024:
                self._peers.clear()
            user = self._peers[peer] = peer.user()
        return user

    def _impersonate(self, user: User, wish: _Wish) -> User:
        if not wish.user:
            if wish.groups or wish.uids or wish.extra:
                raise BadRequest(f"requested {_printed(wish)} without impersonating a user name")
            return user
        for attributes in _impersonations(wish):
            if why := self._refusal(user, attributes):
                raise Forbidden(attributes.group, attributes.plural, attributes.name, why)
        return User(wish.user, _groups(wish.user, wish.groups), wish.uids[0] if wish.uids else "", wish.extra)


def _wish(headers: list[tuple[bytes, str]]) -> _Wish:
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers:
        if header.startswith(_EXTRA):
            key = _extra_key(header[len(_EXTRA) :].decode("ascii", "replace").lower())
            extra[key] = (*extra.get(key, ()), value)

    def values(name: bytes) -> tuple[str, ...]:
        return tuple(value for header, value in headers if header == name)

    users, uids = values(b"impersonate-user"), tuple(uid for uid in values(b"impersonate-uid")[:1] if uid)
    return _Wish(users, values(b"impersonate-group"), uids, extra)


def _extra_key(encoded: str) -> str:
    """Percent-encoded bytes decoded; a key with a broken escape stays as it came."""
    return encoded if _BROKEN_ESCAPE.search(encoded) else unquote(encoded)


def _printed(wish: _Wish) -> str:
    """The wish as Go's %#v prints its user: kube-apiserver answers so."""

    def listed(values: Iterable[str]) -> str:
        return f"[]string{{{', '.join(quoted(value) for value in values)}}}"

    groups = listed(wish.groups) if wish.groups else "[]string(nil)"
    extra = ", ".join(f"{quoted(key)}:{listed(values)}" for key, values in sorted(wish.extra.items()))
    mapped = f"map[string][]string{{{extra}}}" if wish.extra else "map[string][]string(nil)"
    uid = quoted(wish.uids[0] if wish.uids else "")
    return f'&user.DefaultInfo{{Name:"", UID:{uid}, Groups:{groups}, Extra:{mapped}}}'


def _account(name: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name."""
    pieces = name.split(":")
    if len(pieces) == 4 and name.startswith("system:serviceaccount:") and pieces[2] and pieces[3]:
        return pieces[2], pieces[3]
    return None


def _impersonations(wish: _Wish) -> Iterator[Attributes]:
    """What the asker must be allowed to, in the order in which kube-apiserver asks."""
    account = _account(wish.user)
    if account is not None:
        yield Attributes("impersonate", plural="serviceaccounts", namespace=account[0], name=account[1], version="v1")
    else:
        yield Attributes("impersonate", plural="users", name=wish.user)
    for group in wish.groups:
        yield Attributes("impersonate", plural="groups", name=group)
    for key, values in wish.extra.items():
        for value in values:
            yield Attributes("impersonate", _GROUP, "userextras", key, name=value, version="v1")
    for uid in wish.uids:
        yield Attributes("impersonate", _GROUP, "uids", name=uid, version="v1")


def _groups(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that Kubernetes adds to an impersonated user. Stated ones are the authority, but for the group that
    everybody is in.
    """
    account = _account(name)
    if account is not None and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    if name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    return groups if AUTHENTICATED in groups or UNAUTHENTICATED in groups else (*groups, AUTHENTICATED)


def _bearer(value: bytes) -> str:
    """The token of an Authorization header; "" for other schemes, which count as no credentials."""
    pieces = value.decode("latin-1").strip().split(" ", 2)
    if len(pieces) < 2 or pieces[0].lower() != "bearer":
        return ""
    return pieces[1]
