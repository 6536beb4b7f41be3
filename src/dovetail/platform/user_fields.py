"""The fields of a User as a client sends them, read one by one; what is wrong is collected, not raised. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from dovetail.iam.compiler import RESERVED_PREFIX

Wrong = list[tuple[str, str]]

TEXTS: Final = ("email", "displayName", "description", "lang")
OWN_DOMAIN: Final = "iam.kubesphere.io/"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}\Z")
_LONGEST_TEXT = 1024
_MOST_GROUPS = 100


def part(body: Mapping[str, Any], name: str, wrong: Wrong) -> Mapping[str, Any]:
    """An object within the object."""
    found = body.get(name)
    if isinstance(found, Mapping):
        return cast("Mapping[str, Any]", found)
    wrong.append((name, "must be an object"))
    return {}


def groups(spec: Mapping[str, Any], wrong: Wrong) -> tuple[str, ...]:
    """spec.groups; none of Kubernetes' own."""
    given: object = spec.get("groups") or []
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in cast("list[Any]", given)):
        wrong.append(("spec.groups", "must be a list of names"))
        return ()
    names = cast("list[str]", given)
    if len(names) > _MOST_GROUPS:
        wrong.append(("spec.groups", f"must be at most {_MOST_GROUPS}"))
    wrong += [("spec.groups", f"{name!r} is reserved") for name in names if name.startswith(RESERVED_PREFIX)]
    return tuple(names)


def text(spec: Mapping[str, Any], name: str, wrong: Wrong) -> str:
    """One of `TEXTS`."""
    given = spec.get(name, "")
    if not isinstance(given, str) or len(given) > _LONGEST_TEXT:
        wrong.append((f"spec.{name}", f"must be text of at most {_LONGEST_TEXT} characters"))
        return ""
    if name == "email" and given and not _EMAIL.match(given):
        wrong.append(("spec.email", "must be an e-mail address"))
    return given


def strings(metadata: Mapping[str, Any], name: str, wrong: Wrong) -> dict[str, str]:
    """Labels or annotations."""
    given: object = metadata.get(name) or {}
    if not isinstance(given, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, Any]", given).values()
    ):
        wrong.append((f"metadata.{name}", "must map strings to strings"))
        return {}
    return cast("dict[str, str]", given)
