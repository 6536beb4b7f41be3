"""What a namespace needs as it comes into a workspace, moves to another one, or leaves. Pure.

A namespace says in its label which workspace it belongs to, and in an annotation (`MEMBERS_OF`) in which one its
project members were invited. Where the two differ the namespace has moved, and its members stay behind: whoever was
let in by one workspace has no business in another. That is decided by what is there, so it is done once, however often
it is looked at, and a namespace that never was in a workspace costs nothing.

Who makes a project through the API becomes its administrator: the API leaves his name in `ADMIN_TO_BE`, so that he gets
the role even if the API dies in between. Both annotations and the label are guarded (`guards`): what an ordinary user
writes there never gets this far.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dovetail.apis.labels import CREATOR, SYSTEM_NAMESPACE, SYSTEM_WORKSPACE, WORKSPACE
from dovetail.iam.tenancy.actions import Action, Create, Patch, deletion
from dovetail.iam.tenancy.membership import Community, assigned, binding_of, members_of
from dovetail.kube.objects import annotations_of, is_deleting, key_of, labels_of, uid_of
from dovetail.kube.resources import NAMESPACES, Object

MEMBERS_OF: Final = "dovetail.dev/members-of"
ADMIN_TO_BE: Final = "dovetail.dev/project-admin"
PROJECT_ADMIN: Final = "admin"
_SYSTEM_PREFIXES: Final = ("kube-", "kubesphere-")


def is_system(name: str) -> bool:
    """Whether a namespace is one of the system's: never deleted by us, in the system workspace by default."""
    return name == SYSTEM_NAMESPACE or name.startswith(_SYSTEM_PREFIXES)


def workspace_of_project(namespace: Mapping[str, Any]) -> str:
    """The workspace that a namespace belongs to; empty for none."""
    return labels_of(namespace).get(WORKSPACE, "")


def new_project(body: Mapping[str, Any], workspace: str, creator: str) -> Object:
    """The namespace to create for a caller's `body`: only labels and annotations are taken from it."""
    labels = {key: value for key, value in labels_of(body).items() if key != WORKSPACE}
    annotations = {key: value for key, value in annotations_of(body).items() if key not in GUARDED_ANNOTATIONS}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": key_of(body).name,
            "labels": {**labels, WORKSPACE: workspace},
            "annotations": {**annotations, CREATOR: creator, ADMIN_TO_BE: creator},
        },
    }


GUARDED_ANNOTATIONS: Final = frozenset({MEMBERS_OF, ADMIN_TO_BE})


def plan_project(namespace: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]]) -> list[Action]:
    """The next steps of a namespace; `bindings` are the RoleBindings (iam.kubesphere.io) in it."""
    if is_deleting(namespace):
        return []
    name, workspace = key_of(namespace).name, workspace_of_project(namespace)
    if not workspace and is_system(name):
        return [_patched(namespace, {"labels": {WORKSPACE: SYSTEM_WORKSPACE}})]
    marks = annotations_of(namespace)
    invited_by, admin = marks.get(MEMBERS_OF, ""), marks.get(ADMIN_TO_BE, "")
    if invited_by == workspace and not admin:
        return []
    place = Community("namespace", name)
    actions: list[Action] = []
    if invited_by and invited_by != workspace:
        actions += [deletion(place.bindings, bound) for bound in bindings if not is_deleting(bound)]
    elif admin and workspace:
        actions += _first_administrator(place, admin, bindings)
    return [*actions, _patched(namespace, {"annotations": {MEMBERS_OF: workspace or None, ADMIN_TO_BE: None}})]


def first_administrator(namespace: str, user: str) -> Create:
    """The binding of a project's creator."""
    place = Community("namespace", namespace)
    return Create(place.bindings, binding_of(place, user, PROJECT_ADMIN))


def _first_administrator(place: Community, user: str, bindings: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Only for somebody who is no member yet: what others have decided since counts more."""
    return [] if user in members_of(bindings) else assigned(place, user, PROJECT_ADMIN, bindings)


def _patched(namespace: Mapping[str, Any], change: Object) -> Patch:
    return Patch(NAMESPACES, key_of(namespace), {"metadata": {"uid": uid_of(namespace), **change}})
