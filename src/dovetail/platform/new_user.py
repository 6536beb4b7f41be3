"""A request to create a user, read and checked: body -> `NewUser`, or every rule that it breaks at once.

Only what a caller may decide is taken over from the body; the stored object is built anew, so that status, identity
provider links and other marks of the platform cannot come in. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dovetail.apis.labels import GLOBAL_ROLE, UNINITIALIZED
from dovetail.iam.bootstrap import API_VERSION
from dovetail.iam.errors import WeakPassword
from dovetail.iam.passwords import check_strength
from dovetail.platform.errors import Unacceptable
from dovetail.platform.login import USER_NAME
from dovetail.platform.user_fields import OWN_DOMAIN, TEXTS, Wrong, groups, part, strings, text

_LONGEST_NAME = 63
_ALLOWED_MARKS = frozenset({GLOBAL_ROLE, UNINITIALIZED})


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
    wrong: Wrong = []
    metadata, spec = part(body, "metadata", wrong), part(body, "spec", wrong)
    labels, annotations = _marks(metadata, "labels", wrong), _marks(metadata, "annotations", wrong)
    made = NewUser(
        name=_name(metadata, wrong),
        password=_password(spec, wrong),
        role=annotations.get(GLOBAL_ROLE, ""),
        groups=groups(spec, wrong),
        texts={key: said for key in TEXTS if (said := text(spec, key, wrong))},
        labels=labels,
        annotations=annotations,
    )
    if body.get("kind", "User") != "User" or body.get("apiVersion", API_VERSION) != API_VERSION:
        wrong.append(("kind", f"must be User of {API_VERSION}"))
    if wrong:
        raise Unacceptable(f"User {made.name!r}", wrong)
    return made


def _marks(metadata: Mapping[str, Any], name: str, wrong: Wrong) -> dict[str, str]:
    marks = strings(metadata, name, wrong)
    reserved = [key for key in marks if key.startswith(OWN_DOMAIN) and key not in _ALLOWED_MARKS]
    wrong += [(f"metadata.{name}", f"{key} is set by the platform") for key in reserved]
    return marks


def _name(metadata: Mapping[str, Any], wrong: Wrong) -> str:
    name = metadata.get("name")
    if isinstance(name, str) and len(name) <= _LONGEST_NAME and USER_NAME.match(name):
        return name
    rule = f"1 to {_LONGEST_NAME} lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    wrong.append(("metadata.name", f"must be {rule}"))
    return ""


def _password(spec: Mapping[str, Any], wrong: Wrong) -> str:
    password = spec.get("password")
    if not isinstance(password, str):
        wrong.append(("spec.password", "is needed"))
        return ""
    try:
        check_strength(password)
    except WeakPassword as error:
        wrong.append(("spec.password", str(error)))
    return password
