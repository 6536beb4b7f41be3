"""A user as the API sees one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"


@dataclass(frozen=True, slots=True)
class User:
    """``extra`` maps a key to its values, as in SubjectAccessReview."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def info(self) -> dict[str, object]:
        """``authentication.k8s.io`` UserInfo."""
        info: dict[str, object] = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            info["uid"] = self.uid
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def authenticated(name: str, groups: tuple[str, ...] = (), uid: str = "", **extra: tuple[str, ...]) -> User:
    return User(name, (*groups, AUTHENTICATED), uid, extra)
