"""Previews on the real embedded API and the real Helm: what they say, and that they change nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dovetail.helm import HelmWorker
from dovetail.kube import CONFIGMAPS, Client, preferred_resources
from dovetail.lifecycle.fetching import Fetcher
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.preview.gathering import Asked
from dovetail.lifecycle.preview.previewing import Asker, Previewer
from dovetail.lifecycle.preview.words import lines
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.sources import Sources
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, ensure_namespace, make, package, plan, publish, until_settled


@asynccontextmanager
async def previewer(api: KubeApi, client: Client) -> AsyncIterator[Previewer]:
    settings = LifecycleSettings(kubeconfig=api.kubeconfig)
    async with HelmWorker() as helm, Fetcher() as fetcher:
        packages = PackageSource(client, Sources(client, fetcher), helm, lambda _: None)
        yield Previewer(client, client, helm, packages, settings, Asker("the tests"))


def objects(found: list[Any]) -> set[str]:
    return {f"{one.kind} {one.name}" for one in found}


def fields(found: list[Any], name: str) -> dict[str, tuple[str, str]]:
    return {field.path: (field.before, field.after) for one in found if one.name == name for field in one.fields}


MADE_BY_THE_PLATFORM = {
    "ServiceAccount helm-executor.peek", "ClusterRole kubesphere:peek:helm-executor",
    "ClusterRoleBinding kubesphere:peek:helm-executor", "Role kubesphere:peek:helm-executor",
    "RoleBinding kubesphere:peek:helm-executor", "Namespace extension-peek",
}  # fmt: skip
READER = """\
kind: ClusterRole
rules:
- {verbs: ["*"], apiGroups: [extensions.kubesphere.io], resources: ["*"]}
- {verbs: [get, list], apiGroups: [""], resources: [secrets]}
"""
LOOKING = """\
apiVersion: v1
kind: Secret
metadata:
  name: password
data:
  {{- with lookup "v1" "Secret" .Release.Namespace "password" }}
  password: {{ .data.password }}
  {{- else }}
  password: {{ randAlphaNum 20 | b64enc }}
  {{- end }}
