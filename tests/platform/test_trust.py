"""By what backends recognise the gateway, kept in a real API with the gateway's own rights."""

import asyncio
import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from dovetail.apis.labels import EXTENSION_REF, SYSTEM_NAMESPACE
from dovetail.gateway.trust import CONFIGMAP, Trust
from dovetail.iam.assertion_keys import ASSERTION_KEYS, SCHEDULE
from dovetail.iam.assertions import AssertionKey, AssertionSigner, verify
from dovetail.iam.policy import Identity
from dovetail.kube import CONFIGMAPS, NAMESPACES, SECRETS, Client, ControllerRuntime
from dovetail.kube.errors import NotFound
from tests.platform.conftest import STAND_IN, TLS_GOODBYE

ISSUER, ALICE = "https://gateway.test", Identity(name="alice")
HOUR = 3600.0


@dataclass
class Replica:
    """One control process, as far as trust goes."""

    trust: Trust
    directory: Path
    clock: list[float]
    told: list[AssertionKey] = field(default_factory=list)

    async def learn(self, key: AssertionKey) -> None:
        self.told.append(key)

    def signed(self) -> str:
        return AssertionSigner(ISSUER, self.trust.signing_key()).sign(ALICE, "b", self.clock[0])

    def believes(self, assertion: str) -> bool:
        return verify(assertion, self.trust.public_keys(), ISSUER, "b", self.clock[0]) == ALICE

    def serial(self) -> int:
        (file,) = self.directory.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        return x509.load_pem_x509_certificate(file.read_bytes()).serial_number


@pytest.fixture
async def admin(prepared: Any) -> AsyncIterator[Client]:
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, TLS_GOODBYE)
        yield await stack.enter_async_context(prepared.client())


@contextlib.asynccontextmanager
async def replica(admin: Client, clock: list[float]) -> AsyncIterator[Replica]:
    """It follows the cluster and looks at its keys a hundred times a second."""
    client = admin.impersonate(STAND_IN, ["system:authenticated"])
    with tempfile.TemporaryDirectory() as name:
        trust = Trust(client, Path(name), ISSUER, lambda: clock[0])
        await trust.prepare()
        made, runtime = Replica(trust, Path(name), clock), ControllerRuntime(client)
        trust.follow(runtime)
        jobs = [asyncio.create_task(runtime.run()), asyncio.create_task(trust.run(made.learn, every=0.01))]
        try:
            yield made
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def published(admin: Client, namespace: str) -> dict[str, str]:
    return (await admin.get(CONFIGMAPS, CONFIGMAP, namespace))["data"]


async def until(holds: Any) -> None:
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - the cluster has no event for it
            await asyncio.sleep(0.02)


async def test_keys_take_turns_and_replicas_agree(admin: Client) -> None:
    with contextlib.suppress(NotFound):
        await admin.delete(SECRETS, ASSERTION_KEYS.name, SYSTEM_NAMESPACE)
    clock = [time.time()]
    namespace = "extension-" + secrets.token_hex(4)

    async def in_step() -> bool:
        with contextlib.suppress(NotFound):
            found = [await published(admin, name) for name in (SYSTEM_NAMESPACE, namespace)]
            kids = [{key["kid"] for key in json.loads(data["jwks.json"])["keys"]} for data in found]
            return all(each == {key.kid for key in one.trust.public_keys()} for each in kids)
        return False

    async with replica(admin, clock) as one, replica(admin, clock) as two:
        assert one.trust.public_keys() == two.trust.public_keys(), "there is one set of keys"
        assert one.serial() != two.serial(), "each has a certificate of its own"
        assert one.believes(two.signed())
        metadata = {"name": namespace, "labels": {EXTENSION_REF: "x"}}
        await admin.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        await until(in_step)
        data = await published(admin, namespace)
        assert data["issuer"] == ISSUER
        assert "PRIVATE" not in str(data)
        assert '"d"' not in str(data)
        assert len(x509.load_pem_x509_certificates(data["ca.crt"].encode())) == 1
        (first,) = one.trust.public_keys()

        clock[0] += SCHEDULE.life - SCHEDULE.lead + 1

        async def announced() -> bool:
            return len(one.trust.public_keys()) == len(two.trust.public_keys()) == 2 and await in_step()

        await until(announced)
        assert one.trust.signing_key().kid == first.kid, "it is published before it signs"
        clock[0] += SCHEDULE.lead

        async def taken_over() -> bool:
            return len(one.told) == len(two.told) == 2

        await until(taken_over)
        assert one.told == two.told
        assert one.told[0].kid == first.kid != one.told[1].kid
        assert one.believes(two.signed())
        clock[0] += SCHEDULE.grace + 1

        async def forgotten() -> bool:
            return first not in one.trust.public_keys() and await in_step()

        await until(forgotten)
        serial = one.serial()
        clock[0] += 5 * 24 * HOUR

        async def renewed() -> bool:
            return one.serial() != serial

        await until(renewed)
        await admin.delete(NAMESPACES, namespace)


async def test_a_secret_that_cannot_be_read_stops_nothing(admin: Client) -> None:
    clock = [time.time()]
    async with replica(admin, clock) as one:
        key = one.trust.signing_key()
        stored = await admin.get(SECRETS, ASSERTION_KEYS.name, SYSTEM_NAMESPACE)
        await admin.update(SECRETS, {**stored, "data": {"entries.json": "bm9uc2Vuc2U="}})
        await asyncio.sleep(0.1)
        assert one.trust.signing_key() == key
        assert one.believes(one.signed())
        await admin.delete(SECRETS, ASSERTION_KEYS.name, SYSTEM_NAMESPACE)

        async def anew() -> bool:
            return one.trust.signing_key().kid != key.kid

        await until(anew)
