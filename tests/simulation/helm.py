"""Helm and its worker process, modelled by what they leave in the API at each moment.

The records are Helm's own (Secrets, their labels and content), the order of writes is that of Helm 3 and 4: a pending
record, hooks, objects, the former revision superseded, the new one deployed. Between two writes time passes, and there
the worker may die, the API may refuse, the controllers may be killed (the worker goes with them, half-done) or the
operation be interrupted (Helm notes it, or the worker is ended first).

`Behaviour` says what a version's hooks do: take long, fail some times or always, hang. A second writer on a release is
the caller's mistake and told (`clashes`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from dovetail.helm import errors, wire
from tests.simulation import charts
from tests.simulation.api import MemoryApi, Object, Refusal
from tests.simulation.helm_records import (
    RELEASE_NAME,
    Record,
    Revision,
    Write,
    identity,
    objects_in_force,
    own_labels,
    owned,
    relabel,
    secret_name,
    stored,
    text_of,
    version_in,
)
from tests.simulation.helm_world import HelmWorld
from tests.simulation.kinds import CLUSTERROLEBINDING, CONFIGMAP, ROLEBINDING, SECRET, Kind, kind_of
from tests.simulation.network import Network
from tests.simulation.processes import PROCESS

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


class _Died(Exception):
    """The worker is gone."""


class SimulatedHelm:
    """The methods that replace `HelmWorker`'s."""

    world: HelmWorld

    def __init__(self, *, idle_seconds: float = 60.0) -> None:
        self._process = PROCESS.get()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turns: dict[tuple[str, ...], asyncio.Lock] = {}
        self._process.helms.append(self)
        self._up = False

    async def __aenter__(self) -> "SimulatedHelm":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        return 1 if self._up else None

    async def warm(self) -> None:
        await asyncio.sleep(self.world.chance.uniform(0.05, 0.4))
        self._up = True

    async def close(self) -> None:
        self.die()

    def die(self) -> None:
        """The worker ends, with whatever it was doing."""
        self._up = False
        for task in list(self._tasks):
            task.cancel()

    async def call(
        self,
        operation: wire.Operation,
        *,
        timeout: float | None = None,
        interrupt: asyncio.Event | None = None,
        on_progress: Callable[[Any], None] | None = None,
    ) -> dict[str, Any]:
        """As HelmWorker.call: an answer, HelmRefused, HelmTimeout or HelmWorkerDied."""
        if not self._up:
            await self.warm()
        limit = timeout if timeout is not None else getattr(operation, "timeout", 60) + 30.0
        name = wire.operation_name(operation)
        task = asyncio.create_task(self._perform(operation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        waiting = [asyncio.create_task(interrupt.wait())] if interrupt is not None else []
        try:
            await asyncio.wait([task, *waiting], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return self._outcome(task, name)
            task.cancel("noted" if self.world.chance.random() < 0.6 else "killed")
            await asyncio.wait([task])
            if interrupt is not None and interrupt.is_set():
                return self._outcome(task, name)
            raise errors.HelmTimeout(name, operation.release, limit)
        except asyncio.CancelledError:
            task.cancel("killed" if self._process.dead else "noted")
            raise
        finally:
            for other in waiting:
                other.cancel()

    def _outcome(self, task: "asyncio.Task[dict[str, Any]]", name: str) -> dict[str, Any]:
        if task.cancelled() or isinstance(task.exception(), _Died):
            raise errors.HelmWorkerDied(name, -9)
        return task.result()

    async def _perform(self, operation: wire.Operation) -> dict[str, Any]:
        perform: dict[type, Callable[[Any], Awaitable[dict[str, Any]]]] = {
            wire.Deploy: self._deploy, wire.Uninstall: self._uninstall, wire.Rollback: self._rollback,
        }  # fmt: skip
        match operation:
            case wire.Render():
                await self._step(operation)
                return self._render(operation)
            case wire.Deploy() | wire.Uninstall() | wire.Rollback():
                where = (str(operation.connection.kubeconfig), operation.connection.namespace, operation.release)
                async with self._turns.setdefault(where, asyncio.Lock()):
                    return await self._alone(where, operation, perform[type(operation)])
            case _:
                await self._step(operation)
                return {"revisions": [], "releases": [], "signed_by": ["tests"]}

    async def _alone(
        self, where: tuple[str, ...], operation: Any, perform: Callable[[Any], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        other = self.world.working.get(where)
        if other is not None and not other.dead:
            self.world.clashes.append(f"{where} by {other.name} and {self._process.name}")
        self.world.working[where] = self._process
        try:
            return await perform(operation)
        finally:
            if self.world.working.get(where) is self._process:
                del self.world.working[where]

    async def _step(self, operation: Any, seconds: float = 0.0) -> None:
        """Time passes; whatever can go wrong between two writes does so here."""
        chance, (_, network) = self.world.chance, self._place(operation)
        await asyncio.sleep(seconds or 0.002 + 0.03 * chance.random())
        if self._process.dead:
            raise _Died
        cut = self._process.cut_until > asyncio.get_running_loop().time()
        unreachable = network.cut or (cut and self._host(operation))
        if network.storm and chance.random() < network.storm * 0.08:
            if chance.random() < 0.4:
                self.die()
                await asyncio.sleep(3600)
            unreachable = True
        if unreachable:
            raise self._refused(operation, errors.UNREACHABLE, "Kubernetes cluster unreachable: connection refused")

    def _refused(self, operation: Any, reason: str, detail: str) -> errors.HelmRefused:
        self.world.failures[operation.release] = self.world.failures.get(operation.release, 0) + 1
        return errors.HelmRefused(wire.operation_name(operation), operation.release, reason, detail)

    def _render(self, operation: Any) -> dict[str, Any]:
        made = self._chart(operation)
        rendered = charts.objects(made, _namespace(operation), operation.values.config, dict(operation.object_labels))
        records = stored(self._api(operation), _namespace(operation), operation.release)
        revision = operation.revision or (records[-1][0] + 1 if records else 1)
        return {
            "metadata": {"name": made.extension, "version": made.version},
            "values": {},
            "manifests": {"templates/all.yaml": charts.manifest(rendered)},
            "crds": [],
            "revision": revision,
        }

    def _chart(self, operation: Any) -> charts.Chart:
        made = charts.chart_of(operation.chart)
        if made is None:
            raise self._refused(operation, errors.INVALID, "the archive is no chart")
        if self.world.behaviour(made.extension, made.version).invalid:
            raise self._refused(operation, errors.INVALID, "template: all.yaml: unexpected EOF")
        return made

    async def _deploy(self, operation: wire.Deploy) -> dict[str, Any]:
        namespace, release = operation.connection.namespace, operation.release
        await self._step(operation)
        records = stored(self._api(operation), namespace, release)
        last = records[-1] if records else None
        rendering = getattr(operation, "rendering", None)
        if rendering is not None:
            text, version = "\n---\n".join(rendering.manifests.values()), str(rendering.metadata["version"])
        else:
            made = self._render(wire.Render(
                release=release, chart=operation.chart, namespace=namespace, values=operation.values,
                object_labels=operation.object_labels,
            ))  # fmt: skip
            text, version = made["manifests"]["templates/all.yaml"], made["metadata"]["version"]
        self._check_rights(operation, namespace)
        if last is not None and last[1] in PENDING:
            words = "another operation (install/upgrade/rollback) is in progress"
            raise self._refused(operation, errors.RELEASE, words)
        install = last is None or last[1] == "uninstalled"
        number = last[0] + 1 if last else 1
        former = [] if install else objects_in_force(records)
        rendered = charts.documents(text)
        self._check_ownership(operation, rendered, former)
        word = "pending-install" if install else "pending-upgrade"
        record = Record(self._storing(operation, namespace), release, number, text, operation.release_labels)
        record.write(word, "in progress")
        try:
            await self._carry_out(operation, record, version, rendered, former)
            await self._finish(operation, record, records)
        except asyncio.CancelledError as cancelled:
            if cancelled.args == ("noted",):
                record.write("failed", "context canceled")
                raise self._refused(operation, errors.CANCELLED, "context canceled") from None
            raise
        except errors.HelmRefused as refused:
            if refused.reason != errors.UNREACHABLE or self.world.chance.random() < 0.5:
                record.write("failed", refused.detail)
            raise
        for number, *_ in stored(self._api(operation), namespace, release)[: -operation.max_history or None]:
            self._delete(operation, SECRET, namespace, secret_name(release, number))
        return {"name": release, "namespace": namespace, "revision": record.number, "status": "deployed"}

    async def _carry_out(
        self, operation: Any, record: Record, version: str, rendered: list[Object], former: list[Object]
    ) -> None:
        namespace = operation.connection.namespace
        behaviour = self.world.behaviour(_extension(operation), version)
        hook = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": f"{operation.release}-hook", "labels": dict(getattr(operation, "object_labels", {})),
        }}  # fmt: skip
        self._delete(operation, CONFIGMAP, namespace, f"{operation.release}-hook")
        self._put(operation, hook, namespace)
        if behaviour.hangs:
            behaviour.hangs -= 1
            await self._step(operation, float(operation.timeout))
            raise self._refused(operation, errors.RELEASE, "pre hooks failed: timed out waiting for the condition")
        await self._step(operation, behaviour.seconds)
        early = self.world.chance.random() < 0.5
        if behaviour.fails and early:
            behaviour.fails -= 1
            raise self._refused(operation, errors.RELEASE, "pre hooks failed: job failed: BackoffLimitExceeded")
        for obj in rendered:
            await self._step(operation)
            self._put(operation, owned(obj, operation.release, namespace), namespace)
        kept = {identity(obj) for obj in rendered}
        for obj in former:
            if identity(obj) not in kept:
                await self._step(operation)
                kind = _kind(obj)
                self._delete(operation, kind, namespace if kind.namespaced else "", obj["metadata"]["name"])
        await self._step(operation)
        if behaviour.fails:
            behaviour.fails -= 1
            raise self._refused(operation, errors.RELEASE, "post hooks failed: job failed: BackoffLimitExceeded")

    async def _finish(self, operation: Any, record: Record, before: list[Revision]) -> None:
        for _, status, secret in before:
            if status == "deployed":
                relabel(self._storing(operation, operation.connection.namespace), secret, "superseded")
                await self._step(operation)
        record.write("deployed", "Install complete")

    async def _rollback(self, operation: wire.Rollback) -> dict[str, Any]:
        namespace, release = operation.connection.namespace, operation.release
        await self._step(operation)
        self._check_rights(operation, namespace)
        records = stored(self._api(operation), namespace, release)
        target = next((secret for number, _, secret in records if number == operation.revision), None)
        if target is None or records[-1][1] in PENDING:
            raise self._refused(operation, errors.RELEASE, "release: not found, or another operation is in progress")
        text, marks = text_of(target), own_labels(target)
        former = charts.documents(text_of(records[-1][2]))
        record = Record(self._storing(operation, namespace), release, records[-1][0] + 1, text, marks)
        record.write("pending-rollback", f"Rollback to {operation.revision}")
        rendered = charts.documents(text)
        try:
            await self._carry_out(operation, record, "", rendered, former)
            await self._finish(operation, record, records)
        except errors.HelmRefused as refused:
            if refused.reason != errors.UNREACHABLE:
                record.write("failed", refused.detail)
            raise
        return {"name": release, "namespace": namespace, "revision": record.number, "status": "deployed"}

    async def _uninstall(self, operation: wire.Uninstall) -> dict[str, Any]:
        namespace, release = operation.connection.namespace, operation.release
        await self._step(operation)
        records = stored(self._api(operation), namespace, release)
        if not records:
            return {}
        self._check_rights(operation, namespace)
        last = records[-1]
        if last[1] != "uninstalled":
            version = version_in(text_of(last[2]))
            behaviour = self.world.behaviour(_extension(operation), version)
            await self._step(operation, behaviour.seconds)
            if behaviour.uninstall_fails:
                behaviour.uninstall_fails -= 1
                raise self._refused(operation, errors.RELEASE, "pre-delete hooks failed: job failed")
            relabel(self._storing(operation, namespace), last[2], "uninstalling")
            for obj in reversed(charts.documents(text_of(last[2]))):
                await self._step(operation)
                kind = _kind(obj)
                self._delete(operation, kind, namespace if kind.namespaced else "", obj["metadata"]["name"])
        for number, *_ in records:
            await self._step(operation)
            self._delete(operation, SECRET, namespace, secret_name(release, number))
        return {}

    # What Helm does to the API.

    def _place(self, operation: Any) -> tuple[MemoryApi, Network]:
        """Where the operation works."""
        return self.world.places[None if self._host(operation) else operation.connection.kubeconfig]

    def _host(self, operation: Any) -> bool:
        connection = getattr(operation, "connection", None)
        return connection is None or connection.kubeconfig not in self.world.places

    def _api(self, operation: Any) -> MemoryApi:
        return self._place(operation)[0]

    def _storing(self, operation: Any, namespace: str) -> Write:
        return lambda name, obj: self.write(operation, SECRET, namespace, name, obj)

    def _check_rights(self, operation: Any, namespace: str) -> None:
        """The account acts by its bindings."""
        name = f"kubesphere:{_extension(operation)}:helm-executor"
        api = self._api(operation)
        if api.get(ROLEBINDING, name, namespace) is None or api.get(CLUSTERROLEBINDING, name) is None:
            raise self._refused(operation, errors.RELEASE, f'forbidden: User "{operation.connection.user}" cannot act')

    def _check_ownership(self, operation: Any, rendered: list[Object], former: list[Object]) -> None:
        ours = {identity(obj) for obj in former}
        for obj in rendered:
            kind = _kind(obj)
            name, namespace = obj["metadata"]["name"], operation.connection.namespace if kind.namespaced else ""
            there = self._api(operation).get(kind, name, namespace)
            if there is None or identity(obj) in ours:
                continue
            if (there["metadata"].get("annotations") or {}).get(RELEASE_NAME) != operation.release:
                words = f"{kind.kind} {name!r} exists and cannot be imported into the current release"
                raise self._refused(operation, errors.RELEASE, f"{words}: invalid ownership metadata")

    def _put(self, operation: Any, obj: Object, namespace: str) -> None:
        kind = _kind(obj)
        where = namespace if kind.namespaced else ""
        self.write(operation, kind, where, obj["metadata"]["name"], obj)

    def _delete(self, operation: Any, kind: Kind, namespace: str, name: str) -> None:
        with suppress(Refusal):
            self._api(operation).call(self._actor, "DELETE", kind, namespace, name)

    def write(self, operation: Any, kind: Kind, namespace: str, name: str, obj: Object) -> None:
        """Create or patch, as Helm does. What the API refuses, Helm refuses."""
        api = self._api(operation)
        try:
            if api.get(kind, name, namespace) is None:
                api.call(self._actor, "POST", kind, namespace, body=obj)
            else:
                api.call(self._actor, "PATCH", kind, namespace, name, body=obj)
        except Refusal as refusal:
            raise self._refused(operation, errors.RELEASE, str(refusal)) from refusal

    @property
    def _actor(self) -> str:
        return f"helm of {self._process.name}"


def _extension(operation: Any) -> str:
    return str(operation.release).removesuffix("-agent")


def _namespace(operation: Any) -> str:
    return str(operation.namespace)


def _kind(obj: Object) -> Kind:
    kind = kind_of(obj["apiVersion"], obj["kind"])
    assert kind is not None, f"the model does not serve {obj['kind']}"
    return kind
