"""Names that tenants cannot take, since the platform itself gives them in workspaces that are yet to come. Pure.

WorkspaceRoles and their bindings of all workspaces lie in one room, and the platform's own have names that anybody can
work out: `<workspace>-admin` and its like for the copies of the built-in roles, `<user>-<role>-<digest>` for bindings.
Who took such a name in his own workspace would leave somebody else's without an administrator.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import WORKSPACEROLEBINDINGS, WORKSPACEROLES
from dovetail.apis.labels import SCOPE
from dovetail.kube.objects import key_of, labels_of
from dovetail.platform.errors import Unacceptable

_DIGEST: Final = re.compile(r"-[0-9a-f]{8}(-[0-9]+)?\Z")
_SHORTENED: Final = re.compile(r".{40,}-[0-9a-f]{10}\Z")
"""What `builtin_roles.instance_name` makes of long names."""


def demand_free_name(plural: str, obj: Mapping[str, Any], patterns: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a new object of a workspace with such a name; `patterns` are the BuiltinRoles. Raises Unacceptable."""
    name = key_of(obj).name
    if plural == WORKSPACEROLES.plural:
        taken = _SHORTENED.match(name) or any(name.endswith(f"-{role}") for role in _copied(patterns))
        whose = "the copies of built-in roles"
    else:
        taken = plural == WORKSPACEROLEBINDINGS.plural and _DIGEST.search(name)
        whose = "the bindings that the platform makes of members"
    if taken:
        raise Unacceptable(f"{plural} {name!r}", [("metadata.name", f"names of this form are kept for {whose}")])


def _copied(patterns: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the roles that every workspace gets a copy of."""
    roles: list[Mapping[str, Any]] = [one.get("role") or {} for one in patterns if _of_workspaces(one)]
    return [name for role in roles if (name := key_of(role).name)]


def _of_workspaces(pattern: Mapping[str, Any]) -> bool:
    return labels_of(pattern).get(SCOPE) == "workspace"
