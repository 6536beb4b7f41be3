"""Logging in at a platform by its address, and being somebody there: the password grant, and tokens that are renewed.

The tokens are kept with the other logins; the password is not. A platform is then a cluster like any other: its gateway
serves the Kubernetes API to whoever may use it.
"""

import asyncio
import time
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from dovetail.cli.ksbuilder.credentials import PLATFORM, Credentials, Login
from dovetail.cli.ksbuilder.errors import NotLoggedIn, PlatformRefused
from dovetail.kube import ClusterConfig
from dovetail.packaging.manifests import mapping

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
    ca = login.ca_pem()
    return ClusterConfig(server=origin, source=origin, token=login.secret, ca_data=ca, insecure=login.insecure)


async def log_in(url: str, login: Login) -> Login:
    """Tokens for a user and a password. Raises PlatformRefused."""
    fresh = Login(PLATFORM, login.username, insecure=login.insecure, ca_file=login.ca_file)
    grant = {"grant_type": "password", "username": login.username, "password": login.secret}
    return await _granted(origin_of(url), fresh, **grant)


async def is_platform(url: str, login: Login) -> bool:
    """Whether a platform answers there, and not only a file server. Raises PlatformRefused if nobody does."""
    origin = origin_of(url)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{origin}/oauth/keys", ssl=login.trust()) as answer,
        ):
            value: Any = await answer.json(content_type=None) if answer.status == 200 else None
    except ValueError as error:
        if isinstance(error, aiohttp.InvalidURL):
            raise PlatformRefused(origin, "it is not an address") from error
        return False
    except (aiohttp.ClientError, TimeoutError) as error:
        raise PlatformRefused(origin, f"it does not answer ({error or type(error).__name__})") from error
    return isinstance(value, dict) and "keys" in value


async def _renewed(origin: str, login: Login) -> Login:
    try:
        return await _granted(origin, login, grant_type="refresh_token", refresh_token=login.refresh)
    except PlatformRefused as error:
        if not error.status:
            raise
        raise NotLoggedIn(origin) from error


async def _granted(origin: str, login: Login, **grant: str) -> Login:
    form = {**grant, "client_id": CLIENT, "client_secret": CLIENT}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(f"{origin}/oauth/token", data=form, ssl=login.trust(), allow_redirects=False) as answer,
        ):
            given = mapping(await answer.json(content_type=None))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise PlatformRefused(origin, f"it does not answer ({error or type(error).__name__})") from error
    if answer.status != 200 or "access_token" not in given:
        told = given.get("error_description") or given.get("message")
        raise PlatformRefused(origin, str(told or f"it answers {answer.status}"), answer.status)
    lifetime = float(given.get("expires_in") or 0)
    return msgspec.structs.replace(
        login,
        secret=str(given["access_token"]),
        refresh=str(given.get("refresh_token") or ""),
        expires=time.time() + lifetime if lifetime else 0.0,
    )
