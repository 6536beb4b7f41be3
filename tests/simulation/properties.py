"""What must hold: at every write (`Guard`), and once the input has stopped (`problems`).

The expectations are made from the input alone: the specs that users wrote, what repositories truly list, how charts
behave. Nothing of the platform's own judgement is used but the texts in its statuses, which are quoted.
"""

from typing import Any

from tests.simulation import charts
from tests.simulation.api import Change, MemoryApi, Object
from tests.simulation.charts import EXTENSION_REF
from tests.simulation.helm import PENDING
from tests.simulation.helm_records import RELEASE_NAME, text_of, version_in
from tests.simulation.kinds import (
    CATEGORY,
    CLUSTERROLE,
    CONFIGMAP,
    EVENT,
    EXTENSION,
    EXTENSIONVERSION,
    INSTALLPLAN,
    JSBUNDLE,
    KINDS,
    LEASE,
    NAMESPACE,
    REPOSITORY,
    SECRET,
    SUBSCRIPTION,
)
from tests.simulation.members import EDGE
from tests.simulation.scenario import OWNER, SYSTEM, TEAM, Wish
from tests.simulation.world import USER, World

FAILED = ("InstallFailed", "UpgradeFailed")
STATES = {
    "",
    "Preparing",
    "Installing",
    "Installed",
    "Upgrading",
    "Uninstalling",
    "Uninstalled",
    "UninstallFailed",
    *FAILED,
}
_CATALOGUE = frozenset({EXTENSION, EXTENSIONVERSION, INSTALLPLAN, SUBSCRIPTION, REPOSITORY, CATEGORY, EVENT, LEASE})
_TOLD_AGAIN = frozenset({LEASE, REPOSITORY, EVENT})
"""Written though nothing changed: leases are renewed, repositories read again, the same events counted up."""
_NOT_THEIRS = frozenset({CONFIGMAP, SECRET, CLUSTERROLE, JSBUNDLE, NAMESPACE})


class Violation(Exception):
    """A property does not hold."""


class Guard:
    """Looks at every change of the API. What is wrong is kept in `wrong`."""

    def __init__(self, world: World) -> None:
        self.wrong: list[str] = []
        self.last_write = 0.0
        self.recent: list[str] = []
        self._world = world
        self._theirs: set[str] = set()
        self._deployed: set[tuple[str, str]] = set()
        world.api.listeners.append(self._look)
        world.on_member(lambda edge: edge.api.listeners.append(self._look))

    def _look(self, change: Change) -> None:
        ours = change.actor.startswith(("controllers-", "helm of"))
        if ours and change.kind not in _TOLD_AGAIN:
            self.last_write = self._world.loop.time()
            self.recent = [*self.recent[-9:], f"{change.type} {change.kind.plural} {change.new.meta['name']}"]
        if change.kind in _NOT_THEIRS:
            self._foreign(change, ours)
        if change.kind is SECRET and (change.new.meta.get("labels") or {}).get("status") == "deployed":
            self._deployed.add((change.new.meta["labels"]["name"], version_in(text_of(change.new.obj))))
        elif change.kind is INSTALLPLAN:
            self._plan(change)
        elif change.kind is EXTENSIONVERSION and change.type == "DELETED" and ours:
            self._version_removed(change)

    def _foreign(self, change: Change, ours: bool) -> None:
        uid = change.new.meta["uid"]
        if change.type == "ADDED" and change.actor == USER:
            self._theirs.add(uid)
        elif ours and uid in self._theirs:
            self.wrong.append(f"{change.actor} {change.type} the user's {change.kind.kind} {change.new.meta['name']}")

    def _plan(self, change: Change) -> None:
        status = change.new.obj.get("status") or {}
        name, version = change.new.meta["name"], status.get("version")
        if status.get("state", "") not in STATES:
            self.wrong.append(f"InstallPlan {name} has the state {status['state']!r}, which is none")
        if version and (name, version) not in self._deployed:
            self.wrong.append(f"InstallPlan {name} says that {version} is in force, which never was")

    def _version_removed(self, change: Change) -> None:
        meta = change.new.meta
        source = (meta.get("labels") or {}).get("kubesphere.io/repository-ref", "")
        known = self._world.repositories.known
        if not source:
            self.wrong.append(f"the uploaded ExtensionVersion {meta['name']} was removed by {change.actor}")
        elif len(known) == 1 and known[f"{source}.test"].lists(meta["name"]):
            self.wrong.append(
                f"ExtensionVersion {meta['name']} was removed, though {source} lists it: an error was read as a removal"
            )


