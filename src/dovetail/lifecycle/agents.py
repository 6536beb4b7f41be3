"""An extension's agents on member clusters: the host's reconciler again, for one member and its slice of the status.

Each cluster has its own decisions, its own pauses and its own Helm process, so that none of them waits for another.
The decision is the host's, too (`planner.decide`); an agent that is not placed any more, or whose plan is being
deleted, is a deletion for it. `Agents` gets one key a cluster and extension; a member that cannot be reached is told
in its slice and tried again with a growing pause. It never holds the host: the plan's deletion leaves it behind and
says so in the receipt.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from dovetail.apis.dialects import install_plan
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import HelmRefused, HelmTimeout
from dovetail.kube import Client, EventRecorder, Informer, Key, RequeueAfter, is_deleting, key_of, uid_of
from dovetail.kube.errors import NotFound, RequestTimeout, Unreachable
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import clusters, progress, states
from dovetail.lifecycle.clusters import Clusters, ClusterUnknown, ClusterUnreachable, Member
from dovetail.lifecycle.facts import Attempt, Problem
from dovetail.lifecycle.live_progress import LiveProgress, SilentProgress
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.observing import Seen
from dovetail.lifecycle.pauses import Pauses
from dovetail.lifecycle.placement import placed
from dovetail.lifecycle.plans import PlanReconciler
from dovetail.lifecycle.slices import is_left_behind, slice_of, slices_of

_AGAIN: Final = 300.0
"""How often the agent of an extension that nothing happens to is looked at: members are not watched."""
_NOT_OF_A_SLICE: Final = frozenset({"history", "progress", "receipt", "drift"})
_SLICES: Final = "/status/clusterSchedulingStatuses"


class AgentReconciler(PlanReconciler):
    """The agents of all extensions on one member cluster."""

    cluster: str = ""

    def _status(self, obj: Object) -> Mapping[str, Any]:
        return slice_of(status_of(obj), self.cluster)

    def _live(self, obj: Object) -> LiveProgress:
        return SilentProgress(self._client, obj)

    async def _write(self, obj: Object, status: Mapping[str, Any]) -> Object:
        return await write_slice(self._client, obj, self.cluster, status)

    async def _unprotect(self, seen: Seen) -> None:
        obj = await drop_slice(self._client, seen.obj, self.cluster)
        self._pauses.forget(uid_of(obj))
        await self._tell(obj, "Normal", states.UNINSTALLED, "the agent is uninstalled, nothing is left")

    async def _begin_receipt(self, seen: Seen) -> None:
        """The receipt is about the host; there it says which members were left behind."""

    async def _tell(self, obj: Object, severity: Any, reason: str, message: str) -> None:
        await super()._tell(obj, severity, reason, f"cluster {self.cluster}: {message}")


class Agents:
    """`reconcile` is the function of the controller; a key is (cluster, extension)."""

    def __init__(
        self,
        client: Client,
        known: Clusters,
        recorder: EventRecorder,
        plans: Informer,
        make: Callable[[Member], AgentReconciler],
    ) -> None:
        self._client = client
        self._clusters = known
        self._recorder = recorder
        self._plans = plans
        self._make = make
        self._made: dict[str, tuple[Member, AgentReconciler]] = {}
        self._pauses = Pauses()
        self._failures: dict[Key, tuple[int, bool]] = {}
        """How often the member did not answer in a row, and whether the plan was being deleted then."""

    def keys(self, plan: Object) -> Iterator[Key]:
        """Every cluster that the plan is placed on, or was."""
        name = key_of(plan).name
        for cluster in sorted({*_placed(plan, self._clusters), *_slices(plan)}):
            yield Key(cluster, name)

    def keys_on(self, cluster: str) -> Iterable[Key]:
        """Every plan that a change of this cluster may concern."""
        return [key for plan in self._plans.lister for key in self.keys(plan) if key.namespace == cluster]

    def notice(self, type: str, old: Object | None, new: Object, /) -> None:
        """The handler of the plans' informer: what runs on members is interrupted, too."""
        for _, reconciler in self._made.values():
            reconciler.interrupts.notice(type, old, new)

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        try:
            following = await (await self._reconciler(key.namespace)).reconcile(Key("", key.name))
        except (ClusterUnknown, ClusterUnreachable, Unreachable, RequestTimeout, HelmRefused, HelmTimeout) as error:
            return await self._unreachable(key, error)
        self._failures.pop(key, None)
        plan = self._plans.lister.get(key.name)
        placed_there = plan is not None and key in set(self.keys(plan))
        return following or (RequeueAfter(_AGAIN) if placed_there else None)

    async def _reconciler(self, cluster: str) -> AgentReconciler:
        member = await self._clusters.reach(cluster)
        made = self._made.get(cluster)
        if made is None or made[0] is not member:
            made = self._made[cluster] = (member, self._make(member))
        return made[1]

    async def _unreachable(self, key: Key, error: Exception) -> RequeueAfter | None:
        """Say it in the slice, and try again with a growing pause; tries because of events in between do not count."""
        try:
            obj = await self._client.get(INSTALLPLANS, key.name)
        except NotFound:
            self._failures.pop(key, None)
            return None
        before, leaving = self._failures.get(key, (0, False)), is_deleting(obj)
        if before[1] == leaving and not self._pauses.is_over(_pause_of(key)):
            return RequeueAfter(self._pauses.left(_pause_of(key)))
        failures = before[0] + 1 if before[1] == leaving else 1
        self._failures[key] = (failures, leaving)
        reason = clusters.UNKNOWN if isinstance(error, ClusterUnknown) else clusters.UNREACHABLE
        message = str(error) if isinstance(error, ClusterUnknown | ClusterUnreachable) else str(
            ClusterUnreachable(key.namespace, str(error))
        )  # fmt: skip
        await self._note(obj, key.namespace, Problem(reason, message))
        return RequeueAfter(self._pauses.begin(_pause_of(key), failures))

    async def _note(self, obj: Object, cluster: str, problem: Problem) -> None:
        current = slice_of(status_of(obj), cluster)
        wanted = not is_deleting(obj) and cluster in _placed(obj, self._clusters)
        if not wanted and not current.get("releaseName"):
            if current:
                await drop_slice(self._client, obj, cluster)
            return
        status = _told(current, problem, int(obj["metadata"].get("generation") or 0), wanted=wanted)
        if status is not None:
            await write_slice(self._client, obj, cluster, status)
            await self._recorder.record(obj, "Warning", problem.reason, problem.message)


