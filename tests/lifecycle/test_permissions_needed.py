"""The computed role is enough for a package's whole life, and without any one of its rules that life fails.

With the real Helm worker as the extension's account on the real API, whose RBAC decides. The suite takes some packages
and some of their rules; `DOVETAIL_PERMISSIONS=all` (`make permissions`) takes away every verb of every rule of every
package, one after the other.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from dovetail.helm import Connection, Deploy, HelmRefused, HelmWorker, Render, Uninstall, Values
from dovetail.kube import CLUSTERROLEBINDINGS, CLUSTERROLES, CRDS, NAMESPACES, ROLEBINDINGS, ROLES, Client, NotFound
from dovetail.lifecycle.access import account_user
from dovetail.lifecycle.capabilities import capabilities
from dovetail.lifecycle.existing_roles import existing_roles
from dovetail.lifecycle.permissions_needed import MINIMUM, RBAC, Needed, Scope, Want, bound_roles, needed, scopes
from dovetail.lifecycle.rendered import read, read_templates
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.values import injected_values
from dovetail.packaging import read_package
from dovetail.packaging.permissions import Rule
from tests.conftest import KubeApi, install_crds, run_kube_api
from tests.lifecycle.next_versions import for_the_host
from tests.lifecycle.platform import package, until_gone
from tests.lifecycle.test_corpus_lifecycle import TOGETHER, node
from tests.packaging.corpus import CORPUS

EVERY = os.environ.get("DOVETAIL_PERMISSIONS") == "all"
QUICK = ("metrics-server",)
PUBLISHED = [one for group in TOGETHER for one in group if EVERY or one.name in QUICK]

OWN = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: pw-reader}
rules:
- {apiGroups: [""], resources: [nodes, pods], verbs: [get, list]}
- {apiGroups: [apps], resources: [deployments], verbs: ["*"]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: pw-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: pw-reader}
subjects: [{kind: ServiceAccount, name: default, namespace: extension-pw}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pw-authentication, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}
subjects: [{kind: ServiceAccount, name: default, namespace: extension-pw}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pw-here}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get]}
- {apiGroups: [example.org], resources: [things], verbs: [get, update]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org, annotations: {helm.sh/resource-policy: keep}}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pw-hook, annotations: {helm.sh/hook: "pre-install,pre-upgrade,pre-delete"}}
rules: []
"""


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """One for these tests alone: what packages make for the whole cluster would meet others' objects."""
    for api in run_kube_api(tmp_path_factory.mktemp("permissions")):
        install_crds(api)
        yield api


@dataclass(frozen=True)
class Account:
    """A package that is installed as an account which has what it is given, and nothing else."""

    client: Client
    helm: HelmWorker
    kubeconfig: str
    name: str
    namespace: str
    data: bytes
    config: str
    cluster: tuple[str, tuple[str, ...]]
    definitions: set[str] = field(default_factory=set[str])

    async def needs(self) -> Needed:
        version, served = self.cluster
        chart = read_package(self.data)
        rendering = await self.helm.call(
            Render(
                release=self.name, chart=self.data, namespace=self.namespace, kube_version=version, api_versions=served,
                values=Values(self.config, injected_values(LifecycleSettings(), chart.dependencies)),
            )
        )  # fmt: skip
        objects = read_templates(rendering["manifests"])
        definitions = read(text for _, text in rendering["crds"])
        self.definitions.update(one.name for one in objects if one.kind == "CustomResourceDefinition")
        known = {
            (one.resource.group, one.resource.kind): Scope(one.resource.plural, one.resource.namespaced)
            for one in await self.client.discover_all()
        }
        roles = await existing_roles(self.client, bound_roles(objects, self.namespace))
        return needed(objects, definitions, self.namespace, scopes([*objects, *definitions], known), roles)

    async def hold(self, cluster: Sequence[Rule], namespace: Sequence[Rule]) -> None:
        """Give the account exactly this, and the published minimum in its namespace."""
        user = account_user(self.name, self.namespace)
        reference = {"apiGroup": RBAC, "name": self.name}
        subjects = [{"apiGroup": RBAC, "kind": "User", "name": user}]
        metadata = {"name": self.name}
        for resource, rules in ((CLUSTERROLES, cluster), (ROLES, (*namespace, MINIMUM))):
            where = self.namespace if resource is ROLES else None
            body = {
                "metadata": metadata | ({"namespace": where} if where else {}),
                "rules": [_plain(one) for one in rules],
            }
            await self.client.apply(resource, body, field_manager="test", force=True)
            binding = ROLEBINDINGS if resource is ROLES else CLUSTERROLEBINDINGS
            bound = {
                "metadata": body["metadata"], "roleRef": {**reference, "kind": resource.kind}, "subjects": subjects
            }  # fmt: skip
            await self.client.apply(binding, bound, field_manager="test", force=True)

    async def life(self) -> str:
        """Install, change every object, uninstall: what was refused, or nothing."""
        connection = Connection(
            namespace=self.namespace, kubeconfig=self.kubeconfig, user=account_user(self.name, self.namespace)
        )
        version, served = self.cluster
        values = Values(self.config, injected_values(LifecycleSettings(), read_package(self.data).dependencies))
        for mark in ("first", "second"):
            operation = Deploy(
                release=self.name, chart=self.data, connection=connection, values=values, timeout=60,
                object_labels={"proof": mark}, kube_version=version, api_versions=served,
            )  # fmt: skip
            try:
                await self.helm.call(operation)
            except HelmRefused as error:
                return f"{mark}: {error.detail}"
        try:
            await self.helm.call(Uninstall(release=self.name, connection=connection, timeout=60))
        except HelmRefused as error:
            return f"uninstall: {error.detail}"
        return ""

    async def clear(self) -> None:
        """Remove what a life that failed has left, as somebody who may."""
        connection = Connection(namespace=self.namespace, kubeconfig=self.kubeconfig)
        with contextlib.suppress(HelmRefused):
            await self.helm.call(Uninstall(release=self.name, connection=connection, timeout=60))
        for name in self.definitions:  # authors have them kept
            with contextlib.suppress(NotFound):
                await self.client.delete(CRDS, name)
        for name in self.definitions:
            await until_gone(self.client, CRDS, name)


