"""quota.kubesphere.io/v1alpha2: what all projects of a workspace may use together (reference/kubesphere-core.md 3.6).

`spec.quota` is shaped like the spec of Kubernetes' own ResourceQuota, and the status counts as that one's does.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Final

from dovetail.apis.kind import AGE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import INT_OR_STRING, Conditions, Count, ObjectMeta, Wire, about

GROUP: Final = "quota.kubesphere.io"
VERSION: Final = "v1alpha2"

RESOURCEQUOTAS: Final = ResourceName(GROUP, VERSION, "resourcequotas", "ResourceQuota")

Quantity = Annotated[str | int, about("A quantity.", schema={INT_OR_STRING: True})]
"""A quantity as Kubernetes writes it: `2`, `500m`, `1Gi`."""


class QuotaSpec(Wire, frozen=True, kw_only=True):
    """The limits, shaped like the spec of Kubernetes' own ResourceQuota."""

    hard: Annotated[dict[str, Quantity], about("The most of each resource.")] = {}
    scopes: Annotated[list[str], about("Only what is of these scopes counts.")] = []
    scope_selector: Annotated[dict[str, Any] | None, about("Only what matches counts.")] = None


class ResourceQuotaSpec(Wire, frozen=True, kw_only=True):
    """Which namespaces, and how much they may use together."""

    selector: Annotated[dict[str, str], about("Labels of the namespaces that count.")] = {}
    quota: QuotaSpec


class Usage(Wire, frozen=True, kw_only=True):
    """Limits, and what is used of them."""

    hard: dict[str, Quantity] = {}
    used: dict[str, Quantity] = {}


class NamespaceUsage(Wire, frozen=True, kw_only=True):
    """What one namespace uses."""

    namespace: str
    hard: dict[str, Quantity] = {}
    used: dict[str, Quantity] = {}


class ResourceQuotaStatus(Wire, frozen=True, kw_only=True):
    """What is used, together and in each namespace."""

    total: Usage | None = None
    namespaces: list[NamespaceUsage] = []
    observed_generation: Count | None = None
    conditions: Conditions = []


class ResourceQuota(Wire, frozen=True, kw_only=True):
    """ResourceQuota limits what all projects of a workspace use together."""

    metadata: ObjectMeta
    spec: ResourceQuotaSpec
    status: ResourceQuotaStatus | None = None


KINDS: Final = (
    Kind(RESOURCEQUOTAS, ResourceQuota, (), (Column("Workspace", r".metadata.labels.kubesphere\.io/workspace"), AGE)),
)
