"""Roles that take over the rules of other roles: `aggregationRule` of ClusterRoles, written out into `rules`.

Whoever asks for rights reads `rules` alone, so this is what makes `admin`, `edit` and `view` know custom resources.
The order is that of kube-controller-manager: selector by selector, roles by name, no rule twice.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.kube import (
    CLUSTERROLES,
    Controller,
    ControllerRuntime,
    Key,
    NotFound,
    Object,
    is_deleting,
    key_of,
    labels_of,
    matches,
)

MANAGER = "clusterrole-aggregation-controller"


def role_aggregation(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are names of ClusterRoles."""
    roles = runtime.informer(CLUSTERROLES)

    async def reconcile(key: Key) -> None:
        role = roles.lister.get(key.name)
        if role is None or is_deleting(role) or not role.get("aggregationRule"):
            return
        rules = aggregated(role, roles.lister)
        if rules == list(role.get("rules") or []):
            return
        try:
            await _write(runtime, key.name, rules)
        except NotFound:
            return

    def concerned(changed: Object) -> Iterable[Key]:
        """Which role a change concerns cannot be told from its labels now: it may have had others."""
        return [key_of(role) for role in (*roles.lister, changed) if role.get("aggregationRule")]

    controller = Controller("role-aggregation", reconcile)
    controller.watches(roles, concerned)
    return controller


def aggregated(role: Mapping[str, Any], roles: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rules that a role takes over. Pure."""
    own, rules = key_of(role), list[Mapping[str, Any]]()
    by_name = sorted((other for other in roles if key_of(other) != own), key=lambda other: key_of(other).name)
    selectors: list[Mapping[str, Any]] = role["aggregationRule"].get("clusterRoleSelectors") or []
    for selector in selectors:
        for other in by_name:
            if matches(selector, labels_of(other)):
                theirs: list[Mapping[str, Any]] = other.get("rules") or []
                rules += [rule for rule in theirs if rule not in rules]
    return rules


async def _write(runtime: ControllerRuntime, name: str, rules: list[Mapping[str, Any]]) -> None:
    if not rules:
        await runtime.client.patch(CLUSTERROLES, name, {"rules": None}, field_manager=MANAGER)
        return
    wish = {
        "apiVersion": CLUSTERROLES.api_version, "kind": CLUSTERROLES.kind, "metadata": {"name": name}, "rules": rules,
    }  # fmt: skip
    await runtime.client.apply(CLUSTERROLES, wish, field_manager=MANAGER, force=True)
