"""What an uninstall would take away, before it does: the receipt's own look at the cluster, read the other way round.

Data is what nobody can make again by installing: custom resources whose definitions go, and in a namespace that goes
claims with their volumes, custom resources, ConfigMaps and Secrets that the release did not bring.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import Client, Resource, key_of, preferred_resources
from dovetail.kube.discovery import split_api_version
from dovetail.kube.resources import Object
from dovetail.lifecycle.belongings import Belongings, Target
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.receipt import Entry
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.removal import listed

EXAMPLES: Final = 20
_CLAIM: Final = "PersistentVolumeClaim"
_TEXTS: Final = frozenset({"ConfigMap", "Secret"})
_DERIVED: Final = ("sh.helm.release.v1.",)
_KUBERNETES: Final = (".k8s.io",)
_PLAIN_GROUPS: Final = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})


class Loss(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Data of one kind; the first `names` of them."""

    api_version: str
    kind: str
    count: int
    why: str
    names: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """In words."""
        more = f" and {self.count - 5} more" if self.count > 5 else ""
        return f"{self.count} x {self.kind} ({self.why}): {', '.join(self.names[:5])}{more}"


class UninstallPreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is there, and what would become of it."""

    extension: str
    version: str
    namespace: str
    objects: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    @property
    def removed(self) -> list[Entry]:
        return [one for one in self.objects if one.uid and not one.reason and not one.foreign]

    @property
    def kept(self) -> list[Entry]:
        return [one for one in self.objects if one.uid and one.reason and not one.foreign]

    @property
    def foreign(self) -> list[Entry]:
        return [one for one in self.objects if one.uid and one.foreign]

    @property
    def data(self) -> list[Entry]:
        """What would be lost."""
        return [one for one in self.removed if why_data(one)]

    @property
    def losses(self) -> list[Loss]:
        """The same, counted."""
        return counted(self.data)


def why_data(entry: Entry) -> str:
    """Why an object that goes is data; empty when it is not."""
    group, _ = split_api_version(entry.api_version)
    if entry.kind == _CLAIM and not group:
        return "with the data in their volumes"
    if entry.origin == "Instance":
        return "their definition goes"
    if entry.origin != "Content":
        return ""
    if entry.kind in _TEXTS and not group:
        return "" if entry.name.startswith(_DERIVED) else "in the namespace that goes"
    return "in the namespace that goes" if is_custom(group) else ""


def is_custom(group: str) -> bool:
    """Whether a group's kinds are defined by somebody, and not Kubernetes' own."""
    return group not in _PLAIN_GROUPS and not group.endswith(_KUBERNETES)


def counted(entries: Iterable[Entry]) -> list[Loss]:
    """By kind and reason, the most numerous first."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        name = f"{entry.namespace}/{entry.name}" if entry.namespace else entry.name
        groups.setdefault((entry.api_version, entry.kind, why_data(entry)), []).append(name)
    losses = [
        Loss(api_version=version, kind=kind, why=why, count=len(names), names=tuple(sorted(names)[:EXAMPLES]))
        for (version, kind, why), names in groups.items()
    ]
    return sorted(losses, key=lambda loss: (-loss.count, loss.kind))


async def preview_uninstall(client: Client, plan: Object) -> UninstallPreview:
    """What uninstalling the plan's extension would do now. Raises KubeError."""
    status, extension = status_of(plan), key_of(plan).name
    namespace = str(status.get("targetNamespace") or "")
    release = str(status.get("releaseName") or extension)
    if not namespace:  # nothing was ever deployed
        return UninstallPreview(extension=extension, version="", namespace="", objects=())
    plans = (await client.list(INSTALLPLANS)).items
    others = [other for other in plans if key_of(other).name != extension]
    shared = any(status_of(other).get("targetNamespace") == namespace for other in others)
    records = await Releases(client).records(namespace, release)
    target = Target(extension, namespace, release, shared)
    entries, notes = await Belongings(client, most=0).gather(target, records)
    version = str(status.get("version") or "")
    return UninstallPreview(
        extension=extension, version=version, namespace=namespace, objects=tuple(entries), notes=tuple(notes)
    )


async def losses_of_definitions(client: Client, names: Sequence[str]) -> list[Loss]:
    """What would be lost with these CustomResourceDefinitions, `plural.group` each. Raises KubeError."""
    served = preferred_resources(await client.discover_all(), ("list",))
    resources = {f"{one.resource.plural}.{one.resource.group}": one.resource for one in served}
    entries: list[Entry] = []
    for name in names:
        if (resource := resources.get(name)) is not None:
            entries += [_instance(obj, resource) for obj in await listed(client, resource, None, "")]
    return counted(entries)


def _instance(obj: Object, resource: Resource) -> Entry:
    key = key_of(obj)
    return Entry(
        api_version=resource.api_version, kind=resource.kind, namespace=key.namespace, name=key.name, origin="Instance"
    )
