"""How writes combine with what is there: merge patches, and the part of server-side apply that the platform uses.

Pure: results share what did not change with the arguments, and no argument is changed.
"""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

_LISTS_BY_KEY = {"ownerReferences": "uid", "conditions": "type"}
"""Lists that apply merges item by item; all others are replaced."""


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Any, operations: list[Object]) -> Any:
    """RFC 6902, without move and copy. Raises ValueError, KeyError, IndexError for what cannot be done."""
    for operation in operations:
        path = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = _operate(target, path, operation)
    return target


def _operate(target: Any, path: list[str], operation: Object) -> Any:
    if not path:
        if operation["op"] == "test" and target != operation["value"]:
            raise ValueError("a test failed")
        return target if operation["op"] == "test" else operation["value"]
    step, rest, word = path[0], path[1:], operation["op"]
    result = list(target) if isinstance(target, list) else dict(target)
    at: Any = (len(result) if step == "-" else int(step)) if isinstance(result, list) else step
    if rest or word == "test":
        result[at] = _operate(result[at], rest, operation)
    elif word == "remove":
        del result[at]
    elif word == "add" and isinstance(result, list):
        result.insert(at, operation["value"])
    elif word == "replace":
        result[at]
        result[at] = operation["value"]
    else:
        result[at] = operation["value"]
    return result


def applied(present: Object, intent: Object, former: Mapping[str, Any], others: list[Object]) -> Object:
    """`present` with what one manager wants (`intent`), without what only it wanted before (`former`)."""
    return _put(_without(present, intent, former, others), intent)


def changed(old: Any, new: Object) -> Object:
    """The leaves of `new` that `old` has not, or has otherwise."""
    found: Object = {}
    for key, value in new.items():
        before = old.get(key) if isinstance(old, dict) else None
        if isinstance(value, dict) and value:
            if below := changed(before, value):
                found[key] = below
        elif before != value or not isinstance(old, dict) or key not in old:
            found[key] = value
    return found


def disowned(intent: Object, leaves: Mapping[str, Any]) -> Object:
    """`intent` without these leaves: somebody else has set them since."""
    result: Object = {}
    for key, value in intent.items():
        if key not in leaves:
            result[key] = value
        elif isinstance(value, dict) and isinstance(leaves[key], dict) and (below := disowned(value, leaves[key])):
            result[key] = below
    return result


def taken(intents: Mapping[str, Object], old: Object, new: Object, by: str) -> dict[str, Object]:
    """Who wants what after an ordinary write: what it changed is its own now, what it removed nobody's."""
    gained, lost = changed(old, new), changed(new, old)
    if not gained and not lost:
        return dict(intents)
    result = {name: disowned(disowned(intent, gained), lost) for name, intent in intents.items()}
    result[by] = merge_patch(result.get(by, {}), gained)
    return result


def _put(present: Any, intent: Any, name: str = "") -> Any:
    if isinstance(intent, dict) and isinstance(present, dict):
        result = dict(present)
        for key, value in intent.items():
            result[key] = _put(result[key], value, key) if key in result else value
        return result
    if name in _LISTS_BY_KEY and isinstance(present, list) and isinstance(intent, list):
        by = _LISTS_BY_KEY[name]
        wanted = {item.get(by): item for item in intent}
        kept = [_put(item, wanted.pop(item.get(by))) if item.get(by) in wanted else item for item in present]
        return [*kept, *wanted.values()]
    return intent


def _without(present: Any, intent: Any, former: Any, others: list[Any], name: str = "") -> Any:
    """Drop what `former` has and neither `intent` nor anybody else, if it still is what `former` said."""
    if isinstance(former, dict) and isinstance(present, dict):
        result = dict(present)
        for key, value in former.items():
            if key not in result:
                continue
            below = [other[key] for other in others if isinstance(other, dict) and key in other]
            if isinstance(intent, dict) and key in intent:
                result[key] = _without(result[key], intent[key], value, below, key)
            elif isinstance(value, dict) and isinstance(result[key], dict):
                rest = _without(result[key], {}, value, below, key)
                if rest or below:
                    result[key] = rest
                else:
                    del result[key]
            elif not below and result[key] == value:
                del result[key]
        return result
    if name in _LISTS_BY_KEY and isinstance(former, list) and isinstance(present, list):
        by = _LISTS_BY_KEY[name]
        wanted = {item.get(by) for item in (intent or [])} | {i.get(by) for o in others for i in o}
        dropped = {item.get(by) for item in former} - wanted
        return [item for item in present if item.get(by) not in dropped]
    return present
