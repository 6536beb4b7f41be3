"""From what was read to objects as they are applied: ReverseProxies, GlobalRoles and their bindings. Pure."""

import re
from typing import Any, Final

from dovetail.apis import extensions_v1alpha1 as extensions
from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.resource_name import ResourceName
from dovetail.gateway.caddyfile.matchers import Matcher
from dovetail.gateway.caddyfile.proxies import Proxied
from dovetail.routing.compiler import CompilerInput, compile_table
from dovetail.routing.sources import read_objects

Object = dict[str, Any]
_LONGEST: Final = 63
IMPORTED_FROM: Final = "dovetail.dev/imported-from"
"""Annotation: the file and the line that an object was made from."""


def reverse_proxy(route: Proxied, name: str, source: str) -> Object:
    """The ReverseProxy of a route. The backend is told who asks, as every backend of the 2.x gateway was."""
    upstream: Object = {"url": route.url}
    if route.insecure:
        upstream["insecureSkipVerify"] = True
    if route.health.get("url"):
        upstream["healthCheck"] = route.health
    spec: Object = {"matcher": _matcher(route.matcher), "upstream": upstream}
    return {
        **_head(extensions.REVERSEPROXIES, name, f"{source}:{route.line}"),
        "spec": {**spec, "directives": {**route.directives, "authProxy": True}},
    }


def _matcher(matcher: Matcher) -> Any:
    entries = [{"path": path, "method": matcher.method or "*"} for path in matcher.patterns or ("/*",)]
    return entries[0] if len(entries) == 1 else entries


def mistake_in(obj: Object) -> str:
    """Why the gateway would not take a ReverseProxy; empty when it would."""
    read = read_objects([obj])
    given = CompilerInput(reverse_proxies=read.reverse_proxies, reserved_paths=frozenset(), reserved_groups=frozenset())
    found = [*read.problems, *compile_table(given).problems]
    return next((problem.message for problem in found if problem.reason == "Invalid"), "")


def mistake_in_directive(name: str, value: Any) -> str:
    """Why the gateway would not take one directive."""
    return mistake_in(reverse_proxy(Proxied(0, Matcher(("/x",)), "http://x", directives={name: value}), "x", ""))


def granted(name: str, rules: list[Object], groups: tuple[str, ...], source: str) -> list[Object]:
    """A GlobalRole with these rules, and the binding that gives it to these groups."""
    subjects = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group} for group in groups]
    role = {"apiGroup": iam.GROUP, "kind": "GlobalRole", "name": name}
    return [
        {**_head(iam.GLOBALROLES, name, source), "rules": rules},
        {**_head(iam.GLOBALROLEBINDINGS, name, source), "subjects": subjects, "roleRef": role},
    ]


def _head(resource: ResourceName, name: str, source: str) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "annotations": {IMPORTED_FROM: source}},
    }


def name_of(matcher: Matcher, prefix: str, taken: set[str]) -> str:
    """A name that says the path, not used before."""
    path = "-".join(base for base in matcher.bases) or "root"
    words = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"
    base = f"{prefix}-{words}"[:_LONGEST].strip("-")
    name, number = base, 2
    while name in taken:
        name, number = f"{base[: _LONGEST - 4]}-{number}", number + 1
    taken.add(name)
    return name
