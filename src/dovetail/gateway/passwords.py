"""Basic log-ins: a worker asks control about a name and a password, over a private Unix socket.

Hashing takes tens of milliseconds and tries are counted (`dovetail.iam.lockout`), so control does both; a worker keeps
what it was told by the credential's digest (`proxy.credentials`), and only the first request with it waits. On the wire
question and answer are one frame each, as snapshots are: four bytes of length, big-endian, then msgpack.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from dovetail.gateway.private_socket import serve_until_cancelled
from dovetail.gateway.snapshot import LENGTH

NAME: Final = "passwords.sock"
_MAX_FRAME = 64 << 10
_PATIENCE = 30.0

_log = logging.getLogger(__name__)


class Login(msgspec.Struct, frozen=True):
    """What control is asked; `address` is the client's. The password is not in its repr."""

    username: str
    password: str
    address: str

    def __repr__(self) -> str:
        return f"Login({self.username!r}, {self.address!r})"


class Verdict(msgspec.Struct, frozen=True):
    """What control says: the name of the account, or why there is none. `later`: it has not looked, ask again."""

    username: str = ""
    problem: str = ""
    later: bool = False


class NoVerdict(Exception):
    """Control has not looked at the password: it is away, or has too much to do."""


async def ask(socket: Path, login: Login) -> Verdict:
    """Have control look at a password. Raises NoVerdict."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(_frame(login))
                verdict = msgspec.msgpack.decode(await _read(reader), type=Verdict)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, msgspec.MsgspecError) as error:
        raise NoVerdict(f"control does not answer ({type(error).__name__})") from error
    if verdict.later:
        raise NoVerdict(verdict.problem)
    return verdict


class PasswordServer:
    """Control's side. `check` must not raise."""

    def __init__(self, socket: Path, check: Callable[[Login], Awaitable[Verdict]]) -> None:
        self._socket = socket
        self._check = check

    async def run(self) -> None:
        """Listen until cancelled."""
        await serve_until_cancelled(self._socket, self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            login = msgspec.msgpack.decode(await _read(reader), type=Login)
            writer.write(_frame(await self._check(login)))
            await writer.drain()
        except msgspec.MsgspecError as error:
            _log.error("a worker asked no question", extra={"fields": {"reason": error}})


def _frame(message: msgspec.Struct) -> bytes:
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


async def _read(reader: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if length > _MAX_FRAME:
        raise msgspec.ValidationError(f"a frame of {length} bytes")
    return await reader.readexactly(length)
