"""What a diagnosis is made of: causes as kinds of trouble with their words, findings as trouble that was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

LANGUAGES = ("en", "zh")


class Ref(NamedTuple):
    """An object. `kind` carries its group where several groups have the kind."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Severity(IntEnum):
    """A NOTE is no problem: it says why something is quiet."""

    PROBLEM = 0
    WARNING = 1
    NOTE = 2


class Words(NamedTuple):
    """What is wrong, and the way out; both are templates over a finding's details and `{subject}`."""

    what: str
    way: str


@dataclass(frozen=True)
class Cause:
    """A kind of trouble. Of several at one object the one with the lowest `depth` is nearest to the root."""

    code: str
    en: Words
    zh: Words
    severity: Severity = Severity.PROBLEM
    depth: int = 50

    def words(self, language: str) -> Words:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class Evidence:
    """Where it was read, and what stood there."""

    where: str
    said: str


@dataclass(frozen=True)
class Retry:
    """The one action there is: a new value of the annotation with which a user asks for another attempt."""

    of: Ref


@dataclass(frozen=True)
class Finding:
    """Trouble that was seen. `breaks` are objects that it breaks beyond what `links` knows."""

    cause: Cause
    subject: Ref
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    breaks: tuple[Ref, ...] = ()
    commands: tuple[str, ...] = ()
    action: Retry | None = None

    def says(self, language: str) -> Words:
        """What is wrong and the way out, in a language."""
        told = {name: printable(value) for name, value in self.details.items()}
        filled = _Details({"name": self.subject.name, **told, "subject": str(self.subject)})
        words = self.cause.words(language)
        return Words(words.what.format_map(filled).strip(), words.way.format_map(filled).strip())


class _Details(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


_MOST_SAID = 600


def printable(text: str) -> str:
    """On one line, without anything that a terminal would take for an order."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def evidence(where: Ref | str, said: object) -> Evidence:
    """Evidence on one line, cut where nobody reads on."""
    text = printable(str(said))
    return Evidence(str(where), text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]} ...")


def cause(
    code: str, en: tuple[str, str], zh: tuple[str, str], *, severity: Severity = Severity.PROBLEM, depth: int = 50
) -> Cause:
    """A cause with its words."""
    return Cause(code, Words(*en), Words(*zh), severity, depth)
