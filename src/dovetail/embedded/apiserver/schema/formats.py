"""The string formats that custom resource schemas may demand; unknown formats are not checked, as in Kubernetes.

The rules are those of kube-openapi's strfmt, which follows Go's own parsers and the govalidator library.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from urllib.parse import urlsplit

from ..objects.names import LABEL_FORM, SUBDOMAIN_FORM

Check = Callable[[str], bool]

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([Tt ](\d\d):(\d\d)(:\d\d)?([.,]\d+)?([Zz]|[+-]\d\d:?\d\d)?)?\Z")
_DURATION = re.compile(
    r"[+-]?((\d+(\.\d*)?|\.\d+)\s*(ns|nano(second)?s?|us|µs|μs|micro(second)?s?|ms|milli(second)?s?"
    r"|s|sec(ond)?s?|m|min(ute)?s?|h|hr|hours?|d|days?|w|wk|weeks?)\s*)+\Z|[+-]?0\Z"
)
_HOST_PART = r"[0-9A-Za-z\u00a1-\uffff]([-0-9A-Za-z\u00a1-\uffff]{0,61}[0-9A-Za-z\u00a1-\uffff])?"
_BYTE_OCTET = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_CARD = re.compile(
    r"(4\d{12}(\d{3})?|5[1-5]\d{14}|(222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|6(011|5\d\d)\d{12}|3[47]\d{13}"
    r"|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11}|6[27]\d{14})\Z"
)


def _matches(pattern: str, limit: int = 0) -> Check:
    compiled = re.compile(rf"(?:{pattern})\Z")
    return lambda text: (not limit or len(text) <= limit) and compiled.match(text) is not None


def _parses(parse: Callable[[str], object]) -> Check:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _uri(text: str) -> bool:
    """Go's ``url.ParseRequestURI``: absolute, or an absolute path."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.scheme or text.startswith("/")) and not re.search(r"[\x00-\x20\x7f]|%(?![0-9A-Fa-f]{2})", text)


def _email(text: str) -> bool:
    address = parseaddr(text)[1]
    name, at, domain = address.rpartition("@")
    return bool(at and name and domain) and " " not in address and "\n" not in text


def _date_time(text: str) -> bool:
    match = _DATE_TIME.match(text)
    if match is None or not _is_date(match[1]):
        return False
    return match[2] is None or (int(match[3]) < 24 and int(match[4]) < 60)


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and _parses(date.fromisoformat)(text)


def _mac(text: str) -> bool:
    """Go's ``net.ParseMAC``: 6, 8 or 20 octets."""
    octets = re.fullmatch(r"([0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2}(?:\2[0-9A-Fa-f]{2})*))", text)
    if octets is not None:
        return len(re.split("[:-]", text)) in (6, 8, 20)
    return re.fullmatch(r"[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4})+", text) is not None and len(text) in (14, 19, 49)


def _cidr(text: str) -> bool:
    return re.search(r"/\d+\Z", text) is not None and _parses(lambda found: ipaddress.ip_network(found, strict=False))(
        text
    )


def _digits(text: str) -> str:
    return re.sub(r"[\s-]+", "", text)


def _isbn10(text: str) -> bool:
    digits = _digits(text)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((index + 1) * (10 if char == "X" else int(char)) for index, char in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = _digits(text)
    if not re.fullmatch(r"\d{13}", digits):
        return False
    return sum((3 if index % 2 else 1) * int(char) for index, char in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not _CARD.match(digits):
        return False
    doubled = (int(char) * (1 + index % 2) for index, char in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _uuid(third: str, fourth: str) -> Check:
    h = "[0-9a-fA-F]"
    return _matches(
        f"{h}{{8}}-?{h}{{4}}-?{third}{h}{{{4 - bool(third)}}}-?{fourth}{h}{{{4 - bool(fourth)}}}-?{h}{{12}}"
    )


CHECKS: dict[str, Check] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "byte": _matches(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"),
    "cidr": _cidr,
    "creditcard": _credit_card,
    "date": _is_date,
    "date-time": _date_time,
    "datetime": _date_time,
    "duration": lambda text: _DURATION.match(text) is not None,
    "email": _email,
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": _matches(rf"{_HOST_PART}(\.{_HOST_PART})*", 255),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8s-long-name": _matches(SUBDOMAIN_FORM, 253),
    "k8s-short-name": _matches(LABEL_FORM, 63),
    "mac": _mac,
    "rgbcolor": _matches(rf"rgb\({_BYTE_OCTET},{_BYTE_OCTET},{_BYTE_OCTET}\)"),
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _uri,
    "uuid": _uuid("", ""),
    "uuid3": _uuid("3", ""),
    "uuid4": _uuid("4", "[89abAB]"),
    "uuid5": _uuid("5", "[89abAB]"),
}
