"""What an uninstall would lose: counted, exported, and restored with kubectl after a real uninstall by the command."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, NAMESPACES, PERSISTENTVOLUMECLAIMS, SECRETS, Client, Resource
from dovetail.lifecycle.data_loss import counted, losses_of_definitions, why_data
from dovetail.lifecycle.exporting import as_yaml, restorable
from dovetail.lifecycle.receipt import Entry
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, make, package, plan, publish, until, until_gone, until_settled

NOTES = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: notes.loss.test}
spec:
  group: loss.test
  scope: Namespaced
  names: {plural: notes, singular: note, kind: Note}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
PERMISSIONS = """\
kind: ClusterRole
rules:
- {verbs: ["*"], apiGroups: [extensions.kubesphere.io], resources: ["*"]}
- {verbs: ["*"], apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions]}
"""
STAYS = NOTES.replace("notes", "pages").replace("note", "page").replace("Note", "Page")
NOTE = Resource("loss.test", "v1", "notes", "Note")
PAGE = Resource("loss.test", "v1", "pages", "Page")
TRICKY = {
    "n": "yes",
    "y": "1e3",
    "on": "0x1f",
    "time": "12:30",
    "date": "2024-01-01",
    "text": "a: b\n- c # d\n",
    "é": "",
}


@pytest.mark.parametrize(
    ("entry", "data"),
    [
        ({"api_version": "v1", "kind": "PersistentVolumeClaim", "origin": "Chart"}, True),
        ({"api_version": "loss.test/v1", "kind": "Note", "origin": "Instance"}, True),
        ({"api_version": "loss.test/v1", "kind": "Note", "origin": "Content"}, True),
        ({"api_version": "loss.test/v1", "kind": "Note", "origin": "Chart"}, False),
        ({"api_version": "v1", "kind": "ConfigMap", "origin": "Content"}, True),
        ({"api_version": "v1", "kind": "ConfigMap", "origin": "Chart"}, False),
        ({"api_version": "v1", "kind": "Pod", "origin": "Content"}, False),
        ({"api_version": "apps/v1", "kind": "ReplicaSet", "origin": "Dependent"}, False),
        ({"api_version": "coordination.k8s.io/v1", "kind": "Lease", "origin": "Content"}, False),
    ],
)
def test_what_is_data(entry: dict[str, Any], data: bool) -> None:
    assert bool(why_data(Entry(name="x", **entry))) is data


def test_losses_are_counted_with_examples() -> None:
    entries = [
        Entry(api_version="a.test/v1", kind="A", namespace="here", name=f"{i:03}", origin="Instance") for i in range(30)
    ]
    (loss,) = counted(entries)
    assert (loss.count, len(loss.names), loss.names[0]) == (30, 20, "here/000")
    assert "and 25 more" in loss.told


def test_an_export_is_what_was_there() -> None:
    obj = {
        "apiVersion": "loss.test/v1",
        "kind": "Note",
        "metadata": {
            "name": "on", "namespace": "y", "uid": "u", "resourceVersion": "7", "managedFields": [{}],
            "ownerReferences": [{"uid": "gone"}], "finalizers": ["x/y"], "labels": {"a": "1"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"texts": TRICKY, "number": 1, "none": None, "flag": True},
        "status": {"phase": "Done"},
    }  # fmt: skip
    entry = Entry(api_version="loss.test/v1", kind="Note", name="on", origin="Instance")
    text = as_yaml(restorable(obj, entry))
    back = yaml.load(text, Loader=yaml.CSafeLoader)
    assert back["spec"] == obj["spec"]
    assert back["metadata"] == {"name": "on", "namespace": "y", "labels": {"a": "1"}}
    assert "status" not in back
    assert '"on"' in text, "for YAML 1.1 it would be true"
    claim = {"metadata": {"name": "c"}, "spec": {"volumeName": "pv-1", "resources": {}}}
    kept = restorable(claim, Entry(api_version="v1", kind="PersistentVolumeClaim", name="c", origin="Content"))
    assert kept["spec"] == {"resources": {}}


async def command(api: KubeApi, *arguments: str) -> tuple[int, str]:
    """`dovetail extension ...` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dovetail.cli.dovetail", "extension", *arguments, "--kubeconfig", str(api.kubeconfig),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def data_of_users(client: Client, space: str) -> None:
    async def by_hand(resource: Resource, name: str, namespace: str, **content: Any) -> None:
        kind = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
        await client.create(resource, {**kind, **content}, namespace, field_manager="kubectl")

    await by_hand(PAGE, "first", "default", spec=TRICKY)
    for name in ("one", "two", "three"):
        await by_hand(NOTE, name, "default", spec=TRICKY)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await by_hand(PERSISTENTVOLUMECLAIMS, "volume", space, spec=claim)
    await by_hand(CONFIGMAPS, "users", space, data={"y": "no"})
    await by_hand(SECRETS, "users", space, data={"key": "c2VjcmV0"})
    await make(
        client, CONFIGMAPS, "of-the-platform", space, data={"a": "b"}
    )  # written as the platform's controllers write: no data


