"""Who asks: client certificate, bearer token, then impersonation on top.

A request without credentials is anonymous (RBAC then allows it next to nothing). A request with a token that is not
good is refused, never taken for anonymous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from ..errors import BadRequest, Forbidden, Unauthorized
from .identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, authenticated
from .rbac import Attributes
from .service_tokens import ServiceTokens

Headers = Iterable[tuple[bytes, bytes]]
_EXTRA = b"impersonate-extra-"


@dataclass(frozen=True, slots=True)
class Peer:
    """The subject of a verified client certificate."""

    name: str
    groups: tuple[str, ...]


class Authenticator:
    """``allows(user, attributes)`` decides about impersonation."""

    def __init__(self, tokens: ServiceTokens, allows: Callable[[User, Attributes], bool]) -> None:
        self._tokens, self._allows = tokens, allows

    def identify(self, peer: Peer | None, headers: Headers) -> User:
        """Raises Unauthorized for a bad token, Forbidden for impersonation that is not allowed."""
        token = ""
        wanted: list[tuple[bytes, str]] = []
        for name, value in headers:
            if name == b"authorization":
                token = _bearer(value)
            elif name.startswith(b"impersonate-"):
                wanted.append((name, value.decode("utf-8", "replace")))
        user = self._credential(peer, token)
        return self._impersonate(user, wanted) if wanted else user

    def _credential(self, peer: Peer | None, token: str) -> User:
        if peer is not None:
            return authenticated(peer.name, peer.groups)
        if not token:
            return ANONYMOUS
        verified = self._tokens.verify(token)
        if verified is None:
            raise Unauthorized
        return verified.user

    def _impersonate(self, user: User, wanted: list[tuple[bytes, str]]) -> User:
        names = [value for name, value in wanted if name == b"impersonate-user"]
        if not names:
            raise BadRequest("requested impersonation without impersonating a user")
        name = names[0]
        groups = tuple(value for header, value in wanted if header == b"impersonate-group")
        uids = [value for header, value in wanted if header == b"impersonate-uid"]
        extra: dict[str, tuple[str, ...]] = {}
        for header, value in wanted:
            if header.startswith(_EXTRA):
                key = unquote(header[len(_EXTRA) :].decode("ascii", "replace")).lower()
                extra[key] = (*extra.get(key, ()), value)
        for attributes in _impersonations(name, groups, uids, extra):
            self._must(user, attributes)
        return User(name, _groups(name, groups), uids[0] if uids else "", extra)

    def _must(self, user: User, attributes: Attributes) -> None:
        if not self._allows(user, attributes):
            resource = f'resource "{attributes.plural}" in API group "{attributes.group}"'
            what = f'User "{user.name}" cannot impersonate {resource}'
            where = f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
            raise Forbidden(attributes.group, attributes.plural, attributes.name, what + where)


def _impersonations(
    name: str, groups: tuple[str, ...], uids: list[str], extra: dict[str, tuple[str, ...]]
) -> Iterable[Attributes]:
    if name.startswith("system:serviceaccount:") and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        yield Attributes("impersonate", plural="serviceaccounts", namespace=namespace, name=account)
    else:
        yield Attributes("impersonate", plural="users", name=name)
    for group in groups:
        yield Attributes("impersonate", plural="groups", name=group)
    for uid in uids:
        yield Attributes("impersonate", group="authentication.k8s.io", plural="uids", name=uid)
    for key, values in extra.items():
        for value in values:
            yield Attributes(
                "impersonate", group="authentication.k8s.io", plural="userextras", subresource=key, name=value
            )


def _groups(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that Kubernetes adds to an impersonated user."""
    if name.startswith("system:serviceaccount:") and name.count(":") == 3 and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
    if name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    return groups if AUTHENTICATED in groups or UNAUTHENTICATED in groups else (*groups, AUTHENTICATED)


def _bearer(value: bytes) -> str:
    scheme, _, token = value.decode("latin-1").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return ""
    return token.strip()
