"""Formats of names, keys, numbers and addresses: why a value is not one, in the words of apimachinery
``util/validation``.

Each function returns the list of texts (none when the value is fine). ``each`` makes field errors of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LOOSE_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_LOOSE_SUBDOMAIN = rf"{_LOOSE_LABEL}(\.{_LOOSE_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
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


_LABEL_TEXT = wanted(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character",
    _LABEL, "my-name", "123-abc",
)  # fmt: skip
_SUBDOMAIN_TEXT = wanted(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character",
    _SUBDOMAIN, "example.com",
)  # fmt: skip
_LOOSE_SUBDOMAIN_TEXT = wanted(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must start"
    " and end with an alphanumeric character",
    _LOOSE_SUBDOMAIN, "example.com",
)  # fmt: skip
_QUALIFIED_TEXT = wanted(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED, "MyName", "my.name", "123-abc",
)  # fmt: skip
_VALUE_TEXT = wanted(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character",
    _VALUE, "MyValue", "my_value", "12345",
)  # fmt: skip


def fits(pattern: str, value: str) -> bool:
    return re.match(pattern + _END, value) is not None


def each(field: str, value: Any, texts: Iterable[str]) -> Iterator[FieldError]:
    """``Invalid value`` for every text."""
    for text in texts:
        yield fe.invalid(field, value, text)


def _limited(value: str, limit: int) -> list[str]:
    return [longest(limit)] if len(value.encode()) > limit else []


def dns_label(value: str) -> list[str]:
    found = _limited(value, 63)
    if not fits(_LABEL, value):
        found.append("must not contain dots" if fits(_SUBDOMAIN, value) else _LABEL_TEXT)
    return found


def dns_subdomain(value: str) -> list[str]:
    return _limited(value, 253) + ([] if fits(_SUBDOMAIN, value) else [_SUBDOMAIN_TEXT])


def dns_subdomain_with_underscore(value: str) -> list[str]:
    return _limited(value, 253) + ([] if fits(_LOOSE_SUBDOMAIN, value) else [_LOOSE_SUBDOMAIN_TEXT])


def qualified_name(value: str) -> list[str]:
    """``[prefix/]name``: keys of labels, condition types, resource names."""
    found: list[str] = []
    first, *rest = value.split("/")
    if len(rest) > 1:
        return [
            f"a qualified name {_QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/'"
            " (e.g. 'example.com/MyName')"
        ]
    name = rest[0] if rest else first
    if rest:
        found += [f"prefix part {EMPTY}"] if not first else [f"prefix part {text}" for text in dns_subdomain(first)]
    if not name:
        found.append(f"name part {EMPTY}")
    elif len(name) > 63:
        found.append(f"name part {longest(63)}")
    if not fits(_QUALIFIED, name):
        found.append(f"name part {_QUALIFIED_TEXT}")
    return found


def label_value(value: str) -> list[str]:
    return _limited(value, 63) + ([] if fits(_VALUE, value) else [_VALUE_TEXT])


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [between(1, 65535)]


def port_name(value: str) -> list[str]:
    found = _limited(value, 15)
    if not fits("[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        found.append("must not begin or end with a hyphen")
    return found


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


def address(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


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


def labels(values: Mapping[str, str], field: str) -> Iterator[FieldError]:
    """Keys and values, in the order of the keys (Kubernetes has none)."""
    for key in sorted(values):
        yield from each(field, key, qualified_name(key))
        yield from each(field, values[key], label_value(values[key]))


def annotation_format(values: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for key in sorted(values):
        yield from each(field, key, qualified_name(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in values.items()) > 256 * 1024:
        yield fe.too_long(field, 256 * 1024)


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
    """A ``metav1.LabelSelector``."""
    if value is None:
        return
    yield from labels(part(value, "matchLabels"), f"{field}.matchLabels")
    for index, item in enumerate(parts(value, "matchExpressions")):
        where, values = f"{field}.matchExpressions[{index}]", parts(item, "values")
        operator = item.get("operator", "")
        if operator in ("In", "NotIn"):
            if not values:
                yield fe.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield fe.forbidden(f"{where}.values", text)
        else:
            yield fe.invalid(f"{where}.operator", operator, "not a valid selector operator")
        yield from each(f"{where}.key", item.get("key", ""), qualified_name(item.get("key", "")))
        for at, text in enumerate(values):
            yield from each(f"{where}.values[{at}]", text, label_value(text))