async def test_preview_export_uninstall_receipt_restore(platform_crds: KubeApi, tmp_path: Path) -> None:
    space, file = "extension-loser", tmp_path / "data.yaml"
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        code, said = await command(platform_crds, "uninstall", "loser")
        assert (code, "not installed" in said) == (1, True)
        data = package(
            "loser",
            "1.0.0",
            **{"templates/notes.yaml": NOTES, "permissions.yaml": PERMISSIONS, "crds/stay.yaml": STAYS},
        )
        await publish(client, "loser", "1.0.0", data)
        await plan(client, "loser", "1.0.0")
        await until_settled(client, "loser", "1.0.0")
        await until(lambda: client.list(NOTE), lambda found: found is not None, "the definition")
        await data_of_users(client, space)

        code, said = await command(platform_crds, "uninstall", "loser", "--preview", "--output", "json")
        told = json.loads(said)["preview"]
        assert code == 0
        assert {(one["kind"], one["count"]) for one in told["losses"]} == {
            ("Note", 3), ("PersistentVolumeClaim", 1), ("ConfigMap", 1), ("Secret", 1),
        }  # fmt: skip
        assert [one.count for one in await losses_of_definitions(client, ["notes.loss.test", "none.loss.test"])] == [3]
        code, said = await command(platform_crds, "uninstall", "loser")
        assert code == 1
        assert "3 x Note" in said
        assert "--export" in said
        await client.get(INSTALLPLANS, "loser")

        arguments = ("uninstall", "loser", "--yes", "--wait", "--export", str(file), "--output", "json")
        code, said = await command(platform_crds, *arguments)
        assert code == 0, said
        receipt = json.loads(said)["receipt"]
        gone = {(one["kind"], one["name"]) for one in receipt["objects"] if one["outcome"] in ("Removed", "Leaving")}
        assert gone >= {("Note", "one"), ("PersistentVolumeClaim", "volume"), ("Namespace", space)}
        kept = {(one["name"], one["origin"]) for one in receipt["objects"] if one["outcome"] == "Kept"}
        assert kept == {("pages.loss.test", "Definition"), ("first", "Instance")}
        assert file.stat().st_mode & 0o077 == 0
        code, said = await command(platform_crds, "receipt", "loser")
        assert code == 0
        assert "1 CustomResourceDefinition" in said
        await until_gone(client, NAMESPACES, space)

        for _ in range(2):  # the definition must be served before its resources can be applied
            applied = await asyncio.to_thread(platform_crds.kubectl, "apply", "-f", str(file))
        assert applied.returncode == 0, applied.stderr
        assert (await client.get(NOTE, "two", "default"))["spec"] == TRICKY
        assert (await client.get(CONFIGMAPS, "users", space))["data"] == {"y": "no"}
        assert (await client.get(SECRETS, "users", space))["data"] == {"key": "c2VjcmV0"}
        await client.get(PERSISTENTVOLUMECLAIMS, "volume", space)
        await client.delete(NAMESPACES, space)
