"""Keeps the audit in step with the ConfigMap `dovetail-audit` of the system's namespace.

Policy and webhook are read each for itself. One that cannot be read changes nothing: the last good one stays in force,
and the fault is told in an Event about the ConfigMap, in the log and in a figure. Without the ConfigMap, or without a
key of it, the default counts: metadata of everything, no webhook. The webhook's token is read again now and then,
because a Secret may change without the ConfigMap.
"""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.gateway.audit.policy import DEFAULT, AuditPolicy
from dovetail.gateway.audit.reading import POLICY, WEBHOOK, BadConfiguration, Webhook, read_policy, read_webhook
from dovetail.gateway.figures import Figure, gauge
from dovetail.kube import (
    CONFIGMAPS,
    SECRETS,
    Client,
    Controller,
    ControllerRuntime,
    EventRecorder,
    Key,
    NotFound,
    Object,
    RequeueAfter,
)

NAME: Final = "dovetail-audit"
_TOKEN_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


class AuditConfiguration:
    """`on_policy` and `on_webhook` are told what is in force, once at the start and whenever it changes."""

    def __init__(
        self, runtime: ControllerRuntime, client: Client, on_policy: Callable[[AuditPolicy], Awaitable[None]],
        on_webhook: Callable[[Webhook | None, str], None],
    ) -> None:  # fmt: skip
        self._client = client
        self._events = EventRecorder(client, "dovetail-audit")
        self._on_policy = on_policy
        self._on_webhook = on_webhook
        self._policy = DEFAULT
        self._webhook: Webhook | None = None
        self._faults: dict[str, str] = {}
        self._informer = runtime.informer(
            CONFIGMAPS, namespace=SYSTEM_NAMESPACE, field_selector=f"metadata.name={NAME}"
        )
        self.controller = Controller("audit configuration", self._reconcile)
        self.controller.watches(self._informer)

    def figures(self) -> Iterator[Figure]:
        """1 for each part that is in force as it is written, 0 for one that cannot be read."""
        for key in (POLICY, WEBHOOK):
            yield gauge("dovetail_audit_configuration_good", 0 if key in self._faults else 1, part=key)

    async def _reconcile(self, key: Key) -> RequeueAfter | None:
        if key.name != NAME:
            return None
        found = self._informer.lister.by_key(key)
        texts: dict[str, str] = (found or {}).get("data") or {}
        faults: dict[str, str] = {}
        try:
            policy = read_policy(texts[POLICY]) if POLICY in texts else DEFAULT
            if policy != self._policy:
                self._policy = policy
                await self._on_policy(policy)
        except BadConfiguration as error:
            faults[POLICY] = str(error)
        try:
            self._webhook = read_webhook(texts[WEBHOOK]) if WEBHOOK in texts else None
        except BadConfiguration as error:
            faults[WEBHOOK] = str(error)
        try:
            self._on_webhook(self._webhook, await self._token())
        except BadConfiguration as error:
            faults[WEBHOOK] = str(error)
        await self._tell(found, faults)
        return RequeueAfter(_TOKEN_SECONDS) if self._webhook and self._webhook.token_secret else None

    async def _token(self) -> str:
        ref = self._webhook.token_secret if self._webhook else None
        if ref is None:
            return ""
        try:
            token = _decoded(await self._client.get(SECRETS, ref.name, SYSTEM_NAMESPACE), ref.key)
        except NotFound:
            token = ""
        if not token:
            raise BadConfiguration(WEBHOOK, f"there is no key {ref.key} in a Secret {ref.name} of {SYSTEM_NAMESPACE}")
        return token

    async def _tell(self, configmap: Object | None, faults: dict[str, str]) -> None:
        fresh = [fault for key, fault in faults.items() if self._faults.get(key) != fault]
        mended = configmap is not None and self._faults and not faults
        self._faults = faults
        for fault in fresh:
            _log.error("audit configuration is not in force", extra={"fields": {"reason": fault}})
            if configmap is not None:
                about = {"apiVersion": "v1", "kind": "ConfigMap", **configmap}
                await self._events.record(about, "Warning", "NotInForce", f"{fault}. What was in force before stays.")
        if mended and configmap is not None:
            about = {"apiVersion": "v1", "kind": "ConfigMap", **configmap}
            await self._events.record(about, "Normal", "InForce", "policy and webhook are in force as they are written")


def _decoded(secret: Object, key: str) -> str:
    data: dict[str, str] = secret.get("data") or {}
    try:
        return base64.b64decode(data.get(key, "")).decode("ascii").strip()
    except (binascii.Error, ValueError):
        return ""
