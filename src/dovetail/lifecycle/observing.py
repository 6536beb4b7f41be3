"""One look at everything that a decision about an InstallPlan needs.

The plan, its release's records and its namespace are read from the API itself, because a decision on a stale cache
would repeat what was just done; versions and API objects come from caches, whose changes cause another look. The
result is `facts` plus the objects they were made from.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion, InstallPlan, extension_version, install_plan
from dovetail.apis.dialects.policies import AS_PUBLISHED, Policies
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import (
    NAMESPACES,
    Client,
    Informer,
    NotFound,
    annotations_of,
    finalizers_of,
    is_deleting,
    key_of,
)
from dovetail.kube.resources import Object
from dovetail.lifecycle import access, constraints, progress, states
from dovetail.lifecycle.dependencies import gate
from dovetail.lifecycle.dependencies.standing import Held, Standing, standing
from dovetail.lifecycle.facts import DEPENDENCY_MISSING, Desired, Inputs, Namespace, Plan, Problem, World
from dovetail.lifecycle.interrupts import attempt_token
from dovetail.lifecycle.objects import spec_of, status_of
from dovetail.lifecycle.placement import agent_release
from dovetail.lifecycle.releases import NO_RECORDS, Records, Releases
from dovetail.lifecycle.removal import NO_REMAINS, Remains, Removal
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.slices import slice_of, waited_for
from dovetail.lifecycle.switching import Switchboard
from dovetail.lifecycle.values import platform_values
from dovetail.lifecycle.workloads import Workloads

IGNORE_DEPENDENTS: Final = labels.IGNORE_DEPENDENTS
"""Annotation of an InstallPlan: uninstall, or change the version, although others need it as it is."""


@dataclass(frozen=True)
class Seen:
    """The facts, and what they were made from."""

    obj: Object
    plan: Plan
    world: World
    namespace: str
    records: Records = NO_RECORDS
    version: ExtensionVersion | None = None
    config: str = ""
    policies: Policies = AS_PUBLISHED
    remains: Remains = NO_REMAINS

    cluster: str = ""
    """The member cluster whose agent this is about; empty for the host's release."""

    @property
    def status(self) -> Mapping[str, Any]:
        """The status that is kept of the release."""
        return slice_of(status_of(self.obj), self.cluster) if self.cluster else status_of(self.obj)

    @property
    def release(self) -> str:
        """The release's name; fixed once it was begun."""
        return str(self.status.get("releaseName") or "") or default_release(self.plan.name, self.cluster)


