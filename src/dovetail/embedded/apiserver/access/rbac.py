"""Role-based access control over the stored roles and bindings.

Model. The policy is compiled from the store when it is first asked after a role or binding has changed. Answers are
kept until the next change, by everything that they depend on except the object's name: whether a name counts is part
of the answer. ``system:masters`` may do everything without being looked up. Semantics: Kubernetes' RBAC authorizer.

A role with an aggregationRule has the rules that are written in it; writing them is the work of a controller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from ..foreign import parts
from ..storage.records import Change, Record
from ..storage.store import Store
from .identity import MASTERS, User
from .rules import GROUP, Attributes, Policy, Rule, forbidden_sentence

__all__ = ["GROUP", "Attributes", "Authorizer", "Decision", "Rule", "forbidden_sentence"]

_RESOURCES = {f"{GROUP}/{plural}" for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")}
_KEPT = 8192

_Place = tuple[str, str, str]
_Reader = Callable[[bytes], Any]
_Key = tuple[str, tuple[str, ...], str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` tells which binding allows it, or what is wrong with those that might."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Allowed for every name, or for these."""

    every: bool
    names: frozenset[str]


class Authorizer:
    """Register ``changed`` with the store. Asking is synchronous."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._policy: Policy | None = None
        self._answers: dict[_Key, _Answer] = {}
        self._known: dict[_Place, tuple[int, Any]] = {}

    def changed(self, changes: Iterable[Change]) -> None:
        if any(change.key.resource in _RESOURCES for change in changes):
            self._policy = None
            self._answers.clear()

    def allows(self, user: User, asked: Attributes) -> bool:
        if MASTERS in user.groups:
            return True
        key = (
            user.name, user.groups, asked.verb, asked.group, asked.plural, asked.subresource, asked.namespace,
            asked.path,
        )  # fmt: skip
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._answer(user, asked)
        return answer.every or asked.name in answer.names

    def _answer(self, user: User, asked: Attributes) -> _Answer:
        if len(self._answers) >= _KEPT:
            self._answers.clear()
        names: set[str] = set()
        for rule in self.policy.rules_of(user, asked.namespace):
            if rule.concerns(asked):
                if asked.path or not rule.names:
                    return _Answer(True, frozenset())
                names.update(rule.names)
        return _Answer(False, frozenset(names))

    def decide(self, user: User, asked: Attributes) -> Decision:
        """As ``allows``, with the reason: for reviews and refusals."""
        if MASTERS in user.groups:
            return Decision(True)
        for grant in self.policy.grants(user, asked.namespace):
            if any(rule.allows(asked) for rule in grant.rules or ()):
                return Decision(True, f"RBAC: allowed by {grant.source}")
        problem = self.policy.problems(user, asked.namespace)
        return Decision(False, f"RBAC: {problem}" if problem else "")

    def refusal(self, user: User, asked: Attributes) -> str:
        """Why a request is forbidden; "" when it is not."""
        if self.allows(user, asked):
            return ""
        sentence, reason = forbidden_sentence(user, asked), self.decide(user, asked).reason
        return f"{sentence}: {reason}" if reason else sentence

    @property
    def policy(self) -> Policy:
        if self._policy is None:
            known, self._known = self._known, {}
            roles: dict[tuple[str, str], tuple[Rule, ...]] = {}
            for plural in ("clusterroles", "roles"):
                for record in self._store.list(f"{GROUP}/{plural}").records:
                    roles[record.namespace, record.name] = self._read(known, plural, record, _rules)
            bindings = [
                self._read(known, plural, record, orjson.loads)
                for plural in ("clusterrolebindings", "rolebindings")
                for record in self._store.list(f"{GROUP}/{plural}").records
            ]
            self._policy = Policy(roles, bindings)
        return self._policy

    def _read(self, known: dict[_Place, tuple[int, Any]], plural: str, record: Record, read: _Reader) -> Any:
        """What is stored, parsed; a version that was parsed before is not parsed again."""
        place = (plural, record.namespace, record.name)
        found = known.get(place)
        if found is None or found[0] != record.rev:
            found = (record.rev, read(record.value))
        self._known[place] = found
        return found[1]


def _rules(value: bytes) -> tuple[Rule, ...]:
    return tuple(Rule.read(rule) for rule in parts(orjson.loads(value), "rules"))
