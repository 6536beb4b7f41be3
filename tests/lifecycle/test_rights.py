"""The account's rights on the way of an upgrade, of a roll-back, and when somebody took them away."""

from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import CLUSTERROLES, CONFIGMAPS, ROLES, SECRETS, SERVICEACCOUNTS, Client, annotations_of
from tests.conftest import KubeApi
from tests.lifecycle.platform import PERMISSIONS, controllers, package, plan, publish, until, until_gone, until_settled

MORE = PERMISSIONS + '- {verbs: [get], apiGroups: [""], resources: [nodes]}\n'
NEVER_READY = """\
apiVersion: batch/v1
kind: Job
metadata: {name: never, annotations: {helm.sh/hook: pre-upgrade}}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: wait, image: images.test/wait}]}}
"""


async def cluster_rules(client: Client, name: str) -> tuple[set[str], bool]:
    """Which resources the account's ClusterRole speaks of, and whether the former rules are noted."""
    role = await client.get(CLUSTERROLES, f"kubesphere:{name}:helm-executor")
    return {entry for rule in role["rules"] for entry in rule["resources"]}, "rules-before" in str(annotations_of(role))


async def test_rights_go_forth_and_back_with_the_version(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        bad = {"permissions.yaml": MORE, "templates/hook.yaml": NEVER_READY}
        await publish(client, "swinger", "1.0.0", package("swinger", "1.0.0"))
        await publish(client, "swinger", "2.0.0", package("swinger", "2.0.0", **bad))
        policies: dict[str, Any] = {"hookTimeout": "1s", "retry": {"limit": 1}, "onUpgradeFailure": "Rollback"}
        await plan(client, "swinger", "1.0.0", **policies)
        await until_settled(client, "swinger", "1.0.0")
        assert await cluster_rules(client, "swinger") == ({"*"}, False)
        await plan(client, "swinger", "2.0.0")
        await until(
            lambda: cluster_rules(client, "swinger"), lambda found: found == ({"*", "nodes"}, True), "both versions'"
        )
        await until(
            lambda: cluster_rules(client, "swinger"), lambda found: found == ({"*"}, False), "the old rights alone"
        )
        found = await client.list(SECRETS, "extension-swinger", label_selector="owner=helm")
        records = {one.revision: one for secret in found.items if (one := storage.record_of(secret))}
        assert [records[number].status for number in (1, 2, 3)] == ["superseded", "failed", "deployed"]
        target = "dovetail.dev/target"
        assert records[3].labels[target] == records[1].labels[target] != records[2].labels[target]
        assert (await client.get(CONFIGMAPS, "settings", "extension-swinger"))["data"]["version"] == "1.0.0"
        await client.delete(INSTALLPLANS, "swinger")
        await until_gone(client, INSTALLPLANS, "swinger")


async def test_an_account_without_its_rights_can_still_be_uninstalled(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        for name in ("robbed", "evicted"):
            await publish(client, name, "1.0.0", package(name, "1.0.0"))
            await plan(client, name, "1.0.0")
        for name in ("robbed", "evicted"):
            await until_settled(client, name, "1.0.0")
            await client.delete(CLUSTERROLES, f"kubesphere:{name}:helm-executor")
        await client.patch(ROLES, "kubesphere:robbed:helm-executor", {"rules": []}, "extension-robbed")
        await client.delete(SERVICEACCOUNTS, "helm-executor.evicted", "extension-evicted")
        for name in ("robbed", "evicted"):
            await client.delete(INSTALLPLANS, name)
        for name in ("robbed", "evicted"):
            await until_gone(client, INSTALLPLANS, name)
            await until_gone(client, CLUSTERROLES, f"kubesphere:{name}:helm-executor")
