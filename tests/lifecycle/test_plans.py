"""InstallPlans on a real API with the real Helm: the whole life of an extension."""

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.kube import CLUSTERROLES, CONFIGMAPS, NAMESPACES, SECRETS, SERVICEACCOUNTS, Client
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

REF = "kubesphere.io/extension-ref"


async def states(client: Client, name: str) -> set[str]:
    found = [await client.get(resource, name) for resource in (JSBUNDLES, REVERSEPROXIES)]
    return {obj.get("status", {}).get("state", "") for obj in found}


async def labelled(client: Client, name: str) -> list[str]:
    """Every object of the cluster with the extension's label, catalogue and events aside."""
    found: list[str] = []
    for served in await client.discover_all():
        if not served.preferred or "list" not in served.verbs or served.resource.plural == "events":
            continue
        objects = (await client.list(served.resource, label_selector=f"{REF}={name}")).items
        found += [f"{served.resource.kind}/{obj['metadata']['name']}" for obj in objects]
    catalogue = ("Extension/", "ExtensionVersion/", "ConfigMap/extension-", "InstallPlan/")
    return sorted({entry for entry in found if not entry.startswith(catalogue)})


async def test_install_upgrade_roll_back_disable_enable_uninstall(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        for version in ("0.1.0", "0.2.0"):
            await publish(client, "whole", version, package("whole", version))
        await plan(client, "whole", "0.1.0", config="color: blue\n")
        obj = await until_settled(client, "whole", "0.1.0")
        assert [entry["state"] for entry in obj["status"]["stateHistory"]] == ["Preparing", "Installing", "Installed"]
        assert (obj["status"]["releaseName"], obj["status"]["targetNamespace"]) == ("whole", "extension-whole")
        settings = await client.get(CONFIGMAPS, "settings", "extension-whole")
        assert settings["data"] == {"color": "blue", "version": "0.1.0", "cluster": "host"}
        assert settings["metadata"]["labels"][REF] == "whole"
        bundle = await client.get(JSBUNDLES, "whole")
        assert bundle["status"]["link"] == "/dist/whole/main.js"
        assert await states(client, "whole") == {"Available"}
        secrets = (await client.list(SECRETS, "extension-whole", label_selector="owner=helm")).items
        assert [secret["metadata"]["name"] for secret in secrets] == ["sh.helm.release.v1.whole.v1"]

        await plan(client, "whole", "0.2.0")
        obj = await until_settled(client, "whole", "0.2.0")
        assert [entry["state"] for entry in obj["status"]["stateHistory"]][-3:] == [
            "Preparing",
            "Upgrading",
            "Installed",
        ]
        assert (await client.get(CONFIGMAPS, "settings", "extension-whole"))["data"]["version"] == "0.2.0"
        await until_gone(client, CONFIGMAPS, "only-in-0.1.0", "extension-whole")

        await plan(client, "whole", "0.1.0")
        await until_settled(client, "whole", "0.1.0")
        await client.get(CONFIGMAPS, "only-in-0.1.0", "extension-whole")
        await until_gone(client, CONFIGMAPS, "only-in-0.2.0", "extension-whole")

        await plan(client, "whole", "0.1.0", enabled=False)
        await until_settled(client, "whole", "0.1.0")
        assert await states(client, "whole") == {"Disabled"}
        extension = await until(
            lambda: client.get(EXTENSIONS, "whole"),
            lambda obj: obj.get("status", {}).get("enabled") is False,
            "disabled",
        )
        assert extension["status"]["installedVersion"] == "0.1.0"
        await plan(client, "whole", "0.1.0", enabled=True)
        await until_settled(client, "whole", "0.1.0")
        assert await states(client, "whole") == {"Available"}

        await client.delete(INSTALLPLANS, "whole")
        await until_gone(client, INSTALLPLANS, "whole")
        await until(lambda: labelled(client, "whole"), lambda found: found == [], "an end without a trace")
        await until_gone(client, NAMESPACES, "extension-whole")
        extension = await until(
            lambda: client.get(EXTENSIONS, "whole"), lambda obj: not obj["status"].get("state"), "the state to go"
        )
        assert [entry["version"] for entry in extension["status"]["versions"]] == ["0.1.0", "0.2.0"]


async def test_what_cannot_work_is_told_and_recovers(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "picky", "1.0.0", package("picky", "1.0.0"))
        await plan(client, "picky", "2.0.0")
        obj = await until_settled(client, "picky", "", state="InstallFailed")
        (condition,) = obj["status"]["conditions"]
        assert condition["reason"] == "VersionNotFound"
        assert "1.0.0" in condition["message"]
        await publish(client, "picky", "2.0.0", package("picky", "2.0.0", templates__bad_yaml="{{ fail `no colour` }}"))
        obj = await until(
            lambda: client.get(INSTALLPLANS, "picky"),
            lambda obj: "no colour" in str(obj["status"].get("conditions")),
            "Helm's words",
        )
        assert obj["status"]["state"] == "InstallFailed"
        await plan(client, "picky", "1.0.0")
        await until_settled(client, "picky", "1.0.0")
        await plan(client, "picky", "2.0.0")
        obj = await until_settled(client, "picky", "1.0.0", state="UpgradeFailed")
        assert await states(client, "picky") == {"Available"}
        await plan(client, "picky", "1.0.0")
        await until_settled(client, "picky", "1.0.0")
        await client.delete(INSTALLPLANS, "picky")
        await client.delete(EXTENSIONVERSIONS, "picky-1.0.0")
        await until_gone(client, INSTALLPLANS, "picky")
        await until(lambda: labelled(client, "picky"), lambda found: found == [], "an end without a trace")


async def test_a_wrong_digest_is_refused_with_both_values(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        data = package("forged", "1.0.0")
        await publish(client, "forged", "1.0.0", data, digest="0" * 64)
        await plan(client, "forged", "1.0.0")
        obj = await until_settled(client, "forged", "", state="InstallFailed")
        message = obj["status"]["conditions"][-1]["message"]
        assert obj["status"]["conditions"][-1]["reason"] == "DigestMismatch"
        assert "0" * 64 in message
        await publish(client, "forged", "1.0.0", data)
        await until_settled(client, "forged", "1.0.0")
        await client.delete(INSTALLPLANS, "forged")
        await until_gone(client, INSTALLPLANS, "forged")


async def test_a_protected_namespace_and_a_foreign_name_are_refused(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "intruder", "1.0.0", package("intruder", "1.0.0"), namespace="kube-system")
        await plan(client, "intruder", "1.0.0")
        obj = await until_settled(client, "intruder", "", state="InstallFailed")
        assert obj["status"]["conditions"][-1]["reason"] == "ProtectedNamespace"
        await plan(client, "intruder", "1.0.0", targetNamespace="intruder-here")
        await until_settled(client, "intruder", "1.0.0")
        await client.get(SERVICEACCOUNTS, "helm-executor.intruder", "intruder-here")
        await client.delete(INSTALLPLANS, "intruder")
        await until_gone(client, INSTALLPLANS, "intruder")
        await until_gone(client, CLUSTERROLES, "kubesphere:intruder:helm-executor")
