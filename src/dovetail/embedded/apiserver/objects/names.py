"""Names of all sorts: what is wrong with one, in the words of Kubernetes. Pure.

Every function returns the problems of a text, none when it is valid. Source: apimachinery ``util/validation`` and
``api/validate/content``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

Problems = list[str]

LABEL_FORM, LABEL_1035_FORM = "[a-z0-9]([-a-z0-9]*[a-z0-9])?", "[a-z]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_FORM = f"{LABEL_FORM}(\\.{LABEL_FORM})*"
KEY_FORM = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_WILDCARD_FORM = f"\\*\\.{SUBDOMAIN_FORM}"
_LABEL, _LABEL_1035 = re.compile(f"{LABEL_FORM}\\Z"), re.compile(f"{LABEL_1035_FORM}\\Z")
_SUBDOMAIN, _WILDCARD = re.compile(f"{SUBDOMAIN_FORM}\\Z"), re.compile(f"{_WILDCARD_FORM}\\Z")
_KEY, _VALUE = re.compile(f"{KEY_FORM}\\Z"), re.compile(f"({KEY_FORM})?\\Z")
_PORT = re.compile("[-a-z0-9]+\\Z")


def _expected(sentence: str, form: str, *examples: str) -> str:
    shown = "e.g. " + ", ".join(f"'{examples[0]}'" if not i else f" or '{e}'" for i, e in enumerate(examples))
    return f"{sentence} ({shown}, regex used for validation is '{form}')"


SUBDOMAIN_TEXT = _expected(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    SUBDOMAIN_FORM, "example.com",
)  # fmt: skip
LABEL_TEXT = _expected(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    LABEL_FORM, "my-name", "123-abc",
)  # fmt: skip
LABEL_1035_TEXT = _expected(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    LABEL_1035_FORM, "my-name", "abc-123",
)  # fmt: skip
KEY_TEXT = _expected(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    KEY_FORM, "MyName", "my.name", "123-abc",
)  # fmt: skip
VALUE_TEXT = _expected(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    f"({KEY_FORM})?", "MyValue", "my_value", "12345",
)  # fmt: skip
_WILDCARD_TEXT = _expected(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    _WILDCARD_FORM, "*.example.com",
)  # fmt: skip


def _long(limit: int, unit: str = "bytes") -> str:
    return f"must be no more than {limit} {unit}"


def dns_label(text: str) -> Problems:
    found = [_long(63)] if len(text) > 63 else []
    if not _LABEL.match(text):
        found.append("must not contain dots" if _SUBDOMAIN.match(text) else LABEL_TEXT)
    return found


def dns_1035_label(text: str) -> Problems:
    found = [_long(63, "characters")] if len(text) > 63 else []
    return found if _LABEL_1035.match(text) else [*found, LABEL_1035_TEXT]


def dns_subdomain(text: str) -> Problems:
    found = [_long(253)] if len(text) > 253 else []
    return found if _SUBDOMAIN.match(text) else [*found, SUBDOMAIN_TEXT]


def wildcard_subdomain(text: str) -> Problems:
    found = [_long(253, "characters")] if len(text) > 253 else []
    return found if _WILDCARD.match(text) else [*found, _WILDCARD_TEXT]


def qualified(text: str) -> Problems:
    """A label key: ``name`` or ``example.com/name``."""
    pieces = text.split("/")
    if len(pieces) > 2:
        hint = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {KEY_TEXT}{hint}"]
    found: Problems = []
    name = pieces[-1]
    if len(pieces) == 2:
        found = [f"prefix part {p}" for p in (dns_subdomain(pieces[0]) if pieces[0] else ["must be non-empty"])]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append(f"name part {_long(63)}")
    return found if _KEY.match(name) else [*found, f"name part {KEY_TEXT}"]


def label_value(text: str) -> Problems:
    found = [_long(63)] if len(text) > 63 else []
    return found if _VALUE.match(text) else [*found, VALUE_TEXT]


def path_segment(text: str) -> Problems:
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in text]


def port_name(text: str) -> Problems:
    """A port's name (an IANA service name)."""
    found: Problems = [_long(15, "characters")] if len(text) > 15 else []
    if not _PORT.match(text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text[:1] == "-" or text[-1:] == "-":
        found.append("must not begin or end with a hyphen")
    return found


def port_number(number: int) -> Problems:
    return [] if 1 <= number <= 65535 else ["must be between 1 and 65535, inclusive"]


def ip(text: str) -> Problems:
    """An address in a form that cannot be misread (no leading zeros, no IPv4-mapped IPv6)."""
    return [] if address(text) is not None else ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def cidr(text: str) -> Problems:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return [] if "/" in text else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


_RBAC = "rbac.authorization.k8s.io"
_NAMES: dict[str, Callable[[str], Problems]] = {
    "/namespaces": dns_label, "/services": dns_1035_label,
    f"{_RBAC}/roles": path_segment, f"{_RBAC}/rolebindings": path_segment,
    f"{_RBAC}/clusterroles": path_segment, f"{_RBAC}/clusterrolebindings": path_segment,
}  # fmt: skip


def of_kind(store: str) -> Callable[[str], Problems]:
    """How the objects of a kind may be called. ``store`` is group/plural."""
    return _NAMES.get(store, dns_subdomain)
