"""Which kinds the generic endpoints serve, and where each of them really lives.

A URL says at which scope a request was decided; the kind says at which scope its objects lie. Both must agree, or a
right in one workspace would reach what belongs to the platform (reference/kubesphere-core.md 8.3). So each kind has one
place, and URLs of other places do not know it:

- platform: one flat set of objects; no workspace and no namespace in the URL;
- workspace: cluster-scoped objects that carry the label `kubesphere.io/workspace`; under `/workspaces/{w}`, too;
- namespace: under `/namespaces/{n}`, in front of which may stand the workspace it belongs to;
- labelled: other people's cluster-scoped kinds, whose objects may belong to a workspace or to none.

Other people's kinds are served when their CustomResourceDefinition has the label `kubesphere.io/resource-served=true`.
Kubernetes' own kinds are never served here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dovetail.apis import crds
from dovetail.iam.served_definitions import may_be_served
from dovetail.kube.resources import Resource, ResourceLike

Home = Literal["platform", "workspace", "namespace", "labelled"]
Verb = Literal["list", "get", "create", "update", "patch", "delete"]
Object = dict[str, Any]

EVERY_VERB: Final[tuple[Verb, ...]] = ("list", "get", "create", "update", "patch", "delete")
ELSEWHERE: Final = frozenset(
    {
        ("iam.kubesphere.io", "users"),
        ("tenant.kubesphere.io", "workspaces"),
        ("tenant.kubesphere.io", "workspacetemplates"),
        ("quota.kubesphere.io", "resourcequotas"),  # who is limited must not raise the limit
    }
)
"""Kinds of ours with endpoints of their own for everything: what is written there is more than one object."""

_WORKSPACE_KINDS: Final = frozenset({"workspaceroles", "workspacerolebindings"})
_VERBS: Final[Mapping[str, tuple[Verb, ...]]] = {"loginrecords": ("list", "get", "delete")}


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A kind with its place. `own`: of this platform, with a model."""

    resource: ResourceLike
    home: Home
    verbs: tuple[Verb, ...] = EVERY_VERB
    own: bool = True

    @property
    def in_workspaces(self) -> bool:
        """Whether its URLs may begin with a workspace."""
        return self.home != "platform"


def own_kinds() -> list[ServedKind]:
    """The platform's own kinds that are served generically."""
    resources = [kind.resource for kind in crds.KINDS]
    return [
        ServedKind(resource, _home(resource), _VERBS.get(resource.plural, EVERY_VERB))
        for resource in resources
        if (resource.group, resource.plural) not in ELSEWHERE
    ]


def _home(resource: ResourceLike) -> Home:
    if resource.namespaced:
        return "namespace"
    return "workspace" if resource.plural in _WORKSPACE_KINDS else "platform"


def foreign_kind(definitions: Iterable[Object], group: str, version: str, plural: str) -> ServedKind | None:
    """Somebody else's kind, if one of these CustomResourceDefinitions serves it here."""
    for definition in filter(may_be_served, definitions):
        spec: Mapping[str, Any] = definition["spec"]
        names: Mapping[str, Any] = spec["names"]
        served = any(one["name"] == version and one.get("served") for one in spec["versions"])
        if (spec["group"], names["plural"]) == (group, plural) and served:
            namespaced = spec["scope"] == "Namespaced"
            resource = Resource(group, version, plural, str(names["kind"]), namespaced)
            return ServedKind(resource, "namespace" if namespaced else "labelled", own=False)
    return None
