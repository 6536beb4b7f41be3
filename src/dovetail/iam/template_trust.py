"""How much of a role template counts. Pure but for reading the catalogue once.

Whoever may write RoleTemplates, as most extensions may, could otherwise give anything to anybody: a template with the
label `aggregate-to-authenticated` reaches everybody who is logged in, and the mirrors in Kubernetes would follow. So:

- of a template that a role names (`templateNames`) everything counts: whoever wrote the role was checked for that;
- of one that came by label or selector only rules about API groups of extensions count, or about the paths they serve:
  never Kubernetes' own groups, the platform's, or `*`; and no Rego;
- the platform's own templates count as they were shipped, however they are chosen; what was added to one counts as if
  it had come by label.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from dovetail.apis.labels import REGO_OVERRIDE
from dovetail.iam.role_catalogue import templates
from dovetail.kube.objects import annotations_of, key_of
from dovetail.kube.resources import Object

_PLATFORM: Final = frozenset(
    f"{prefix}kubesphere.io"
    for prefix in ("", "iam.", "tenant.", "quota.", "config.", "extensions.", "cluster.", "package.", "terminal.")
)
_PATHS: Final = ("/proxy/", "/dist/", "/static/")


def counting(template: Mapping[str, Any], *, named: bool) -> tuple[list[Object], str, bool]:
    """The rules of a template that count, its Rego if that counts, and whether anything was left out."""
    rules, rego = rules_of_template(template), annotations_of(template).get(REGO_OVERRIDE, "")
    shipped = _shipped().get(key_of(template).name)
    if named and shipped is None:
        return rules, rego, False
    counted = [rule for rule in rules if rule in (shipped or ()) or is_about_extensions(rule)]
    return counted, "", bool(rego) or len(counted) < len(rules)


def rules_of_template(template: Mapping[str, Any]) -> list[Object]:
    """The rules of a template."""
    spec: Mapping[str, Any] = template.get("spec") or {}
    return spec.get("rules") or []


def is_about_extensions(rule: Mapping[str, Any]) -> bool:
    """Whether a rule speaks of nothing but what extensions bring along."""
    groups: list[str] = rule.get("apiGroups") or []
    paths: list[str] = rule.get("nonResourceURLs") or []
    return all(map(_is_of_extensions, groups)) and all(path.startswith(_PATHS) and ".." not in path for path in paths)


def _is_of_extensions(group: str) -> bool:
    return "." in group and "*" not in group and not f".{group}".endswith(".k8s.io") and group not in _PLATFORM


@cache
def _shipped() -> Mapping[str, list[Object]]:
    return {key_of(template).name: rules_of_template(template) for template in templates()}
