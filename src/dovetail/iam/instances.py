"""Every workspace and every project has its copy of the built-in roles that are meant for it, and they stay in step.

A BuiltinRole is a pattern (`iam.builtin_roles.instance`). Its copies are made in the workspaces, or in the namespaces,
whose labels its targetSelector matches; a copy that differs from its pattern is repaired, and one whose pattern does
not want it any more goes. A role of somebody's own that has the name of a copy is left alone: who holds it was given
what it says, not what the built-in role of that name says. Nothing is made in what is being deleted.

`plan` is pure: what should be there and what is there in, what to do out.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dovetail.apis.iam_v1beta1 import BUILTINROLES, ROLES, WORKSPACEROLES
from dovetail.apis.labels import BUILTIN_ROLE, SCOPE, WORKSPACE
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.tenant_v1beta1 import WORKSPACES
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.builtin_roles import Scope, instance
from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.informer import Informer
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, annotations_of, is_deleting, key_of, labels_of, metadata, uid_of
from dovetail.kube.resources import NAMESPACES, Object
from dovetail.kube.runtime import ControllerRuntime
from dovetail.kube.selectors import matches

log = logging.getLogger(__name__)

_BY_WORKSPACE: Final = "workspace"
_SPEC: Final = ("rules", "aggregationRoleTemplates")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do about one role."""

    do: Literal["create", "update", "delete", "leave alone"]
    role: Object


def wanted(scope: Scope, place: Mapping[str, Any] | None, patterns: Iterable[Mapping[str, Any]]) -> list[Object]:
    """The copies that a workspace or namespace should have."""
    if place is None or is_deleting(place):
        return []
    mine = (one for one in patterns if labels_of(one).get(SCOPE) == scope and not is_deleting(one))
    chosen = (one for one in mine if matches(one.get("targetSelector") or {}, labels_of(place)))
    return [instance(pattern, key_of(place).name) for pattern in chosen]


def plan(should: Sequence[Object], present: Iterable[Mapping[str, Any]]) -> list[Action]:
    """What brings the roles that are there to what should be."""
    there = {key_of(role): role for role in present if not is_deleting(role)}
    actions = [action for role in should if (action := _step(role, there.get(key_of(role)))) is not None]
    names = {key_of(role) for role in should}
    surplus = (role for key, role in there.items() if key not in names and BUILTIN_ROLE in labels_of(role))
    return [*actions, *(Action("delete", dict(role)) for role in surplus)]


def _step(role: Object, present: Mapping[str, Any] | None) -> Action | None:
    if present is None:
        return Action("create", role)
    if BUILTIN_ROLE not in labels_of(present):
        return Action("leave alone", role)
    same = all(labels_of(present).get(name) == value for name, value in labels_of(role).items())
    same = same and annotations_of(present).items() >= annotations_of(role).items()
    if same and all((present.get(part) or None) == (role.get(part) or None) for part in _SPEC):
        return None
    return Action("update", _repaired(role, present))


def _repaired(role: Object, present: Mapping[str, Any]) -> Object:
    labels = {**labels_of(present), **labels_of(role)}
    annotations = {**annotations_of(present), **annotations_of(role)}
    return {**role, "metadata": {**metadata(present), "labels": labels, "annotations": annotations}}


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controllers of workspaces and of projects; add them to the runtime they were made for."""
    patterns = runtime.informer(BUILTINROLES)
    workspaces = runtime.informer(WORKSPACES)
    namespaces = runtime.informer(NAMESPACES, metadata_only=True)
    of_workspaces = runtime.informer(
        WORKSPACEROLES, indexers={_BY_WORKSPACE: lambda role: [labels_of(role).get(WORKSPACE, "")]},
        transform=with_shared_rules,
    )  # fmt: skip
    of_namespaces = runtime.informer(ROLES, transform=with_shared_rules)
    return [
        _controller(
            runtime.client, "workspace", WORKSPACEROLES, workspaces, of_workspaces, patterns,
            lambda place: of_workspaces.lister.by_index(_BY_WORKSPACE, place),
            lambda role: [Key("", name)] if (name := labels_of(role).get(WORKSPACE)) else [],
        ),
        _controller(
            runtime.client, "namespace", ROLES, namespaces, of_namespaces, patterns,
            of_namespaces.lister.list,
            lambda role: [Key("", key_of(role).namespace)],
        ),
    ]  # fmt: skip


def _controller(
    client: Client, scope: Scope, kind: ResourceName, places: Informer, roles: Informer, patterns: Informer,
    roles_in: Callable[[str], list[Object]], place_of: Callable[[Object], Iterable[Key]],
) -> Controller:  # fmt: skip
    reconciler = _Reconciler(client, scope, kind, places.lister, patterns.lister, roles_in)
    controller = Controller(f"built-in roles of {scope}s", reconciler.reconcile, workers=4)

    def of_pattern(pattern: Object) -> Iterable[Key]:
        return map(key_of, places.lister) if labels_of(pattern).get(SCOPE) == scope else ()

    controller.watches(places)
    controller.watches(roles, place_of)
    controller.watches(patterns, of_pattern)
    return controller


class _Reconciler:
    """Brings the roles of one workspace or namespace to what they should be."""

    def __init__(
        self, client: Client, scope: Scope, kind: ResourceName, places: Lister, patterns: Lister,
        roles_in: Callable[[str], list[Object]],
    ) -> None:  # fmt: skip
        self._scope: Scope = scope
        self._client, self._kind = client, kind
        self._places, self._patterns, self._roles_in = places, patterns, roles_in

    async def reconcile(self, key: Key) -> None:
        should = wanted(self._scope, self._places.get(key.name), self._patterns)
        for action in plan(should, self._roles_in(key.name)):
            await self._do(action)

    async def _do(self, action: Action) -> None:
        role, key = action.role, key_of(action.role)
        try:
            if action.do == "create":
                await self._client.create(self._kind, role)
            elif action.do == "update":
                await self._client.update(self._kind, role)
            elif action.do == "delete":
                await self._client.delete(self._kind, key.name, key.namespace or None, uid=uid_of(role))
            else:
                log.warning("%s %s has the name of a built-in role and is not one; it is left alone", *_told(role))
        except (AlreadyExists, NotFound):
            return  # our cache is behind; the watch brings it and, if it differs, the next pass


def _told(role: Object) -> tuple[str, Key]:
    return str(role.get("kind")), key_of(role)
