"""What a preview is made from: values, gathered by `gathering` and by nobody else.

Objects are known by group, kind, namespace and name. What could not be read is not in `live` at all, what is not there
is there as None: a preview says which of the two it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dovetail.apis.dialects import ExtensionVersion
from dovetail.apis.dialects.policies import Policies
from dovetail.helm.expecting import Expected
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.data_loss import Loss
from dovetail.lifecycle.dependencies.standing import Standing
from dovetail.packaging.manifests import RenderedObject

if TYPE_CHECKING:
    from dovetail.lifecycle.dependencies.conflict import Conflict
    from dovetail.lifecycle.dependencies.solver import Solution
    from dovetail.packaging.package import Package

Object = Mapping[str, Any]
HOOK = "helm.sh/hook"
KEEP = "helm.sh/resource-policy"


class ObjectKey(NamedTuple):
    """An object of the cluster, whichever version of its API it is written in."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True)
class Served:
    """A kind that the cluster serves, or will once the package's definitions are there."""

    plural: str
    namespaced: bool


Kinds = Mapping[tuple[str, str], Served]
"""(apiVersion, kind)"""


@dataclass(frozen=True)
class Rendering:
    """What Helm makes of the package: objects, hooks, the files of `crds/`; `again` are the objects of a second
    rendering of the same inputs, `expected` is what both have in common."""

    objects: tuple[RenderedObject, ...]
    hooks: tuple[RenderedObject, ...]
    crds: tuple[RenderedObject, ...]
    again: tuple[RenderedObject, ...]
    expected: Expected


@dataclass(frozen=True)
class InForce:
    """The release as it is: the newest revision, and the one whose objects serve. Revision 0: there is none."""

    revision: int = 0
    newest: int = 0
    version: str = ""
    target: str = ""
    """Of the newest revision: what it was made from."""
    objects: tuple[RenderedObject, ...] = ()
    hooks: tuple[RenderedObject, ...] = ()
    definitions: frozenset[str] = frozenset()
    """Names of the definitions in its `crds/`."""


@dataclass(frozen=True)
class Definition:
    """A CustomResourceDefinition of the cluster; `count` of its objects, None when nobody may know."""

    obj: Object
    count: int | None


@dataclass(frozen=True)
class Answered:
    """Who answered `lookup`, and whether that is the account that will install."""

    by: str = ""
    as_account: bool = True
    used: bool = False


@dataclass(frozen=True)
class Refusal:
    """An object that the API server would not take."""

    key: ObjectKey
    message: str
    place: str = ""


@dataclass(frozen=True)
class World:
    """Everything. `refusal` is Helm's word when the package does not render; then there is no rendering."""

    extension: str
    version: ExtensionVersion
    package: "Package"
    namespace: str
    namespace_state: str
    config: str
    injected: Mapping[str, Any]
    policies: Policies
    platform: Platform
    in_force: InForce = InForce()
    rendering: Rendering | None = None
    refusal: str = ""
    answered: Answered = Answered()
    kinds: Kinds = field(default_factory=dict[tuple[str, str], Served])
    live: Mapping[ObjectKey, Object | None] = field(default_factory=dict[ObjectKey, "Object | None"])
    definitions: Mapping[str, Definition | None] = field(default_factory=dict[str, "Definition | None"])
    lost: Sequence[Loss] | None = ()
    """What is stored of definitions that the new version drops; None when it could not be read."""
    roles: Mapping[str, Sequence[Object]] = field(default_factory=dict[str, Sequence[Object]])
    """The rules that the account holds now, by kind of role."""
    plugged: Sequence[Object] = ()
    """Every APIService, ReverseProxy, JSBundle and ExtensionEntry of the cluster."""
    refused: Sequence[Refusal] = ()
    unreadable: Sequence[str] = ()
    """What could not be read of the cluster, for people."""
    standing: Standing = field(default_factory=Standing)
    answer: "Solution | Conflict | None" = None
    """What the solver says, if dependencies stand in the way."""
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The versions that are published, by extension."""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the InstallPlan."""
    leaving: bool = False
    """The InstallPlan is being deleted."""


def key_of(obj: RenderedObject, kinds: Kinds, namespace: str) -> ObjectKey | None:
    """Where the object goes; None for a kind that nobody serves."""
    served = kinds.get((obj.api_version, obj.kind))
    if served is None:
        return None
    return ObjectKey(obj.group, obj.kind, (obj.namespace or namespace) if served.namespaced else "", obj.name)


def keyed(objects: Iterable[RenderedObject], kinds: Kinds, namespace: str) -> dict[ObjectKey, RenderedObject]:
    """The objects by key; those of kinds that nobody serves are left out."""
    found = ((key_of(obj, kinds, namespace), obj) for obj in objects)
    return {key: obj for key, obj in found if key is not None}