def _plain(rule: Rule) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(rule))


@contextlib.asynccontextmanager
async def account(api: KubeApi, name: str, namespace: str, data: bytes, config: str = "") -> AsyncIterator[Account]:
    async with api.client() as client, HelmWorker() as helm, node(client):
        await client.apply(NAMESPACES, {"metadata": {"name": namespace}}, field_manager="test")
        cluster = await capabilities(client)
        yield Account(client, helm, str(api.kubeconfig), name, namespace, data, config, cluster)


def _each(one: Want) -> Sequence[tuple[str, ...]]:
    """Its verbs one by one. A hook that is ready at once is found by a list or by a watch: these two go together."""
    together = ("list", "watch")
    single = [(verb,) for verb in one.rule.verbs if one.instead is not None or verb not in together]
    return [*single, together] if "watch" in one.rule.verbs and one.instead is None else [*single]


async def without_any_one(holder: Account, needs: Needed, at_most: int | None = None) -> int:
    """Take away one rule after the other, or (all of them) one verb of a rule; the life fails each time. How often."""
    whole = [(one, one.rule.verbs) for one in needs.wants]
    single = [(one, verbs) for one in needs.wants for verbs in _each(one)]
    tried = single if at_most is None else whole[:: max(1, len(whole) // at_most)]
    for gone, verbs in tried:
        left = [one for one in needs.wants if one is not gone]
        rest = msgspec.structs.replace(gone.rule, verbs=tuple(verb for verb in gone.rule.verbs if verb not in verbs))
        left += [Want(rest, gone.cluster, ())] if rest.verbs else []
        await holder.hold([one.rule for one in left if one.cluster], [one.rule for one in left if not one.cluster])
        assert await holder.life(), f"{holder.name} lives without {verbs} of {gone}"
        await holder.clear()
    return len(tried)


@pytest.mark.timeout(3600 if EVERY else 60)
async def test_a_small_package_needs_every_rule_and_no_other(own_cluster: KubeApi) -> None:
    data = package("pw", "1.0.0", **{"templates__own.yaml": OWN})
    async with account(own_cluster, "pw", "extension-pw", data) as holder:
        needs = await holder.needs()
        await holder.hold(needs.cluster, needs.namespace)
        assert await holder.life() == ""
        await holder.clear()
        assert len(needs.wants) >= 12
        assert await without_any_one(holder, needs, None if EVERY else 4) >= 4


@pytest.mark.timeout(3600 if EVERY else 60)
@pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: one.name)
async def test_the_computed_role_is_enough_for_a_published_package(own_cluster: KubeApi, published: Any) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)")
    data = for_the_host(published.archive.read_bytes())
    async with account(own_cluster, published.name, published.namespace, data, published.config()) as holder:
        if published.name == "ob-operator":
            await _issuers(holder.client)
        needs = await holder.needs()
        await holder.hold(needs.cluster, needs.namespace)
        assert await holder.life() == ""
        await holder.clear()
        taken = await without_any_one(holder, needs, None if EVERY else 1)
        assert taken >= len(needs.wants) if EVERY else taken


async def _issuers(client: Client) -> None:
    """The kinds of cert-manager, which this package uses."""
    for kind, plural in (("Certificate", "certificates"), ("Issuer", "issuers")):
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        spec = {
            "group": "cert-manager.io", "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        }  # fmt: skip
        await client.apply(
            CRDS, {"metadata": {"name": f"{plural}.cert-manager.io"}, "spec": spec}, field_manager="test", force=True
        )
    await asyncio.sleep(0.5)
