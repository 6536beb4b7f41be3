"""Says on a role whether its Rego can be used: condition `RegoUsable`, in `status.conditions`.

A module that cannot be compiled gives nothing and stops nobody, so whoever wrote it has to be told where it is looked
for: on the role itself. `verdict` is pure; the controllers follow the four kinds of roles and write what changed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import CLUSTERROLES, GLOBALROLES, ROLES, WORKSPACEROLES
from dovetail.apis.resource_name import ResourceName
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.reading import Unreadable, read_role
from dovetail.kube.client import Client
from dovetail.kube.conditions import remove_condition, set_condition
from dovetail.kube.controller import Controller
from dovetail.kube.errors import Conflict, NotFound
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, key_of, resource_version_of
from dovetail.kube.resources import Object
from dovetail.kube.runtime import ControllerRuntime

USABLE: Final = "RegoUsable"
_KINDS: Final = (GLOBALROLES, WORKSPACEROLES, CLUSTERROLES, ROLES)


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """One for each kind of roles."""
    made: list[Controller] = []
    for kind in _KINDS:
        roles = runtime.informer(kind, transform=with_shared_rules)  # the same as the templates' controller has
        controller = Controller(f"rego-of-{kind.plural}", _World(runtime.client, kind, roles.lister).reconcile)
        controller.watches(roles, lambda role: [key_of(role)])
        made.append(controller)
    return made


def verdict(role: Mapping[str, Any], kind: str, now: datetime) -> list[dict[str, Any]] | None:
    """The conditions that the role should have; None when it has them."""
    try:
        read = read_role(role, kind)
    except Unreadable:
        return None
    if read is None:
        return None
    status: Mapping[str, Any] = role.get("status") or {}
    before: list[dict[str, Any]] = list(status.get("conditions") or ())
    after = _conditions(before, read.rego, int(role["metadata"].get("generation") or 0), now)
    return None if after == before else after


def _conditions(
    before: list[dict[str, Any]], modules: tuple[str, ...], generation: int, now: datetime
) -> list[dict[str, Any]]:
    if not modules:
        return remove_condition(before, USABLE)
    from dovetail.iam.explain import rego_problem  # 10 MiB of a process that may have no such role

    problems = [problem for text in modules if (problem := rego_problem(text))]
    if problems:
        message = "what it says allows nothing: " + "; ".join(problems)
        return set_condition(before, USABLE, "False", "NotCompiled", message[:1000], generation, now)
    return set_condition(before, USABLE, "True", "Compiled", "", generation, now)


class _World:
    """The lister that the reconciler reads and the client it writes with."""

    def __init__(self, client: Client, kind: ResourceName, roles: Lister) -> None:
        self._client, self._kind, self._roles = client, kind, roles

    async def reconcile(self, key: Key) -> None:
        role = self._roles.by_key(key)
        conditions = verdict(role, self._kind.kind, datetime.now(UTC)) if role is not None else None
        if role is None or conditions is None:
            return
        patch: Object = {
            "metadata": {"resourceVersion": resource_version_of(role)},
            "status": {"conditions": conditions},
        }
        try:
            await self._client.patch(self._kind, key.name, patch, key.namespace or None, subresource="status")
        except (Conflict, NotFound):
            return  # somebody else's status came first, or the role is gone: the watch brings what there is