"""


async def test_an_install_and_then_an_upgrade(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, previewer(platform_crds, client) as previews:
        await publish(client, "peek", "1.0.0", package("peek", "1.0.0", templates__secret_yaml=LOOKING))
        upgrade = package("peek", "1.1.0", templates__secret_yaml=LOOKING, **{"permissions.yaml": READER})
        await publish(client, "peek", "1.1.0", upgrade)
        before = await everything(client)
        first = (await previews.preview(Asked("peek", "1.0.0"))).plan
        assert await everything(client) == before
        assert (first.operation, first.blocked) == ("install", [])
        assert objects(first.objects.added) == MADE_BY_THE_PLATFORM | {
            "ConfigMap only-in-1.0.0", "ConfigMap settings", "JSBundle peek", "ReverseProxy peek", "Secret password"
        }  # fmt: skip
        assert first.plugged.routes.added == ["* /proxy/peek/*"]
        assert first.plugged.bundles.added == ["/dist/peek/main.js"]
        assert first.lookup.used
        assert (first.lookup.by, first.lookup.as_account) == ("the tests", False)
        assert any("lookup" in text for text in first.warnings)
        assert first.varying == ["peek/templates/secret_yaml#0/data/password"]
        assert (await previews.preview(Asked("peek", "1.0.0"))).plan.hash == first.hash

        async with controllers(platform_crds.kubeconfig):
            await plan(client, "peek", "1.0.0")
            await until_settled(client, "peek", "1.0.0")
        again = (await previews.preview(Asked("peek", "1.0.0"))).plan
        assert (again.operation, again.objects.added, again.objects.changed, again.objects.removed) == (
            "change", [], [], []
        )  # fmt: skip
        assert (again.lookup.as_account, again.varying) == (True, [])

        await client.patch(CONFIGMAPS, "settings", {"data": {"color": "by hand"}}, "extension-peek")
        second = (await previews.preview(Asked("peek", "1.1.0", config="color: blue"))).plan
        assert (second.operation, second.from_version, second.blocked) == ("upgrade", "1.0.0", [])
        assert objects(second.objects.added) == {"ConfigMap only-in-1.1.0"}
        assert objects(second.objects.removed) == {"ConfigMap only-in-1.0.0"}
        assert fields(second.objects.changed, "settings") == {
            "data.color": ("by hand", "blue"), "data.version": ("1.0.0", "1.1.0"),
        }  # fmt: skip
        gained = {(one.words, one.where): one.risks for one in second.rights.gained}
        assert gained == {("get, list secrets", "in the whole cluster"): ["read every Secret"]}
        assert any("read every Secret" in text for text in second.warnings)
        assert not second.plugged.routes.added + second.plugged.routes.lost
        assert second.hash != first.hash


async def everything(client: Client) -> set[tuple[str, str, str, str]]:
    """Every object of the API, but for what the API server makes itself."""
    found: set[tuple[str, str, str, str]] = set()
    for served in preferred_resources(await client.discover_all(), ("list",)):
        if served.resource.plural in ("events", "leases"):
            continue
        for obj in (await client.list(served.resource, metadata_only=True)).items:
            about = obj["metadata"]
            found.add((served.resource.plural, about.get("namespace", ""), about["name"], about["resourceVersion"]))
    return found


SCHEMA = '{"type": "object", "properties": {"color": {"type": "string", "enum": ["red", "blue"]}}}'


async def test_what_blocks_a_plan_is_told_at_once(platform_crds: KubeApi) -> None:
    foreign = {"labels": {"kubesphere.io/extension-ref": "somebody-else"}}
    unknown = "apiVersion: nowhere.example.org/v1\nkind: Thing\nmetadata: {name: thing}\n"
    beyond = "apiVersion: v1\nkind: Namespace\nmetadata: {name: beyond}\n"
    data = package("barred", "1.0.0", templates__x_yaml=unknown, templates__y_yaml=beyond)
    async with platform_crds.client() as client, previewer(platform_crds, client) as previews:
        needs = [{"name": "base", "type": "extension", "version": ">=2", "required": True}]
        await publish(
            client, "barred", "1.0.0", data, kubeVersion=">=99", externalDependencies=needs, namespace="shared-space"
        )
        await ensure_namespace(client, "shared-space")
        await make(client, CONFIGMAPS, "settings", "shared-space", metadata={"name": "settings", **foreign})
        found = (await previews.preview(Asked("barred", "1.0.0"))).plan
        assert {one.reason for one in found.blocked} == {
            "Incompatible", "DependencyMissing", "ForeignObject", "UnknownKind", "PermissionMissing"
        }  # fmt: skip
        (in_the_way,) = found.objects.foreign
        assert (in_the_way.name, in_the_way.owner) == ("settings", "extension somebody-else")
        assert [(one.name, one.satisfied) for one in found.dependencies] == [("base", False)]
        assert found.resolution is not None
        assert found.resolution.conflict is not None
        assert "base" in found.resolution.conflict.en
        assert any("base" in line for line in lines(found))


async def test_values_are_held_against_the_schema(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, previewer(platform_crds, client) as previews:
        await publish(client, "strict", "1.0.0", package("strict", "1.0.0", **{"values.schema.json": SCHEMA}))
        fine = (await previews.preview(Asked("strict", "1.0.0", config="color: blue"))).plan
        assert (fine.values.schema, fine.values.errors, fine.blocked) == (True, [], [])
        bad = (await previews.preview(Asked("strict", "1.0.0", config="color: green"))).plan
        assert [one.reason for one in bad.blocked] == ["InvalidValues"]
        assert any("color" in text for text in bad.values.errors)
        assert bad.hash == ""


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {clusterIP: %s, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: work}
spec:
  selector: {matchLabels: {app: %s}}
  template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: a, image: a, %s}]}}
"""
HTTP, TCP = "livenessProbe: {httpGet: {port: 80}}", "livenessProbe: {tcpSocket: {port: 80}}"


async def test_what_the_api_server_would_refuse_is_known_before(platform_crds: KubeApi) -> None:
    versions = {"1.0.0": ("a", "a", HTTP), "1.1.0": ("b", "b", HTTP)}
    versions |= {"1.2.0": ("a", "c", HTTP), "1.3.0": ("a", "a", TCP)}
    async with platform_crds.client() as client, previewer(platform_crds, client) as previews:
        for version, (selected, labelled, probe) in versions.items():
            text = SERVICE % ("None", selected, labelled, probe)
            await publish(client, "fixed", version, package("fixed", version, templates__s=text))
        async with controllers(platform_crds.kubeconfig):
            await plan(client, "fixed", "1.0.0")
            await until_settled(client, "fixed", "1.0.0")
        before = await everything(client)
        for version in ("1.1.0", "1.2.0"):
            found = (await previews.preview(Asked("fixed", version))).plan
            assert {one.reason for one in found.blocked} == {"Refused"}, version
            assert any("Deployment.apps extension-fixed/work" in one.message for one in found.blocked)
        for version in ("1.0.0", "1.3.0"):
            assert not (await previews.preview(Asked("fixed", version))).plan.blocked, version
        assert await everything(client) == before


async def test_the_way_to_what_is_needed_is_shown(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, previewer(platform_crds, client) as previews:
        needs = [{"name": "ground", "type": "extension", "version": ">=2", "required": True}]
        await publish(client, "ground", "2.0.0", package("ground", "2.0.0"))
        await publish(client, "tower", "1.0.0", package("tower", "1.0.0"), externalDependencies=needs)
        found = (await previews.preview(Asked("tower", "1.0.0"))).plan
        assert [one.reason for one in found.blocked] == ["DependencyMissing"]
        assert found.resolution is not None
        assert [step.en for step in found.resolution.steps] == ["install ground 2.0.0", "install tower 1.0.0"]
        assert all(step.zh and step.zh != step.en for step in found.resolution.steps)
        assert "  > install ground 2.0.0" in [*lines(found)]
