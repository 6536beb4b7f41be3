"""The package's `crds/`: made and upgraded by policy, never at the price of stored data or of somebody else's."""

from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CRDS, Client, NotFound
from dovetail.lifecycle.crd_upgrades import OWNER, Ruling, owner_of, ruling
from dovetail.lifecycle.ownership import NOBODY, Owner
from tests.conftest import KubeApi
from tests.lifecycle.platform import PERMISSIONS, controllers, package, plan, publish, until, until_gone, until_settled

ME = Owner("mine", "mine", "here")
RIGHTS = (
    PERMISSIONS
    + """\
- verbs: ["*"]
  apiGroups: [apiextensions.k8s.io, crds.test]
  resources: ["*"]
"""
)


def definition(plural: str, *versions: str, fields: str = "size", **rest: Any) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in fields.split()}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.crds.test"},
        "spec": {
            "group": "crds.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": plural[:-1].title()},
            "versions": [
                {"name": name, "served": True, "storage": name == versions[-1], "schema": {"openAPIV3Schema": schema}}
                for name in versions
            ],
        },
        **rest,
    }


def text(content: dict[str, Any]) -> str:
    import json

    return json.dumps(content)


@pytest.mark.parametrize(
    ("found", "policy", "owner", "wanted"),
    [
        (None, "Skip", None, Ruling.KEEP),
        (None, "Create", None, Ruling.MAKE),
        (None, "CreateReplace", None, Ruling.MAKE),
        ("v1", "Create", None, Ruling.KEEP),
        ("v1", "CreateReplace", None, Ruling.REPLACE),
        ("v1", "CreateReplace", "extension other", Ruling.FOREIGN),
        ("v1", "CreateReplace", NOBODY, Ruling.FOREIGN),
        ("v1 v2", "CreateReplace", NOBODY, Ruling.USE),
        ("v1 v2 v3", "Create", "extension other", Ruling.USE),
    ],
)
def test_what_is_done_about_a_definition(found: str | None, policy: Any, owner: str | None, wanted: Ruling) -> None:
    there = None if found is None else definition("things", *found.split())
    assert ruling(there, definition("things", "v1", "v2"), policy, owner=owner) is wanted


