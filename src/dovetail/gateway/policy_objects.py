"""The objects that the policy is made of, watched: every kind of identity and access, and namespaces.

Each change is handed to the compiler at once, which says whether it means anything (a user who logs in has another
status and is still the same account); only then the policy is compiled anew. What an object that changed does not
grant, and why, is logged once.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial

from dovetail.apis.iam_v1beta1 import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    GLOBALROLEBINDINGS,
    GLOBALROLES,
    GROUPBINDINGS,
    GROUPS,
    ROLEBINDINGS,
    ROLES,
    USERS,
    WORKSPACEROLEBINDINGS,
    WORKSPACEROLES,
)
from dovetail.iam.aggregation import transform_of
from dovetail.iam.compiler import PolicyCompiler
from dovetail.iam.policy import Account, Policy
from dovetail.kube import ControllerRuntime, Informer, Object
from dovetail.kube.resources import NAMESPACES, ResourceLike

WATCHED: tuple[ResourceLike, ...] = (
    USERS, GROUPS, GROUPBINDINGS, GLOBALROLES, GLOBALROLEBINDINGS, WORKSPACEROLES, WORKSPACEROLEBINDINGS, CLUSTERROLES,
    CLUSTERROLEBINDINGS, ROLES, ROLEBINDINGS, NAMESPACES,
)  # fmt: skip

_log = logging.getLogger(__name__)


class PolicyObjects:
    """`changed` is called when the policy is out of date."""

    def __init__(self, runtime: ControllerRuntime, changed: Callable[[], None]) -> None:
        self._compiler = PolicyCompiler()
        self._changed = changed
        self._touched: dict[tuple[str, str, str], Object] = {}
        self.informers: dict[str, Informer] = {}
        for resource in WATCHED:
            informer = runtime.informer(resource, optional=True, transform=transform_of(resource))
            self.informers[resource.kind] = informer
            informer.add_handler(partial(self._take, resource.kind))

    def others(self, accounts: Mapping[str, Account]) -> None:
        """These are the accounts that are not Users (service accounts, OAuth clients)."""
        if self._compiler.others(accounts):
            self._changed()

    def compile(self) -> Policy:
        """The policy of what is known now."""
        policy = self._compiler.policy()
        touched, self._touched = self._touched, {}
        for (kind, _, _), obj in touched.items():
            for problem in self._compiler.problems_of(kind, obj):
                fields = {"kind": problem.kind, "name": problem.name, "reason": problem.message}
                _log.warning("grants nothing", extra={"fields": fields})
        return policy

    def _take(self, kind: str, type: str, old: Object | None, new: Object, /) -> None:
        metadata = new["metadata"]
        key = (kind, str(metadata.get("namespace") or ""), str(metadata["name"]))
        if type == "DELETED":
            self._touched.pop(key, None)
            changed = self._compiler.remove(kind, new)
        else:
            changed = self._compiler.put(kind, new)
            if changed or old is None:
                self._touched[key] = new
        if changed or key in self._touched:
            self._changed()
