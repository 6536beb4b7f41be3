"""Rows from OLM v1: upgrades, by hand and by themselves."""

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.kube import CONFIGMAPS
from tests.lifecycle.platform import package, publish, until_gone
from tests.lifecycle.scenarios.stage import QUICKLY, WORK, Stage, condition
from tests.lifecycle.scenarios.table import olm


@olm("update", "Update to a successor version", "another version in the plan is an upgrade")
async def the_next_version(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.0.1")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.plan("1.0.1")
    obj = await stage.installed("1.0.1")
    assert condition(obj, "Upgraded")["message"] == "1.0.0 -> 1.0.1"
    assert [(one["action"], one["outcome"]) for one in obj["status"]["history"]] == [
        ("Install", "Succeeded"),
        ("Upgrade", "Succeeded"),
    ]


@olm("update", "Force update to non successor version", "any version may follow any other, an older one, too",
     "no force is needed; what makes a version unfit is said by itself")  # fmt: skip
async def any_version(stage: Stage) -> None:
    await stage.offer("1.0.0", "3.0.0")
    await stage.plan("3.0.0")
    await stage.installed("3.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await until_gone(stage.client, CONFIGMAPS, "only-in-3.0.0", stage.namespace)


@olm("update", "Auto update when new version becomes available in the new catalog image ref",
     "with `upgradeStrategy: Automatic` a version that appears in the index is installed")  # fmt: skip
async def a_version_appears(stage: Stage) -> None:
    async with stage.serving() as museum:
        museum.add(stage.name, "1.2.0", package(stage.name, "1.2.0"))
        await stage.synced(museum)
        await stage.plan("1.2.0", upgradeStrategy="Automatic")
        await stage.installed("1.2.0")
        museum.add(stage.name, "1.3.0", package(stage.name, "1.3.0"))
        await stage.read_again()
        await stage.installed("1.3.0")
        assert (await stage.settings())["version"] == "1.3.0"
        await stage.leave()


@olm("update", "Auto update when new version becomes available in the same catalog image ref",
     "a package that was built again under the same version is another one: it is brought in by its digest",
     "without asking, because the plan names the version")  # fmt: skip
async def the_same_version_again(stage: Stage) -> None:
    async with stage.serving() as museum:
        museum.add(stage.name, "1.0.0", package(stage.name, "1.0.0"))
        await stage.synced(museum)
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rebuilt}\n"
        museum.drop(stage.name, "1.0.0")
        museum.add(stage.name, "1.0.0", package(stage.name, "1.0.0", templates__more_yaml=more))
        await stage.read_again()
        await stage.restored("rebuilt")
        await stage.installed("1.0.0")
        await stage.leave()


@olm("update", "Each update creates a new revision and resources not present in the new revision are removed from "
     "the cluster", "each upgrade is a revision of the release; what only the old version had is removed")  # fmt: skip
async def revisions(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.2.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.plan("1.2.0")
    await stage.installed("1.2.0")
    assert await stage.revisions() == {1: "superseded", 2: "deployed"}
    await until_gone(stage.client, CONFIGMAPS, "only-in-1.0.0", stage.namespace)


@olm("update", "Report all active revisions on ClusterExtension",
     "while an upgrade is under way the version in force is told, with what is done and how far it is")  # fmt: skip
async def an_upgrade_under_way(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.0.2", templates__work_yaml=WORK)
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.plan("1.0.2", config="work: endless\n")
    obj = await stage.until(lambda obj: "work" in obj["status"].get("progress", {}).get("object", ""), "the hook")
    assert (obj["status"]["state"], obj["status"]["version"]) == ("Upgrading", "1.0.0")
    assert 0 < obj["status"]["progress"]["percent"] < 100
    await stage.serves()


@olm("update", "Version change while a revision is stuck rolling out re-resolves from catalog",
     "a plan that hangs in a hook goes to another version as soon as it says so")  # fmt: skip
async def another_version_while_it_hangs(stage: Stage) -> None:
    await stage.offer("1.0.2", "1.2.0", templates__work_yaml=WORK)
    await stage.plan("1.0.2", config="work: endless\n", retry=QUICKLY)
    await stage.until(lambda obj: obj.get("status", {}).get("state") == "Installing", "the hook")
    await stage.plan("1.2.0", config="work: well\n")
    await stage.installed("1.2.0")


@olm("catalog-deletion-resilience", "Version upgrade blocked without catalog",
     "without its repository an extension stays as it is; a version that is not known is refused by name",
     "versions that were synchronised go with their repository, but for the one in force")  # fmt: skip
async def no_upgrade_without_a_repository(stage: Stage) -> None:
    async with stage.serving() as museum:
        for version in ("1.0.0", "1.0.1"):
            museum.add(stage.name, version, package(stage.name, version))
        await stage.synced(museum)
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.without_repository()
        await until_gone(stage.client, EXTENSIONVERSIONS, f"{stage.name}-1.0.1")
        await stage.plan("1.0.1")
        obj = await stage.failed("1.0.0", attempts=0)
        assert condition(obj, "Upgraded")["reason"] == "VersionNotFound"
        assert (await stage.settings())["version"] == "1.0.0"
        await stage.leave()


@olm("catalog-deletion-resilience", "Config changes work without catalog",
     "a configuration is carried out again from the package; when no repository gives it any more the change waits, "
     "named, what is in force stays, and an upload of the version lets it go on",
     "OLM keeps the bundle in the cluster")  # fmt: skip
async def configuration_without_a_repository(stage: Stage) -> None:
    data = package(stage.name, "1.0.0")
    async with stage.serving() as museum:
        museum.add(stage.name, "1.0.0", data)
        await stage.synced(museum)
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.without_repository()
        await until_gone(stage.client, EXTENSIONVERSIONS, f"{stage.name}-1.0.0")
    await stage.plan("1.0.0", config="color: blue\n")
    obj = await stage.failed("1.0.0", attempts=0)
    assert condition(obj, "Upgraded")["reason"] == "VersionNotFound"
    assert (await stage.settings())["color"] == "red"
    await stage.serves()
    await publish(stage.client, stage.name, "1.0.0", data)
    await stage.installed("1.0.0")
    assert (await stage.settings())["color"] == "blue"
