"""Objects as they may be shown: without the secrets that some kinds carry, and without bookkeeping of field managers.

A secret that is not shown cannot be sent back either; so a replaced object keeps the one it had. Pure.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

Object = dict[str, Any]

_HIDDEN: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("kubesphere.io", "repositories"): ("spec", "basicAuth", "password"),
}


def shown(obj: Mapping[str, Any], group: str, plural: str) -> Object:
    """A copy that may be shown; shares what it does not change."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    hidden = _HIDDEN.get((group, plural))
    return {**(_without(obj, hidden) if hidden else obj), "metadata": metadata}


def with_kept_secrets(after: Object, before: Mapping[str, Any], group: str, plural: str) -> Object:
    """The new object with the old one's secret where the client, who cannot know it, left it out."""
    hidden = _HIDDEN.get((group, plural))
    secret = _at(before, hidden) if hidden else None
    if hidden is None or secret is None or _at(after, hidden) is not None:
        return after
    return _with(after, hidden, secret) if isinstance(_at(after, hidden[:-1]), dict) else after


def _at(obj: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = obj
    for step in path:
        found = cast("Object", found).get(step) if isinstance(found, dict) else None
    return found


def _without(obj: Mapping[str, Any], path: tuple[str, ...]) -> Object:
    step, rest = path[0], path[1:]
    if not rest:
        return {key: value for key, value in obj.items() if key != step}
    inner = obj.get(step)
    return {**obj, step: _without(cast("Object", inner), rest)} if isinstance(inner, dict) else dict(obj)


def _with(obj: Mapping[str, Any], path: tuple[str, ...], value: object) -> Object:
    step, rest = path[0], path[1:]
    return {**obj, step: _with(obj[step], rest, value) if rest else value}
