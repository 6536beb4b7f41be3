"""The roles of one policy, compiled when they are first asked for and handed on to the next policy.

What is compiled is found by what it was made from: rules by the very tuple of them (of a role of the platform, or of a
set that roles of narrower places share), a Rego module by its text. So nothing here can be out of date, a changed
binding recompiles nothing, and a thousand workspaces share one compiled set of built-in rules. Bounded by what the
policy holds: what it does not name any more is dropped when the next policy takes over.
"""

from typing import TYPE_CHECKING

from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import Identity, Place, Policy, Rule
from dovetail.iam.rules import Grants

if TYPE_CHECKING:
    from dovetail.iam.rego import Program, Purse


_latest: "list[CompiledRoles]" = []


def compiled_for(policy: Policy) -> "CompiledRoles":
    """The compiled roles of a policy; those of the policy that was asked for last are kept in the process."""
    if not _latest or _latest[0].policy is not policy:
        _latest[:] = [CompiledRoles(policy, _latest[0] if _latest else None)]
    return _latest[0]


class CompiledRoles:
    """See the module."""

    def __init__(self, policy: Policy, before: "CompiledRoles | None" = None) -> None:
        self.policy = policy
        self._global: dict[str, tuple[tuple[Rule, ...], Grants]] = {}
        self._sets: dict[str, tuple[tuple[Rule, ...], Grants]] = {}
        self._programs: dict[str, Program | None] = {}
        if before is not None:
            self._global = {name: kept for name, kept in before._global.items() if name in policy.roles}
            self._sets = {name: kept for name, kept in before._sets.items() if name in policy.rule_sets}
            texts = {text for modules in policy.rego.values() for text in modules} if before._programs else set[str]()
            self._programs = {text: kept for text, kept in before._programs.items() if text in texts}

    def grants(self, place: Place, role: str) -> Grants | None:
        """The compiled rules of a role; None when there is no such role."""
        if place.scope == "global":
            return self._of_platform(role)
        name = self.policy.scoped_roles.get(place.key(role))
        return None if name is None else _compiled(self._sets, name, self.policy.rule_sets.get(name, ()))

    def rego_allows(
        self, place: Place, role: str, identity: Identity, attributes: Attributes, purse: "Purse | None" = None
    ) -> bool:
        """Whether the role has a Rego module that allows the request, out of the `purse` of the whole decision. A bad
        module allows nothing."""
        modules = self.policy.rego.get(place.key(role), ())
        if not modules or self.grants(place, role) is None or (purse is not None and purse.empty):
            return False
        from dovetail.iam.rego.question import question  # where no role has Rego, none of it is loaded

        programs = [program for text in modules if (program := self._program(text)) is not None]
        asked = question(identity, attributes) if programs else {}
        return any(program.allows(asked, purse) for program in programs)

    def _program(self, text: str) -> "Program | None":
        if text not in self._programs:
            from dovetail.iam.rego import RegoError, compile_module

            try:
                self._programs[text] = compile_module(text)
            except RegoError:
                self._programs[text] = None
        return self._programs[text]

    def _of_platform(self, role: str) -> Grants | None:
        rules = self.policy.roles.get(role)
        return None if rules is None else _compiled(self._global, role, rules)


def _compiled(kept: dict[str, tuple[tuple[Rule, ...], Grants]], name: str, rules: tuple[Rule, ...]) -> Grants:
    """What is kept under the name if it was made from equal rules, else made anew."""
    known = kept.get(name)
    if known is not None and known[0] is rules:
        return known[1]
    grants = known[1] if known is not None and known[0] == rules else Grants(rules)
    kept[name] = (rules, grants)
    return grants


def new_purse() -> "Purse":
    """What the modules of one decision may spend together."""
    from dovetail.iam.rego import Purse  # only asked for where some role has Rego

    return Purse()
