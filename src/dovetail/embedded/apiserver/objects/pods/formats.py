"""Formats of names, keys, numbers and addresses: why a value is not one, in the words of apimachinery
``util/validation``.

Each function returns the list of texts (none when the value is fine). ``each`` makes field errors of them. What is not
only of pods is in ``names`` and ``metadata``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ..metadata import validate_selector
from ..names import dns_subdomain, port_name, port_number

_LOOSE_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_LOOSE_SUBDOMAIN = rf"{_LOOSE_LABEL}(\.{_LOOSE_LABEL})*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"
_END = r"\Z"

INT32_MAX = (1 << 31) - 1
NOT_NEGATIVE = "must be greater than or equal to 0"
NOT_POSITIVE = "must be greater than zero"
IMMUTABLE = "field is immutable"
EMPTY = "must be non-empty"


def between(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def longest(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def wanted(text: str, pattern: str, *examples: str) -> str:
    """``text`` with examples and the regular expression, with Kubernetes' own commas."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


_LOOSE_SUBDOMAIN_TEXT = wanted(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must start"
    " and end with an alphanumeric character",
    _LOOSE_SUBDOMAIN, "example.com",
)  # fmt: skip


def fits(pattern: str, value: str) -> bool:
    return re.match(pattern + _END, value) is not None


def each(field: str, value: Any, texts: Iterable[str]) -> Iterator[FieldError]:
    """``Invalid value`` for every text."""
    for text in texts:
        yield fe.invalid(field, value, text)


def _limited(value: str, limit: int) -> list[str]:
    return [longest(limit)] if len(value.encode()) > limit else []


def dns_subdomain_with_underscore(value: str) -> list[str]:
    return _limited(value, 253) + ([] if fits(_LOOSE_SUBDOMAIN, value) else [_LOOSE_SUBDOMAIN_TEXT])


def port(value: Any) -> list[str]:
    """A number or a name."""
    return port_name(value) if isinstance(value, str) else port_number(value)


def percent(value: str) -> list[str]:
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return [] if fits(_PERCENT, value) else [wanted(text, _PERCENT, "1%", "93%")]


def config_key(value: str) -> list[str]:
    found = _limited(value, 253)
    if not fits(_CONFIG_KEY, value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        found.append(wanted(text, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        found.append(f"must not be '{value}'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found


def environment_name(value: str) -> list[str]:
    if not value:
        return [f"environment variable name {EMPTY}"]
    if all(" " <= char <= "~" and char != "=" for char in value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def header_name(value: str) -> list[str]:
    text = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [] if fits(_HEADER, value) else [wanted(text, _HEADER, "X-Header-Name")]


def account_id(value: int) -> list[str]:
    """A user or group id."""
    return [] if 0 <= value <= INT32_MAX else [between(0, INT32_MAX)]


def domain_prefixed_path(field: str, value: str) -> Iterator[FieldError]:
    """``example.com/path``, as for the manager of a job."""
    if not value:
        yield fe.required(field)
        return
    domain, slash, path = value.partition("/")
    if not slash or not domain or not path:
        yield fe.invalid(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    yield from each(field, domain, dns_subdomain(domain))
    if not fits(_PATH, path):
        text = f"Invalid path (regex used for validation is '{_PATH}')"
        yield fe.invalid(field, path, text)


def not_negative(field: str, value: int | None) -> Iterator[FieldError]:
    if (value or 0) < 0:
        yield fe.invalid(field, value, NOT_NEGATIVE)


def relative_path(field: str, value: str) -> Iterator[FieldError]:
    """Neither absolute nor with a step back."""
    if value.startswith("/"):
        yield fe.invalid(field, value, "must be a relative path")
    yield from no_step_back(field, value)


def no_step_back(field: str, value: str) -> Iterator[FieldError]:
    if ".." in value.split("/"):
        yield fe.invalid(field, value, "must not contain '..'")


def local_path(field: str, value: str) -> Iterator[FieldError]:
    """A relative path that does not begin with ``..`` either."""
    yield from relative_path(field, value)
    if value.startswith("..") and not value.startswith("../"):
        yield fe.invalid(field, value, "must not start with '..'")


def not_found(field: str, value: Any, detail: str = "") -> FieldError:
    return FieldError("FieldValueNotFound", "Not found", field, fe.show(value), detail)


def selector(value: Mapping[str, Any] | None, field: str) -> Iterator[FieldError]:
    """A ``metav1.LabelSelector``, if there is one."""
    return validate_selector(value, field) if value is not None else iter(())
