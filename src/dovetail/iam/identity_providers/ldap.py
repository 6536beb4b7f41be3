"""LDAPIdentityProvider: a directory looks the user up and takes the password (ldap3, in threads of its own).

    host (host:port, ldap://, ldaps://), startTLS, insecureSkipVerify, rootCA, rootCAData, readTimeout (ms),
    managerDN, managerPassword, userSearchBase, userSearchFilter, loginAttribute, mailAttribute,
    groupSearchBase, groupSearchFilter, userMemberAttribute (of users: their groups), groupMemberAttribute (of groups:
    their members); beyond KubeSphere's: uidAttribute, nameAttribute

The login is escaped before it gets into a filter, exactly one entry must match, and the password is tried by a bind as
that entry. An empty password would be a bind as nobody, which directories take (RFC 4513 5.1.2), so it is never sent.
Referrals are not followed: they would carry the password to whomever the directory names.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from dovetail.iam.identity_providers.certificates import context_of
from dovetail.iam.identity_providers.provider import NotProven, Person, ProviderFailed
from dovetail.iam.identity_providers.settings import ProviderSettings
from dovetail.iam.labelled_secrets import UnusableConfiguration, flag, text, whole

_WRONG: Final = "the user name or the password is wrong"
_THREADS: Final = 4
_MOST_GROUPS: Final = 100
_LONGEST: Final = 254
_SUCCESS, _NO_SUCH_OBJECT, _INVALID_CREDENTIALS = 0, 32, 49
_SIZE_LIMIT_EXCEEDED: Final = 4

_log = logging.getLogger(__name__)

Entry = Mapping[str, Any]


class Ldap:
    """One directory."""

    def __init__(self, settings: ProviderSettings) -> None:
        said = settings.provider
        self._name = settings.name
        self._host, self._port, self._tls = _place(text(said, "host"))
        self._start_tls = flag(said, "startTLS")
        self._context: ssl.SSLContext = context_of(said)
        self._seconds = math.ceil((whole(said, "readTimeout", 1, 120_000) or 15_000) / 1000)  # ldap3 wants whole ones
        self._manager, self._manager_password = text(said, "managerDN"), text(said, "managerPassword")
        self._base, self._filter = text(said, "userSearchBase"), _filter(said, "userSearchFilter")
        self._login = text(said, "loginAttribute") or "uid"
        self._uid = text(said, "uidAttribute") or self._login
        self._mail, self._display = text(said, "mailAttribute") or "mail", text(said, "nameAttribute") or "cn"
        self._group_base, self._group_filter = text(said, "groupSearchBase"), _filter(said, "groupSearchFilter")
        self._member_of = text(said, "userMemberAttribute")
        self._members = text(said, "groupMemberAttribute") if self._group_base else ""
        if not self._base or (self._manager and not self._manager_password):
            raise UnusableConfiguration("userSearchBase, and managerPassword for managerDN, are needed")
        if not self._tls and not self._start_tls:
            _log.warning("an LDAP directory gets passwords unencrypted", extra={"fields": {"name": settings.name}})
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ldap")

    async def authenticate(self, login: str, password: str) -> Person:
        """Who has this name and password. Raises NotProven, ProviderFailed."""
        if not login or not password or len(login) > _LONGEST or "\0" in login + password:
            raise NotProven(_WRONG)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._authenticate, login, password)

    def _authenticate(self, login: str, password: str) -> Person:
        from ldap3.core.exceptions import LDAPException

        try:
            with self._bound(self._manager, self._manager_password, "the search") as connection:
                user = self._found(connection, login)
                with self._bound(user["dn"], password, "") as _:
                    pass
                return self._person(connection, user)
        except (LDAPException, OSError, ValueError) as error:
            raise ProviderFailed(self._name, f"{type(error).__name__}: {error}") from error

    @contextmanager
    def _bound(self, dn: str, password: str, what: str) -> Generator[Any]:
        """A connection as this entry. A refusal is NotProven, unless `what` says that it was our own business."""
        connection = self._connection(dn, password)
        try:
            connection.open()
            if self._start_tls and not self._tls:
                connection.start_tls()
            if not connection.bind():
                self._refused(connection.result, what)
            yield connection
        finally:
            _close(connection)

    def _refused(self, result: Mapping[str, Any], what: str) -> None:
        if not what and result["result"] in (_INVALID_CREDENTIALS, _NO_SUCH_OBJECT):
            raise NotProven(_WRONG)
        raise ProviderFailed(self._name, f"the bind for {what or 'a user'} is refused: {result['description']}")

    def _connection(self, dn: str, password: str) -> Any:
        import ldap3

        tls = _tls_of(self._context)
        server = ldap3.Server(
            self._host, self._port, use_ssl=self._tls, tls=tls, get_info=ldap3.NONE, connect_timeout=self._seconds,
            allowed_referral_hosts=[],
        )  # fmt: skip
        return ldap3.Connection(
            server, user=dn or None, password=password or None, receive_timeout=self._seconds, auto_referrals=False,
            read_only=True, auto_bind=ldap3.AUTO_BIND_NONE,
        )  # fmt: skip

    def _found(self, connection: Any, login: str) -> Entry:
        from ldap3.utils.conv import escape_filter_chars

        asked = f"({self._login}={escape_filter_chars(login)})"
        wanted = [self._login, self._uid, self._mail, self._display, *filter(None, (self._member_of,))]
        found = self._entries(connection, self._base, f"(&{asked}{self._filter})", wanted, 2)
        if len(found) != 1:
            raise NotProven(_WRONG)
        return found[0]

    def _entries(self, connection: Any, base: str, query: str, wanted: list[str], most: int) -> list[Entry]:
        connection.search(base, query, attributes=list(dict.fromkeys(wanted)), size_limit=most)
        if connection.result["result"] not in (_SUCCESS, _SIZE_LIMIT_EXCEEDED):
            raise ProviderFailed(self._name, f"the search is refused: {connection.result['description']}")
        return [one for one in connection.response or () if one.get("type") == "searchResEntry"]

    def _person(self, connection: Any, user: Entry) -> Person:
        names, subjects = _values(user, self._login), _values(user, self._uid)
        if len(names) != 1 or len(subjects) != 1:
            raise ProviderFailed(self._name, f"{self._login} and {self._uid} must have one value in each entry")
        return Person(
            subject=subjects[0], username=names[0], email=_first(user, self._mail),
            display_name=_first(user, self._display), groups=self._groups(connection, user),
        )  # fmt: skip

    def _groups(self, connection: Any, user: Entry) -> tuple[str, ...] | None:
        """The names of the user's groups, by what the user says and by what groups say; None where nobody asks."""
        from ldap3.utils.conv import escape_filter_chars

        if not self._member_of and not self._members:
            return None
        names = {_own_name(dn) for dn in _values(user, self._member_of)} if self._member_of else set[str]()
        if self._members:
            wanted = {user["dn"], *_values(user, self._login)}
            members = "".join(f"({self._members}={escape_filter_chars(one)})" for one in sorted(wanted))
            query = f"(&(|{members}){self._group_filter})"
            found = self._entries(connection, self._group_base, query, ["cn"], _MOST_GROUPS)
            names |= {name for one in found for name in _values(one, "cn")[:1]}
        return tuple(sorted(names)[:_MOST_GROUPS])


