"""Receipts: the judgement in tables, and real uninstalls whose receipts are held against the API."""

import contextlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import Connection, Deploy, HelmWorker, Uninstall
from dovetail.kube import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    NAMESPACES,
    PERSISTENTVOLUMECLAIMS,
    REPLICASETS,
    AlreadyExists,
    ApiError,
    Client,
    Key,
    NotFound,
    Resource,
)
from dovetail.lifecycle.access import namespace_object
from dovetail.lifecycle.belongings import Target
from dovetail.lifecycle.receipt import Entry, Receipt, judged, packed, unpacked
from dovetail.lifecycle.receipting import Receipting
from dovetail.lifecycle.receipts import OPEN, ReceiptKeeper, Receipts, stored
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.removal import Removal
from dovetail.lifecycle.sparing import spare
from tests.conftest import KubeApi
from tests.helm.charts import chart

REF = "kubesphere.io/extension-ref"
SYSTEM = "kubesphere-system"


@pytest.mark.parametrize(
    ("entry", "live", "forced", "outcome", "word"),
    [
        ({"uid": "a"}, None, False, "Removed", ""),
        ({}, None, False, "Removed", "not there"),
        ({"uid": "a"}, {"uid": "b"}, False, "Removed", "another one"),
        ({"uid": "a"}, {"uid": "a", "deletionTimestamp": "t", "finalizers": ["x/y"]}, False, "Leaving", "x/y"),
        ({"uid": "a"}, {"uid": "a", "deletionTimestamp": "t"}, False, "Leaving", "under way"),
        ({"uid": "a", "foreign": "it is bob's"}, {"uid": "a"}, False, "Foreign", "bob"),
        ({"uid": "a", "reason": "policy"}, {"uid": "a"}, False, "Kept", "policy"),
        ({"uid": "a"}, {"uid": "a"}, True, "Kept", "forced"),
        ({"uid": "a"}, {"uid": "a"}, False, "Kept", "by hand"),
    ],
)
def test_what_a_look_means(
    entry: dict[str, str], live: dict[str, Any] | None, forced: bool, outcome: str, word: str
) -> None:
    told = judged(
        Entry(kind="ConfigMap", name="x", origin="Chart", **entry), live and {"metadata": live}, forced=forced
    )
    assert told.outcome == outcome
    assert word in told.why


@pytest.mark.parametrize("count", [0, 3, 20_000])
def test_a_receipt_of_any_size_fits_a_configmap(count: int) -> None:
    entries = tuple(
        Entry(kind="ConfigMap", name=f"settings-{i}", namespace="here", uid=f"{i:032}", origin="Chart", why="a reason")
        for i in range(count)
    )
    receipt = Receipt(extension="big", plan_uid="u" * 36, objects=entries)
    obj = packed(receipt)
    assert unpacked(obj) == receipt
    assert sum(len(text) for part in obj.values() for text in part.values()) < 900_000


WIDGET = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: NAME.receipts.test}
spec:
  group: receipts.test
  scope: Namespaced
  names: {plural: NAME, singular: NAME, kind: KIND}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""
OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: taken}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone-before}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: treasure, annotations: {helm.sh/resource-policy: keep}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: c, image: i}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
"""
LAST_HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: last-words, annotations: {helm.sh/hook: pre-delete, helm.sh/hook-delete-policy: before-hook-creation}}
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: made-by-hook, annotations: {helm.sh/hook: pre-install}}
"""


def definition(plural: str) -> str:
    return WIDGET.replace("NAME", plural).replace("KIND", plural.capitalize())


async def make(client: Client, resource: Resource, name: str, namespace: str, **rest: Any) -> dict[str, Any]:
    meta = {"name": name, **rest.pop("metadata", {})}
    return await client.create(
        resource, {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **rest}, namespace
    )


async def installed(api: KubeApi, client: Client, helm: HelmWorker, name: str, **files: str) -> Connection:
    """A release of an extension in a namespace that the platform made."""
    with contextlib.suppress(AlreadyExists):
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    await client.create(NAMESPACES, namespace_object(name, f"extension-{name}"))
    here = Connection(namespace=f"extension-{name}", kubeconfig=str(api.kubeconfig))
    package = chart(name, "1.0.0", files)
    operation = Deploy(
        release=name, chart=package, connection=here, object_labels={REF: name}, release_labels={REF: name}
    )
    await helm.call(operation)
    return here


