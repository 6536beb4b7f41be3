"""Keeps what templates add to roles (`iam.aggregation`) in the roles' status, for the roles of all four scopes."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import CLUSTERROLES, GLOBALROLES, ROLES, ROLETEMPLATES, WORKSPACEROLES
from dovetail.apis.resource_name import ResourceName
from dovetail.iam.aggregation import SCOPE_OF_KIND, Aggregated, fulfil, wish_of, with_shared_rules
from dovetail.kube.client import Client
from dovetail.kube.conditions import remove_condition, set_condition
from dovetail.kube.controller import Controller
from dovetail.kube.errors import NotFound
from dovetail.kube.informer import Informer
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, is_deleting, key_of, labels_of, metadata, resource_version_of
from dovetail.kube.resources import Object
from dovetail.kube.runtime import ControllerRuntime

ROLE_KINDS: Final = (GLOBALROLES, WORKSPACEROLES, CLUSTERROLES, ROLES)
INCOMPLETE: Final = "TemplatesIncomplete"
_INDEX: Final = "wished-templates"
_MOST_KNOWN: Final = 1024
_SELECTS: Final = "any"


def _files(role: Mapping[str, Any]) -> list[str]:
    """Under which words a role is found when a template changes: its name, a label of it, or that it is a template."""
    wish = wish_of(role)
    labels = [f"label:{label}" for label in (wish.label, wish.needed_label) if label]
    if wish.selector is None:
        return [*labels, *(f"name:{name}" for name in wish.names)]
    return labels if wish.needed_label else [*labels, _SELECTS]


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """One controller a kind of role; add them to the runtime they were made for."""
    fulfilled = _Fulfilled(runtime.informer(ROLETEMPLATES))
    return [_controller(runtime, kind, fulfilled) for kind in ROLE_KINDS]


def _controller(runtime: ControllerRuntime, kind: ResourceName, fulfilled: "_Fulfilled") -> Controller:
    roles = runtime.informer(kind, indexers={_INDEX: _files}, transform=with_shared_rules)
    templates = runtime.informer(ROLETEMPLATES)
    reconciler = _Reconciler(runtime.client, kind, roles.lister, fulfilled)
    controller = Controller(f"aggregation of {kind.plural}", reconciler.reconcile, workers=4)
    controller.watches(roles)
    controller.watches(templates, _concerned(roles.lister))
    return controller


def _concerned(roles: Lister) -> Callable[[Object], Iterable[Key]]:
    def keys(template: Object) -> Iterable[Key]:
        words = [f"name:{key_of(template).name}", _SELECTS, *(f"label:{label}" for label in labels_of(template))]
        return {key_of(role) for word in words for role in roles.by_index(_INDEX, word)}

    return keys


class _Fulfilled:
    """What templates add, by what is asked for: the copies of a built-in role all ask for the same."""

    def __init__(self, templates: Informer) -> None:
        self._templates = templates.lister
        self._known: dict[tuple[str, str], Aggregated] = {}
        templates.add_handler(self._forget)

    def of(self, scope: str, role: Object) -> Aggregated:
        wish = wish_of(role)
        key = (scope, repr(wish))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = fulfil(scope, wish, self._templates)
        return known

    def _forget(self, type: str, old: Object | None, new: Object, /) -> None:
        self._known.clear()


class _Reconciler:
    """Writes the status of one role when it is not what it should be."""

    def __init__(self, client: Client, kind: ResourceName, roles: Lister, fulfilled: _Fulfilled) -> None:
        self._client, self._kind, self._roles, self._fulfilled = client, kind, roles, fulfilled
        self._scope = SCOPE_OF_KIND[kind.kind]

    async def reconcile(self, key: Key) -> None:
        role = self._roles.by_key(key)
        if role is None or is_deleting(role):
            return
        status = status_of(role, self._fulfilled.of(self._scope, role), datetime.now(UTC))
        if status is None:
            return
        patch = {"metadata": {"resourceVersion": resource_version_of(role)}, "status": status}
        try:
            await self._client.patch(self._kind, key.name, patch, key.namespace or None, subresource="status")
        except NotFound:
            return


def status_of(role: Mapping[str, Any], aggregated: Aggregated, now: datetime) -> Object | None:
    """The part of the status that is to be written; None when it is there already."""
    status: Mapping[str, Any] = role.get("status") or {}
    conditions = list(status.get("conditions") or ())
    if aggregated.problem:
        generation = int(metadata(role).get("generation") or 0)
        wanted = set_condition(conditions, INCOMPLETE, "True", INCOMPLETE, aggregated.problem, generation, now)
    else:
        wanted = remove_condition(conditions, INCOMPLETE)
    should: Object = {
        "templates": list(aggregated.templates),
        "aggregatedRules": list(aggregated.rules),
        "aggregatedRego": list(aggregated.rego),
        "conditions": wanted,
    }
    return None if all(list(status.get(name) or ()) == value for name, value in should.items()) else should


assert set(SCOPE_OF_KIND) == {kind.kind for kind in ROLE_KINDS}
