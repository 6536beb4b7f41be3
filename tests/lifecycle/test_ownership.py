"""What belongs to somebody else is never taken over, overwritten or deleted on the way of an installation."""

from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CLUSTERROLES, CONFIGMAPS, NAMESPACES, SECRETS, Client, uid_of
from dovetail.lifecycle.ownership import NOBODY, Owner, foreign
from tests.conftest import KubeApi
from tests.lifecycle.platform import (
    controllers,
    ensure_namespace,
    make,
    package,
    plan,
    publish,
    until,
    until_gone,
    until_settled,
)

REF = "kubesphere.io/extension-ref"
RELEASE = "meta.helm.sh/release-name"
NAMESPACE = "meta.helm.sh/release-namespace"
ME = Owner("mine", "mine", "here")
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: precious
  annotations: {helm.sh/hook: "pre-install,pre-delete"}
data: {from: the chart}
"""


@pytest.mark.parametrize(
    ("marks", "annotations", "known", "owner"),
    [
        ({}, {}, False, NOBODY),
        ({}, {}, True, None),
        ({REF: "mine"}, {}, False, None),
        ({REF: "other"}, {}, False, "extension other"),
        ({REF: "other"}, {}, True, "extension other"),
        ({}, {RELEASE: "mine", NAMESPACE: "here"}, False, None),
        ({}, {RELEASE: "mine", NAMESPACE: "elsewhere"}, False, "Helm release elsewhere/mine"),
        ({}, {RELEASE: "other", NAMESPACE: "here"}, True, "Helm release here/other"),
        ({REF: "mine"}, {RELEASE: "other", NAMESPACE: "here"}, True, "Helm release here/other"),
        ({REF: ""}, {RELEASE: ""}, False, NOBODY),
    ],
)
def test_whose_an_object_is(marks: dict[str, str], annotations: dict[str, str], known: bool, owner: str | None) -> None:
    found = {"metadata": {"name": "x", "labels": marks, "annotations": annotations}}
    assert foreign(found, ME, known=known) == owner
    assert foreign({"metadata": {"name": "x"}}, ME, known=False) == NOBODY


async def refused(client: Client, name: str, *words: str) -> None:
    def done(obj: dict[str, Any]) -> bool:
        conditions = obj.get("status", {}).get("conditions", [])
        told = [one["message"] for one in conditions if one.get("reason") == "ForeignObject"]
        return any(all(word in message for word in words) for message in told)

    await until(lambda: client.get(INSTALLPLANS, name), done, f"the refusal of {name}")


async def test_a_hook_does_not_delete_an_object_of_its_name(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await ensure_namespace(client, "extension-greedy")
        theirs = await make(client, CONFIGMAPS, "precious", "extension-greedy", data={"from": "a user"})
        await publish(client, "greedy", "1.0.0", package("greedy", "1.0.0", templates__hook_yaml=HOOK))
        await plan(client, "greedy", "1.0.0")
        await refused(client, "greedy", "ConfigMap extension-greedy/precious", "was not made by this extension")
        kept = await client.get(CONFIGMAPS, "precious", "extension-greedy")
        assert (uid_of(kept), kept["data"]) == (uid_of(theirs), {"from": "a user"})
        found = await client.list(SECRETS, "extension-greedy", label_selector="owner=helm")
        assert not found.items, "Helm has not even begun"

        await client.delete(CONFIGMAPS, "precious", "extension-greedy")
        await until_settled(client, "greedy", "1.0.0")  # by itself: the object is gone
        ours = await client.get(CONFIGMAPS, "precious", "extension-greedy")
        assert ours["data"] == {"from": "the chart"}
        await publish(client, "greedy", "1.1.0", package("greedy", "1.1.0", templates__hook_yaml=HOOK))
        await plan(client, "greedy", "1.1.0")
        await until_settled(client, "greedy", "1.1.0")  # the hook that we made is no obstacle

        await client.delete(CONFIGMAPS, "precious", "extension-greedy")
        theirs = await make(client, CONFIGMAPS, "precious", "extension-greedy", data={"from": "a user"})
        await client.delete(INSTALLPLANS, "greedy")
        await refused(client, "greedy", "ConfigMap extension-greedy/precious")  # the hook of the uninstall, too
        assert uid_of(await client.get(CONFIGMAPS, "precious", "extension-greedy")) == uid_of(theirs)
        await client.delete(CONFIGMAPS, "precious", "extension-greedy")
        await until_gone(client, INSTALLPLANS, "greedy")
        namespace = await client.get(NAMESPACES, "extension-greedy")
        assert REF not in namespace["metadata"].get("labels", {}), "a user's namespace is used, not taken over"
        assert "deletionTimestamp" not in namespace["metadata"]


async def test_an_account_of_somebody_elses_gets_no_rights(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
        await make(client, CLUSTERROLES, "kubesphere:namesake:helm-executor", rules=rules)
        await publish(client, "namesake", "1.0.0", package("namesake", "1.0.0"))
        await plan(client, "namesake", "1.0.0")
        await refused(client, "namesake", "ClusterRole kubesphere:namesake:helm-executor")
        role = await client.get(CLUSTERROLES, "kubesphere:namesake:helm-executor")
        assert role["rules"] == rules
        assert REF not in role["metadata"].get("labels", {})
        handed_over = {"metadata": {"labels": {REF: "namesake"}}}
        await client.patch(CLUSTERROLES, "kubesphere:namesake:helm-executor", handed_over)
        await until_settled(client, "namesake", "1.0.0")
        await client.delete(INSTALLPLANS, "namesake")
        await until_gone(client, INSTALLPLANS, "namesake")


async def test_an_object_of_another_release_is_left_alone(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await ensure_namespace(client, "extension-second")
        metadata = {
            "name": "settings",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {RELEASE: "first", NAMESPACE: "extension-second"},
        }
        await make(client, CONFIGMAPS, "settings", "extension-second", metadata=metadata, data={"of": "the first"})
        await publish(client, "second", "1.0.0", package("second", "1.0.0"))
        await plan(client, "second", "1.0.0")
        await refused(client, "second", "ConfigMap extension-second/settings", "Helm release extension-second/first")
        assert (await client.get(CONFIGMAPS, "settings", "extension-second"))["data"] == {"of": "the first"}
        await client.delete(INSTALLPLANS, "second")
        await until_gone(client, INSTALLPLANS, "second")
        assert (await client.get(CONFIGMAPS, "settings", "extension-second"))["data"] == {"of": "the first"}
