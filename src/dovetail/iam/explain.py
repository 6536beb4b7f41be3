"""Why a request is allowed or not, in terms of objects: which binding, which role, which rule or Rego module.

The decision is `decide`'s; this only looks for what made it, in the same order, and for what comes close when nothing
did. It costs more than a decision and is for people: the command line and whoever asks the platform why. Pure.
"""

import msgspec

from dovetail.iam.attributes import Attributes
from dovetail.iam.authorizer import decide, open_to_all, refused_outright, words
from dovetail.iam.compiler import PolicyCompiler
from dovetail.iam.policy import Identity, Place, Policy, Rule, places_of, rules_of_role
from dovetail.iam.reading import Binding, written_rule
from dovetail.iam.rules import Grants, groups_of

_MOST_NOTES = 12


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """`binding`, `role`, `rule` and `rego` say what allowed it; `notes` what was looked at when nothing did."""

    allowed: bool
    reason: str
    subject: str = ""
    """By what the user holds the role: itself, or a group."""
    binding: str = ""
    role: str = ""
    rule: dict[str, list[str]] | None = None
    rego: str = ""
    notes: tuple[str, ...] = ()


class _Holding(msgspec.Struct, frozen=True):
    """One role that one binding gives to one subject of the identity."""

    subject: str
    binding: str
    place: Place
    role: str


def explain(compiler: PolicyCompiler, identity: Identity, attributes: Attributes) -> Explanation:
    """The decision, and what made it."""
    policy = compiler.policy()
    decision = decide(policy, identity, attributes)
    holdings = _holdings(compiler, policy, identity)
    if not decision.allowed:
        notes = _why_not(policy, identity, attributes, holdings)
        return Explanation(allowed=False, reason=decision.reason, notes=tuple(notes[:_MOST_NOTES]))
    found = _by_rule(policy, attributes, holdings) or _by_rego(policy, identity, attributes, holdings)
    if found is None:
        return Explanation(allowed=True, reason=open_to_all(identity, attributes) or decision.reason)
    holding, rule, rego = found
    return Explanation(
        allowed=True, reason=decision.reason, subject=holding.subject, binding=holding.binding,
        role=words(holding.place, holding.role), rule=written_rule(rule) if rule else None, rego=rego,
    )  # fmt: skip


def _holdings(compiler: PolicyCompiler, policy: Policy, identity: Identity) -> list[_Holding]:
    subjects = [("User", identity.name), *(("Group", group) for group in groups_of(identity))]
    exists = identity.name in policy.accounts or identity.name.startswith("system:serviceaccount:")
    return [
        _Holding(f'{kind} "{name}"', _binding_words(found, called, binding), binding.place, binding.role)
        for kind, name in subjects
        if kind == "Group" or exists
        for found, called, binding in compiler.bindings_of(kind, name)
    ]


def _binding_words(kind: str, name: str, binding: Binding) -> str:
    place = f' of {binding.place.scope} "{binding.place.name}"' if binding.place.name else ""
    return f'{kind} "{name}"{place}'


def _counting(policy: Policy, attributes: Attributes, holdings: list[_Holding]) -> list[_Holding]:
    """Those that count for the request, in the order in which they are visited."""
    return [one for place in places_of(policy, attributes) for one in holdings if one.place == place]


def _by_rule(
    policy: Policy, attributes: Attributes, holdings: list[_Holding]
) -> tuple[_Holding, Rule | None, str] | None:
    for one in _counting(policy, attributes, holdings):
        for rule in rules_of_role(policy, one.place, one.role):
            if Grants((rule,)).allow(attributes):
                return one, rule, ""
    return None


def _by_rego(
    policy: Policy, identity: Identity, attributes: Attributes, holdings: list[_Holding]
) -> tuple[_Holding, Rule | None, str] | None:
    from dovetail.iam.rego import RegoError, compile_module
    from dovetail.iam.rego.question import question

    for one in _counting(policy, attributes, holdings):
        for text in policy.rego.get(one.place.key(one.role), ()):
            try:
                if compile_module(text).allows(question(identity, attributes)):
                    return one, None, text
            except RegoError:
                continue
    return None


def _why_not(policy: Policy, identity: Identity, attributes: Attributes, holdings: list[_Holding]) -> list[str]:
    if refused_outright(policy, identity, attributes):
        return ["no role helps against this"]
    notes: list[str] = []
    if identity.name not in policy.accounts and not identity.name.startswith("system:"):
        notes.append(f'there is no User "{identity.name}", so bindings that name it give nothing')
    if not holdings:
        notes.append("no binding names the user or a group of it")
    counting = _counting(policy, attributes, holdings)
    for one in counting:
        notes += _of_role(policy, one, attributes)
    for one in (one for one in holdings if one not in counting):
        if Grants(rules_of_role(policy, one.place, one.role)).allow(attributes):
            notes.append(f"{one.binding} gives {words(one.place, one.role)}, which allows it, but does not hold here")
    return notes


def _of_role(policy: Policy, one: _Holding, attributes: Attributes) -> list[str]:
    known = one.role in policy.roles if one.place.scope == "global" else one.place.key(one.role) in policy.scoped_roles
    role = words(one.place, one.role)
    if not known:
        return [f"{one.binding} names a role that does not exist: {role}"]
    notes = [f"{one.binding} gives {role}: {_nearly(rules_of_role(policy, one.place, one.role), attributes)}"]
    return notes + [
        f"{role} has a Rego module that cannot be used: {problem}"
        for text in policy.rego.get(one.place.key(one.role), ())
        if (problem := rego_problem(text))
    ]


def _nearly(rules: tuple[Rule, ...], attributes: Attributes) -> str:
    """What comes closest among the rules of a role."""
    if not attributes.resource_request:
        return "none of its rules is about this path with this method"
    named = msgspec.structs.replace(attributes, verb="*")
    verbs = sorted({verb for rule in rules for verb in rule.verbs if _about(rule, named)})
    if verbs and attributes.verb not in verbs:
        return f"it allows {', '.join(verbs)} there, not {attributes.verb}"
    if verbs:
        names = sorted({name for rule in rules if _about(rule, named) for name in rule.resource_names})
        return f"it allows it for certain names only: {', '.join(names)}"
    return "none of its rules is about this resource"


def _about(rule: Rule, attributes: Attributes) -> bool:
    """Whether a rule is about the resource, whatever the verb and the name."""
    return Grants((msgspec.structs.replace(rule, verbs=("*",), resource_names=()),)).allow(attributes)


def rego_problem(text: str) -> str:
    """Why a module cannot be used; empty when it can."""
    from dovetail.iam.rego import RegoError, compile_module

    try:
        compile_module(text)
    except RegoError as error:
        return str(error)
    return ""
