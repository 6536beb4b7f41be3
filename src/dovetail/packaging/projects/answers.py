"""What is asked about a new extension, and which answers will do.

The five questions of the published tool (name, category, author, e-mail, URL) have flags of the same meaning; the rest
have defaults that follow from the name. A name that is refused here would be refused by `package`, `publish` or the
cluster later, after work went into it.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dovetail.packaging import names
from dovetail.packaging.projects.errors import InvalidAnswer

Template = Literal["standard", "frontend", "backend", "simple", "app"]
Language = Literal["python", "go"]
Opening = Literal["iframe", "link"]

TEMPLATES: Final[tuple[Template, ...]] = get_args(Template)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
OPENINGS: Final[tuple[Opening, ...]] = get_args(Opening)

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_MOST_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that a project is made from. `chart` is the archive of a Helm chart that becomes a part of it."""

    name: str
    category: str
    author: str
    email: str = ""
    url: str = ""
    template: Template = "standard"
    language: Language = "python"
    opening: Opening = "iframe"
    target: str = ""
    """What a simple extension shows; an app shows a Service of its chart when this is empty."""
    chart: bytes = b""
    service: str = ""
    """The Service of the chart that the page shows: `NAME:PORT`."""
    title: str = ""
    title_zh: str = ""
    description: str = ""
    description_zh: str = ""
    group: str = ""


def check(answers: Answers) -> None:
    """Raises InvalidAnswer for the first answer that will not do."""
    check_name(answers.name)
    check_category(answers.category)
    check_author(answers.author)
    check_email(answers.email)
    check_url("--url", answers.url)
    for option in ("title", "title_zh", "description", "description_zh"):
        _text(f"--{option.replace('_', '-')}", getattr(answers, option))
    if answers.group and not (names.is_subdomain(answers.group, 253) and "." in answers.group):
        raise InvalidAnswer("--group", answers.group, "Use a domain of yours, such as greeter.example.org")
    _page(answers)


def check_name(name: str) -> None:
    """Raises InvalidAnswer."""
    if not names.is_strict_name(name) or not name[0].isalpha():
        raise InvalidAnswer("--name", name, f"Use {names.STRICT_NAME_RULE}, and begin with a letter")


def check_category(category: str) -> None:
    """Raises InvalidAnswer."""
    if not category or not names.is_label_value(category) or category != category.lower():
        raise InvalidAnswer("--category", category, f"Use one of {', '.join(names.CATEGORIES)}, or a word of your own")


def check_email(email: str) -> None:
    """Raises InvalidAnswer."""
    if email and not _EMAIL.fullmatch(email):
        raise InvalidAnswer("--email", email, "Write it like ada@example.org, or leave it out")


def check_url(option: str, url: str) -> None:
    """Raises InvalidAnswer."""
    if url and not names.is_url(url):
        raise InvalidAnswer(option, url, "Write a whole address, such as https://example.org")


def check_author(author: str) -> None:
    """Raises InvalidAnswer."""
    _text("--author", author, needed=True)


def _text(option: str, text: str, *, needed: bool = False) -> None:
    if needed and not text.strip():
        raise InvalidAnswer(option, text, "Say who makes the extension")
    if len(text) > _MOST_TEXT or not text.isprintable() or "{{" in text:
        raise InvalidAnswer(option, text[:40], f"Use one line of at most {_MOST_TEXT} characters, without {{{{")


def _page(answers: Answers) -> None:
    """What a page shows: an address, or a Service of the chart."""
    check_url("--target", answers.target)
    if answers.template == "simple" and not answers.target:
        raise InvalidAnswer("--target", "", "Give the address that the extension shows, such as https://example.org")
    if answers.template == "app" and not answers.chart:
        raise InvalidAnswer("--from", "", "Give the .tgz of the Helm chart that becomes an extension")
    if answers.template != "app" and answers.chart:
        raise InvalidAnswer("--from", "a chart", "A chart belongs to --template app")
    if answers.template == "app" and not (answers.service or answers.target):
        raise InvalidAnswer("--service", "", "Name the Service that the page shows, as NAME:PORT, or give --target")
    if answers.service:
        service_of(answers.service)


def service_of(text: str) -> tuple[str, int]:
    """A Service and its port. Raises InvalidAnswer."""
    name, _, port = text.rpartition(":")
    if not names.is_subdomain(name) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidAnswer("--service", text, "Write it as NAME:PORT, such as grafana:80")
    return name, int(port)
