"""The role templates and their categories that the platform brings along, read from `role_templates.yaml`.

The file is short and for people; here it becomes objects. `objects()` is pure but for reading the file. Each object
carries a hash of itself, so that an object is written again only when a new version of the platform says something
else (`iam.shipped`).
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from dovetail.apis.iam_v1beta1 import CATEGORIES, ROLETEMPLATES
from dovetail.apis.labels import (
    AGGREGATE_TO_PREFIX,
    MANAGED,
    ROLE_CATEGORY,
    ROLE_DEPENDENCIES,
    ROLE_TEMPLATE_RULES,
    SCOPE,
)
from dovetail.iam.process_roles import OWN_LABELS, READ, Object

SCOPES: Final = ("global", "cluster", "workspace", "namespace")
VERB_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "view": READ,
    "edit": ("create", "update", "patch", "delete", "deletecollection"),
    "change": ("update", "patch"),
    "create": ("create",),
    "update": ("update",),
    "delete": ("delete",),
}
_FILE: Final = Path(__file__).with_name("role_templates.yaml")


@cache
def _catalogue() -> Mapping[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast("Mapping[str, Any]", yaml.load(_FILE.read_bytes(), loader))


def categories() -> list[Object]:
    """The Category objects."""
    return [
        {
            "apiVersion": CATEGORIES.api_version,
            "kind": CATEGORIES.kind,
            "metadata": {"name": name, "labels": dict(OWN_LABELS)},
            "spec": _texts(texts),
        }
        for name, texts in _catalogue()["categories"].items()
    ]


def templates() -> list[Object]:
    """The RoleTemplate objects of all scopes."""
    return [
        _template(scope, category, name, entry)
        for scope in SCOPES
        for category, entries in _catalogue()[scope].items()
        for name, entry in entries.items()
    ]


def _template(scope: str, category: str, name: str, entry: Mapping[str, Any]) -> Object:
    to = {AGGREGATE_TO_PREFIX + role: "" for role in entry.get("to", ())}
    verb, _, thing = name.partition("-")
    annotations = {ROLE_TEMPLATE_RULES: json.dumps({thing: verb})}
    if needs := [f"{scope}-{needed}" for needed in entry.get("needs", ())]:
        annotations[ROLE_DEPENDENCIES] = json.dumps(needs)
    return {
        "apiVersion": ROLETEMPLATES.api_version,
        "kind": ROLETEMPLATES.kind,
        "metadata": {
            "name": f"{scope}-{name}",
            "labels": {**OWN_LABELS, MANAGED: "true", SCOPE: scope, ROLE_CATEGORY: category, **to},
            "annotations": annotations,
        },
        "spec": {**_texts(entry), "rules": list(_rules(entry))},
    }


def _texts(entry: Mapping[str, Any]) -> Object:
    (en, en_long), (zh, zh_long) = entry["en"], entry["zh"]
    return {"displayName": {"en": en, "zh": zh}, "description": {"en": en_long, "zh": zh_long}}


def _rules(entry: Mapping[str, Any]) -> Iterator[Object]:
    for verbs in VERB_SETS:
        for group, resources in entry.get(verbs, {}).items():
            yield {
                "verbs": list(VERB_SETS[verbs]),
                "apiGroups": ["" if group == "core" else group],
                "resources": list(resources),
            }
