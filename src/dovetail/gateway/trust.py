"""By what backends recognise the gateway: assertions that it signs, and a certificate that it shows.

Control keeps both fresh: it turns the keys of assertions and hands the one that signs to the workers in the snapshot,
and it renews the client certificate in a file of the run directory (0600, replaced in one step), which the workers
read again when it has changed.

What backends need for checking is public and lies in a ConfigMap `dovetail-gateway` in `kubesphere-system` and in the
namespace of every extension, so that a pod can mount it (a ConfigMap cannot be mounted from another namespace):

    issuer       the `iss` of assertions
    jwks.json    the keys of assertions, which are among those under /oauth/keys
    ca.crt       the authority of the gateway's client certificate
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import time
from typing import Any, Final

import orjson

from dovetail.apis.labels import EXTENSION_REF, MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.gateway import private_file
from dovetail.gateway.authority import AUTHORITIES, Authority, ClientIdentity, bundle, due, issued
from dovetail.iam.assertion_keys import ASSERTION_KEYS, TimedKey, public_keys, signing_key
from dovetail.iam.assertions import AssertionKey
from dovetail.iam.errors import IamError
from dovetail.iam.keys import PublicKey
from dovetail.kube import CONFIGMAPS, NAMESPACES, Client, Controller, ControllerRuntime, Key, Object, key_of
from dovetail.kube.errors import AlreadyExists, KubeError, NotFound
from dovetail.routing.upstreams import ClientCertificate

CONFIGMAP: Final = "dovetail-gateway"
_EVERY = 60.0

_log = logging.getLogger(__name__)


class Trust:
    """Call `prepare` before anything is served, then run `run` and the `controller`."""

    def __init__(self, client: Client, run_dir: Path, issuer: str, clock: Callable[[], float] = time) -> None:
        self._client = client
        self._file = run_dir / "gateway-client.pem"
        self._issuer = issuer
        self._clock = clock
        self._keys: tuple[TimedKey, ...] = ()
        self._authorities: tuple[Authority, ...] = ()
        self._identity: ClientIdentity | None = None
        self._published: dict[str, str] = {}
        self._namespaces = {Key("", SYSTEM_NAMESPACE)}
        self.controller = Controller("gateway trust", self._reconcile)

    @property
    def certificate(self) -> ClientCertificate:
        """The file with certificate and key, which workers show to backends."""
        return ClientCertificate(cert_file=str(self._file))

    def public_keys(self) -> tuple[PublicKey, ...]:
        """The public halves of the keys that sign assertions."""
        return public_keys(self._keys)

    def signing_key(self) -> AssertionKey:
        """The key that signs now."""
        return signing_key(self._keys, self._clock())

    async def prepare(self) -> None:
        """Read or make everything. Raises UnusableKeys, and kube's errors."""
        now = self._clock()
        self._keys = await ASSERTION_KEYS.refresh(self._client, now)
        self._authorities = await AUTHORITIES.refresh(self._client, now)
        if self._identity is None or due(self._identity, self._authorities, now) or not self._file.exists():
            self._identity = issued(self._authorities, now)
            private_file.write(self._file, self._identity.pem)
        self._publish()

    def follow(self, runtime: ControllerRuntime) -> None:
        """Publish in the namespaces of extensions as they come."""
        informer = runtime.informer(NAMESPACES, label_selector=EXTENSION_REF, metadata_only=True)
        self.controller.watches(informer, self._concerned)
        runtime.add(self.controller)

    async def run(self, on_key: Callable[[AssertionKey], Awaitable[None]], every: float = _EVERY) -> None:
        """Keep everything fresh until cancelled; `on_key` is told the key that signs whenever it is another one."""
        told: AssertionKey | None = None
        while True:
            with contextlib.suppress(KubeError):
                await self._refresh()
            key = self.signing_key()
            if key != told:
                await on_key(key)
                told = key
            await asyncio.sleep(every)

    async def _refresh(self) -> None:
        try:
            await self.prepare()
        except IamError as error:
            _log.error("what backends trust stays as it was", extra={"fields": {"reason": error}})

    def _concerned(self, namespace: Object) -> list[Key]:
        if namespace["metadata"].get("deletionTimestamp"):
            return []
        self._namespaces.add(key_of(namespace))
        return [key_of(namespace)]

    def _publish(self) -> None:
        keys = [orjson.loads(key.jwk) for key in self.public_keys()]
        data = {
            "issuer": self._issuer,
            "jwks.json": orjson.dumps({"keys": keys}).decode(),
            "ca.crt": bundle(self._authorities),
        }
        if data != self._published:
            self._published = data
            for key in self._namespaces:
                self.controller.queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        namespace = key.name
        wanted: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIGMAP, "namespace": namespace, "labels": {MANAGED_BY: "dovetail"}},
            "data": self._published,
        }
        try:
            found = await self._client.get(CONFIGMAPS, CONFIGMAP, namespace)
            if found.get("data") != self._published:
                await self._client.update(CONFIGMAPS, {**found, "data": self._published})
        except NotFound:
            await self._created(key, wanted)

    async def _created(self, key: Key, wanted: dict[str, Any]) -> None:
        try:
            await self._client.create(CONFIGMAPS, wanted, key.name)
        except NotFound:
            self._namespaces.discard(key)  # the namespace is gone
        except AlreadyExists:
            self.controller.queue.add(key)
