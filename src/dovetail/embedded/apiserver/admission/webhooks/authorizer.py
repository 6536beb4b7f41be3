"""The variable ``authorizer`` of match conditions: what the user of the request may do.

``authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()``. The classes are the
steps of such an expression; ``cel_type`` are their types in CEL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...access.identity import AUTHENTICATED, User
from ...access.rbac import Attributes, Authorizer

_PACKAGE = "kubernetes.authorization"


@dataclass(frozen=True, slots=True)
class Decision:
    cel_type: ClassVar[str] = f"{_PACKAGE}.Decision"
    yes: bool
    why: str

    def allowed(self) -> bool:
        return self.yes

    def reason(self) -> str:
        return self.why

    def errored(self) -> bool:
        return False

    def error(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Check:
    """A question without its verb, about a resource or a path."""

    cel_type: ClassVar[str] = f"{_PACKAGE}.ResourceCheck"
    authorizer: Authorizer
    user: User
    asked: Attributes

    def subresource(self, name: str) -> Check:
        return replace(self, asked=replace(self.asked, subresource=name))

    def namespace(self, name: str) -> Check:
        return replace(self, asked=replace(self.asked, namespace=name))

    def name(self, name: str) -> Check:
        return replace(self, asked=replace(self.asked, name=name))

    def field_selector(self, text: str) -> Check:
        del text  # RBAC does not look at selectors
        return self

    label_selector = field_selector

    def check(self, verb: str) -> Decision:
        decision = self.authorizer.decide(self.user, replace(self.asked, verb=verb))
        return Decision(decision.allowed, decision.reason)


class PathCheck(Check):
    cel_type: ClassVar[str] = f"{_PACKAGE}.PathCheck"


@dataclass(frozen=True, slots=True)
class GroupCheck:
    cel_type: ClassVar[str] = f"{_PACKAGE}.GroupCheck"
    authorizer: Authorizer
    user: User
    group: str

    def resource(self, plural: str) -> Check:
        return Check(self.authorizer, self.user, Attributes("", self.group, plural))


@dataclass(frozen=True, slots=True)
class UserAuthorizer:
    """What ``authorizer`` is."""

    cel_type: ClassVar[str] = f"{_PACKAGE}.Authorizer"
    authorizer: Authorizer
    user: User

    def path(self, path: str) -> PathCheck:
        return PathCheck(self.authorizer, self.user, Attributes("", path=path))

    def group(self, name: str) -> GroupCheck:
        return GroupCheck(self.authorizer, self.user, name)

    def service_account(self, namespace: str, name: str) -> UserAuthorizer:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return UserAuthorizer(self.authorizer, User(f"system:serviceaccount:{namespace}:{name}", groups))
