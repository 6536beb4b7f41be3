"""One look at an agent: the plan on the host, its slice, and what is there on the member cluster.

An agent is wanted when the plan places it and is not being deleted. It follows the host: it is made, and changed, when
the host's own release is in force in the version that is asked for.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion, InstallPlan, install_plan
from dovetail.apis.dialects.policies import AS_PUBLISHED
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import NAMESPACES, Client, NotFound, is_deleting, key_of, uid_of
from dovetail.kube.resources import Object
from dovetail.lifecycle import progress, states
from dovetail.lifecycle.clusters import Clusters, ClusterUnreachable, Member
from dovetail.lifecycle.facts import Desired, Inputs, Namespace, Problem, World
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.observing import Observer, Seen, default_release, plan_of
from dovetail.lifecycle.placement import UnreadableOverride, agent_config, placed
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.removal import NO_REMAINS, Removal
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.slices import slice_of
from dovetail.lifecycle.values import platform_values

_DEADLINE: Final = 20.0
"""For what is read of a member at one look, in seconds."""
_MULTICLUSTER: Final = "Multicluster"


class AgentObserver:
    """Looks at the agents on one member. `settings` are the member's."""

    def __init__(
        self,
        client: Client,
        host: Observer,
        known: Clusters,
        member: Member,
        settings: LifecycleSettings,
        may_retry: Callable[[str], bool],
    ) -> None:
        self._client = client
        self._host = host
        self._clusters = known
        self._member = member
        self._settings = settings
        self._may_retry = may_retry
        self._releases = Releases(member.client)
        self._removal = Removal(member.client)

    async def look(self, name: str) -> Seen | None:
        """The agent and its world, or None when nothing is to be done about it now."""
        try:
            obj = await self._client.get(INSTALLPLANS, name)
        except NotFound:
            return None
        try:
            model = install_plan(obj)
        except InvalidObject as error:
            return await self._seen(obj, None, None, Problem("InvalidPlan", str(error)), "")
        if is_deleting(obj) or self._member.name not in placed(model.scheduling, self._clusters.known()):
            return await self._unwanted(obj, model)
        if model.policies.paused or not _host_is_ready(obj, model):
            return None
        version = await self._host.version(model)
        try:
            config = agent_config(model.config, model.scheduling, self._member.name)
        except UnreadableOverride as error:
            return await self._seen(obj, model, version, Problem("InvalidOverride", str(error)), "")
        return await self._seen(obj, model, version, self._desired(obj, model, version, config), config)

    def neighbours(self, name: str, namespace: str) -> list[str]:
        """Other plans with an agent in this namespace of the member."""
        return [
            key_of(other).name
            for other in self._host.plans
            if key_of(other).name != name and self._slice(other).get("targetNamespace") == namespace
        ]

    async def _unwanted(self, obj: Object, model: InstallPlan) -> Seen | None:
        return await self._seen(obj, model, None, None, "") if self._slice(obj) else None

    async def _seen(
        self,
        obj: Object,
        model: InstallPlan | None,
        version: ExtensionVersion | None,
        desired: Desired | Problem | None,
        config: str,
    ) -> Seen:
        """`desired` None: the agent is to go."""
        try:
            async with asyncio.timeout(_DEADLINE):
                seen = await self._look(obj, model, desired)
        except TimeoutError:
            why = f"it does not answer within {_DEADLINE:g} s"
            raise ClusterUnreachable(self._member.name, why) from None
        return replace(seen, version=version, config=config)

    async def _look(self, obj: Object, model: InstallPlan | None, desired: Desired | Problem | None) -> Seen:
        name, kept, namespace = key_of(obj).name, self._slice(obj), self._namespace(obj)
        policies = model.policies if model else AS_PUBLISHED
        records = await self._releases.records(
            namespace, str(kept.get("releaseName") or default_release(name, self._member.name))
        )
        latest, remains = records.latest, NO_REMAINS
        failed = latest is not None and latest.status == storage.FAILED
        if desired is None and latest is None and kept.get("state") == states.UNINSTALLING:
            remains = await self._removal.look(name, namespace, shared=bool(self.neighbours(name, namespace)))
        world = World(
            release=records.fact(
                await self._releases.description(latest) if failed and latest else "",
                attempted=progress.recorded_of(kept).attempt.target,
            ),
            namespace=await self._namespace_state(namespace),
            remains=len(remains.objects),
            vanishing=remains.vanishing,
            may_retry=self._may_retry(uid_of(obj)),
        )
        enabled = model.enabled if model else kept.get("enabled") is not False
        plan = replace(
            plan_of(obj, kept, desired or Problem("NotPlaced", ""), policies),
            deleting=desired is None,
            protected=True,
            paused=False,
            enabled=enabled,
        )
        return Seen(obj, plan, world, namespace, records, policies=policies, remains=remains, cluster=self._member.name)

    def _desired(
        self, obj: Object, model: InstallPlan, version: ExtensionVersion | None, config: str
    ) -> Desired | Problem:
        kept = self._slice(obj)
        if version is None:
            return Problem("VersionNotFound", f"ExtensionVersion {model.extension}-{model.version} does not exist")
        if version.installation_mode != _MULTICLUSTER and kept.get("version") != model.version:
            mode = f"{model.extension} {model.version} runs on the host only (installationMode)"
            return Problem("HostOnly", f"{mode}; take the cluster out of spec.clusterScheduling")
        namespace = self._namespace(obj)
        injected = platform_values(self._settings, agent=True)
        inputs = Inputs(model.extension, model.version, version.digest, namespace, config, injected)
        return Desired(model.extension, model.version, model.enabled, namespace, inputs.target)

    def _slice(self, obj: Object) -> Mapping[str, Any]:
        return slice_of(status_of(obj), self._member.name)

    def _namespace(self, obj: Object) -> str:
        """The host's, unless the agent was begun in another."""
        fixed = self._slice(obj).get("targetNamespace") or status_of(obj).get("targetNamespace")
        return str(fixed or f"{labels.EXTENSION_NAMESPACE_PREFIX}{key_of(obj).name}")

    async def _namespace_state(self, namespace: str) -> Namespace:
        try:
            obj = await self._member.client.get(NAMESPACES, namespace, metadata_only=True)
        except NotFound:
            return Namespace.ABSENT
        return Namespace.TERMINATING if is_deleting(obj) else Namespace.ACTIVE


def _host_is_ready(obj: Object, model: InstallPlan) -> bool:
    status = status_of(obj)
    return status.get("state") == states.INSTALLED and status.get("version") == model.version
