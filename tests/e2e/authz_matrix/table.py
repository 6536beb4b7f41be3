"""The table of verdicts: read, and asked.

A line is `METHODS PATTERN [@place]: callers`. In a pattern `*` is one segment, `**` any number of them, `{a,b}` either;
`{}` is a parameter. The first line that fits counts. `READ` is GET, `WRITE` is POST, PUT, PATCH and DELETE.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.authz_matrix.callers import CALLERS
from tests.e2e.authz_matrix.endpoints import Endpoint

PATH = Path(__file__).with_name("verdicts.yaml")
_METHODS = {
    "READ": ("GET",), "WRITE": ("POST", "PUT", "PATCH", "DELETE"), "ANY": ("GET", "POST", "PUT", "PATCH", "DELETE"),
}  # fmt: skip
_TOKEN = re.compile(r"\*\*|\*|\{\}|\{[^{}]+\}|[^*{}]+")


@dataclass(frozen=True)
class Line:
    """One verdict."""

    text: str
    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    place: str
    may: frozenset[str]

    def fits(self, endpoint: Endpoint) -> bool:
        path = re.sub(r"\{[^}]+\}", "{}", endpoint.path)
        return (
            endpoint.method in self.methods
            and self.place in ("", endpoint.place)
            and self.pattern.fullmatch(path) is not None
        )


def read_table(text: str | None = None) -> list[Line]:
    """The lines of the table in their order."""
    table = yaml.safe_load(PATH.read_text() if text is None else text)
    sets: Mapping[str, list[str]] = table["sets"]
    return [_line(key, value, sets) for entry in table["verdicts"] for key, value in entry.items()]


def _line(key: str, value: Any, sets: Mapping[str, list[str]]) -> Line:
    words = key.split()
    place = words.pop().removeprefix("@") if words[-1].startswith("@") else ""
    methods = tuple(one for name in words[0].split("|") for one in _METHODS.get(name, (name,)))
    may = frozenset(one for name in _names(value) for one in sets.get(name, [name]))
    unknown = may - set(CALLERS)
    assert not unknown, f"{key}: no caller is called {unknown}"
    return Line(key, methods, re.compile(_regexp(words[1])), place, may)


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _regexp(pattern: str) -> str:
    made = ""
    for token in _TOKEN.findall(pattern):
        if token == "**":
            made += ".*"
        elif token == "*":
            made += "[^/]+"
        elif token == "{}":
            made += r"\{\}"
        elif token.startswith("{"):
            made += "(?:" + "|".join(map(re.escape, token[1:-1].split(","))) + ")"
        else:
            made += re.escape(token)
    return made
