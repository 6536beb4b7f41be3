"""Reaching the machines that run pods: the seam for ``embedded/node``.

The API checks rights, admission and the pod; whoever holds the containers implements ``NodeStreams``. Without one, a
bound pod is on a machine that nobody can reach, and the API says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .answer import Answer, Stream

if TYPE_CHECKING:
    from .call import Call

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """PodLogOptions; None means not given. ``since_time`` is RFC 3339. A node is always told the container's name."""

    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since_seconds: int | None = None
    since_time: str = ""
    tail_lines: int | None = None
    limit_bytes: int | None = None


class NodeStreams(Protocol):
    """What a node does for the API. Every method may raise StatusError."""

    def logs(self, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
        """The container's output; ends when all was given, or with the container when it is followed."""
        ...

    async def connect(self, call: Call, pod: Object, options: Object) -> Answer | Stream:
        """exec, attach, portforward (``call.info.subresource``) with options of that kind (PodExecOptions, ...)."""
        ...

    async def proxy(self, call: Call, target: Object, port: str, path: str) -> Answer | Stream:
        """An HTTP request to a pod, service or node (``target``, whole); ``path`` starts with "/"."""
        ...