def problems(world: World, wish: Wish) -> list[str]:
    """What is not as it should be, now that nobody changes anything."""
    found: list[str] = []
    for extension in charts.EXTENSIONS:
        plan = world.api.get(INSTALLPLAN, extension)
        if plan is None:
            found += _leftovers(world.api, wish, extension)
        elif plan["metadata"].get("deletionTimestamp"):
            found.append(f"{extension}: its deletion does not end ({_told(plan)})")
        else:
            found += [f"{extension}: {problem}" for problem in _plan_problems(world, wish, plan)]
        found += [f"{extension} on the member: {problem}" for problem in _agent_problems(world, wish, extension, plan)]
    found += _subscription_problems(world)
    found += _catalogue_problems(world)
    return found


def _agent_problems(world: World, wish: Wish, extension: str, plan: Object | None) -> list[str]:
    """Of the agent on the member cluster. A member that is cut off is nobody's business; the host's goes on."""
    edge = world.edge
    if edge is None or edge.network.cut:
        return []
    spec, status = (plan or {}).get("spec") or {}, (plan or {}).get("status") or {}
    told = (status.get("clusterSchedulingStatuses") or {}).get(EDGE) or {}
    if EDGE not in (((spec.get("clusterScheduling") or {}).get("placement") or {}).get("clusters") or ()):
        if told:
            return [f"it is not placed there, and its part of the status says {told.get('state')!r}"]
        return [] if edge.was_cut else _leftovers(edge.api, wish, extension)
    if status.get("state") != "Installed":
        return []
    wanted = spec["extension"]["version"]
    if told.get("state") in FAILED:
        version = (world.api.get(EXTENSIONVERSION, f"{extension}-{wanted}") or {}).get("spec") or {}
        everywhere = version.get("installationMode") == "Multicluster"
        if not everywhere or world.helm.behaviour(extension, wanted).hopeless or gave_up({"status": told}):
            return []
        return [f"it has failed for no reason that is left ({_told({'status': told})})"]
    if (told.get("state"), told.get("version")) != ("Installed", wanted):
        return [f"{wanted} is wanted, its part of the status says {told.get('state')!r} {told.get('version')!r}"]
    records = _records(edge.api, f"{extension}-agent", str(told.get("targetNamespace") or ""))
    if not records or records[-1]["metadata"]["labels"]["status"] != "deployed":
        return ["it is called installed, but its release is not deployed"]
    return []


def _leftovers(api: MemoryApi, wish: Wish, extension: str) -> list[str]:
    """What an uninstalled extension left. After a forced deletion objects may stay, but no records."""
    left: list[str] = []
    for kind in KINDS:
        if kind in _CATALOGUE:
            continue
        for (namespace, name), stored in api.objects[kind].items():
            labels = stored.meta.get("labels") or {}
            record = (
                kind is SECRET
                and labels.get("owner") == "helm"
                and labels.get("name", "").removesuffix("-agent") == extension
            )
            mine = labels.get(EXTENSION_REF) == extension or (
                (stored.meta.get("annotations") or {}).get(RELEASE_NAME) == extension
            )
            if namespace == SYSTEM and kind is CONFIGMAP:  # packages, receipts, logs
                continue
            if record or (mine and extension not in wish.forced):
                left.append(f"{kind.kind} {namespace}/{name}")
    return [f"{extension}: it is uninstalled, but there is still {', '.join(left[:5])}"] if left else []


