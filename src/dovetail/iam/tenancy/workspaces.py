"""What a WorkspaceTemplate, and the Workspace made from it, need next. Pure: what is there in, actions out.

A template makes the Workspace where its placement says, gives its manager the role of an administrator, and tells in
its status what could not be done. Deleting it: the members' bindings go first, so that access ends at once; then the
Workspace, which deals with its projects; then what else belongs to the workspace; then the finalizer. Deleting only the
Workspace (or placing it elsewhere) keeps members and roles, since the template still stands for them.

What becomes of the projects is said by the annotation `kubesphere.io/deletion-propagation`, at any time, also while the
deletion waits: `orphan` (unless said otherwise) takes their label away; `background` deletes them and goes on;
`foreground` deletes them and waits until they are gone. Namespaces of the system are never deleted. No step waits for
anything but the end of projects in `foreground`, and changing the annotation ends that, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from dovetail.apis.iam_v1beta1 import WORKSPACEROLEBINDINGS
from dovetail.apis.labels import CASCADING_DELETION, DELETION_PROPAGATION, WORKSPACE
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.tenant_v1beta1 import GROUP, VERSION, WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.builtin_roles import ADMIN, instance_name
from dovetail.iam.process_roles import OWN_LABELS
from dovetail.iam.tenancy.actions import Action, Create, Patch, deletion, finalizers
from dovetail.iam.tenancy.membership import Community, assigned
from dovetail.iam.tenancy.placement import Placed, placed
from dovetail.iam.tenancy.projects import is_system
from dovetail.kube.conditions import ConditionStatus, set_condition
from dovetail.kube.objects import (
    annotations_of,
    finalizers_of,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    owner_reference,
    owners_of,
    uid_of,
)
from dovetail.kube.resources import NAMESPACES, Object

LEGACY_FINALIZER: Final = "finalizers.workspacetemplate.kubesphere.io"
_OURS: Final = frozenset({CASCADING_DELETION, LEGACY_FINALIZER})

Propagation = Literal["orphan", "background", "foreground"]
Objects = Sequence[Mapping[str, Any]]
_Told = tuple[str, ConditionStatus, str, str]


@dataclass(frozen=True, slots=True)
class Belonging:
    """An object that goes with a workspace: a role, a binding, a quota."""

    resource: ResourceName
    object: Mapping[str, Any]


def manager_of(template: Mapping[str, Any]) -> str:
    """The user who administers the workspace; empty for nobody."""
    return str(_part(_part(_part(template, "spec"), "template"), "spec").get("manager") or "")


def placement_of(template: Mapping[str, Any]) -> Placed:
    """Where the template puts its workspace."""
    return placed(_part(_part(template, "spec"), "placement"))


def propagation_of(template: Mapping[str, Any] | None, workspace: Mapping[str, Any] | None) -> Propagation:
    """What becomes of the projects; the template's word counts first."""
    for obj in (template, workspace):
        said = annotations_of(obj).get(DELETION_PROPAGATION, "").lower() if obj is not None else ""
        if said in {"orphan", "background", "foreground"}:
            return cast("Propagation", said)
    return "orphan"


def template_reference(template: Mapping[str, Any]) -> dict[str, Any]:
    """The owner of everything that goes with a workspace."""
    named = {"apiVersion": WORKSPACETEMPLATES.api_version, "kind": WORKSPACETEMPLATES.kind, **template}
    return owner_reference(named, controller=False) | {"blockOwnerDeletion": False}


def plan_template(
    template: Mapping[str, Any], workspace: Mapping[str, Any] | None, belongings: Sequence[Belonging],
    manager_exists: bool, now: datetime,
) -> list[Action]:  # fmt: skip
    """The next steps of a template. `manager_exists`: whether the user that it names as manager does."""
    if is_deleting(template):
        return _end_of_template(template, workspace, belongings)
    held = finalizers_of(template)
    actions: list[Action] = []
    if CASCADING_DELETION not in held or LEGACY_FINALIZER in held:
        actions.append(finalizers(WORKSPACETEMPLATES, template, [*_others(held), CASCADING_DELETION]))
    where, manager = placement_of(template), manager_of(template)
    actions += _workspace(template, workspace, where)
    if where.here and manager and manager_exists:
        actions += _administered(template, manager, belongings)
    return [*actions, *_told(template, where, "" if manager_exists else manager, now)]


def plan_workspace(
    workspace: Mapping[str, Any], template: Mapping[str, Any] | None, projects: Objects,
    belongings: Sequence[Belonging], now: datetime,
) -> list[Action]:  # fmt: skip
    """The next steps of a Workspace. `projects` are the namespaces that carry its name in their label."""
    held = finalizers_of(workspace)
    if not is_deleting(workspace):
        return [] if CASCADING_DELETION in held else [_with_finalizer(workspace)]
    how = propagation_of(template, workspace)
    actions: list[Action] = [
        _let_go(project) if how == "orphan" or is_system(key_of(project).name) else deletion(NAMESPACES, project)
        for project in projects
        if not is_deleting(project)
    ]
    if template is None or is_deleting(template):
        actions = [*_deleted(belongings), *actions]
    if not actions and not (how == "foreground" and projects):
        return [finalizers(WORKSPACES, workspace, _others(held))] if _OURS.intersection(held) else []
    return [*actions, *_waiting(workspace, projects if how == "foreground" else (), now)]


