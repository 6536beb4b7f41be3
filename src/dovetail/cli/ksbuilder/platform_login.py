"""Logging in at a platform by its address, and being somebody there: the password grant, and tokens that are renewed.

The tokens are kept with the other logins; the password is not. A platform is then a cluster like any other: its gateway
serves the Kubernetes API to whoever may use it.
"""

import asyncio
import ssl
import time
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec

from dovetail.cli.ksbuilder.credentials import PLATFORM, Credentials, Login
from dovetail.cli.ksbuilder.errors import NotLoggedIn, PlatformRefused
from dovetail.kube import ClusterConfig

CLIENT: Final = "kubesphere"
_EARLY: Final = 60.0
"""Seconds before its end that a token is renewed."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


def origin_of(url: str) -> str:
    """The address under which a platform's login is kept."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def config_of(url: str) -> ClusterConfig:
    """The platform at an address as a cluster, as the user who logged in. Raises NotLoggedIn, PlatformRefused."""
    origin = origin_of(url)
    store = Credentials()
    login = store.get(origin)
    if login is None or login.kind != PLATFORM:
        raise NotLoggedIn(origin)
    if login.expires and login.expires - _EARLY < time.time():
        login = asyncio.run(_renewed(origin, login))
        store.put(origin, login)
    with_ca = _read(login.ca_file)
    return ClusterConfig(server=origin, source=origin, token=login.secret, ca_data=with_ca, insecure=login.insecure)


async def log_in(url: str, username: str, password: str, *, insecure: bool = False, ca_file: str = "") -> Login:
    """Tokens for a user. Raises PlatformRefused."""
    fresh = Login(PLATFORM, username, insecure=insecure, ca_file=ca_file)
    return await _granted(origin_of(url), fresh, grant_type="password", username=username, password=password)


async def is_platform(url: str, *, insecure: bool = False, ca_file: str = "") -> bool:
    """Whether a platform answers there, and not only a file server."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{origin_of(url)}/oauth/keys", ssl=_trust(insecure, ca_file)) as answer,
        ):
            value: Any = await answer.json(content_type=None) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
    return isinstance(value, dict) and "keys" in value


async def _renewed(origin: str, login: Login) -> Login:
    try:
        return await _granted(origin, login, grant_type="refresh_token", refresh_token=login.refresh)
    except PlatformRefused as error:
        raise NotLoggedIn(origin) from error


async def _granted(origin: str, login: Login, **grant: str) -> Login:
    form = {**grant, "client_id": CLIENT, "client_secret": CLIENT}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(
                f"{origin}/oauth/token", data=form, ssl=_trust(login.insecure, login.ca_file), allow_redirects=False
            ) as answer,
        ):
            body: Any = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise PlatformRefused(origin, f"it does not answer ({error or type(error).__name__})") from error
    if answer.status != 200:
        given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        told = given.get("error_description") or given.get("message")
        raise PlatformRefused(origin, str(told or f"it answers {answer.status}"))
    lifetime = float(body.get("expires_in") or 0)
    return msgspec.structs.replace(
        login,
        secret=str(body["access_token"]),
        refresh=str(body.get("refresh_token") or ""),
        expires=time.time() + lifetime if lifetime else 0.0,
    )


def _trust(insecure: bool, ca_file: str) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=ca_file) if ca_file else not insecure


def _read(ca_file: str) -> str:
    if not ca_file:
        return ""
    with open(ca_file, encoding="utf-8") as file:
        return file.read()