@pytest.mark.parametrize(
    ("metadata", "known", "owner"),
    [
        ({}, False, NOBODY),
        ({}, True, None),
        ({"annotations": {OWNER: "mine"}}, False, None),
        ({"annotations": {OWNER: "other"}}, True, "extension other"),
        ({"labels": {"kubesphere.io/extension-ref": "other"}}, False, "extension other"),
        (
            {"annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}},
            True,
            "Helm release n/r",
        ),
    ],
)
def test_whose_a_definition_is(metadata: dict[str, Any], known: bool, owner: str | None) -> None:
    assert owner_of({"metadata": {"name": "x", **metadata}}, ME, known=known) == owner


async def fields_of(client: Client, plural: str) -> set[str]:
    (version, *_) = (await client.get(CRDS, f"{plural}.crds.test"))["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


async def refused(client: Client, name: str, reason: str) -> str:
    def done(obj: dict[str, Any]) -> bool:
        return reason in {one["reason"] for one in obj.get("status", {}).get("conditions", [])}

    obj = await until(lambda: client.get(INSTALLPLANS, name), done, reason)
    return next(one["message"] for one in obj["status"]["conditions"] if one["reason"] == reason)


def with_crd(name: str, version: str, crd: dict[str, Any], permissions: str = RIGHTS) -> bytes:
    return package(name, version, **{"crds/all.yaml": text(crd), "permissions.yaml": permissions})


async def test_definitions_follow_the_package_unless_data_would_be_lost(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        for version, fields in (("1.0.0", "size"), ("1.1.0", "size color"), ("2.0.0", "color")):
            await publish(
                client, "grower", version, with_crd("grower", version, definition("plants", "v1", fields=fields))
            )
        await plan(client, "grower", "1.0.0")
        await until_settled(client, "grower", "1.0.0")
        crd = await client.get(CRDS, "plants.crds.test")
        assert crd["metadata"]["annotations"][OWNER] == "grower"
        assert "kubesphere.io/extension-ref" not in crd["metadata"].get("labels", {})
        await plan(client, "grower", "1.1.0")
        await until_settled(client, "grower", "1.1.0")
        assert await fields_of(client, "plants") == {"size", "color"}

        resource = await client.discover("crds.test/v1", "Plant")
        plant = {"apiVersion": "crds.test/v1", "kind": "Plant", "metadata": {"name": "oak"}, "spec": {"size": "big"}}
        await client.create(resource, plant, "default")
        await plan(client, "grower", "2.0.0")
        message = await refused(client, "grower", "UnsafeCRDChange")
        assert "plants.crds.test" in message
        assert "size" in message
        assert await fields_of(client, "plants") == {"size", "color"}
        assert (await client.get(INSTALLPLANS, "grower"))["status"]["version"] == "1.1.0"
        allowed = {"metadata": {"annotations": {"dovetail.dev/allow-unsafe-crds": "yes"}}}
        await client.patch(INSTALLPLANS, "grower", allowed)
        await until_settled(client, "grower", "2.0.0")
        assert await fields_of(client, "plants") == {"color"}

        await client.delete(INSTALLPLANS, "grower")
        await until_gone(client, INSTALLPLANS, "grower")
        await client.get(resource, "oak", "default")  # definitions stay, and what is stored


async def test_policies_and_missing_rights(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        for version, fields in (("1.0.0", "size"), ("1.1.0", "size color")):
            crd = definition("stones", "v1", fields=fields)
            await publish(client, "mason", version, with_crd("mason", version, crd, PERMISSIONS))
        await plan(client, "mason", "1.0.0")
        message = await refused(client, "mason", "MissingPermission")
        assert "system:serviceaccount:extension-mason:helm-executor.mason may not create" in message
        assert "customresourcedefinitions.apiextensions.k8s.io stones.crds.test" in message
        await plan(client, "mason", "1.0.0", crds="Skip")
        await client.patch(INSTALLPLANS, "mason", {"metadata": {"annotations": {"dovetail.dev/retry": "1"}}})
        await until_settled(client, "mason", "1.0.0")
        with pytest.raises(NotFound):
            await client.get(CRDS, "stones.crds.test")
        await client.delete(INSTALLPLANS, "mason")
        await until_gone(client, INSTALLPLANS, "mason")


async def test_a_definition_of_somebody_elses_is_used_or_the_package_refused(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        theirs = await client.create(CRDS, definition("shared", "v1", fields="theirs"))
        await publish(client, "guest", "1.0.0", with_crd("guest", "1.0.0", definition("shared", "v1", fields="ours")))
        await publish(client, "guest", "1.1.0", with_crd("guest", "1.1.0", definition("shared", "v1", "v2")))
        await plan(client, "guest", "1.0.0")
        await until_settled(client, "guest", "1.0.0")
        await plan(client, "guest", "1.1.0")
        message = await refused(client, "guest", "ForeignObject")
        assert "does not serve v2" in message
        now = await client.get(CRDS, "shared.crds.test")
        assert (now["spec"], now["metadata"]["uid"]) == (theirs["spec"], theirs["metadata"]["uid"])
        assert OWNER not in now["metadata"].get("annotations", {})
        await client.patch(CRDS, "shared.crds.test", {"metadata": {"annotations": {OWNER: "guest"}}})
        await plan(client, "guest", "1.1.0", crds="Create")
        await client.patch(INSTALLPLANS, "guest", {"metadata": {"annotations": {"dovetail.dev/retry": "1"}}})
        await until_settled(client, "guest", "1.1.0")
        assert await fields_of(client, "shared") == {"theirs"}, "Create leaves what is there"
        await client.delete(INSTALLPLANS, "guest")
        await until_gone(client, INSTALLPLANS, "guest")