def _pause_of(key: Key) -> str:
    return f"{key.namespace}/{key.name}"


async def write_slice(client: Client, obj: Object, cluster: str, status: Mapping[str, Any]) -> Object:
    """Replace one cluster's slice, and nothing else. Raises Conflict when the first slice is made by two at once."""
    kept = {name: value for name, value in status.items() if name not in _NOT_OF_A_SLICE}
    if "clusterSchedulingStatuses" in status_of(obj):
        return await _patch(client, obj, [{"op": "add", "path": f"{_SLICES}/{_pointer(cluster)}", "value": kept}])
    if status_of(obj):
        first = [{"op": "add", "path": _SLICES, "value": {cluster: kept}}]
    else:
        first = [{"op": "add", "path": "/status", "value": {"clusterSchedulingStatuses": {cluster: kept}}}]
    return await _patch(client, obj, [_exactly(obj), *first])


async def drop_slice(client: Client, obj: Object, cluster: str) -> Object:
    """Forget a cluster."""
    if cluster not in slices_of(status_of(obj)):
        return obj
    return await _patch(client, obj, [_exactly(obj), {"op": "remove", "path": f"{_SLICES}/{_pointer(cluster)}"}])


async def _patch(client: Client, obj: Object, operations: list[dict[str, Any]]) -> Object:
    patch: Any = operations
    return await client.patch(INSTALLPLANS, key_of(obj).name, patch, content="json", subresource="status")


def _exactly(obj: Object) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": obj["metadata"]["resourceVersion"]}


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _told(current: Mapping[str, Any], problem: Problem, generation: int, *, wanted: bool) -> dict[str, Any] | None:
    """The slice that says so; None when it does already."""
    if wanted:
        if progress.operation_of(current).get("problem") == problem.message:
            return None
        state = str(current.get("state") or "") or states.INSTALL_FAILED
        return progress.rejected(current, state, problem.reason, problem.message, generation, now())
    if is_left_behind(current):
        return None
    before = progress.recorded_of(current)
    tried = before.attempt.count if before.state == states.UNINSTALL_FAILED else 0
    attempt = Attempt(count=tried + 1, message=problem.message)
    return progress.failed(current, states.UNINSTALL_FAILED, problem.reason, attempt, generation, now())


def _placed(plan: Object, known: Clusters) -> tuple[str, ...]:
    try:
        return placed(install_plan(plan).scheduling, known.known()) if not is_deleting(plan) else ()
    except InvalidObject:
        return tuple(_slices(plan))  # what is there stays until the plan can be read


def _slices(plan: Object) -> Iterable[str]:
    return slices_of(status_of(plan))
