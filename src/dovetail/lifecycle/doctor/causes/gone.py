"""Whether what an attempt failed of has gone since. Only what can be told for certain counts."""

import re
from typing import Final

from dovetail.kube import key_of
from dovetail.lifecycle.doctor.picture import Object, Picture, is_hook
from dovetail.lifecycle.doctor.refusals import package_where
from dovetail.lifecycle.objects import conditions_of

_HOOK_FAILED: Final = re.compile(r"job (?P<name>\S+) failed|hooks? failed|BackoffLimitExceeded|DeadlineExceeded", re.I)
_INTERRUPTED: Final = re.compile(r"interrupted by a crash|interrupted; unlocked|helm worker")


def is_gone(picture: Picture, message: str) -> bool:
    """Whether the next attempt has a better chance: it was cut off, or the hook that failed is no more."""
    if _INTERRUPTED.search(message):
        return True
    if _HOOK_FAILED.search(message) and picture.has_read("jobs") and picture.has_read("pods"):
        return not any(_failed(job) for job in picture.all("jobs") if is_hook(job))
    return False


def package_is_there(picture: Picture, version: Object | None) -> bool:
    """Whether the ConfigMap that was missing exists by now."""
    if version is None or not picture.has_read("packages"):
        return False
    where = package_where(version)
    return any(f"ConfigMap {key_of(obj).namespace}/{key_of(obj).name}" == where for obj in picture.all("packages"))


def _failed(job: Object) -> bool:
    return any(each.get("type") == "Failed" and each.get("status") == "True" for each in conditions_of(job))
