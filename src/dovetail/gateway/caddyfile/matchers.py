"""Which requests a directive is for: Caddy's path matchers in this gateway's terms. Pure.

Version 1 has path prefixes without a border (`/api` takes `/apixyz`); here a prefix ends at a segment border. The one
place where somebody relied on that is `/api`, which stood for `/apis` as well; so it still does.
Version 2 has exact paths, `/a/*`, and named matchers (`@name`), of which path and method are understood.
"""

from dataclasses import dataclass
from typing import Final

from dovetail.gateway.caddyfile.grammar import Directive
from dovetail.routing.paths import is_below


@dataclass(frozen=True, slots=True)
class Matcher:
    """Patterns as a ReverseProxy writes them, and a method; no patterns: every request."""

    patterns: tuple[str, ...] = ()
    method: str = ""

    @property
    def bases(self) -> tuple[str, ...]:
        """The literal paths in front of the stars."""
        return tuple(pattern.partition("*")[0].rstrip("/") for pattern in self.patterns) or ("",)

    def covers(self, other: "Matcher") -> bool:
        """Whether it takes all that the other takes, by their paths."""
        if self.method and self.method != other.method:
            return False
        return all(any(self._holds(place, base) for place in range(len(self.bases))) for base in other.bases)

    def _holds(self, place: int, base: str) -> bool:
        mine = self.bases[place]
        whole = not self.patterns or self.patterns[place].endswith("*")
        return (is_below(base, mine) if whole else base == mine) if mine else True


ALL: Final = Matcher()


def prefix(path: str) -> Matcher:
    """Version 1: everything below a path."""
    base = path.rstrip("/")
    if path == "/api":
        return Matcher(("/api/*", "/apis/*"))
    return Matcher((f"{base}/*",)) if base else ALL


def patterns_of(words: tuple[str, ...]) -> Matcher:
    """Version 2: path matchers as written."""
    if any(word in ("*", "/*") for word in words):
        return ALL
    return Matcher(words)


def named(directives: tuple[Directive, ...]) -> dict[str, Matcher | None]:
    """The named matchers of a body; None for one that asks for more than path and method."""
    found: dict[str, Matcher | None] = {}
    for directive in directives:
        if directive.name.startswith("@"):
            tests = directive.block
            if directive.args:
                tests = (Directive(directive.args[0], directive.args[1:], directive.line), *tests)
            found[directive.name] = _of_tests(tests)
    return found


def _of_tests(tests: tuple[Directive, ...]) -> Matcher | None:
    paths: tuple[str, ...] = ()
    method = ""
    for test in tests:
        if test.name == "path":
            paths += test.args
        elif test.name == "method" and len(test.args) == 1:
            method = test.args[0].upper()
        else:
            return None
    found = patterns_of(paths) if paths else ALL
    return Matcher(found.patterns, method)


def take(args: tuple[str, ...], known: dict[str, Matcher | None]) -> tuple[Matcher | None, tuple[str, ...]]:
    """Version 2: the matcher that a directive's arguments begin with, if they do, and the other arguments."""
    if args and args[0].startswith("@"):
        return known.get(args[0]), args[1:]
    if args and (args[0].startswith("/") or args[0] == "*" or args[0].startswith("*.")):
        return patterns_of(args[:1]), args[1:]
    return ALL, args
