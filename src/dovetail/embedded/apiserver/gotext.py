"""Values in the words of Go's ``fmt``, as kube-apiserver's errors quote them. Pure."""

from __future__ import annotations

from typing import Any, cast

_SHORT = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def quoted(text: str) -> str:
    """``%q``, which is ``strconv.Quote``: what cannot be printed is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if text.isprintable() else f'"{"".join(map(_escaped, escaped))}"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    named = f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(char, named)


def plain(value: Any) -> str:
    """``%v``: ``map[a:1 b:[x y]]``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return "map[" + " ".join(f"{key}:{plain(fields[key])}" for key in sorted(fields)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(plain(item) for item in cast("list[Any]", value)) + "]"
    return "<nil>" if value is None else str(value)
