"""Rows from OLM v1: which version of which repository it is, and what an install is refused for."""

import json

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, REPOSITORIES
from tests.lifecycle.platform import package, until
from tests.lifecycle.scenarios.stage import QUICKLY, Stage, condition
from tests.lifecycle.scenarios.table import olm

SCHEMA = {
    "type": "object",
    "required": ["watchNamespace"],
    "properties": {"watchNamespace": {"type": "string", "enum": ["here"]}},
}


@olm("install", "Install latest available version from the default channel",
     "the extension recommends its newest version that fits this cluster; prereleases are not recommended",
     "the version is always written into the plan")  # fmt: skip
async def the_newest_is_recommended(stage: Stage) -> None:
    async with stage.serving() as museum:
        for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"):
            museum.add(stage.name, version, package(stage.name, version))
        await stage.synced(museum)
        obj = await until(
            lambda: stage.client.get(EXTENSIONS, stage.name),
            lambda obj: bool(obj.get("status", {}).get("recommendedVersion")),
            "the recommendation",
        )
        assert obj["status"]["recommendedVersion"] == "1.10.0"
        await stage.plan("1.10.0")
        await stage.installed("1.10.0")
        await stage.leave()


@olm("install", "Report that bundle cannot be installed when exists in multiple catalogs with same priority",
     "of two repositories that offer one extension the first keeps giving it; the other names the conflict",
     "what is there already goes on being upgraded from where it came")  # fmt: skip
async def two_repositories(stage: Stage) -> None:
    async with stage.serving() as first, stage.serving() as second:
        first.add(stage.name, "1.0.0", package(stage.name, "1.0.0"))
        second.add(stage.name, "1.1.0", package(stage.name, "1.1.0"))
        await stage.synced(first, f"{stage.name}-first")
        await stage.synced(second, f"{stage.name}-second")
        obj = await until(
            lambda: stage.client.get(REPOSITORIES, f"{stage.name}-second"),
            lambda obj: condition(obj, "Conflict").get("status") == "True",
            "the conflict",
        )
        assert stage.name in condition(obj, "Conflict")["message"]
        assert f"{stage.name}-first" in condition(obj, "Conflict")["message"]
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.leave()


@olm("install", "watchNamespace config is required for extension supporting single namespace",
     "values that `values.schema.json` asks for are asked for by name, and the plan goes on when they are there",
     "there are no install modes: a package asks for its values in its schema")  # fmt: skip
async def config_is_required(stage: Stage) -> None:
    await stage.offer("1.0.0", **{"values.schema.json": json.dumps(SCHEMA)})
    await stage.plan("1.0.0")
    assert "watchNamespace" in condition(await stage.failed(), "Installed")["message"]
    await stage.plan("1.0.0", config="watchNamespace: here\n")
    await stage.installed("1.0.0")


@olm("install", "watchNamespace config is required for extension supporting own namespace",
     "a value that the schema forbids is named, with what is allowed")  # fmt: skip
async def config_is_wrong(stage: Stage) -> None:
    await stage.offer("1.0.0", **{"values.schema.json": json.dumps(SCHEMA)})
    await stage.plan("1.0.0", config="watchNamespace: elsewhere\n")
    message = condition(await stage.failed(), "Installed")["message"]
    assert "watchNamespace" in message
    assert "here" in message
    await stage.plan("1.0.0", config="watchNamespace: here\n")
    await stage.installed("1.0.0")


@olm("rbac-escalation", "Install operator with different RBAC requirements",
     "a chart may grant what its account holds; to grant more it must hold `escalate`")  # fmt: skip
async def rights_to_give_rights(stage: Stage) -> None:
    role = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: {{ .Release.Name }}-grants}\n"
        'rules: [{apiGroups: [""], resources: [nodes], verbs: [get]}]\n'
    )
    rules = "apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [get, create, delete"
    grown = 'kind: ClusterRole\nrules:\n- {verbs: ["*"], apiGroups: [extensions.kubesphere.io], resources: ["*"]}\n'
    await stage.offer("1.0.0", **{"templates/role.yaml": role, "permissions.yaml": f"{grown}- {{{rules}]}}\n"})
    await stage.offer(
        "1.1.0", **{"templates/role.yaml": role, "permissions.yaml": f"{grown}- {{{rules}, escalate]}}\n"}
    )
    await stage.plan("1.0.0", retry={"limit": 1, **QUICKLY})
    assert "nodes" in condition(await stage.failed(), "Installed")["message"]
    await stage.plan("1.1.0")
    await stage.installed("1.1.0")


@olm("update", "Cannot update extension to non successor version",
     "a version that this platform is too old for is refused with both versions; what is in force stays",
     "there is no graph of upgrades: `ksVersion`, `kubeVersion` and dependencies say what fits")  # fmt: skip
async def a_version_that_does_not_fit(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.offer("9.0.0", spec={"ksVersion": ">=99.0.0"})
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    await stage.plan("9.0.0")
    obj = await stage.failed("1.0.0", attempts=0)
    told = condition(obj, "Upgraded")
    assert told["reason"] == "Incompatible"
    assert ">=99.0.0" in told["message"]
    assert (await stage.settings())["version"] == "1.0.0"
    await stage.serves()
