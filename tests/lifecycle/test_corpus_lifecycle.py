"""The whole life of every published package of the corpus: the API is afterwards what it was before.

An index server offers each package and its next version; the platform synchronises it, installs, changes the
configuration, upgrades, rolls back and uninstalls. There is no node: hooks' Jobs are ended as one would end them.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, INSTALLPLANS, REPOSITORIES
from dovetail.kube import CLUSTERROLES, CONFIGMAPS, JOBS, Client, Conflict, NotFound, annotations_of
from tests.conftest import KubeApi, install_crds
from tests.finished_jobs import finished_status
from tests.lifecycle.doctor.wellness import all_well
from tests.lifecycle.everything import Everything, everything, until_equal
from tests.lifecycle.museum import Museum, repository, until_synced
from tests.lifecycle.next_versions import for_the_host, next_version
from tests.lifecycle.platform import controllers, ensure_namespace, make, plan, until, until_gone
from tests.packaging.corpus import CORPUS, archives

NEXT = "99.0.0"
PATIENCE = 120.0
LARGEST = "ob-operator"
"""1.3 MB of CRDs: its configuration changes together with its version, to save time."""
DOMAIN = {"global": {"extension": {"ingress": {"domainSuffix": "example.test"}}}}


@dataclass(frozen=True)
class Package:
    """One of the corpus. `values` it cannot do without here; `namespace` where its release lives."""

    name: str
    values: dict[str, Any]
    namespace: str

    @property
    def archive(self) -> Path:
        (path,) = [path for path in archives() if path.name.rpartition("-")[0] == self.name]
        return path

    @property
    def version(self) -> str:
        return self.archive.name.removesuffix(".tgz").rpartition("-")[2]

    def config(self, **more: Any) -> str:
        return json.dumps(DOMAIN | self.values | more)


ROOT = "kube-root-ca.crt"
RECEIPT = "left: ConfigMap kubesphere-system/uninstall-receipt-"
# cert-manager's own pods would have to admit Issuers and Certificates, and pods need a node: here nobody is asked.
NOBODY = {"namespaceSelector": {"matchLabels": {"admitted-by": "cert-manager"}}}
WITHOUT_PODS = {
    "cert-manager": {
        "defaultIssuer": {"selfSigned": {"enabled": False}},
        "webhook": {"validatingWebhookConfiguration": NOBODY, "mutatingWebhookConfiguration": NOBODY},
    }
}
TOGETHER: Sequence[Sequence[Package]] = (
    (
        Package("cert-manager", WITHOUT_PODS, "extension-cert-manager"),
        Package("ob-operator", {}, "oceanbase-system"),
        Package("oceanbase-dashboard", {}, "oceanbase-system"),
    ),
    (
        Package("metrics-server", {}, "extension-metrics-server"),
        Package("deepseek", {}, "extension-deepseek"),
        Package("opensearch", {}, "kubesphere-logging-system"),
    ),
)


def test_every_package_of_the_corpus_has_its_row() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)")
    rows = sorted(package.name for group in TOGETHER for package in group)
    assert rows == sorted(path.name.rpartition("-")[0] for path in archives())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("packages", TOGETHER, ids=lambda packages: "+".join(one.name for one in packages))
async def test_a_life_leaves_nothing_behind(packages: Sequence[Package], own_kube_api: KubeApi, museum: Museum) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)")
    install_crds(own_kube_api)
    for package in packages:
        data = for_the_host(package.archive.read_bytes())
        museum.add(package.name, package.version, data)
        museum.add(package.name, NEXT, next_version(data, NEXT))
    async with own_kube_api.client() as client, controllers(own_kube_api.kubeconfig), node(client):
        await bystanders(client)
        empty = await everything(client)
        await repository(client, "museum", museum.url, updateStrategy={"registryPoll": {"interval": "24h"}})
        await until_synced(client, "museum")
        await until_catalogued(client, packages)
        before = await everything(client)
        for package in packages:  # side by side, each begun before the one before it has ended
            await plan(client, package.name, package.version, config=package.config())
        await all_settled(client, packages)
        kept = await lives(client, packages)
        for package in packages:
            await client.delete(INSTALLPLANS, package.name)
        await asyncio.gather(*(until_gone(client, INSTALLPLANS, package.name) for package in packages))
        left = await until_equal(client, before, lambda line: line in kept or line.startswith(RECEIPT))
        assert kept == {line for line in left if not line.startswith(RECEIPT)}
        await client.delete(REPOSITORIES, "museum")
        assert await until_equal(client, empty, left.__contains__) == left


async def lives(client: Client, packages: Sequence[Package]) -> set[str]:
    """A changed configuration, an upgrade, and the way back. Returns what the packages want kept when they go."""
    installed = await everything(client)
    await all_well(client, [package.name for package in packages])
    for package in packages:
        assert [name for name in installed if f" {package.namespace}/" in name], f"{package.name} made nothing"
    for package in packages:
        if package.name != LARGEST:
            await plan(client, package.name, package.version, config=package.config(proof="changed"))
    await all_settled(client, packages)
    for package in packages:
        await plan(client, package.name, NEXT, config=package.config(proof="changed"))
    await all_settled(client, packages, NEXT)
    for package in packages:
        await client.get(CONFIGMAPS, f"{package.name}-only-in-the-next-version", package.namespace)
    for package in packages:
        await plan(client, package.name, package.version, config=package.config())
    await all_settled(client, packages)
    for package in packages:
        await until_gone(client, CONFIGMAPS, f"{package.name}-only-in-the-next-version", package.namespace)
    return kept_by_choice(installed)


def kept_by_choice(installed: Everything) -> set[str]:
    """What a package's author marked to be kept, its namespaces, and what Kubernetes itself makes of either."""
    policies = {name: annotations_of(obj).get("helm.sh/resource-policy") for name, obj in installed.items()}
    kept = {name for name, policy in policies.items() if policy == "keep"}
    for namespace in {name.partition(" ")[2].partition("/")[0] for name in kept} - {""}:
        kept |= {f"Namespace /{namespace}", f"ServiceAccount {namespace}/default", f"ConfigMap {namespace}/{ROOT}"}
    for name in [name for name in kept if name.startswith("CustomResourceDefinition.")]:
        spec = installed[name]["spec"]
        kept |= {f"APIService.apiregistration.k8s.io /{one['name']}.{spec['group']}" for one in spec["versions"]}
    return {f"left: {name}" for name in kept}