def _end_of_template(
    template: Mapping[str, Any], workspace: Mapping[str, Any] | None, belongings: Sequence[Belonging]
) -> list[Action]:
    bindings = [one for one in belongings if one.resource is WORKSPACEROLEBINDINGS]
    if workspace is not None:
        gone = [] if is_deleting(workspace) else [deletion(WORKSPACES, workspace)]
        return [*_deleted(bindings), *gone]
    left = _deleted(belongings)
    if left:
        return left
    held = finalizers_of(template)
    return [finalizers(WORKSPACETEMPLATES, template, _others(held))] if _OURS.intersection(held) else []


def _deleted(belongings: Sequence[Belonging]) -> list[Action]:
    return [deletion(one.resource, one.object) for one in belongings if not is_deleting(one.object)]


def _others(held: Sequence[str]) -> list[str]:
    return [one for one in held if one not in _OURS]


def _workspace(template: Mapping[str, Any], workspace: Mapping[str, Any] | None, where: Placed) -> list[Action]:
    if workspace is not None and is_deleting(workspace):
        return []
    if not where.here:
        return [] if workspace is None else [deletion(WORKSPACES, workspace)]
    wanted = workspace_of(template)
    if workspace is None:
        return [Create(WORKSPACES, wanted)]
    labels, annotations = wanted["metadata"]["labels"], wanted["metadata"]["annotations"]
    same = (
        labels.items() <= labels_of(workspace).items()
        and annotations.items() <= annotations_of(workspace).items()
        and _part(workspace, "spec").get("manager") == manager_of(template)
        and uid_of(template) in {owner.get("uid") for owner in owners_of(workspace)}
    )
    if same:
        return []
    meta = {"labels": labels, "annotations": annotations, "ownerReferences": wanted["metadata"]["ownerReferences"]}
    return [Patch(WORKSPACES, key_of(workspace), {"metadata": meta, "spec": wanted["spec"]})]


def workspace_of(template: Mapping[str, Any]) -> Object:
    """The Workspace that a template makes."""
    given = _part(_part(_part(template, "spec"), "template"), "metadata")
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": WORKSPACES.kind,
        "metadata": {
            "name": key_of(template).name,
            "labels": {**_part(given, "labels"), **OWN_LABELS},
            "annotations": dict(_part(given, "annotations")),
            "finalizers": [CASCADING_DELETION],
            "ownerReferences": [template_reference(template)],
        },
        "spec": {"manager": manager_of(template)},
    }


def _administered(template: Mapping[str, Any], manager: str, belongings: Sequence[Belonging]) -> list[Action]:
    place = Community("workspace", key_of(template).name)
    bindings = [one.object for one in belongings if one.resource is WORKSPACEROLEBINDINGS]
    return assigned(place, manager, instance_name(place.name, ADMIN), bindings, template_reference(template))


def _with_finalizer(workspace: Mapping[str, Any]) -> Patch:
    return finalizers(WORKSPACES, workspace, [*finalizers_of(workspace), CASCADING_DELETION])


def _let_go(project: Mapping[str, Any]) -> Patch:
    return Patch(NAMESPACES, key_of(project), {"metadata": {"uid": uid_of(project), "labels": {WORKSPACE: None}}})


def _waiting(workspace: Mapping[str, Any], projects: Objects, now: datetime) -> list[Action]:
    """Tell what a deletion in the foreground waits for."""
    if not projects:
        return []
    names = ", ".join(sorted(key_of(project).name for project in projects)[:10])
    message = f"waits for the end of {names}; the annotation {DELETION_PROPAGATION}: background ends the waiting"
    return _status(WORKSPACES, workspace, [("Deleted", "False", "ProjectsRemain", message)], now)


def _told(template: Mapping[str, Any], where: Placed, unknown_manager: str, now: datetime) -> list[Action]:
    placed_well: _Told = ("Placed", "True", "Placed", "on " + ", ".join(where.clusters))
    if where.problem:
        placed_well = ("Placed", "False", "PlacementUnreadable", where.problem)
    elif where.unknown:
        names = ", ".join(where.unknown)
        placed_well = (
            "Placed",
            "False",
            "ClusterUnknown",
            f"no such cluster: {names}; this platform has the host only",
        )
    elif not where.clusters:
        placed_well = ("Placed", "False", "NoCluster", "the placement matches no cluster")
    managed: _Told = ("Managed", "True", "Managed", "")
    if unknown_manager:
        managed = ("Managed", "False", "UserUnknown", f"the manager {unknown_manager!r} is not a user")
    return _status(WORKSPACETEMPLATES, template, [placed_well, managed], now)


def _status(resource: ResourceName, obj: Mapping[str, Any], conditions: Sequence[_Told], now: datetime) -> list[Action]:
    before: list[Object] = list(_part(obj, "status").get("conditions") or [])
    after, generation = before, int(metadata(obj).get("generation") or 0)
    for type, status, reason, message in conditions:
        after = set_condition(after, type, status, reason, message, generation, now)
    if after == before:
        return []
    return [Patch(resource, key_of(obj), {"status": {"conditions": after}}, subresource="status")]


def _part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: object = obj.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}