async def uninstalled(client: Client, helm: HelmWorker, here: Connection, name: str, *, shared: bool = False) -> None:
    """What the reconciler does between `begin` and `finish`."""
    records = await Releases(client).records(here.namespace, name)
    await spare(client, Target(name, here.namespace, name, shared), records)
    await helm.call(Uninstall(release=name, connection=here))
    removal = Removal(client)
    while (remains := await removal.look(name, here.namespace, shared=shared)).objects or remains.vanishing:
        await removal.sweep(remains)


async def test_a_receipt_tells_of_every_object_what_the_api_tells(platform_crds: KubeApi) -> None:
    files = {
        "templates/all.yaml": OBJECTS,
        "templates/hook.yaml": HOOK,
        "templates/last.yaml": LAST_HOOK,
        "templates/def.yaml": definition("goers"),
        "crds/a.yaml": definition("stayers"),
    }
    async with platform_crds.client() as client, HelmWorker() as helm:
        here = await installed(platform_crds, client, helm, "teller", **files)
        space = here.namespace
        await client.delete(CONFIGMAPS, "gone-before", space)
        await client.delete(CONFIGMAPS, "taken", space)
        await make(client, CONFIGMAPS, "taken", space)  # by somebody else, under the chart's name
        await make(client, CONFIGMAPS, "last-words", space)  # and under the name of a hook of its uninstall
        await make(client, CONFIGMAPS, "users-own", space)
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await make(client, PERSISTENTVOLUMECLAIMS, "data-store-0", space, spec=claim)
        web = await client.get(DEPLOYMENTS, "web", space)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": web["metadata"]["uid"]}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": web["spec"]["template"]["spec"]}
        spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
        await make(client, REPLICASETS, "web-1", space, metadata={"ownerReferences": [owner]}, spec=spec)
        for plural in ("goers", "stayers"):
            resource = await client.discover("receipts.test/v1", plural.capitalize())
            await make(client, resource, "one", "default")

        receipts = Receipts(client)
        records = await Releases(client).records(space, "teller")
        uid = "1f3aa0c2-0000-0000-0000-000000000000"
        begin = {"extension": "teller", "plan_uid": uid, "version": "1.0.0", "namespace": space, "records": records}
        await receipts.begin(**begin)
        await client.delete(CONFIGMAPS, "users-own", space)
        await receipts.begin(**begin)  # what is gone by now was written down the first time
        await uninstalled(client, helm, here, "teller")
        name = await receipts.finish(extension="teller", plan_uid=uid)
        assert await receipts.finish(extension="teller", plan_uid=uid) == name

        receipt = unpacked(await client.get(CONFIGMAPS, name, SYSTEM))
        told = {(one.kind, one.name): (one.outcome, one.origin) for one in receipt.objects}
        wanted = {
            ("ConfigMap", "plain"): ("Removed", "Chart"),
            ("ConfigMap", "gone-before"): ("Removed", "Chart"),
            ("ConfigMap", "taken"): ("Foreign", "Chart"),
            ("ConfigMap", "treasure"): ("Kept", "Chart"),
            ("ConfigMap", "last-words"): ("Foreign", "Hook"),
            ("ConfigMap", "made-by-hook"): ("Removed", "Hook"),
            ("StatefulSet", "store"): ("Removed", "Chart"),
            ("PersistentVolumeClaim", "data-store-0"): ("Kept", "Claim"),
            ("CustomResourceDefinition", "goers.receipts.test"): ("Removed", "Chart"),
            ("Goers", "one"): ("Removed", "Instance"),
            ("CustomResourceDefinition", "stayers.receipts.test"): ("Kept", "Definition"),
            ("Stayers", "one"): ("Kept", "Instance"),
            ("Namespace", space): ("Kept", "Platform"),
            ("Secret", "sh.helm.release.v1.teller.v1"): ("Removed", "Platform"),
        }
        assert {key: told.get(key) for key in wanted} == wanted
        assert told[("ReplicaSet", "web-1")][1] == "Dependent"
        why = {one.name: one.why for one in receipt.objects}
        assert "keep" in why[space]
        assert "somebody else made it" in why["taken"]
        for one in receipt.objects:  # every outcome is what the API says
            resource = await client.discover(one.api_version, one.kind) if one.kind != "Goers" else None
            there = resource is not None and await exists(client, resource, one)
            assert there == (one.outcome in ("Kept", "Foreign", "Leaving")), one
        await client.delete(CRDS, "stayers.receipts.test")
        await client.delete(NAMESPACES, space)


def leaving(receipt: Receipt) -> set[str]:
    return {one.name for one in receipt.objects if one.outcome == "Leaving"}


