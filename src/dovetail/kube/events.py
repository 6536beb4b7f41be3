"""Kubernetes Events about objects, the way kubectl describe shows them.

The same thing said again about the same object counts up the Event that is there instead of making another. Recording
never raises: an Event that cannot be written is logged and dropped, because nothing may fail for want of one.
"""

import logging
import os
import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from dovetail.kube.client import Client
from dovetail.kube.errors import KubeError, NotFound
from dovetail.kube.objects import key_of, metadata, uid_of
from dovetail.kube.resources import EVENTS, Object
from dovetail.kube.timestamps import now, rfc3339

log = logging.getLogger(__name__)

EventSeverity = Literal["Normal", "Warning"]
MAX_MESSAGE = 1024
MAX_REMEMBERED = 1024


class EventRecorder:
    """Events of one component. Events about cluster-scoped objects go to the namespace `default`."""

    def __init__(self, client: Client, component: str, *, clock: Callable[[], datetime] = now) -> None:
        self._client, self._component, self._clock = client, component, clock
        self._instance = f"{component}-{socket.gethostname()}-{os.getpid()}"
        self._written: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()

    async def record(self, obj: Mapping[str, Any], type_: EventSeverity, reason: str, message: str) -> None:
        """Say `message` about `obj` (which carries apiVersion and kind); `reason` is one CamelCase word."""
        message = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
        try:
            await self._write(obj, type_, reason, message)
        except KubeError as error:
            log.warning("event %s about %s %s was not recorded: %s", reason, obj.get("kind"), key_of(obj), error)

    async def _write(self, obj: Mapping[str, Any], type_: str, reason: str, message: str) -> None:
        namespace = key_of(obj).namespace or "default"
        identity = (namespace, uid_of(obj) or str(key_of(obj)), type_, reason, message)
        known = self._written.get(identity)
        if known is None or not await self._count_up(identity, *known):
            created = await self._client.create(EVENTS, self._event(obj, namespace, type_, reason, message))
            self._remember(identity, key_of(created).name, 1)

    async def _count_up(self, identity: tuple[str, ...], name: str, count: int) -> bool:
        change = {"count": count + 1, "lastTimestamp": rfc3339(self._clock())}
        try:
            await self._client.patch(EVENTS, name, change, identity[0])
        except NotFound:  # it has been cleaned up since
            return False
        self._remember(identity, name, count + 1)
        return True

    def _remember(self, identity: tuple[str, ...], name: str, count: int) -> None:
        self._written[identity] = (name, count)
        self._written.move_to_end(identity)
        if len(self._written) > MAX_REMEMBERED:
            self._written.popitem(last=False)

    def _event(self, obj: Mapping[str, Any], namespace: str, type_: str, reason: str, message: str) -> Object:
        meta, moment = metadata(obj), rfc3339(self._clock())
        involved = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "name": meta.get("name")}
        for field in ("namespace", "uid", "resourceVersion"):
            if meta.get(field):
                involved[field] = meta[field]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            # not generateName: a prefix that ends in a dot is no valid name, and this is how all Events are named
            "metadata": {"name": f"{str(meta.get('name'))[:200]}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": involved,
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance[:128],
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
