"""The two cookies of a browser's session: what they are called, set and taken back.

Both are HttpOnly and SameSite=Strict, and the refresh token goes to /oauth only. When the browser's own connection is
encrypted they are Secure and have names with the prefixes that bind them to it.
"""

from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from dovetail.iam.sessions import TokenPair
from dovetail.platform.callers import over_tls


class CookieNames(NamedTuple):
    """What the two cookies of a log-in are called."""

    access: str
    refresh: str


PATHS: Final = CookieNames(access="/", refresh="/oauth")
_PLAIN: Final = CookieNames("dovetail-token", "dovetail-refresh")
_SECURE: Final = CookieNames("__Host-dovetail-token", "__Secure-dovetail-refresh")
"""Browsers take such names from encrypted pages only, the first from our own host only (RFC 6265bis 4.1.3): nobody
beside us can slip in a session of his own. The refresh token's path keeps it from being a `__Host-` cookie."""


def cookie_names(secure: bool) -> CookieNames:
    """The names over TLS, or without."""
    return _SECURE if secure else _PLAIN


def with_session(request: Request, answer: Response, pair: TokenPair) -> Response:
    """The answer, with the cookies of a session that has just begun or gone on."""
    secure = over_tls(request)
    tokens, ages = (pair.access, pair.refresh), (pair.access_seconds, pair.refresh_seconds)
    for name, path, token, age in zip(cookie_names(secure), PATHS, tokens, ages, strict=True):
        answer.set_cookie(name, token, max_age=age, path=path, secure=secure, httponly=True, samesite="strict")
    return answer


def without_session(request: Request, answer: Response) -> Response:
    """The answer, taking the cookies back."""
    secure = over_tls(request)  # a browser takes a cookie with a prefix back only on these terms, too
    for name, path in zip(cookie_names(secure), PATHS, strict=True):
        answer.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="strict")
    return answer
