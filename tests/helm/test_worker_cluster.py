"""The worker against a real Kubernetes API: what Helm stores, and that labels survive everything."""

import contextlib
from typing import Any

import pytest

from dovetail.helm import (
    Connection,
    Deploy,
    HelmRefused,
    HelmWorker,
    History,
    ListReleases,
    Progress,
    Render,
    Rollback,
    Status,
    Uninstall,
    Values,
    errors,
    storage,
)
from dovetail.kube import CONFIGMAPS, NAMESPACES, ROLEBINDINGS, ROLES, SECRETS, AlreadyExists, Client, NotFound
from tests.conftest import KubeApi
from tests.helm.charts import tiny

REF = {"kubesphere.io/extension-ref": "tiny"}
CAPABILITIES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  events: {{ .Capabilities.APIVersions.Has "events.k8s.io/v1" | quote }}
  namespace: {{ (lookup "v1" "Namespace" "" .Release.Namespace).metadata.name | quote }}
  revision: {{ .Release.Revision | quote }}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.helm-tests.test}
spec:
  group: helm-tests.test
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""
GADGET = "apiVersion: helm-tests.test/v1\nkind: Gadget\nmetadata: {name: one}\n"


async def namespace(api: KubeApi, client: Client, name: str) -> Connection:
    with contextlib.suppress(AlreadyExists):
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return Connection(namespace=name, kubeconfig=str(api.kubeconfig))


def deploy(connection: Connection, chart: bytes, **rest: Any) -> Deploy:
    return Deploy(release="tiny", chart=chart, connection=connection, object_labels=REF, **rest)


