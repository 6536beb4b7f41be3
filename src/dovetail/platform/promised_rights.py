"""What waits for a user who does not exist yet: bindings, GroupBindings and workspaces that name him already.

None of them gives anything to a name that nobody has (`dovetail.iam.compiler`), so the policy knows nothing of them;
but whoever takes the name gets it all at that moment. Creating a user therefore gives what is promised to the name, and
takes the same right as giving it: `lacking`. Somebody who takes a name by himself, coming from an identity provider,
gets none that anything is promised to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    GLOBALROLEBINDINGS,
    GLOBALROLES,
    GROUPBINDINGS,
    ROLEBINDINGS,
    ROLES,
    WORKSPACEROLEBINDINGS,
    WORKSPACEROLES,
)
from dovetail.apis.tenant_v1beta1 import WORKSPACETEMPLATES
from dovetail.iam.deleted_users import users_of
from dovetail.iam.escalation import EVERY_RESOURCE, may_bind, missing, missing_of
from dovetail.iam.policy import Identity, Place, Policy, Rule
from dovetail.iam.reading import Unreadable, read_group_binding, read_role_binding
from dovetail.iam.tenancy.workspaces import manager_of
from dovetail.kube.objects import key_of
from dovetail.platform.deps import PlatformDeps

_BINDINGS: Final = (
    (GLOBALROLEBINDINGS, GLOBALROLES), (WORKSPACEROLEBINDINGS, WORKSPACEROLES), (CLUSTERROLEBINDINGS, CLUSTERROLES),
    (ROLEBINDINGS, ROLES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promise:
    """What a name is given as soon as a user has it: roles at places, groups, and workspaces to administer."""

    roles: tuple[tuple[Place, str], ...] = ()
    groups: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.roles or self.groups or self.workspaces)


def promised(deps: PlatformDeps, user: str) -> Promise:
    """All that names this user."""
    roles = (
        role
        for bindings, kind in _BINDINGS
        for role in _roles(_naming(deps.directory(bindings).list(), user), kind.kind)
    )
    templates = deps.directory(WORKSPACETEMPLATES).list()
    return Promise(
        roles=tuple(dict.fromkeys(roles)),
        groups=tuple(_groups(_naming(deps.directory(GROUPBINDINGS).list(), user))),
        workspaces=tuple(key_of(template).name for template in templates if manager_of(template) == user),
    )


def lacking(policy: Policy, caller: Identity, promise: Promise) -> tuple[Rule, ...]:
    """What the caller lacks to give all this; empty when he may."""
    found = [rule for place, role in promise.roles for rule in may_bind(policy, caller, place, role)]
    if promise.groups:
        found += missing_of(policy, caller, Identity(name="", groups=promise.groups))
    for workspace in promise.workspaces:
        found += missing(policy, caller, Place("workspace", workspace), [EVERY_RESOURCE])
    return tuple(dict.fromkeys(found))


def _naming(bindings: Iterable[dict[str, Any]], user: str) -> Iterator[dict[str, Any]]:
    return (bound for bound in bindings if user in users_of(bound))


def _roles(bindings: Iterable[Mapping[str, Any]], kind: str) -> Iterator[tuple[Place, str]]:
    for bound in bindings:
        try:
            read = read_role_binding(bound, kind)
        except Unreadable:
            continue
        if read is not None:
            yield read.place, read.role


def _groups(bindings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for bound in bindings:
        try:
            read = read_group_binding(bound)
        except Unreadable:
            continue
        if read is not None:
            yield read[0]