async def exists(client: Client, resource: Resource, entry: Entry) -> bool:
    try:
        found = await client.get(resource, entry.name, entry.namespace or None)
    except NotFound:
        return False
    return not entry.uid or found["metadata"]["uid"] == entry.uid


async def test_a_namespace_that_leaves_slowly_is_completed_by_the_keeper(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, HelmWorker() as helm:
        here = await installed(platform_crds, client, helm, "slowly", **{"templates/a.yaml": HOOK})
        space = here.namespace
        await make(client, CONFIGMAPS, "held", space, metadata={"finalizers": ["tests.example/hold"]})
        receipts = Receipts(client)
        uid = "2b3aa0c2-0000-0000-0000-000000000000"
        records = await Releases(client).records(space, "slowly")
        await receipts.begin(extension="slowly", plan_uid=uid, version="1.0.0", namespace=space, records=records)
        await uninstalled(client, helm, here, "slowly")
        name = await receipts.finish(extension="slowly", plan_uid=uid)
        obj = await client.get(CONFIGMAPS, name, SYSTEM)
        assert not unpacked(obj).complete
        assert OPEN in obj["metadata"]["labels"]
        assert leaving(unpacked(obj)) >= {space}
        keeper = ReceiptKeeper(client, receipts)
        first = await keeper.reconcile(Key(SYSTEM, name))
        while leaving(unpacked(await client.get(CONFIGMAPS, name, SYSTEM))) != {space, "held"}:
            await keeper.reconcile(Key(SYSTEM, name))
        version = (await client.get(CONFIGMAPS, name, SYSTEM))["metadata"]["resourceVersion"]
        second = await keeper.reconcile(Key(SYSTEM, name))
        assert first is not None
        assert second is not None
        assert second.seconds > first.seconds, "it asks less and less often"
        now = await client.get(CONFIGMAPS, name, SYSTEM)
        assert now["metadata"]["resourceVersion"] == version, "it writes news only"
        await client.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, space)
        while await keeper.reconcile(Key(SYSTEM, name)) is not None:
            pass
        receipt = unpacked(await client.get(CONFIGMAPS, name, SYSTEM))
        assert receipt.complete
        assert set(receipt.counts) == {"Removed"}


async def test_a_forced_deletion_and_one_by_hand_have_receipts_and_old_ones_go(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, HelmWorker() as helm:
        here = await installed(platform_crds, client, helm, "forced", **{"templates/a.yaml": OBJECTS})
        receipts = Receipts(client)
        for number in range(7):
            uid = f"{number}c3aa0c2-0000-0000-0000-000000000000"
            records = await Releases(client).records(here.namespace, "forced")
            begin = {"extension": "forced", "version": "1", "namespace": here.namespace, "records": records}
            await receipts.begin(plan_uid=uid, **begin)
            name = await receipts.finish(extension="forced", plan_uid=uid, forced=True, kept={"edge": "unreachable"})
        receipt = unpacked(await client.get(CONFIGMAPS, name, SYSTEM))
        assert set(receipt.counts) == {"Kept"}
        assert [(one.name, one.why) for one in receipt.objects if one.kind == "Cluster"] == [("edge", "unreachable")]
        assert len(await stored(client, "forced")) == 5
        # The plan's finalizer was taken off by hand in the middle: the keeper ends the receipt.
        await receipts.begin(plan_uid="by-hand1-0", **begin)
        with pytest.raises(NotFound):
            await client.get(INSTALLPLANS, "forced")
        await ReceiptKeeper(client, receipts).reconcile(Key(SYSTEM, "uninstall-receipt-forced-by-hand1"))
        receipt = unpacked(await client.get(CONFIGMAPS, "uninstall-receipt-forced-by-hand1", SYSTEM))
        assert receipt.finished_at
        await client.delete(NAMESPACES, here.namespace)


@pytest.mark.parametrize("code", [413, 422, 403])
async def test_a_receipt_that_is_too_large_holds_no_uninstall(code: int) -> None:
    told: list[str] = []

    class Refusing:
        async def begin(self, **_: Any) -> None:
            raise ApiError.of({"code": code, "message": "too large"})

    class Recorder:
        async def record(self, _: Any, severity: str, reason: str, message: str) -> None:
            told.append(f"{severity} {reason} {message}")

    plan: Any = SimpleNamespace(name="x", force_delete=False)
    seen: Any = SimpleNamespace(
        plan=plan, obj={"metadata": {"uid": "u"}}, status={}, namespace="n", records=None, release="x"
    )
    await Receipting(cast("Any", Refusing()), cast("Any", Recorder())).begin(seen, shared=False)
    assert told[0].startswith("Warning NoReceipt")