class Observer:
    """Looks at plans. `may_retry` tells for a plan's uid whether its pause is over."""

    def __init__(
        self,
        client: Client,
        settings: LifecycleSettings,
        platform: constraints.Platform,
        switchboard: Switchboard,
        workloads: Workloads,
        plans: Informer,
        versions: Informer,
        may_retry: Callable[[str], bool],
    ) -> None:
        self._client = client
        self._settings = settings
        self._platform = platform
        self._switchboard = switchboard
        self._workloads = workloads
        self._plans = plans
        self._versions = versions
        self._may_retry = may_retry
        self._releases = Releases(client)
        self._removal = Removal(client)

    async def look(self, name: str) -> Seen | None:
        """The plan and its world, or None when there is no such plan."""
        try:
            obj = await self._client.get(INSTALLPLANS, name)
        except NotFound:
            return None
        return await (self._look_deleting(obj) if is_deleting(obj) else self._look_wanted(obj))

    async def _look_wanted(self, obj: Object) -> Seen:
        status = status_of(obj)
        problem: Problem | None = None
        version: ExtensionVersion | None = None
        model: InstallPlan | None = None
        try:
            model = install_plan(obj)
            version = await self.version(model)
        except InvalidObject as error:
            problem = Problem("InvalidPlan", str(error))
        namespace = target_namespace(obj, model, version)
        desired = problem or self._desired(obj, model, version, namespace)
        records, state = await asyncio.gather(
            self._releases.records(namespace, release_name(obj)), self._namespace_state(namespace)
        )
        enabled = model.enabled if model else status.get("enabled") is not False
        config, policies = (model.config, model.policies) if model else ("", AS_PUBLISHED)
        latest = records.latest
        failed = latest is not None and latest.status == storage.FAILED
        world = World(
            release=records.fact(
                await self._releases.description(latest) if failed and latest else "",
                attempted=progress.recorded_of(status).attempt.target,
            ),
            namespace=state,
            switched=self._is_switched(key_of(obj).name, enabled, policies),
            may_retry=self._may_retry(obj["metadata"]["uid"]),
        )
        plan = replace(plan_of(obj, status, desired, policies), enabled=enabled)
        return Seen(obj, plan, world, namespace, records, version, config, policies)

    async def _look_deleting(self, obj: Object) -> Seen:
        """Needs neither the version nor a readable plan: what is installed is in the status and in the cluster."""
        status = status_of(obj)
        name = key_of(obj).name
        try:
            model = install_plan(obj)
        except InvalidObject:
            model = None
        namespace = target_namespace(obj, model, None)
        records = await self._releases.records(namespace, release_name(obj))
        remains = NO_REMAINS
        if not records.revisions and status.get("state") == states.UNINSTALLING:
            remains = await self._removal.look(name, namespace, shared=bool(self.neighbours(name, namespace)))
        world = World(
            release=records.fact(),
            remains=len(remains.objects),
            vanishing=remains.vanishing,
            may_retry=self._may_retry(obj["metadata"]["uid"]),
            dependents=tuple(gate.dependents(name, self._standing())),
            members=waited_for(status),
        )
        policies = model.policies if model else AS_PUBLISHED
        plan = plan_of(obj, status, Problem("Deleting", ""), policies)
        return Seen(obj, plan, world, namespace, records, policies=policies, remains=remains)

    def _is_switched(self, name: str, enabled: bool, policies: Policies) -> bool:
        down = policies.scale_down_when_disabled
        return self._switchboard.is_switched(name, enabled) and self._workloads.is_switched(name, enabled, down)

    @property
    def plans(self) -> Iterable[Object]:
        """All plans, as they are cached."""
        return self._plans.lister

    def neighbours(self, name: str, namespace: str) -> list[str]:
        """Other plans whose release is in this namespace."""
        return [
            key_of(other).name
            for other in self._plans.lister
            if key_of(other).name != name and status_of(other).get("targetNamespace") == namespace
        ]

    async def version(self, plan: InstallPlan) -> ExtensionVersion | None:
        """The version that the plan names, if it is published."""
        name = f"{plan.extension}-{plan.version}"
        obj = self._versions.lister.get(name)
        if obj is None:  # published a moment ago, perhaps
            try:
                obj = await self._client.get(EXTENSIONVERSIONS, name)
            except NotFound:
                return None
        return extension_version(obj)

    def _desired(
        self, obj: Object, plan: InstallPlan | None, version: ExtensionVersion | None, namespace: str
    ) -> Desired | Problem:
        assert plan is not None
        name = key_of(obj).name
        status = status_of(obj)
        in_force = status.get("version") == plan.version
        if plan.extension != name:
            fix = f"the plan for {plan.extension} must be named {plan.extension}; delete this one and make that"
            return Problem("NameMismatch", f"an InstallPlan has the name of its extension: {fix}")
        if access.is_protected(namespace):
            return Problem("ProtectedNamespace", f"no extension may be installed into {namespace}; choose another")
        digest = version.digest if version is not None else progress.known_digest(status, plan.version)
        if digest is None:
            return Problem("VersionNotFound", self._not_found(plan))
        if (
            version is not None
            and not in_force
            and (problem := self.obstacle(plan.extension, plan.version, version, overrides=_ignores(obj)))
        ):
            return problem
        injected = platform_values(self._settings)
        inputs = Inputs(plan.extension, plan.version, digest, namespace, plan.config, injected)
        barred = _unapproved(plan) if version is not None else Problem("VersionNotFound", self._not_found(plan))
        lacking = self._lacking(plan.extension, version) if in_force and version is not None else ""
        return Desired(plan.extension, plan.version, plan.enabled, namespace, inputs.target, barred, lacking)

    def obstacle(
        self, extension: str, version: str, known: ExtensionVersion | None = None, *, overrides: bool = False
    ) -> Problem | None:
        """Why this version may not be installed on this platform next to what is installed, or None when it may."""
        if known is None and (obj := self._versions.lister.get(f"{extension}-{version}")) is not None:
            known = extension_version(obj)
        if known is not None and (why := constraints.refusal(known, self._platform)):
            return Problem("Incompatible", why)
        wanted = Held(version, known.external_dependencies if known else ())
        return gate.missing(extension, wanted, self._standing(), self._published, ignore_dependents=overrides)

    def _lacking(self, extension: str, version: ExtensionVersion) -> str:
        if not version.external_dependencies:
            return ""
        wanted = Held(version.version, version.external_dependencies)
        problem = gate.missing(extension, wanted, self._standing(), self._published, ignore_dependents=True)
        return problem.message if problem and problem.reason == DEPENDENCY_MISSING else ""

    def _standing(self) -> Standing:
        return standing(self._plans.lister, self._versions.lister.get)

    def _published(self, extension: str) -> list[str]:
        found = self._versions.lister.by_index("extension", extension)
        return [str(spec_of(obj).get("version") or "") for obj in found]

    def _not_found(self, plan: InstallPlan) -> str:
        known = sorted(self._published(plan.extension))
        there_is = f"there is {', '.join(known)}" if known else "no version of it is known; publish one"
        return f"ExtensionVersion {plan.extension}-{plan.version} does not exist; {there_is}"

    async def _namespace_state(self, namespace: str) -> Namespace:
        try:
            obj = await self._client.get(NAMESPACES, namespace, metadata_only=True)
        except NotFound:
            return Namespace.ABSENT
        return Namespace.TERMINATING if is_deleting(obj) else Namespace.ACTIVE


