"""A request to create a user, read and checked: body -> `NewUser`, or every rule that it breaks at once.

Only what a caller may decide is taken over from the body; the stored object is built anew, so that status, identity
provider links and other marks of the platform cannot come in. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from dovetail.apis.labels import GLOBAL_ROLE, UNINITIALIZED
from dovetail.iam.bootstrap import API_VERSION
from dovetail.iam.compiler import RESERVED_PREFIX
from dovetail.iam.errors import WeakPassword
from dovetail.iam.passwords import check_strength
from dovetail.platform.errors import Unacceptable
from dovetail.platform.login import USER_NAME

_LONGEST_NAME = 63
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}\Z")
_TEXTS = ("email", "displayName", "description", "lang")
_LONGEST_TEXT = 1024
_OWN_DOMAIN = "iam.kubesphere.io/"
_ALLOWED_MARKS = frozenset({GLOBAL_ROLE, UNINITIALIZED})
_MOST_GROUPS = 100


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create. `role` "" for none."""

    name: str
    password: str = field(repr=False)
    role: str
    groups: tuple[str, ...]
    texts: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def object(self, password_hash: str) -> dict[str, Any]:
        """The User to store."""
        spec: dict[str, Any] = {"email": "", **self.texts, "password": password_hash}
        if self.groups:
            spec["groups"] = list(self.groups)
        annotations = {key: value for key, value in self.annotations.items() if key != GLOBAL_ROLE}
        return {
            "apiVersion": API_VERSION,
            "kind": "User",
            "metadata": {"name": self.name, "labels": dict(self.labels), "annotations": annotations},
            "spec": spec,
        }


def read_new_user(body: Mapping[str, Any]) -> NewUser:
    """Read a User as a client sends it. Raises Unacceptable with all that is wrong."""
    wrong: list[tuple[str, str]] = []
    metadata, spec = _part(body, "metadata", wrong), _part(body, "spec", wrong)
    annotations = _strings(metadata, "annotations", wrong)
    made = NewUser(
        name=_name(metadata, wrong),
        password=_password(spec, wrong),
        role=annotations.get(GLOBAL_ROLE, ""),
        groups=_groups(spec, wrong),
        texts={key: text for key in _TEXTS if (text := _text(spec, key, wrong))},
        labels=_strings(metadata, "labels", wrong),
        annotations=annotations,
    )
    if body.get("kind", "User") != "User" or body.get("apiVersion", API_VERSION) != API_VERSION:
        wrong.append(("kind", f"must be User of {API_VERSION}"))
    if wrong:
        raise Unacceptable(f"User {made.name!r}", wrong)
    return made


def _part(body: Mapping[str, Any], name: str, wrong: list[tuple[str, str]]) -> Mapping[str, Any]:
    part = body.get(name)
    if isinstance(part, Mapping):
        return cast("Mapping[str, Any]", part)
    wrong.append((name, "must be an object"))
    return {}


def _name(metadata: Mapping[str, Any], wrong: list[tuple[str, str]]) -> str:
    name = metadata.get("name")
    if isinstance(name, str) and len(name) <= _LONGEST_NAME and USER_NAME.match(name):
        return name
    rule = f"1 to {_LONGEST_NAME} lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    wrong.append(("metadata.name", f"must be {rule}"))
    return ""


def _password(spec: Mapping[str, Any], wrong: list[tuple[str, str]]) -> str:
    password = spec.get("password")
    if not isinstance(password, str):
        wrong.append(("spec.password", "is needed"))
        return ""
    try:
        check_strength(password)
    except WeakPassword as error:
        wrong.append(("spec.password", str(error)))
    return password


def _groups(spec: Mapping[str, Any], wrong: list[tuple[str, str]]) -> tuple[str, ...]:
    groups: object = spec.get("groups") or []
    if not isinstance(groups, list) or not all(isinstance(one, str) and one for one in cast("list[Any]", groups)):
        wrong.append(("spec.groups", "must be a list of names"))
        return ()
    names = cast("list[str]", groups)
    if len(names) > _MOST_GROUPS:
        wrong.append(("spec.groups", f"must be at most {_MOST_GROUPS}"))
    wrong += [("spec.groups", f"{name!r} is reserved") for name in names if name.startswith(RESERVED_PREFIX)]
    return tuple(names)


def _text(spec: Mapping[str, Any], name: str, wrong: list[tuple[str, str]]) -> str:
    text = spec.get(name, "")
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        wrong.append((f"spec.{name}", f"must be text of at most {_LONGEST_TEXT} characters"))
        return ""
    if name == "email" and text and not _EMAIL.match(text):
        wrong.append(("spec.email", "must be an e-mail address"))
    return text


def _strings(metadata: Mapping[str, Any], name: str, wrong: list[tuple[str, str]]) -> dict[str, str]:
    given: object = metadata.get(name) or {}
    if not isinstance(given, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, Any]", given).values()
    ):
        wrong.append((f"metadata.{name}", "must map strings to strings"))
        return {}
    marks = cast("dict[str, str]", given)
    reserved = [key for key in marks if key.startswith(_OWN_DOMAIN) and key not in _ALLOWED_MARKS]
    wrong += [(f"metadata.{name}", f"{key} is set by the platform") for key in reserved]
    return marks
