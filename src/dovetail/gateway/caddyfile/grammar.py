"""The grammar of Caddyfiles, version 1 and 2: text in, directives out. Pure.

    file      = { snippet | site } | body          a file that begins with a directive is one site without an address
    site      = address { [","] address } ( "{" newline body "}" | newline body )
    snippet   = "(" name ")" "{" newline body "}"
    body      = { directive newline }
    directive = word { word } [ "{" newline body "}" ]

Words are separated by blanks; `"..."` (with `\\"`) and `` `...` `` make one word of several and may span lines; `#` at
the start of a word begins a comment; a backslash at the end of a line joins it with the next. `import name` puts a
snippet's body in its place. The listing that the 2.x documentation prints has lost its first line, the address, so a
last `}` that closes nothing is let pass there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dovetail.gateway.caddyfile.errors import CaddyfileError

MAX_TEXT: Final = 1 << 20
MAX_DEPTH: Final = 16
MAX_DIRECTIVES: Final = 10_000
_QUOTES: Final = ('"', "`")
DIRECTIVES: Final = frozenset((
    "authenticate", "authentication", "basic_auth", "basicauth", "bind", "browse", "encode", "errors", "ext",
    "fastcgi", "file_server", "forward_auth", "gzip", "handle", "handle_errors", "handle_path", "header", "import",
    "index", "internal", "invoke", "limits", "log", "map", "markdown", "method", "mime", "php_fastcgi", "pprof",
    "proxy", "push", "redir", "request_body", "request_header", "respond", "reverse_proxy", "rewrite", "root",
    "route", "server_name", "shutdown", "startup", "status", "swagger", "templates", "timeouts", "tls", "try_files",
    "uri", "vars", "websocket",
))  # fmt: skip
"""Words that begin a directive and are no address."""
GLOBAL: Final = "{}"
"""The address of version 2's block of options for the whole server."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word and the line it begins on. A quoted word is never a brace."""

    text: str
    line: int
    quoted: bool = False

    def is_brace(self, brace: str) -> bool:
        return self.text == brace and not self.quoted


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive with its arguments and, if it has one, its block."""

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple["Directive", ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, *self.args))


@dataclass(frozen=True, slots=True)
class Site:
    """What is served under some addresses; without any in a file that is one body."""

    addresses: tuple[str, ...]
    line: int
    directives: tuple[Directive, ...]


def parse(text: str, file: str = "Caddyfile") -> tuple[Site, ...]:
    """The sites of a Caddyfile. Raises CaddyfileError with the file and the line."""
    if len(text) > MAX_TEXT:
        raise CaddyfileError(file, 1, f"the file has more than {MAX_TEXT:,} characters")
    return _Parser(_lines(list(_words(text, file))), file).file_()


def _words(text: str, file: str) -> Iterator[Word]:
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char == "\n":
            line += 1
        if char.isspace() or char == "\ufeff":
            at += 1
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
            yield Word("", 0)  # the next word belongs to the line before
        elif char == "#":
            end = text.find("\n", at)
            at = end if end >= 0 else len(text)
        elif char in _QUOTES:
            start = at
            word, at = _quoted(text, start, line, file)
            yield Word(word, line, quoted=True)
            line += text.count("\n", start, at)
        else:
            end = at
            while end < len(text) and not text[end].isspace():
                end += 1
            yield Word(text[at:end], line)
            at = end


def _quoted(text: str, start: int, line: int, file: str) -> tuple[str, int]:
    quote, at, found = text[start], start + 1, ""
    while at < len(text):
        if quote == '"' and text.startswith('\\"', at):
            found, at = found + '"', at + 2
        elif text[at] == quote:
            return found, at + 1
        else:
            found, at = found + text[at], at + 1
    raise CaddyfileError(file, line, f"a word in {quote} is not closed")


def _lines(words: list[Word]) -> list[list[Word]]:
    """Words by line; a joined line belongs to the one before. A quoted word counts by the line it begins on."""
    lines: list[list[Word]] = []
    joined = False
    for word in words:
        if not word.line:
            joined = True
        elif lines and (joined or lines[-1][-1].line == word.line or _ends_on(lines[-1][-1]) == word.line):
            lines[-1].append(word)
            joined = False
        else:
            lines.append([word])
            joined = False
    return lines


def _ends_on(word: Word) -> int:
    return word.line + word.text.count("\n")


class _Parser:
    def __init__(self, lines: list[list[Word]], file: str) -> None:
        self.lines, self.file, self.at = lines, file, 0
        self.snippets: dict[str, tuple[Directive, ...]] = {}
        self.count = 0

    def file_(self) -> tuple[Site, ...]:
        if self.lines and self.lines[0][0].text in DIRECTIVES:
            body = self._body(0, whole=True)
            self._stray_end()
            return (Site((), 1, body),)
        sites: list[Site] = []
        while self.at < len(self.lines):
            if site := self._site():
                sites.append(site)
        return tuple(sites)

    def _fail(self, line: int, why: str) -> CaddyfileError:
        return CaddyfileError(self.file, line, why)

    def _stray_end(self) -> None:
        rest = self.lines[self.at :]
        if len(rest) > 1 or (rest and [word.text for word in rest[0]] != ["}"]):
            raise self._fail(rest[0][0].line, "this } closes nothing")

    def _site(self) -> Site | None:
        line = self.lines[self.at]
        first = line[0]
        if first.is_brace("}"):
            raise self._fail(first.line, "this } closes nothing")
        names = [word.text.rstrip(",") for word in line if not word.is_brace("{")]
        while line[-1].text.endswith(",") and self.at + 1 < len(self.lines):
            self.at += 1
            line = self.lines[self.at]
            names += [word.text.rstrip(",") for word in line if not word.is_brace("{")]
        self.at += 1
        braced = line[-1].is_brace("{")
        body = self._body(1, whole=not braced)
        if braced:
            self._close(first.line)
        if names and names[0].startswith("(") and names[0].endswith(")"):
            self.snippets[names[0][1:-1]] = body
            return None
        return Site((GLOBAL,) if first.is_brace("{") else tuple(name for name in names if name), first.line, body)

    def _close(self, opened: int) -> None:
        if self.at >= len(self.lines):
            raise self._fail(opened, "the block that begins here is not closed")
        if len(self.lines[self.at]) > 1:
            raise self._fail(self.lines[self.at][1].line, "nothing may follow a } on its line")
        self.at += 1

    def _body(self, depth: int, *, whole: bool = False) -> tuple[Directive, ...]:
        """Directives until the block, or with `whole` the file, ends; the brace is left where it is."""
        found: list[Directive] = []
        while self.at < len(self.lines) and not self.lines[self.at][0].is_brace("}"):
            found += self._directive(depth)
        if whole and depth and self.at < len(self.lines):
            raise self._fail(self.lines[self.at][0].line, "this } closes nothing")
        return tuple(found)

    def _directive(self, depth: int) -> tuple[Directive, ...]:
        line = self.lines[self.at]
        first = line[0]
        self.at += 1
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_DIRECTIVES:
            raise self._fail(first.line, f"more than {MAX_DEPTH} nested blocks, or {MAX_DIRECTIVES:,} directives")
        if first.is_brace("{"):
            raise self._fail(first.line, "a block needs a directive in front of it, on the same line")
        block: tuple[Directive, ...] = ()
        args = line[1:]
        if args and args[-1].is_brace("{"):
            args = args[:-1]
            block = self._body(depth + 1)
            self._close(first.line)
        for word in args:
            if word.is_brace("{") or word.is_brace("}"):
                raise self._fail(word.line, f"{word.text} must stand at the end of the line, or be in quotes")
        directive = Directive(first.text, tuple(word.text for word in args), first.line, block)
        return self._imported(directive) if first.text == "import" else (directive,)

    def _imported(self, directive: Directive) -> tuple[Directive, ...]:
        """The snippet's body; a file that is not at hand stays an `import`, to be told."""
        body = self.snippets.get(directive.args[0]) if directive.args else None
        if body is None:
            return (directive,)
        self.count += len(body)
        return body
