"""A change of a user, read and checked: (the stored User, the User as a client wants it) -> `UserEdit`. Pure.

What a client cannot see or may not decide stays as it is: the password, links to identity providers and the platform's
other marks, times, the status except for its state. A client that sends something else there is told so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from dovetail.apis.labels import GLOBAL_ROLE, UNINITIALIZED
from dovetail.iam.bootstrap import API_VERSION
from dovetail.platform.errors import Unacceptable
from dovetail.platform.user_fields import OWN_DOMAIN, TEXTS, Wrong, groups, part, strings, text

ACTIVE: Final = "Active"
DISABLED: Final = "Disabled"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserEdit:
    """What becomes of a user. `role` and `state` are None where they stay."""

    user: Object
    groups: tuple[str, ...]
    role: str | None
    state: str | None
    bars: bool = False
    """Whether it newly asks for a change of the password before anything else."""

    @property
    def name(self) -> str:
        return str(self.user["metadata"]["name"])


def read_edit(stored: Mapping[str, Any], role_now: str, wanted: Mapping[str, Any]) -> UserEdit:
    """Read a User that is to replace the stored one. Raises Unacceptable with all that is wrong."""
    wrong: Wrong = []
    metadata, spec = part(wanted, "metadata", wrong), part(wanted, "spec", wrong)
    name = str(stored["metadata"]["name"])
    if wanted.get("kind", "User") != "User" or wanted.get("apiVersion", API_VERSION) != API_VERSION:
        wrong.append(("kind", f"must be User of {API_VERSION}"))
    if metadata.get("name", name) != name:
        wrong.append(("metadata.name", f"must be {name!r}, as in the URL"))
    if metadata.get("uid", stored["metadata"]["uid"]) != stored["metadata"]["uid"]:
        wrong.append(("metadata.uid", "is another user's"))
    if spec.get("password"):
        wrong.append(("spec.password", f"is set at /users/{name}/password"))
    labels = _marks("labels", stored, strings(metadata, "labels", wrong), wrong)
    annotations = strings(metadata, "annotations", wrong)
    role = annotations.pop(GLOBAL_ROLE, None)
    marks = _marks("annotations", stored, annotations, wrong)
    told = groups(spec, wrong)
    texts = {key: said for key in TEXTS if (said := text(spec, key, wrong))}
    state = _state(stored, wanted, wrong)
    if wrong:
        raise Unacceptable(f"User {name!r}", wrong)
    kept = {key: value for key, value in stored["spec"].items() if key == "password"}
    version = metadata.get("resourceVersion") or stored["metadata"]["resourceVersion"]
    user = {
        **stored,
        "metadata": {**stored["metadata"], "labels": labels, "annotations": marks, "resourceVersion": version},
        "spec": {"email": "", **texts, **kept, **({"groups": list(told)} if told else {})},
    }
    bars = UNINITIALIZED in marks and UNINITIALIZED not in (stored["metadata"].get("annotations") or {})
    return UserEdit(user, told, None if role is None or role == role_now else role, state, bars)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: the target after a merge patch."""
    if not isinstance(patch, dict):
        return patch
    made: Object = dict(cast("Object", target)) if isinstance(target, dict) else {}
    for key, value in cast("Object", patch).items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def _marks(kind: str, stored: Mapping[str, Any], given: Mapping[str, str], wrong: Wrong) -> dict[str, str]:
    """The marks as wanted, but the platform's own as they are stored; a client may ask for a password change."""
    before: Mapping[str, str] = stored["metadata"].get(kind) or {}
    own = {key: value for key, value in before.items() if key.startswith(OWN_DOMAIN)}
    for key, value in given.items():
        if key == UNINITIALIZED and value == "true" and kind == "annotations":
            own[key] = value
        elif key.startswith(OWN_DOMAIN) and own.get(key) != value:
            wrong.append((f"metadata.{kind}", f"{key} is set by the platform"))
    return {key: value for key, value in given.items() if not key.startswith(OWN_DOMAIN)} | own


def _state(stored: Mapping[str, Any], wanted: Mapping[str, Any], wrong: Wrong) -> str | None:
    status: object = wanted.get("status")
    given = cast("Object", status).get("state") if isinstance(status, dict) else None
    before: Object = stored.get("status") or {}
    now = before.get("state") or ACTIVE
    if given in (None, "", now):
        return None
    if given not in (ACTIVE, DISABLED):
        wrong.append(("status.state", f"must be {ACTIVE} or {DISABLED}"))
        return None
    return str(given)
