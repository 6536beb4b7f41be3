"""The exceptions of the 2.x plugins `authenticate` and `authentication` as roles. Pure.

`except METHOD PATH...` of `authenticate` opens paths to everybody, that of `authentication` to every signed-in user.
Here access is given by roles only, so the first becomes a GlobalRole of the group system:unauthenticated (and of the
signed-in), the second one of system:authenticated. What the platform serves itself keeps the platform's rules.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from dovetail.gateway.caddyfile.grammar import Directive
from dovetail.gateway.caddyfile.notes import Notes

ANYBODY: Final = ("system:unauthenticated", "system:authenticated")
ANY_USER: Final = ("system:authenticated",)
_APIS: Final = ("apis", "kapis")
_RESOURCE_VERBS: Final = {
    "GET": ["get", "list", "watch"], "POST": ["create"], "PUT": ["update"], "PATCH": ["patch"],
    "DELETE": ["delete", "deletecollection"],
}  # fmt: skip
_OPTIONS: Final = {
    "token-idle-timeout": "start dovetail with --session-idle-timeout {0}",
    "redis-url": "sessions are kept in the cluster",
    "secret": "the platform makes and rotates its own keys",
}

Rule = dict[str, Any]
WhyNot = Callable[[str], str]
"""Why a path is not an import's to route or to give away; empty when it is."""


def read_exceptions(directive: Directive, why_not: WhyNot, notes: Notes) -> list[Rule]:
    """The rules of a plugin's block; everything else in it is told."""
    rules: list[Rule] = []
    for option in directive.block:
        if option.name == "except" and len(option.args) > 1:
            rules += _rules(option, why_not, notes)
        elif option.name == "path":
            _path(option, notes)
        else:
            why = _OPTIONS.get(option.name, "there is nothing like it here")
            notes.left_out(option.line, _without_secrets(option), why.format(*option.args, "40m"))
    return rules


def _path(option: Directive, notes: Notes) -> None:
    if option.args != ("/",):
        why = "every path needs a user and a role here, unless a role is given to everybody"
        notes.differs(option.line, str(option), why)


def _without_secrets(option: Directive) -> str:
    return option.name if option.name in ("secret", "redis-url") else str(option)


def _rules(option: Directive, why_not: WhyNot, notes: Notes) -> list[Rule]:
    method, *paths = option.args
    found: list[Rule] = []
    for path in dict.fromkeys(paths):
        if why := why_not(_claimed_as(path)):
            notes.left_out(option.line, f"except {method} {path}", why)
            continue
        found += rules_of(method.upper(), path)
        if _names_version(path):
            why = "roles know no versions: the rule is for every version of the group"
            notes.differs(option.line, f"except {method} {path}", why)
    return _merged(found)


def _claimed_as(path: str) -> str:
    """What a route for a path would have to claim: an API as a whole."""
    segments = _segments(path)
    return f"/kapis/{segments[1]}/*" if segments[:1] == ["kapis"] and len(segments) > 1 else path


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _names_version(path: str) -> bool:
    segments = _segments(path)
    return len(segments) == 3 and segments[0] in _APIS and "." in segments[1]


def rules_of(method: str, path: str) -> list[Rule]:
    """Rules that match what is at a path or below it, by the grammar of `dovetail.iam.attributes`."""
    segments = _segments(path)
    base = "/" + "/".join(segments)
    plain = {"verbs": ["*"] if method == "*" else [method.lower()], "nonResourceURLs": [base, f"{base}/*"]}
    if len(segments) < 2 or segments[0] not in _APIS or "." not in segments[1]:
        return [plain]
    group, *rest = segments[1:]
    verbs = ["*"] if method == "*" else _RESOURCE_VERBS.get(method, [])
    if len(rest) < 2:
        return [*_resource(verbs, group, ["*"], []), plain]
    _, resource, *name = rest
    if len(name) > 1:
        return _resource(verbs, group, [f"{resource}/{name[1]}"], name[:1])
    return _resource(verbs, group, [resource, f"{resource}/*"], name)


def _resource(verbs: list[str], group: str, resources: list[str], names: list[str]) -> list[Rule]:
    """A rule over resources; none for a method that no verb stands for."""
    rule: Rule = {"verbs": verbs, "apiGroups": [group], "resources": resources}
    return [{**rule, "resourceNames": names} if names else rule] if verbs else []


def _merged(rules: Iterable[Rule]) -> list[Rule]:
    """Rules that differ only in their paths, or only in their resources, become one."""
    found: list[Rule] = []
    for rule in rules:
        listed = "nonResourceURLs" if "nonResourceURLs" in rule else "resources"
        same = next((one for one in found if listed in one and _but(listed, one) == _but(listed, rule)), None)
        if same is None:
            found.append(rule)
        else:
            same[listed] = list(dict.fromkeys([*same[listed], *rule[listed]]))
    return found


def _but(left_out: str, rule: Rule) -> Rule:
    return {key: value for key, value in rule.items() if key != left_out}
