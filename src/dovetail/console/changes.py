"""Telling open pages that something is different: two tokens and whoever waits for them to change.

`bundles` stands for the list of bundles, `catalogue` for extensions, versions, plans and categories. A page compares
tokens and asks again for what differs, as its own user; nothing else is told here, so nothing can leak here.
"""

import asyncio
from typing import Final

import msgspec

SETTLE: Final = 0.05
"""Seconds that changes are collected for before pages are told: an installation changes many objects at once."""


class Tokens(msgspec.Struct, frozen=True):
    bundles: str = ""
    catalogue: str = ""


class Changes:
    """The present tokens. `epoch` makes them differ from those of a console that ran before."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._catalogue = 0
        self._tokens = Tokens(catalogue=f"{epoch}-0")
        self._changed = asyncio.Event()
        self.closed = False

    @property
    def tokens(self) -> Tokens:
        return self._tokens

    def set_bundles(self, token: str) -> None:
        self._set(Tokens(token, self._tokens.catalogue))

    def touch_catalogue(self) -> None:
        self._catalogue += 1
        self._set(Tokens(self._tokens.bundles, f"{self._epoch}-{self._catalogue}"))

    def close(self) -> None:
        """Send everybody home: the process stops."""
        self.closed = True
        self._changed.set()

    async def after(self, seen: Tokens | None, timeout: float) -> Tokens | None:
        """The tokens as soon as they differ from `seen`; None when they do not within `timeout` seconds."""
        if self._tokens == seen and not self.closed:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                return None
            await asyncio.sleep(0 if self.closed else SETTLE)
        return self._tokens if self._tokens != seen else None

    def _set(self, tokens: Tokens) -> None:
        if tokens != self._tokens:
            self._tokens = tokens
            self._changed.set()
            self._changed = asyncio.Event()
