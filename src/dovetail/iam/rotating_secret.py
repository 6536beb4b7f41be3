"""A Secret whose entries take turns (`dovetail.iam.rotation`): read, turned and written by every replica.

When two replicas do so at the same moment, one write wins and the other replica reads it.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Generic

import msgspec

from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.iam.errors import UnusableKeys
from dovetail.iam.rotation import Schedule, T, turned
from dovetail.kube.client import Client
from dovetail.kube.errors import AlreadyExists, Conflict, NotFound
from dovetail.kube.resources import SECRETS

DATA_KEY = "entries.json"
_TRIES = 20
_PAUSE = 0.05


class RotatingSecret(Generic[T]):
    """One Secret of `kubesphere-system`. `make(signs_from, signs_until)` makes an entry of the struct type `entry`;
    `adopt(secret, now)` gives the entries of a Secret of an older form, or None."""

    def __init__(
        self, name: str, secret_type: str, entry: type[T], schedule: Schedule, make: Callable[[int, int], T],
        adopt: Callable[[Mapping[str, Any], int], tuple[T, ...] | None] = lambda stored, now: None,
    ) -> None:  # fmt: skip
        self.name = name
        self._type = secret_type
        self._decoder = msgspec.json.Decoder(tuple[entry, ...])
        self._schedule = schedule
        self._make = make
        self._adopt = adopt

    def secret(self, entries: tuple[T, ...]) -> dict[str, Any]:
        """The Secret that holds `entries`."""
        metadata = {"name": self.name, "namespace": SYSTEM_NAMESPACE, "labels": {MANAGED_BY: "dovetail"}}
        data = {DATA_KEY: b64encode(msgspec.json.encode(entries)).decode()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": self._type, "data": data}

    def read(self, obj: Mapping[str, Any]) -> tuple[T, ...]:
        """The entries in the Secret. Raises UnusableKeys."""
        try:
            return self._decoder.decode(b64decode(obj["data"][DATA_KEY], validate=True))
        except (KeyError, TypeError, ValueError) as error:
            problem = f"it cannot be read ({type(error).__name__})"
            raise UnusableKeys(SYSTEM_NAMESPACE, self.name, problem) from error

    async def refresh(self, client: Client, now: float) -> tuple[T, ...]:
        """The entries of now: made, turned and written where that is due. Raises UnusableKeys, and kube's errors."""
        for _ in range(_TRIES):
            stored = await self._stored(client)
            before = self._entries(stored, int(now)) if stored else ()
            after = turned(before, self._schedule, int(now), self._make)
            if after == before or await self._written(client, stored, after):
                return after
            await asyncio.sleep(_PAUSE)  # somebody else's is on its way
        raise UnusableKeys(SYSTEM_NAMESPACE, self.name, "it keeps changing under us")

    def _entries(self, stored: Mapping[str, Any], now: int) -> tuple[T, ...]:
        adopted = self._adopt(stored, now)
        return self.read(stored) if adopted is None else adopted

    async def _stored(self, client: Client) -> dict[str, Any] | None:
        try:
            return await client.get(SECRETS, self.name, SYSTEM_NAMESPACE)
        except NotFound:
            return None

    async def _written(self, client: Client, stored: dict[str, Any] | None, entries: tuple[T, ...]) -> bool:
        wanted = self.secret(entries)
        try:
            if stored is None:
                await client.create(SECRETS, wanted, SYSTEM_NAMESPACE)
            else:
                await client.update(SECRETS, {**stored, "data": wanted["data"]})
        except (AlreadyExists, Conflict, NotFound):
            return False
        return True
