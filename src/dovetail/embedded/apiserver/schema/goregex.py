"""Go regular expressions (RE2) in Python's ``re``.

The dialects agree on what schemas use, but for the end of the text: Go's ``$`` matches only there, Python's also
before a final newline. ``translate`` rewrites it outside of character classes. Raises ValueError for what Python
cannot express.
"""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=512)
def translate(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile("".join(_pieces(pattern)))
    except re.error as error:
        raise ValueError(str(error)) from error


def _pieces(pattern: str) -> list[str]:
    pieces: list[str] = []
    in_class, index = False, 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and index + 1 < len(pattern):
            pair = pattern[index : index + 2]
            pieces.append(r"\Z" if pair == r"\z" and not in_class else pair)
            index += 2
            continue
        if char == "[" and in_class:
            end = pattern.find(":]", index) if pattern.startswith("[:", index) else -1
            pieces.append(_posix(pattern[index : end + 2]) if end > 0 else r"\[")
            index = end + 2 if end > 0 else index + 1
            continue
        if char == "[":
            in_class = True
            if pattern[index + 1 : index + 2] == "]" or pattern[index + 1 : index + 3] == "^]":
                skip = pattern.index("]", index) + 1
                pieces.append(pattern[index : skip - 1] + r"\]")
                index = skip
                continue
        elif char == "]":
            in_class = False
        pieces.append(r"\Z" if char == "$" and not in_class else char)
        index += 1
    return pieces


_POSIX = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:lower:]": "a-z", "[:upper:]": "A-Z",
    "[:space:]": r"\s", "[:word:]": r"\w", "[:xdigit:]": "0-9A-Fa-f", "[:punct:]": r"!-/:-@\[-`{-~",
}  # fmt: skip


def _posix(name: str) -> str:
    if name not in _POSIX:
        raise ValueError(f"invalid character class range: `{name}`")
    return _POSIX[name]
