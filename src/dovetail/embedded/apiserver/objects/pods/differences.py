"""What changed between two versions of a spec, in the manner of go-cmp: for people, at the end of a message."""

from __future__ import annotations

from typing import Any, cast

import orjson


def difference(old: Any, new: Any) -> str:
    """Changed lines with ``-`` and ``+``, the way to them with indentation."""
    lines: list[str] = []
    _walk(old, new, "", 1, lines)
    return "  {\n" + "".join(lines) + "  }\n"


def _walk(old: Any, new: Any, name: str, depth: int, lines: list[str]) -> None:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        _open(name, "{", depth, lines)
        for key in [*before, *(key for key in after if key not in before)]:
            _walk(before.get(key), after.get(key), key, depth + bool(name), lines)
        _open(name, "},", depth, lines, close=True)
    elif isinstance(old, list) and isinstance(new, list):
        first, second = cast("list[Any]", old), cast("list[Any]", new)
        _open(name, "{", depth, lines)
        for index in range(max(len(first), len(second))):
            _walk(_at(first, index), _at(second, index), f"[{index}]", depth + 1, lines)
        _open(name, "},", depth, lines, close=True)
    else:
        pad = "\t" * depth
        label = f"{name[:1].upper()}{name[1:]}: " if name else ""
        lines.append(f"- {pad}{label}{_text(old)},\n")
        lines.append(f"+ {pad}{label}{_text(new)},\n")


def _open(name: str, bracket: str, depth: int, lines: list[str], *, close: bool = False) -> None:
    if name:
        label = "" if close else f"{name[:1].upper()}{name[1:]}: "
        tabs = "\t" * depth
        lines.append(f"  {tabs}{label}{bracket}\n")


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _text(value: Any) -> str:
    return "nil" if value is None else orjson.dumps(value).decode()
