"""Source text to tokens, with the errors of CEL's grammar.

A token is ``(kind, text, offset, value)``: kinds are ``int uint double string bytes ident quoted op end``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .errors import Problem

LIMIT = 100_000
"""Code points of one expression, as in cel-go."""

_STRING = (
    r"(?P<prefix>[rRbB]{0,2})(?P<body>\"\"\"(?:(?!\"\"\")(?:\\.|[^\\]))*\"\"\"|'''(?:(?!''')(?:\\.|[^\\]))*'''"
    r"|\"(?:\\.|[^\"\\\n\r])*\"|'(?:\\.|[^'\\\n\r])*')"
)
_RAW = r"(?P<rawprefix>[bB]?[rR][bB]?)(?P<rawbody>\"\"\"(?:.|\n)*?\"\"\"|'''(?:.|\n)*?'''|\"[^\"\n\r]*\"|'[^'\n\r]*')"
_TOKEN = re.compile(
    rf"(?P<space>[ \t\r\n\f]+|//[^\n]*)|{_RAW}|{_STRING}"
    r"|(?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<number>(?:0x[0-9a-fA-F]+|\d+)[uU]?)|(?P<ident>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>`[A-Za-z0-9_.\-/ ]+`)"
    r"|(?P<op>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.?))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_INT_MAX = (1 << 63) - 1


@dataclass(slots=True, frozen=True)
class Token:
    kind: str
    text: str
    at: int
    value: Any = None


def tokens(source: str) -> list[Token]:
    """Raises Problem."""
    if len(source) > LIMIT:
        raise Problem(0, f"expression code point size exceeds limit: size: {len(source)}, limit {LIMIT}")
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise Problem(at, f"Syntax error: token recognition error at: '{source[at : at + 1]}'")
        if match["space"] is None:
            found.append(_token(match, at))
        at = match.end()
    found.append(Token("end", "<EOF>", len(source)))
    return found


def _token(match: re.Match[str], at: int) -> Token:
    text = match[0]
    if match["rawbody"] is not None:
        inner = _inside(match["rawbody"])
        if "b" in match["rawprefix"].lower():
            return Token("bytes", text, at, inner.encode())
        return Token("string", text, at, inner)
    if match["body"] is not None:
        if "b" in match["prefix"].lower():
            return Token("bytes", text, at, _bytes(_inside(match["body"]), at))
        return Token("string", text, at, _unescape(_inside(match["body"]), at))
    if match["double"] is not None:
        return Token("double", text, at, float(text))
    if match["number"] is not None:
        return _number(text, at)
    if match["ident"] is not None:
        return Token("ident", text, at)
    if match["quoted"] is not None:
        return Token("quoted", text[1:-1], at)
    return Token("op", text, at)


def _inside(body: str) -> str:
    return body[3:-3] if len(body) >= 6 and body[:3] in ('"""', "'''") else body[1:-1]


def _number(text: str, at: int) -> Token:
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    value = int(digits, 16) if digits[:2] == "0x" else int(digits)
    if value > (2 * _INT_MAX + 1 if unsigned else _INT_MAX + 1):
        raise Problem(at, f"invalid {'uint' if unsigned else 'int'} literal")
    return Token("uint" if unsigned else "int", text, at, value)


def _unescape(text: str, at: int) -> str:
    def one(match: re.Match[str]) -> str:
        simple, byte, four, eight, octal, other = match.groups()
        if simple is not None:
            return _SIMPLE.get(simple, simple)
        if other is not None:
            raise Problem(at, "unable to unescape string")
        code = int(byte or four or eight, 16) if octal is None else int(octal, 8)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise Problem(at, "invalid unicode code point")
        return chr(code)

    return _ESCAPE.sub(one, text) if "\\" in text else text


def _bytes(text: str, at: int) -> bytes:
    """In bytes, ``\\x`` and octal escapes are single bytes."""
    parts: list[bytes] = []
    last = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[last : match.start()].encode())
        _, byte, _, _, octal, _ = match.groups()
        if byte is not None or octal is not None:
            parts.append(bytes([int(byte, 16) if byte is not None else int(octal, 8)]))
        else:
            parts.append(_unescape(match[0], at).encode())
        last = match.end()
    parts.append(text[last:].encode())
    return b"".join(parts)
