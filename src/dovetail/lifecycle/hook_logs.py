"""What the pods of hooks and tests write, kept when they are gone.

Helm deletes a hook that succeeded at once, and one that failed before its next run; what it wrote would go with it,
and with that the only explanation of a failed installation. So while an operation runs, the pods of every hook that
Helm waits for are followed. The ends of their logs go into one ConfigMap of the system's namespace, which belongs to
the extension and goes with it; the newest operation that ran hooks replaces the former's.

Logs may show what they should not: every value of a Secret that the package renders to, and every configured value
whose name sounds secret, is blackened, also in base64. Bounded: the end of each log, a number of logs. Logs that cannot
be read are told as such and hold nobody up.
"""

import asyncio
import base64
import binascii
import contextlib
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from dovetail.apis import labels
from dovetail.helm import Progress
from dovetail.helm.log_lines import WAITING
from dovetail.kube import CONFIGMAPS, PODS, Client, KubeError, key_of, path_of
from dovetail.kube.resources import Object
from dovetail.lifecycle.objects import mapping, status_of
from dovetail.lifecycle.rendered import Rendered
from dovetail.lifecycle.visible_text import visible

MAX_LOG: Final = 16 << 10
"""Bytes kept of each container's log: its end."""
MAX_LOGS: Final = 24
_MARGIN: Final = 4 << 10
_TAIL_LINES: Final = 5
_TAIL: Final = 600
_LAST_WORDS: Final = 2.0
"""How long the logs may go on after Helm has ended, in seconds."""
_AGAIN: Final = 0.5
_SHORTEST: Final = 4
"""Shorter texts are no secrets, and blackening them would leave nothing to read."""
BLACKENED: Final = "******"
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|private|api[-_]?key|auth", re.IGNORECASE
)


@dataclass(frozen=True)
class Log:
    """The end of what one container wrote, or why it is not known."""

    kind: str
    name: str
    pod: str
    container: str
    text: str

    @property
    def key(self) -> str:
        """In the ConfigMap."""
        return f"{self.kind}.{self.name}.{self.pod}.{self.container}".lower()[-253:]


@dataclass(frozen=True)
class _Hook:
    kind: str
    name: str
    namespace: str

    @property
    def labels(self) -> str:
        """The selector of a Job's pods."""
        return f"job-name={self.name}" if self.kind == "Job" else ""

    @property
    def fields(self) -> str:
        """The selector of the one pod that the hook is."""
        return f"metadata.name={self.name}" if self.kind == "Pod" else ""


@dataclass
class _Followed:
    hook: tuple[str, str]
    pod: str
    container: str
    data: bytearray = field(default_factory=bytearray)
    note: str = ""


def secrets_of(objects: Iterable[Rendered], values: Mapping[str, Any]) -> frozenset[str]:
    """What must not be shown: values of rendered Secrets, and those of configuration with a telling name."""
    found = set(_named_secret(values))
    for obj in objects:
        if obj.kind == "Secret":
            found |= {str(text) for text in mapping(obj.content.get("stringData")).values()}
            found |= {plain for text in mapping(obj.content.get("data")).values() if (plain := _decoded(text))}
    lines = {line.strip() for text in found for line in (text, *text.splitlines())}
    return frozenset(text for text in lines if len(text) >= _SHORTEST)


def blackened(text: str, secrets: Iterable[str]) -> str:
    """The text without any of them, plain or in base64."""
    forms = {form for secret in secrets for form in (secret, base64.b64encode(secret.encode()).decode())}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, BLACKENED)
    return text


def tail_of(logs: Iterable[Log], kind: str = "", name: str = "") -> str:
    """The last lines of an object's logs, for a message; of the last log when no object is named."""
    chosen = [log for log in logs if log.text and (not name or (log.kind, log.name) == (kind, name))]
    if not chosen:
        return ""
    lines = chosen[-1].text.strip().splitlines()[-_TAIL_LINES:]
    return visible("\n".join(lines)[-_TAIL:])