def _plan_problems(world: World, wish: Wish, plan: Object) -> list[str]:
    status, spec, extension = plan.get("status") or {}, plan["spec"], plan["metadata"]["name"]
    state, wanted = status.get("state", ""), spec["extension"]["version"]
    if status.get("observedGeneration") != plan["metadata"]["generation"]:
        return [f"the last change was not looked at ({_told(plan)})"]
    records = _records(world.api, extension, str(status.get("targetNamespace") or ""))
    if any(secret["metadata"]["labels"]["status"] in PENDING for secret in records[-1:]):
        return [f"its release is locked ({_told(plan)})"]
    if state == "Installed":
        return _installed_problems(world, wish, plan, records)
    if state not in FAILED:
        return [f"it is still at work ({_told(plan)})"]
    return _failed_problems(world, wish, plan, records, wanted)


def _installed_problems(world: World, wish: Wish, plan: Object, records: list[Object]) -> list[str]:
    status, spec, extension = plan["status"], plan["spec"], plan["metadata"]["name"]
    wanted, enabled = spec["extension"]["version"], bool(spec.get("enabled", True))
    if status.get("version") != wanted:
        return [f"{wanted} is wanted, {status.get('version')!r} is in force, and it calls itself installed"]
    if bool(status.get("enabled")) != enabled:
        return [f"enabled should be {enabled}"]
    if not records or records[-1]["metadata"]["labels"]["status"] != "deployed":
        return ["it is called installed, but its release is not deployed"]
    rendered = charts.documents(text_of(records[-1]))
    if version_in(text_of(records[-1])) != wanted:
        return ["its release is of another version"]
    namespace = status["targetNamespace"]
    settings = rendered[0]["data"]
    found: list[str] = []
    if settings["color"] != charts.color_of(spec.get("config") or ""):
        found.append(f"its release was made with another configuration ({settings['color']})")
    build = _build(world, extension, wanted)
    if build is not None and settings["build"] != str(build):
        found.append(f"its release was made from build {settings['build']}, {build} is published")
    if extension in wish.touched:
        return found
    live = world.api.get(CONFIGMAP, f"{extension}-settings", namespace)
    if live is None or live["data"] != settings:
        found.append(f"its objects are not those of the release: {live and live['data']}, not {settings}")
    bundle = world.api.get(JSBUNDLE, extension)
    told = ((bundle or {}).get("status") or {}).get("state")
    if bundle is None or told != ("Available" if enabled else "Disabled"):
        found.append(f"its bundle is {told}")
    others = () if extension in wish.forced else (version for version in charts.VERSIONS if version != wanted)
    left = [version for version in others if world.api.get(CONFIGMAP, f"{extension}-only-{version}", namespace)]
    return [*found, *(f"something of {version} is still there" for version in left)]


def _failed_problems(world: World, wish: Wish, plan: Object, records: list[Object], wanted: str) -> list[str]:
    status, extension = plan["status"], plan["metadata"]["name"]
    in_force = str(status.get("version") or "")
    deployed = [secret for secret in records if secret["metadata"]["labels"]["status"] == "deployed"]
    found: list[str] = []
    if deployed and in_force and version_in(text_of(deployed[-1])) != in_force:
        found.append(f"{in_force} is said to be in force, the release has {version_in(text_of(deployed[-1]))}")
    if world.api.get(EXTENSIONVERSION, f"{extension}-{wanted}") is None:
        return found
    if gave_up(plan) or extension in wish.squatted | wish.forced:  # somebody else, or what was let go, has the names
        return found
    if world.helm.behaviour(extension, wanted).hopeless:
        return [*found, f"it has not given up yet ({_told(plan)})"]
    return [*found, f"it has failed, though nothing stands in its way any more ({_told(plan)})"]


