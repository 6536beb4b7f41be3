"""Rows from Flux: as whom Helm works, and what becomes of objects that others touch."""

import json

from dovetail.kube import CONFIGMAPS, CRDS, ROLES, labels_of
from tests.lifecycle.platform import until_gone
from tests.lifecycle.scenarios.stage import QUICKLY, Stage, condition
from tests.lifecycle.scenarios.table import flux

WIDE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Name }}-wide}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
"""
OPTIONAL = """\
{{ if .Values.optional }}
apiVersion: v1
kind: ConfigMap
metadata: {name: fields}
data: {kept: "1", optional: "1"}
{{ else }}
apiVersion: v1
kind: ConfigMap
metadata: {name: fields}
data: {kept: "1"}
{{ end }}
"""


@flux("impersonation", "Helm works as the extension's own account: what `permissions.yaml` does not grant is refused",
      "the account is made for the extension, it is not chosen in the plan")  # fmt: skip
async def impersonation(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.offer("1.1.0", templates__wide_yaml=WIDE)
    await stage.plan("1.1.0", retry={"limit": 1})
    message = condition(await stage.failed(), "Installed")["message"]
    assert "clusterroles" in message
    assert f"system:serviceaccount:{stage.namespace}:helm-executor.{stage.name}" in message
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    role = await stage.client.get(ROLES, f"kubesphere:{stage.name}:helm-executor", stage.namespace)
    assert role["rules"]


@flux("post-renderer-kustomize", "after rendering every object gets the extension's label, and nothing else is changed",
      "there are no renderers of the user's own")  # fmt: skip
async def post_renderer_kustomize(stage: Stage) -> None:
    await stage.offer("1.0.0")
    await stage.plan("1.0.0")
    await stage.installed("1.0.0")
    for name in ("settings", "only-in-1.0.0"):
        found = await stage.client.get(CONFIGMAPS, name, stage.namespace)
        assert labels_of(found) == {
            "kubesphere.io/extension-ref": stage.name,
            "app.kubernetes.io/managed-by": "Helm",
        }


@flux("server-side-apply", "a field of the chart's that was edited by hand is overruled by the next upgrade",
      "objects are patched three ways as Helm 3 does, so there is no conflict to force",
      "server-side-apply/upgrade")  # fmt: skip
async def edited_fields_are_overruled(stage: Stage) -> None:
    await stage.offer("1.0.0", "1.1.0")
    await stage.plan("1.0.0", config="color: blue\n", drift={"mode": "Ignore"})
    await stage.installed("1.0.0")
    await stage.client.patch(CONFIGMAPS, "settings", {"data": {"color": "mine"}}, stage.namespace)
    await stage.plan("1.1.0")
    await stage.installed("1.1.0")
    assert (await stage.settings())["color"] == "blue"


@flux("server-side-apply", "a field that the chart has no more is removed, one that somebody added stays",
      scenario="server-side-apply/ssa-to-csa-field-removal")  # fmt: skip
async def fields_come_and_go(stage: Stage) -> None:
    await stage.offer("1.0.0", templates__optional_yaml=OPTIONAL)
    await stage.plan("1.0.0", config="optional: true\n")
    await stage.installed("1.0.0")
    await stage.client.patch(CONFIGMAPS, "fields", {"data": {"somebodys": "1"}}, stage.namespace)
    await stage.plan("1.0.0", config="optional: false\n")
    await stage.installed("1.0.0")
    found = await stage.client.get(CONFIGMAPS, "fields", stage.namespace)
    assert found["data"] == {"kept": "1", "somebodys": "1"}


@flux("server-side-apply", "a roll-back brings the former fields back, whoever has written them since",
      scenario="server-side-apply/rollback-upgrade")  # fmt: skip
async def rolled_back_fields(stage: Stage) -> None:
    await stage.offer("1.0.0")
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
    await stage.offer("1.1.0", templates__broken_yaml=broken)
    await stage.plan("1.0.0", config="color: blue\n", onUpgradeFailure="Rollback", retry={"limit": 1, **QUICKLY})
    await stage.installed("1.0.0")
    await stage.plan("1.1.0", config="color: green\n")
    await stage.failed("1.0.0")
    await stage.told("RolledBack", "True")
    await stage.client.patch(CONFIGMAPS, "settings", {"data": {"color": "mine"}}, stage.namespace)
    await stage.plan("1.0.0", config="color: blue\nagain: 1\n")
    await stage.installed("1.0.0")
    assert (await stage.settings())["color"] == "blue"


def definition(stage: Stage, name: str, *fields: str) -> str:
    """A CRD for `crds/`."""
    group = f"{stage.name}.test"
    specified = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": specified}}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": f"{name}s", "singular": name, "kind": name.title()},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return json.dumps({**kind, "metadata": {"name": f"{name}s.{group}"}, "spec": spec})


@flux("crds-upgrade", "with `crds: Create` an upgrade adds new CRDs and leaves those that are there; `CreateReplace` "
      "brings them in line; one that a version dropped stays")  # fmt: skip
async def crds_upgrade(stage: Stage) -> None:
    old = {"crds/ant.yaml": definition(stage, "ant", "size"), "crds/bee.yaml": definition(stage, "bee", "size")}
    new = {
        "crds/bee.yaml": definition(stage, "bee", "size", "color"),
        "crds/cat.yaml": definition(stage, "cat", "size"),
    }
    rights = "kind: ClusterRole\nrules:\n" + "".join(
        f'- {{verbs: ["*"], apiGroups: [{group}], resources: ["*"]}}\n'
        for group in ("extensions.kubesphere.io", "apiextensions.k8s.io")
    )
    await stage.offer("1.0.0", **{**old, "permissions.yaml": rights})
    await stage.offer("1.1.0", "1.2.0", **{**new, "permissions.yaml": rights})
    await stage.plan("1.0.0", crds="Create")
    await stage.installed("1.0.0")
    await stage.plan("1.1.0")
    await stage.installed("1.1.0")
    assert await fields(stage, "bee") == {"size"}
    assert await fields(stage, "cat") == {"size"}
    await stage.plan("1.2.0", crds="CreateReplace")
    await stage.installed("1.2.0")
    assert await fields(stage, "bee") == {"size", "color"}
    assert await fields(stage, "ant") == {"size"}
    await stage.leave()
    for name in ("ants", "bees", "cats"):
        await stage.client.delete(CRDS, f"{name}.{stage.name}.test")
        await until_gone(stage.client, CRDS, f"{name}.{stage.name}.test")


async def fields(stage: Stage, name: str) -> set[str]:
    found = await stage.client.get(CRDS, f"{name}s.{stage.name}.test")
    spec = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return set(spec.get("properties") or ())
