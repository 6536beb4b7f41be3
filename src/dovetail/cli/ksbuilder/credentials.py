"""Logins that ksbuilder remembers: one file of the user's, readable by nobody else.

    $XDG_CONFIG_HOME/dovetail/credentials.json   (~/.config/dovetail/credentials.json), 0600 in a directory of 0700

A login is kept under the host of a registry (`registry.example.org:5000`) or the origin of a platform
(`https://console.example.org`): for a registry the user name and the password, for a platform its tokens. A file that
others can read is refused, not repaired: what is in it must be taken for known.
"""

import base64
import contextlib
import os
import ssl
import stat
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from dovetail.cli.ksbuilder.errors import CredentialsUnusable

PLATFORM: Final = "platform"
REGISTRY: Final = "registry"


class Login(msgspec.Struct, frozen=True, omit_defaults=True):
    """One login. Its repr shows no secret."""

    kind: str
    username: str = ""
    secret: str = ""
    """A registry's password, or a platform's access token."""
    refresh: str = ""
    expires: float = 0.0
    insecure: bool = False
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"Login({self.kind!r}, {self.username!r})"

    def trust(self) -> ssl.SSLContext | bool:
        """Which certificates are taken, as aiohttp wants to be told. Raises CredentialsUnusable."""
        ca = self.ca_pem()
        if not ca:
            return not self.insecure
        try:
            return ssl.create_default_context(cadata=ca)
        except ssl.SSLError as error:
            reason = f"it holds no certificate ({error.reason or error})"
            raise CredentialsUnusable(self.ca_file, reason, "Log in again with another --ca-file") from error

    def ca_pem(self) -> str:
        """The certificates of `ca_file`; empty if none is named. Raises CredentialsUnusable."""
        if not self.ca_file:
            return ""
        try:
            return Path(self.ca_file).read_text("ascii")
        except OSError as error:
            reason = f"it cannot be read ({error.strerror})"
            raise CredentialsUnusable(self.ca_file, reason, "Log in again with another --ca-file") from error
        except UnicodeDecodeError as error:
            reason = "it holds no certificate in PEM"
            raise CredentialsUnusable(self.ca_file, reason, "Log in again with another --ca-file") from error


def basic(username: str, secret: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()


def default_file() -> Path:
    """Where logins are kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "dovetail" / "credentials.json"


class Credentials:
    """The file as it is; every change is written at once, in one step."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_file()

    def all(self) -> dict[str, Login]:
        """Every login by its place. Raises CredentialsUnusable."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.getuid():
            raise CredentialsUnusable(str(self.path), "others can read it", "Change the passwords in it, and remove it")
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Login])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CredentialsUnusable(str(self.path), "it cannot be read", "Remove it, and log in again") from error

    def get(self, place: str) -> Login | None:
        """The login at a place."""
        return self.all().get(place)

    def put(self, place: str, login: Login) -> None:
        """Remember a login."""
        self._write({**self.all(), place: login})

    def remove(self, place: str) -> bool:
        """Forget a login; whether there was one."""
        known = self.all()
        if place not in known:
            return False
        self._write({name: login for name, login in known.items() if name != place})
        return True

    def _write(self, logins: dict[str, Login]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".credentials.", dir=self.path.parent)  # made as 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(logins), indent=2))
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
