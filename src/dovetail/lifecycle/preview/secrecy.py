"""What of a change may be shown: the values of Secrets never, and no value of a field that is called like one. Pure."""

import json
import re
from typing import Any, Final

from dovetail.lifecycle.preview.field_changes import FieldChange
from dovetail.lifecycle.preview.world import ObjectKey

HIDDEN: Final = "(hidden)"
_LONGEST: Final = 200
_CALLED: Final = re.compile(
    r"pass(word|wd|phrase)?\b|secret|token|credential|api-?key|private-?key|connection-?string", re.I
)
_SAFE_ENDINGS: Final = re.compile(r"(name|ref|namespace|secretKeyRef|path|type|mode|class)$", re.I)


def shown(key: ObjectKey, change: FieldChange) -> tuple[str, str]:
    """Before and after, as texts; hidden where they are nobody's business."""
    if is_secret(key, change):
        return (HIDDEN if change.before is not None else ""), (HIDDEN if change.after is not None else "")
    return _text(change.before), _text(change.after)


def is_secret(key: ObjectKey, change: FieldChange) -> bool:
    """Whether the values may not be shown. A whole item that holds such a field counts as one."""
    if key.kind == "Secret" and not key.group:
        return not change.path.startswith("metadata.labels")
    if _is_called_secret(change.path):
        return True
    return any(_holds_secret(value) for value in (change.before, change.after))


def _is_called_secret(path: str) -> bool:
    last = re.split(r"\.(?![^\[]*\])", path)
    return bool(_CALLED.search(last[-1]) and not _SAFE_ENDINGS.search(last[-1].rstrip('"]'))) or any(
        _CALLED.search(part) for part in last[:-1] if part.startswith("env[")
    )


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(item, str) and _CALLED.search(str(name)) and not _SAFE_ENDINGS.search(str(name)):  # pyright: ignore[reportUnknownArgumentType]
                return True
            if _holds_secret(item):
                return True
        called = str(value.get("name") or "")  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return "value" in value and bool(_CALLED.search(called))
    return isinstance(value, list) and any(_holds_secret(item) for item in value)  # pyright: ignore[reportUnknownVariableType]


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