def _close(connection: Any) -> None:
    """Take leave; ldap3 leaves the socket of a connection that came to nothing open."""
    with suppress(Exception):
        connection.unbind()
    if connection.socket is not None:
        connection.socket.close()


def _tls_of(context: ssl.SSLContext) -> Any:
    """ldap3's TLS with our context: its own neither verifies IP addresses nor names the server it wants."""
    import ldap3

    class Verified(ldap3.Tls):
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            host = connection.server.host
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return Verified()


def _own_name(dn: str) -> str:
    """What a group is called, by its DN."""
    from ldap3.utils import dn as names

    parse: Any = getattr(names, "parse_dn")  # noqa: B009 - ldap3 says nothing of its types
    return str(parse(dn)[0][1])


def _place(host: str) -> tuple[str, int, bool]:
    """Host, port, and whether the connection begins with TLS."""
    parts = urlsplit(host if "://" in host else f"ldap://{host}")
    try:
        port = parts.port
    except ValueError as error:
        raise UnusableConfiguration("host has no port that could be") from error
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
        raise UnusableConfiguration("host must be host:port, ldap://host:port or ldaps://host:port")
    tls = parts.scheme == "ldaps"
    return parts.hostname, port or (636 if tls else 389), tls


def _filter(said: Mapping[str, Any], name: str) -> str:
    found = text(said, name).strip()
    if found and not (found.startswith("(") and found.endswith(")") and found.count("(") == found.count(")")):
        raise UnusableConfiguration(f"{name} must be a filter in brackets, such as (objectClass=person)")
    return found


def _values(entry: Entry, attribute: str) -> list[str]:
    """The values of an attribute as text; what is no text, or an identifier of bytes, in hexadecimal."""
    return [_text(value) for value in entry["raw_attributes"].get(attribute, ())]


def _text(value: bytes) -> str:
    try:
        found = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return found if found.isprintable() and len(found) <= _LONGEST else value.hex()


def _first(entry: Entry, attribute: str) -> str:
    return next(iter(_values(entry, attribute)), "")
