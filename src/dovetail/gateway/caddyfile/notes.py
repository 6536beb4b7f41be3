"""Notes: what an import has to say about a line that did not become, or not quite became, part of an object."""

from typing import Literal

import msgspec

Effect = Literal["left out", "differs"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A line, what stood there, and why it is left out or means something else here."""

    line: int
    directive: str
    effect: Effect
    why: str

    def __str__(self) -> str:
        return f"{self.line}: {self.directive}: {self.effect}: {self.why}"


class Notes:
    """Gathers notes while a file is read."""

    def __init__(self) -> None:
        self.found: list[Note] = []

    def left_out(self, line: int, directive: str, why: str) -> None:
        self._add(line, directive, "left out", why)

    def differs(self, line: int, directive: str, why: str) -> None:
        self._add(line, directive, "differs", why)

    def _add(self, line: int, directive: str, effect: Effect, why: str) -> None:
        self.found.append(Note(line=line, directive=directive, effect=effect, why=why))