class HookLogs:
    """The logs of one operation's hooks; `notice` is told what Helm does, `logs` gives what was written."""

    def __init__(self, client: Client, namespace: str, secrets: frozenset[str]) -> None:
        self._client = client
        self._namespace = namespace
        self._secrets = secrets
        self._hooks: dict[_Hook, asyncio.Task[None]] = {}
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._followers: set[asyncio.Task[None]] = set()
        self.last: tuple[str, str] = ("", "")
        """Kind and name of the hook that was waited for last."""

    def notice(self, told: Progress) -> None:
        """Begin to follow the pods of a Job or a Pod that Helm waits for."""
        if told.step != WAITING or told.kind not in ("Job", "Pod"):
            return
        self.last = (told.kind, told.name)
        hook = _Hook(told.kind, told.name, told.namespace or self._namespace)
        if hook not in self._hooks:
            self._hooks[hook] = asyncio.create_task(self._pods_of(hook), name=f"logs of {told.kind} {told.name}")

    async def logs(self) -> list[Log]:
        """Everything that was written, a moment after the operation; nothing is followed any more."""
        for hook in self._hooks:  # what began and ended faster than the watch told
            with contextlib.suppress(KubeError):
                await self._list(hook)
        if self._followers:
            await asyncio.wait(self._followers, timeout=_LAST_WORDS)
        await self._stop()
        # A package may have very many secrets, and nobody else shall wait while they are looked for.
        return await asyncio.to_thread(lambda: [self._log(one) for one in self._followed.values()])

    async def _stop(self) -> None:
        tasks = [*self._hooks.values(), *self._followers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _log(self, one: _Followed) -> Log:
        text = blackened(one.data.decode(errors="replace"), self._secrets)
        if len(text) > MAX_LOG:
            text = text[-MAX_LOG:]
            text = text.partition("\n")[2] or text
        return Log(*one.hook, one.pod, one.container, text or one.note)

    async def _pods_of(self, hook: "_Hook") -> None:
        with contextlib.suppress(KubeError):
            while True:
                version = await self._list(hook)
                events = self._client.watch(
                    PODS,
                    hook.namespace,
                    resource_version=version,
                    label_selector=hook.labels,
                    field_selector=hook.fields,
                )
                async with contextlib.aclosing(events):
                    async for event in events:
                        if event.type in ("ADDED", "MODIFIED"):
                            self._look(hook, event.object)
                await asyncio.sleep(_AGAIN)  # a server that ends watches at once is not asked without a pause

    async def _list(self, hook: "_Hook") -> str:
        found = await self._client.list(PODS, hook.namespace, label_selector=hook.labels, field_selector=hook.fields)
        for pod in found.items:
            self._look(hook, pod)
        return found.resource_version

    def _look(self, hook: "_Hook", pod: Object) -> None:
        """Follow each container that has begun."""
        for container in _begun(pod):
            place = (key_of(pod).name, container)
            if place in self._followed or len(self._followed) >= MAX_LOGS:
                continue
            one = self._followed[place] = _Followed((hook.kind, hook.name), *place)
            task = asyncio.create_task(self._follow(one, key_of(pod).namespace), name=f"log of {place[0]}")
            self._followers.add(task)
            task.add_done_callback(self._followers.discard)

    async def _follow(self, one: _Followed, namespace: str) -> None:
        path = path_of(PODS, namespace, one.pod, "log")
        query = {"container": one.container, "follow": "true"}
        try:
            async with self._client.stream("GET", path, query=query, idle=3600.0) as stream:
                if stream.status != 200:
                    answer = (await stream.read(_MARGIN)).decode(errors="replace")
                    one.note = f"(the log cannot be read: {stream.status} {answer[:300]})"
                    return
                async with contextlib.aclosing(cast("AsyncGenerator[bytes]", stream.chunks())) as chunks:
                    async for chunk in chunks:
                        one.data += chunk
                        del one.data[: -MAX_LOG - _MARGIN]
        except KubeError as error:
            one.note = f"(the log cannot be read: {error})"


@contextlib.asynccontextmanager
async def following(client: Client, namespace: str, secrets: frozenset[str]) -> AsyncGenerator[HookLogs]:
    """While inside, logs are followed; afterwards nothing runs any more."""
    logs = HookLogs(client, namespace, secrets)
    try:
        yield logs
    finally:
        await logs._stop()  # pyright: ignore[reportPrivateUsage]


def config_map_name(extension: str) -> str:
    return f"hook-logs-{extension}"


async def keep(client: Client, extension: str, what: str, logs: Iterable[Log]) -> str:
    """Write them into the extension's ConfigMap; its name, empty when there is nothing to keep. Raises KubeError."""
    data = {log.key: log.text for log in logs if log.text}
    if not data:
        return ""
    name = config_map_name(extension)
    metadata = {
        "name": name,
        "namespace": labels.SYSTEM_NAMESPACE,
        "labels": {labels.EXTENSION_REF: extension, labels.MANAGED: "true"},
        "annotations": {"dovetail.dev/operation": what},
    }
    await client.apply(
        CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        field_manager="dovetail", force=True,
    )  # fmt: skip
    return name


def _begun(pod: Object) -> Iterator[str]:
    status = status_of(pod)
    for group in ("initContainerStatuses", "containerStatuses"):
        for entry in cast("list[Mapping[str, Any]]", status.get(group) or []):
            state = mapping(entry.get("state"))
            if "running" in state or "terminated" in state:
                yield str(entry.get("name") or "")


def _named_secret(value: object, name: str = "") -> Iterator[str]:
    """Texts whose name, or that of the map or list they are in, sounds secret."""
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[str, object]", value).items():
            yield from _named_secret(item, f"{name}.{key}")
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _named_secret(item, name)
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        yield value


def _decoded(text: object) -> str:
    with contextlib.suppress(binascii.Error, UnicodeDecodeError, ValueError):
        return base64.b64decode(str(text)).decode()
    return ""