async def all_settled(client: Client, packages: Sequence[Package], version: str = "") -> None:
    """Each plan Installed in `version`, or in the package's own. Looked at seldom: others work meanwhile."""
    wanted = {package.name: version or package.version for package in packages}

    def settled(obj: dict[str, Any]) -> bool:
        status, name = obj.get("status", {}), obj["metadata"]["name"]
        there = (status.get("state"), status.get("version")) == ("Installed", wanted[name])
        return there and status["observedGeneration"] == obj["metadata"]["generation"]

    plans: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not plans or not all(map(settled, plans)):
                await asyncio.sleep(0.25)
                plans = (await client.list(INSTALLPLANS)).items
    except TimeoutError:
        told = {obj["metadata"]["name"]: obj.get("status") for obj in plans if not settled(obj)}
        raise AssertionError(f"not settled: {told}") from None


async def until_catalogued(client: Client, packages: Sequence[Package]) -> None:
    for package in packages:
        await until(
            lambda name=package.name: client.get(EXTENSIONS, name),
            lambda obj: len(obj.get("status", {}).get("versions", ())) == 2,
            f"both versions of {package.name}",
        )


async def bystanders(client: Client) -> None:
    """Objects of somebody else that look as if they were an extension's."""
    await ensure_namespace(client, "kubesphere-system")
    await ensure_namespace(client, "somebody-else")
    looks = {"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/managed-by": "Helm"}
    metadata = {"name": "cert-manager", "labels": looks}
    await make(client, CONFIGMAPS, "cert-manager", "somebody-else", metadata=metadata, data={"kept": "yes"})
    await make(client, CLUSTERROLES, "cert-manager-somebody-else", metadata={**metadata, "name": "somebody-else"})


@contextlib.asynccontextmanager
async def node(client: Client) -> AsyncIterator[None]:
    """Whoever ends the hooks' Jobs."""

    async def finish() -> None:
        while True:
            for job in (await client.list(JOBS)).items:
                if not job.get("status", {}).get("conditions"):
                    metadata = job["metadata"]
                    with contextlib.suppress(NotFound, Conflict):
                        status = {"status": finished_status(job)}
                        await client.patch(JOBS, metadata["name"], status, metadata["namespace"], subresource="status")
            await asyncio.sleep(0.3)

    task = asyncio.create_task(finish())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