async def test_a_release_through_its_life(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-life")
        steps: list[Progress] = []
        labels = {**REF, "dovetail.dev/target": "one"}
        first = await helm.call(
            deploy(here, tiny(), values=Values("color: blue\n"), release_labels=labels), on_progress=steps.append
        )
        assert (first["revision"], first["status"]) == (1, "deployed")
        assert [step.step for step in steps][:2] == ["rendering", "installing"]
        assert ("applying", 1) in {(step.step, step.count) for step in steps}
        settings = await client.get(CONFIGMAPS, "tiny-settings", "helm-life")
        assert settings["data"] == {"color": "blue", "version": "1.0.0"}
        assert settings["metadata"]["labels"].items() >= REF.items()

        second = await helm.call(deploy(here, tiny("1.1.0"), release_labels={**labels, "dovetail.dev/target": "two"}))
        assert second["revision"] == 2
        settings = await client.get(CONFIGMAPS, "tiny-settings", "helm-life")
        assert settings["data"] == {"color": "red", "version": "1.1.0"}, "values of the last release do not linger"
        assert settings["metadata"]["labels"].items() >= REF.items()

        third = await helm.call(Rollback(release="tiny", revision=1, connection=here))
        assert (third["revision"], third["status"]) == (3, "deployed")
        settings = await client.get(CONFIGMAPS, "tiny-settings", "helm-life")
        assert settings["data"] == {"color": "blue", "version": "1.0.0"}
        assert settings["metadata"]["labels"].items() >= REF.items()

        history = (await helm.call(History(release="tiny", connection=here)))["revisions"]
        assert [(entry["revision"], entry["status"]) for entry in history] == [
            (1, "superseded"), (2, "superseded"), (3, "deployed"),
        ]  # fmt: skip
        found = await client.list(SECRETS, "helm-life", label_selector=storage.SELECTOR)
        records = [record for secret in found.items if (record := storage.record_of(secret))]
        assert {record.revision: record.labels["dovetail.dev/target"] for record in records} == {
            1: "one", 2: "two", 3: "one",
        }  # fmt: skip
        listed = (await helm.call(ListReleases(connection=here)))["releases"]
        assert [entry["name"] for entry in listed] == ["tiny"]
        await helm.call(Uninstall(release="tiny", connection=here))
        await helm.call(Uninstall(release="tiny", connection=here))
        with pytest.raises(NotFound):
            await client.get(CONFIGMAPS, "tiny-settings", "helm-life")
        assert (await client.list(SECRETS, "helm-life", label_selector=storage.SELECTOR)).items == []
        with pytest.raises(HelmRefused) as caught:
            await helm.call(Status(release="tiny", connection=here))
        assert caught.value.reason == errors.NOT_FOUND


async def test_rendering_sees_the_cluster(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-sees")
        chart = tiny(**{"templates/seen.yaml": CAPABILITIES})
        render = Render(release="tiny", chart=chart, namespace="helm-sees", connection=here, revision=7)
        rendered = await helm.call(render)
        assert 'revision: "7"' in rendered["manifests"]["tiny/templates/seen.yaml"]
        await helm.call(deploy(here, chart))
        seen = (await client.get(CONFIGMAPS, "seen", "helm-sees"))["data"]
        version = (await client.request("GET", "/version")).body
        assert seen["version"].encode() in version
        assert (seen["namespace"], seen["revision"]) == ("helm-sees", "1")


async def test_templates_are_told_what_the_cluster_is(kube_api: KubeApi) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata:\n  version: {{ .Capabilities.KubeVersion }}\n"
    )
    text += '  served: {{ .Capabilities.APIVersions.Has "example.org/v1/Thing" | quote }}\n'
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-told")
        chart = tiny(**{"templates/told.yaml": text})
        await helm.call(deploy(here, chart, kube_version="v1.27.3", api_versions=("example.org/v1/Thing",)))
        told = (await client.get(CONFIGMAPS, "told", "helm-told"))["data"]
        assert told == {"version": "v1.27.3", "served": "true"}


async def test_objects_of_others_are_not_adopted(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-others")
        theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tiny-settings"}, "data": {"my": "own"}}
        await client.create(CONFIGMAPS, theirs, "helm-others")
        with pytest.raises(HelmRefused, match="tiny-settings"):
            await helm.call(deploy(here, tiny()))
        assert (await client.get(CONFIGMAPS, "tiny-settings", "helm-others"))["data"] == {"my": "own"}


async def test_a_change_by_hand_does_not_block_an_upgrade(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-drift")
        await helm.call(deploy(here, tiny()))
        change = '{"data": {"color": "by hand"}}'
        kube_api.kubectl("-n", "helm-drift", "patch", "configmap", "tiny-settings", "-p", change)
        await helm.call(deploy(here, tiny("1.1.0"), values=Values("color: green\n")))
        assert (await client.get(CONFIGMAPS, "tiny-settings", "helm-drift"))["data"]["color"] == "green"


async def test_crds_come_first_and_stay(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-crds")
        await helm.call(deploy(here, tiny(**{"crds/gadgets.yaml": CRD, "templates/gadget.yaml": GADGET})))
        gadget = kube_api.kubectl("-n", "helm-crds", "get", "gadget", "one", "-o", "yaml").stdout
        assert "kubesphere.io/extension-ref: tiny" in gadget
        await helm.call(Uninstall(release="tiny", connection=here))
        crd = kube_api.kubectl("get", "crd", "gadgets.helm-tests.test", "-o", "yaml").stdout
        assert "kind: CustomResourceDefinition" in crd
        assert "extension-ref" not in crd


async def test_helm_acts_as_the_account_it_is_told(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-account")
        nobody = Connection(here.namespace, here.kubeconfig, user="system:serviceaccount:helm-account:nobody")
        with pytest.raises(HelmRefused, match=r"system:serviceaccount:helm-account:nobody|forbidden"):
            await helm.call(deploy(nobody, tiny()))
        with pytest.raises(NotFound):
            await client.get(CONFIGMAPS, "tiny-settings", "helm-account")


async def test_an_uninstall_tells_what_was_refused(kube_api: KubeApi) -> None:
    reader = {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]}
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-refused")
        await helm.call(deploy(here, tiny()))
        await client.create(ROLES, {"metadata": {"name": "reader"}, **reader}, "helm-refused")
        subject = {"kind": "ServiceAccount", "name": "reader", "namespace": "helm-refused"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
        binding = {"metadata": {"name": "reader"}, "roleRef": role, "subjects": [subject]}
        await client.create(ROLEBINDINGS, binding, "helm-refused")
        account = Connection(here.namespace, here.kubeconfig, user="system:serviceaccount:helm-refused:reader")
        with pytest.raises(HelmRefused, match='configmaps "tiny-settings" is forbidden'):
            await helm.call(Uninstall(release="tiny", connection=account))


async def test_a_locked_release_is_unlocked(kube_api: KubeApi) -> None:
    async with kube_api.client() as client, HelmWorker() as helm:
        here = await namespace(kube_api, client, "helm-locked")
        await helm.call(deploy(here, tiny()))
        name = "sh.helm.release.v1.tiny.v1"
        secret = await client.get(SECRETS, name, "helm-locked")
        assert "tiny-settings" in storage.manifest_of(secret)
        locked = storage._with_status(secret, "pending-upgrade", "")  # pyright: ignore[reportPrivateUsage]
        await client.update(SECRETS, locked)
        with pytest.raises(HelmRefused, match="another operation"):
            await helm.call(deploy(here, tiny("1.1.0")))
        secret = await client.get(SECRETS, name, "helm-locked")
        await client.update(SECRETS, storage.marked_failed(secret, "a test did it"))
        assert (await helm.call(Status(release="tiny", connection=here)))["status"] == "failed"
        assert storage.description_of(await client.get(SECRETS, name, "helm-locked")) == "a test did it"
        assert (await helm.call(deploy(here, tiny("1.1.0"))))["revision"] == 2


async def test_an_unreachable_cluster_is_told_as_such(kube_api: KubeApi, tmp_path: Any) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(kube_api.kubeconfig.read_text().replace(f":{kube_api.port}", ":1"))
    async with HelmWorker() as helm:
        with pytest.raises(HelmRefused) as caught:
            await helm.call(deploy(Connection("default", str(config)), tiny()))
    assert caught.value.reason == errors.UNREACHABLE
