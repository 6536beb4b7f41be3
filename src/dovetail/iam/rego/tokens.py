"""The words of a Rego module. Positions matter: a line ends a statement, and `a[` is not `a [`."""

import json
import re
from typing import Final, NamedTuple

from dovetail.iam.rego.values import RegoError

MAX_TEXT: Final = 64 * 1024
MAX_TOKENS: Final = 3000

_WORD: Final = re.compile(
    r"(?P<blank>[ \t\r\n]+|\#[^\n]*)"
    r"|(?P<number>(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?)(?![0-9A-Za-z_])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<raw>`[^`]*`)"
    r"|(?P<sign>:=|==|!=|<=|>=|[-=<>+*/%&|.,;:()\[\]{}])"
)


class Token(NamedTuple):
    """`kind` is number, name, string, sign or end; `first` says that it begins a line, `glued` that nothing is before
    it."""

    kind: str
    text: str
    line: int
    first: bool
    glued: bool


def tokens_of(text: str) -> list[Token]:
    """The tokens, and one that says `end`. Raises RegoError."""
    if len(text) > MAX_TEXT:
        raise RegoError(f"the module is longer than {MAX_TEXT} characters")
    found: list[Token] = []
    at, line, first, glued = 0, 1, True, False
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise RegoError(f"line {line}: {text[at]!r} is not expected here")
        kind, word = str(match.lastgroup), match.group()
        if kind == "blank":
            first, glued = first or "\n" in word, False
        else:
            found.append(Token("string" if kind == "raw" else kind, _text(kind, word, line), line, first, glued))
            first, glued = False, True
            if len(found) > MAX_TOKENS:
                raise RegoError(f"the module has more than {MAX_TOKENS} words")
        line += word.count("\n")
        at = match.end()
    return [*found, Token("end", "", line, True, False)]


def _text(kind: str, word: str, line: int) -> str:
    if kind == "raw":
        return word[1:-1]
    if kind != "string":
        return word
    try:
        return str(json.loads(word))
    except ValueError as error:
        raise RegoError(f"line {line}: {word} is not a string") from error
