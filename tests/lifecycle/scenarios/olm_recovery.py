"""Rows from OLM v1: what is lost comes back, what is in the way is told, what is removed is gone."""

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CLUSTERROLES, CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, annotations_of, labels_of
from tests.lifecycle.platform import ensure_namespace, make, package, until_gone
from tests.lifecycle.scenarios.stage import Stage, condition
from tests.lifecycle.scenarios.table import olm

HEAL = {"mode": "Heal"}


@olm("recover", "Restore removed resource", "with `drift.mode: Heal` an object that somebody deletes comes again, and "
     "`Report` (the default) only tells it")  # fmt: skip
async def a_removed_object(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.client.delete(CONFIGMAPS, "settings", stage.namespace)
    told = await stage.told("Drifted", "True")
    assert "settings" in told["message"]
    await stage.plan("1.0.0", drift=HEAL)
    await stage.restored("settings")
    await stage.told("Drifted", "False")


@olm("recover", "Install ClusterExtension after target namespace becomes available",
     "a namespace that is on its way out is waited for; then the install goes on by itself",
     "a namespace that is not there is made")  # fmt: skip
async def a_namespace_that_ends(stage: Stage) -> None:
    namespace = {"metadata": {"name": stage.namespace, "finalizers": ["tests.test/held"]}}
    await make(stage.client, NAMESPACES, stage.namespace, **namespace)
    await stage.client.delete(NAMESPACES, stage.namespace)
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.until(lambda obj: bool(obj["metadata"].get("finalizers")), "the controllers' look")
    await stage.client.patch(NAMESPACES, stage.namespace, {"metadata": {"finalizers": None}})
    await stage.installed("1.0.0")
    await stage.settings()


@olm("recover", "Install ClusterExtension after conflicting resource is removed",
     "an object of somebody else's in the way is named and kept; once it is gone the install goes on")  # fmt: skip
async def an_object_in_the_way(stage: Stage) -> None:
    await ensure_namespace(stage.client, stage.namespace)
    await make(stage.client, CONFIGMAPS, "settings", stage.namespace, data={"mine": "yes"})
    await stage.offer("1.0.0")
    await stage.plan("1.0.0", retry={"limit": 0, "backOff": "100ms", "maxBackOff": "1s"})
    told = condition(await stage.failed(), "Installed")
    assert "settings" in told["message"]
    assert (await stage.settings()) == {"mine": "yes"}
    await stage.client.delete(CONFIGMAPS, "settings", stage.namespace)
    await stage.installed("1.0.0")


@olm("catalog-deletion-resilience", "Extension continues running after catalog deletion",
     "deleting the repository takes nothing away that is installed")  # fmt: skip
async def without_its_repository(stage: Stage) -> None:
    async with stage.serving() as museum:
        museum.add(stage.name, "1.0.0", package(stage.name, "1.0.0"))
        await stage.synced(museum)
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.without_repository()
        obj = await stage.client.get(INSTALLPLANS, stage.name)
        assert (obj["status"]["state"], obj["status"]["version"]) == ("Installed", "1.0.0")
        await stage.settings()
        await stage.serves()
    await stage.leave()


@olm("catalog-deletion-resilience", "Resources are restored after catalog deletion",
     "an object is restored from the release itself: neither repository nor package is needed")  # fmt: skip
async def restored_without_a_repository(stage: Stage) -> None:
    async with stage.serving() as museum:
        museum.add(stage.name, "1.0.0", package(stage.name, "1.0.0"))
        await stage.synced(museum)
        await stage.plan("1.0.0", drift=HEAL)
        await stage.installed("1.0.0")
        await stage.without_repository()
    await stage.client.delete(CONFIGMAPS, "settings", stage.namespace)
    await stage.restored("settings")


@olm("user-managed-fields", "User-added annotations and labels coexist with bundle-defined labels after reconciliation",
     "labels and annotations that somebody added are no drift, and outlive healing and upgrades")  # fmt: skip
async def labels_of_somebody(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0")
    await stage.plan("1.0.0", drift=HEAL)
    await stage.installed("1.0.0")
    marks = {"metadata": {"labels": {"somebodys": "label"}, "annotations": {"somebodys": "note"}}}
    await stage.client.patch(CONFIGMAPS, "settings", marks | {"data": {"color": "mine"}}, stage.namespace)
    await stage.healed("settings", "color", "red")
    await stage.plan("1.1.0")
    await stage.installed("1.1.0")
    found = await stage.client.get(CONFIGMAPS, "settings", stage.namespace)
    assert labels_of(found)["somebodys"] == "label"
    assert annotations_of(found)["somebodys"] == "note"
    assert labels_of(found)["kubesphere.io/extension-ref"] == stage.name


@olm("uninstall", "Removing ClusterExtension triggers the extension uninstall, eventually removing all installed "
     "resources", "with the plan go the release, the account, its rights and the namespace")  # fmt: skip
async def removed(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.client.get(CLUSTERROLES, f"kubesphere:{stage.name}:helm-executor")
    await stage.leave()
    await until_gone(stage.client, CLUSTERROLES, f"kubesphere:{stage.name}:helm-executor")
    await until_gone(stage.client, NAMESPACES, stage.namespace)


@olm("uninstall", "Removing ClusterExtension resources leads to all installed resources being removed even if the "
     "service account is no longer present", "also when somebody has deleted the account and its rights")  # fmt: skip
async def removed_without_its_account(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.client.delete(SERVICEACCOUNTS, f"helm-executor.{stage.name}", stage.namespace)
    await stage.client.delete(CLUSTERROLES, f"kubesphere:{stage.name}:helm-executor")
    await stage.leave()
    await until_gone(stage.client, NAMESPACES, stage.namespace)
    await until_gone(stage.client, JSBUNDLES, stage.name)
