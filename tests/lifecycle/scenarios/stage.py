"""What a scenario plays on: a plan of its own, packages for it, and a look at what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, REPOSITORIES
from dovetail.helm import storage
from dovetail.kube import CONFIGMAPS, JOBS, PODS, SECRETS, Client, Conflict, NotFound
from tests.conftest import KubeApi
from tests.finished_jobs import finished_status
from tests.lifecycle.kubelet import failed_status
from tests.lifecycle.museum import Museum, repository, resync, serving, until_synced
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

WORK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: work
  labels: {ends: {{ .Values.work | default "well" | quote }}}
  annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: "before-hook-creation"}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: work, image: images.test/work}]}}
"""
"""A hook that ends as the plan's config says: `work: well`, `badly`, or anything else for never."""
TEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: probe
  labels: {ends: {{ .Values.probe | default "well" | quote }}}
  annotations: {helm.sh/hook: test}
spec: {restartPolicy: Never, containers: [{name: probe, image: images.test/probe}]}
"""
QUICKLY = {"backOff": "100ms", "maxBackOff": "1s"}


@dataclass
class Stage:
    """One scenario's. `name` is its extension's, and everything's that it makes."""

    client: Client
    name: str
    extensions: set[str] = field(default_factory=set[str])
    repositories: set[str] = field(default_factory=set[str])

    @property
    def namespace(self) -> str:
        return f"extension-{self.name}"

    async def offer(
        self, *versions: str, name: str = "", spec: Mapping[str, Any] = MappingProxyType({}), **files: str
    ) -> None:
        """Publish versions of the extension, or of another one; `spec` is of the version objects."""
        extension = name or self.name
        for version in versions:
            await publish(self.client, extension, version, package(extension, version, **files), **spec)

    async def plan(self, version: str, *, name: str = "", **spec: Any) -> None:
        self.extensions.add(name or self.name)
        await plan(self.client, name or self.name, version, **spec)

    async def installed(self, version: str, *, name: str = "") -> dict[str, Any]:
        return await until_settled(self.client, name or self.name, version)

    async def failed(self, in_force: str = "", attempts: int = 1) -> dict[str, Any]:
        """The last attempt failed; `in_force` is the version that is still told."""
        state = "UpgradeFailed" if in_force else "InstallFailed"

        def done(obj: dict[str, Any]) -> bool:
            status = obj.get("status", {})
            seen = status.get("observedGeneration") == obj["metadata"]["generation"]
            there = (status.get("state"), status.get("version", "")) == (state, in_force)
            return seen and there and status["operation"].get("attempts", 0) >= attempts

        return await self.until(done, f"{attempts} failures")

    async def until(self, done: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        return await until(lambda: self.client.get(INSTALLPLANS, self.name), done, f"{what} of {self.name}")

    async def told(self, type: str, status: str) -> dict[str, Any]:
        """The condition, once it has this status."""

        def done(obj: dict[str, Any]) -> bool:
            return condition(obj, type).get("status") == status

        return condition(await self.until(done, f"{type}={status}"), type)

    async def settings(self) -> dict[str, Any]:
        return (await self.client.get(CONFIGMAPS, "settings", self.namespace))["data"]

    async def revisions(self) -> dict[int, str]:
        """Helm's records of the release: revision -> status."""
        found = await self.client.list(SECRETS, self.namespace, label_selector=f"owner=helm,name={self.name}")
        read = [record for secret in found.items if (record := storage.record_of(secret))]
        return {record.revision: record.status for record in sorted(read, key=lambda record: record.revision)}

    async def serves(self, state: str = "Available") -> None:
        """The bundle is served, or is not."""
        await until(
            lambda: self.client.get(JSBUNDLES, self.name),
            lambda obj: obj.get("status", {}).get("state") == state,
            f"the bundle of {self.name} {state}",
        )

    async def restored(self, config_map: str) -> None:
        await until(
            lambda: self.client.get(CONFIGMAPS, config_map, self.namespace), lambda obj: True, f"{config_map} again"
        )

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Museum]:
        """An index server."""
        with serving() as museum:
            yield museum

    async def synced(self, museum: Museum, name: str = "", reason: str = "Synced") -> dict[str, Any]:
        """Make a Repository of it."""
        name = name or self.name
        self.repositories.add(name)
        await repository(self.client, name, museum.url)
        return await until_synced(self.client, name, reason)

    async def read_again(self) -> None:
        await resync(self.client, self.name)

    async def without_repository(self) -> None:
        """Delete it, and wait until it is gone."""
        self.repositories.discard(self.name)
        await self.client.delete(REPOSITORIES, self.name)
        await until_gone(self.client, REPOSITORIES, self.name)

    async def healed(self, config_map: str, key: str, value: str) -> None:
        await until(
            lambda: self.client.get(CONFIGMAPS, config_map, self.namespace),
            lambda obj: obj["data"].get(key) == value,
            f"{key}={value} in {config_map}",
        )

    async def leave(self) -> None:
        """However the scenario ended: the plans can be deleted, and they go."""
        for name in self.extensions:
            with contextlib.suppress(NotFound):
                await self.client.delete(INSTALLPLANS, name)
        await asyncio.gather(*(until_gone(self.client, INSTALLPLANS, name) for name in self.extensions))
        for name in self.repositories:
            with contextlib.suppress(NotFound):
                await self.client.delete(REPOSITORIES, name)
        self.extensions.clear()
        self.repositories.clear()


def condition(obj: dict[str, Any], type: str) -> dict[str, Any]:
    conditions = obj.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == type), {})


@contextlib.asynccontextmanager
async def platform(api: KubeApi) -> AsyncIterator[Client]:
    """Controllers, and somebody who ends Jobs and Pods as their label says."""
    async with api.client() as client, controllers(api.kubeconfig, drift_interval=1.0):
        task = asyncio.create_task(_work(client))
        try:
            yield client
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.wait([task])


async def _work(client: Client) -> None:
    while True:
        for ending in ("well", "badly"):
            for job in (await client.list(JOBS, label_selector=f"ends={ending}")).items:
                if not job.get("status", {}).get("conditions"):
                    status = finished_status(job) if ending == "well" else failed_status(job)
                    await _write(client, JOBS, job, status)
                    if job["spec"].get("ttlSecondsAfterFinished") == 0:
                        await client.delete(JOBS, job["metadata"]["name"], job["metadata"]["namespace"])
            for pod in (await client.list(PODS, label_selector=f"ends={ending}")).items:
                phase = "Succeeded" if ending == "well" else "Failed"
                if pod.get("status", {}).get("phase") != phase:
                    await _write(client, PODS, pod, {"phase": phase})
        await asyncio.sleep(0.1)


async def _write(client: Client, resource: Any, obj: dict[str, Any], status: dict[str, Any]) -> None:
    metadata = obj["metadata"]
    with contextlib.suppress(NotFound, Conflict):
        await client.patch(resource, metadata["name"], {"status": status}, metadata["namespace"], subresource="status")
