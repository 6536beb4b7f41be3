"""Who is a member of a workspace, a namespace or the cluster, and what changing that takes. Pure.

Members are read from the subjects of bindings, never from their labels, which anybody may write: a binding without the
label grants all the same (reference/kubesphere-core.md 8.3, hidden grants). A binding that is being deleted makes
nobody a member. By convention a user has one role a place; whoever has several by hand is shown with all of them.

Changing a role creates the new binding before it deletes the old ones, so that a crash in between leaves the user with
both and never with none. A name belongs to one (user, role) pair; should it be taken by something else, or by a binding
on its way out, the next free one is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal, cast

from dovetail.apis.iam_v1beta1 import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    GROUP,
    ROLEBINDINGS,
    ROLES,
    VERSION,
    WORKSPACEROLEBINDINGS,
    WORKSPACEROLES,
)
from dovetail.apis.labels import ROLE_REF, USER_REF, WORKSPACE
from dovetail.apis.resource_name import ResourceName
from dovetail.iam.builtin_roles import binding_name
from dovetail.iam.process_roles import OWN_LABELS
from dovetail.iam.tenancy.actions import Action, Create, Patch, deletion
from dovetail.kube.objects import is_deleting, key_of, labels_of, metadata
from dovetail.kube.resources import Object

Bindings = Sequence[Mapping[str, Any]]
_LABEL_LENGTH: Final = 63


@dataclass(frozen=True, slots=True)
class Community:
    """A place that has members: the workspace or namespace called `name`, or the cluster."""

    scope: Literal["workspace", "namespace", "cluster"]
    name: str = ""

    @property
    def bindings(self) -> ResourceName:
        """The kind of its bindings."""
        kinds = {"workspace": WORKSPACEROLEBINDINGS, "namespace": ROLEBINDINGS, "cluster": CLUSTERROLEBINDINGS}
        return kinds[self.scope]

    @property
    def roles(self) -> ResourceName:
        """The kind of its roles."""
        return {"workspace": WORKSPACEROLES, "namespace": ROLES, "cluster": CLUSTERROLES}[self.scope]

    @property
    def namespace(self) -> str:
        """Where its bindings lie."""
        return self.name if self.scope == "namespace" else ""

    def holds(self, obj: Mapping[str, Any]) -> bool:
        """Whether a role or a binding of these kinds is of this place."""
        if self.scope == "workspace":
            return labels_of(obj).get(WORKSPACE) == self.name
        return key_of(obj).namespace == self.namespace


def members_of(bindings: Bindings) -> dict[str, tuple[str, ...]]:
    """The users that a place's bindings name, each with its roles."""
    found: dict[str, set[str]] = {}
    for bound in bindings:
        if not is_deleting(bound):
            for user in users_of(bound):
                found.setdefault(user, set()).add(role_of(bound))
    return {user: tuple(sorted(roles)) for user, roles in found.items()}


def users_of(binding: Mapping[str, Any]) -> list[str]:
    """The users among a binding's subjects."""
    return [str(one.get("name", "")) for one in _subjects(binding) if one.get("kind") == "User"]


def role_of(binding: Mapping[str, Any]) -> str:
    """The name of the role that a binding gives."""
    reference: object = binding.get("roleRef")
    return str(cast("Mapping[str, Any]", reference).get("name", "")) if isinstance(reference, Mapping) else ""


def binding_of(
    place: Community, user: str, role: str, name: str = "", owner: Mapping[str, Any] | None = None
) -> Object:
    """The binding of a user to a role of the place; `owner` is an ownerReference with which it goes."""
    labels = {**OWN_LABELS, USER_REF: user, ROLE_REF: role}
    if place.scope == "workspace":
        labels[WORKSPACE] = place.name
    meta: Object = {
        "name": name or binding_name(user, role),
        "labels": {key: value for key, value in labels.items() if len(value) <= _LABEL_LENGTH},
    }
    meta |= {"namespace": place.namespace} if place.namespace else {}
    meta |= {"ownerReferences": [dict(owner)]} if owner else {}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": place.bindings.kind,
        "metadata": meta,
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        "roleRef": {"apiGroup": GROUP, "kind": place.roles.kind, "name": role},
    }


def assigned(
    place: Community, user: str, role: str, bindings: Bindings, owner: Mapping[str, Any] | None = None
) -> list[Action]:
    """What gives the user this role of the place and no other; nothing when it is so. `bindings` are the place's."""
    good = next((bound for bound in bindings if _gives(bound, user, role)), None)
    others = [action for bound in bindings if bound is not good for action in _without(place, bound, user)]
    if good is not None:
        return others
    taken = {key_of(bound).name for bound in bindings}
    name = _free_name(binding_name(user, role) + _salt(place, owner), taken)
    return [Create(place.bindings, binding_of(place, user, role, name, owner)), *others]


def removed(place: Community, user: str, bindings: Bindings) -> list[Action]:
    """What takes all roles of the place from the user."""
    return [action for bound in bindings for action in _without(place, bound, user)]


def _gives(binding: Mapping[str, Any], user: str, role: str) -> bool:
    """Whether a binding that stays gives this user, and nobody else, the role: then it can be changed for him alone."""
    return not is_deleting(binding) and role_of(binding) == role and users_of(binding) == [user] and _alone(binding)


def _alone(binding: Mapping[str, Any]) -> bool:
    return len(_subjects(binding)) == 1


def _without(place: Community, binding: Mapping[str, Any], user: str) -> list[Action]:
    if is_deleting(binding) or user not in users_of(binding):
        return []
    left = [one for one in _subjects(binding) if (one.get("kind"), one.get("name")) != ("User", user)]
    if not left:
        return [deletion(place.bindings, binding)]
    version = metadata(binding).get("resourceVersion")
    return [Patch(place.bindings, key_of(binding), {"metadata": {"resourceVersion": version}, "subjects": left})]


def _salt(place: Community, owner: Mapping[str, Any] | None) -> str:
    """Bindings of all workspaces share one set of names: a part that nobody of another workspace can know keeps them
    from taking ours beforehand."""
    uid = str(owner.get("uid") or "") if owner is not None and place.scope == "workspace" else ""
    return f"-{uid[:8]}" if uid else ""


def _free_name(name: str, taken: Iterable[str]) -> str:
    used = frozenset(taken)
    return next(one for one in (name if not n else f"{name}-{n}" for n in count()) if one not in used)


def _subjects(binding: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    subjects: object = binding.get("subjects")
    entries = cast("list[object]", subjects) if isinstance(subjects, list) else []
    return [cast("Mapping[str, Any]", one) for one in entries if isinstance(one, Mapping)]