def default_release(extension: str, cluster: str) -> str:
    """The extension's name on the host, `<extension>-agent` on a member."""
    return agent_release(extension) if cluster else extension


def release_name(obj: Object) -> str:
    """The name of the plan's release on the host."""
    return str(status_of(obj).get("releaseName") or key_of(obj).name)


def target_namespace(obj: Object, plan: InstallPlan | None, version: ExtensionVersion | None) -> str:
    """Fixed once a release was begun; before, the plan's wish, then the package's, then `extension-<name>`."""
    status = status_of(obj)
    if status.get("releaseName") and status.get("targetNamespace"):
        return str(status["targetNamespace"])
    wished = (plan.target_namespace if plan else "") or (version.namespace if version else "")
    return wished or f"{labels.EXTENSION_NAMESPACE_PREFIX}{key_of(obj).name}"


def _unapproved(plan: InstallPlan) -> Problem | None:
    policies = plan.policies
    if not policies.approval_required or policies.approved_hash:
        return None
    command = f"dovetail extension plan {plan.extension} --version {plan.version} --approve"
    return Problem(
        "ApprovalRequired",
        f"{plan.extension} {plan.version} waits for an approval: look at its plan with `{command}`, "
        "or set spec.approval.planHash to the hash that is shown",
    )


def _ignores(obj: Object) -> bool:
    return IGNORE_DEPENDENTS in annotations_of(obj)


def plan_of(obj: Object, status: Mapping[str, Any], desired: Desired | Problem, policies: Policies) -> Plan:
    annotations = annotations_of(obj)
    return Plan(
        name=key_of(obj).name,
        generation=int(obj["metadata"].get("generation") or 0),
        deleting=is_deleting(obj),
        force_delete=labels.FORCE_DELETE in annotations,
        protected=labels.INSTALLPLAN_PROTECTION in finalizers_of(obj),
        token=attempt_token(obj),
        paused=policies.paused,
        limit=policies.retry.limit,
        rolls_back=policies.on_upgrade_failure == "Rollback",
        ignore_dependents=_ignores(obj),
        desired=desired,
        recorded=progress.recorded_of(status),
    )