def gave_up(plan: Object) -> bool:
    """Whether the plan waits for the user's word after as many attempts as it has patience."""
    operation = (plan.get("status") or {}).get("operation") or {}
    patience = int(operation.get("patience") or 0)
    return patience != 0 and int(operation.get("attempts") or 0) >= patience


def _subscription_problems(world: World) -> list[str]:
    found: list[str] = []
    for subscription in world.api.all(SUBSCRIPTION):
        name, extension = subscription["metadata"]["name"], subscription["spec"]["extension"]["name"]
        plan = world.api.get(INSTALLPLAN, extension)
        if plan is None:
            found.append(f"Subscription {name} has no plan")
        elif (plan["metadata"].get("annotations") or {}).get(OWNER) == name:
            if subscription["spec"]["extension"]["version"] != plan["spec"]["extension"]["version"]:
                found.append(f"Subscription {name} and its plan want other versions")
            if (subscription.get("status") or {}).get("state") != (plan.get("status") or {}).get("state"):
                found.append(f"Subscription {name} does not tell the state of its plan")
    return found


def _catalogue_problems(world: World) -> list[str]:
    """Every version that is truly listed is in the catalogue; what an Extension tells of its plan is so."""
    found: list[str] = []
    for repository in world.repositories.known.values():
        if world.api.get(REPOSITORY, repository.name) is None:
            continue
        for extension, version in repository.listed:
            obj = world.api.get(EXTENSIONVERSION, f"{extension}-{version}")
            if obj is None and len(world.repositories.known) == 1:
                found.append(f"{repository.name} lists {extension} {version}, the catalogue does not have it")
    for obj in world.api.all(EXTENSION):
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        plan = world.api.get(INSTALLPLAN, name) or {}
        told = plan.get("status") or {}
        in_force = str(told.get("version") or "") if told.get("state") else ""
        if str(status.get("installedVersion") or "") != in_force:
            found.append(f"Extension {name} says {status.get('installedVersion')!r} is installed, it is {in_force!r}")
        planned = str(((plan.get("spec") or {}).get("extension") or {}).get("version") or "")
        if str(status.get("plannedInstallVersion") or "") != planned:
            found.append(f"Extension {name} says {status.get('plannedInstallVersion')!r} is planned, it is {planned!r}")
        if str(status.get("state") or "") != str(told.get("state") or ""):
            found.append(f"Extension {name} says {status.get('state')!r}, its plan {told.get('state')!r}")
        there = sorted(v["spec"]["version"] for v in world.api.all(EXTENSIONVERSION, None, f"{EXTENSION_REF}={name}"))
        if sorted(info["version"] for info in status.get("versions") or ()) != there:
            found.append(f"Extension {name} does not tell the versions {there}")
    return found


def _records(api: MemoryApi, release: str, namespace: str) -> list[Object]:
    found = api.all(SECRET, namespace or None, f"owner=helm,name={release}")
    return sorted(found, key=lambda secret: int(secret["metadata"]["labels"]["version"]))


def _build(world: World, extension: str, version: str) -> int | None:
    """Which build is published, by its digest."""
    obj = world.api.get(EXTENSIONVERSION, f"{extension}-{version}")
    digest = str(((obj or {}).get("spec") or {}).get("digest") or "")
    return next((b for b in range(3) if charts.chart(extension, version, b).digest == digest), None)


def _told(plan: Object) -> str:
    status: dict[str, Any] = plan.get("status") or {}
    reasons = [
        f"{c.get('type')} {c.get('status')} {c.get('reason')}: {c.get('message')}"
        for c in status.get("conditions") or ()
    ]
    return f"state {status.get('state', '')!r}, {status.get('operation')}, {'; '.join(reasons)}"


__all__ = ["TEAM", "Guard", "Violation", "gave_up", "problems"]
