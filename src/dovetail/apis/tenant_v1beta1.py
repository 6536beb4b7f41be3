"""tenant.kubesphere.io/v1beta1: workspaces, which hold projects (reference/kubesphere-core.md 3.6).

A WorkspaceTemplate is what people edit; a controller makes the Workspace of the same name from it on each cluster that
the placement names. A namespace belongs to a workspace by its label `kubesphere.io/workspace`.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Final

from dovetail.apis.kind import AGE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import Conditions, Count, LabelSelector, ObjectMeta, Wire, about

GROUP: Final = "tenant.kubesphere.io"
VERSION: Final = "v1beta1"

WORKSPACES: Final = ResourceName(GROUP, VERSION, "workspaces", "Workspace")
WORKSPACETEMPLATES: Final = ResourceName(GROUP, VERSION, "workspacetemplates", "WorkspaceTemplate")


class WorkspaceSpec(Wire, frozen=True, kw_only=True):
    """Who looks after the workspace."""

    manager: Annotated[str, about("The user who administers the workspace.")] = ""


class WorkspaceStatus(Wire, frozen=True, kw_only=True):
    """What is known of the workspace."""

    observed_generation: Count | None = None
    conditions: Conditions = []


class Workspace(Wire, frozen=True, kw_only=True):
    """Workspace is a set of projects with members of its own, on this cluster."""

    metadata: ObjectMeta
    spec: WorkspaceSpec | None = None
    status: WorkspaceStatus | None = None


class TemplateMeta(Wire, frozen=True, kw_only=True):
    """What each workspace made from the template is labelled with."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(Wire, frozen=True, kw_only=True):
    """The workspace to be made."""

    metadata: TemplateMeta | None = None
    spec: WorkspaceSpec | None = None


class ClusterName(Wire, frozen=True, kw_only=True):
    """A cluster."""

    name: str


class Placement(Wire, frozen=True, kw_only=True):
    """On which clusters: those named, or those the selector matches."""

    clusters: list[ClusterName] = []
    cluster_selector: LabelSelector | None = None


class WorkspaceTemplateSpec(Wire, frozen=True, kw_only=True):
    """What to make, and where."""

    template: Template | None = None
    placement: Placement | None = None


class WorkspaceTemplate(Wire, frozen=True, kw_only=True):
    """WorkspaceTemplate says which workspace is to be, and on which clusters."""

    metadata: ObjectMeta
    spec: WorkspaceTemplateSpec | None = None
    status: WorkspaceStatus | None = None


KINDS: Final = (
    Kind(WORKSPACES, Workspace, (), (Column("Manager", ".spec.manager"), AGE)),
    Kind(WORKSPACETEMPLATES, WorkspaceTemplate, (), (Column("Manager", ".spec.template.spec.manager"), AGE)),
)
