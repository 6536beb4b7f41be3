"""Kubernetes' own libraries: url, quantity, ip, cidr, semver, named formats, and the authorizer's methods.

Each kind of value is a small frozen class whose ``cel_type`` is its name in CEL.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from ..objects.names import KEY_FORM, LABEL_1035_FORM, LABEL_FORM, SUBDOMAIN_FORM
from ..quantities import QuantityMalformed
from ..quantities import value as quantity_of
from .errors import CelEvaluationError
from .functions import binary, define, unary
from .values import INT_MAX, INT_MIN, Optional, Quantity

# -- url


@dataclass(frozen=True, slots=True)
class Url:
    cel_type: ClassVar[str] = "kubernetes.URL"
    parts: SplitResult


def _url(text: str) -> Url:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise CelEvaluationError(f'URL parse error during conversion from string: parse "{text}": {error}') from error
    if not (parts.scheme or text.startswith("/")) or re.search(r"[\x00-\x20\x7f]", text):
        raise CelEvaluationError(
            f'URL parse error during conversion from string: parse "{text}": invalid URI for request'
        )
    return Url(parts)


def _succeeds(parse: Callable[..., Any]) -> Callable[..., bool]:
    def call(*args: Any) -> bool:
        try:
            parse(*args)
        except CelEvaluationError:
            return False
        return True

    return call


define("url(string): URL")(_url)
define("isURL(string): bool")(_succeeds(_url))
unary("URL.getScheme(): string")(lambda url: url.parts.scheme)
unary("URL.getHost(): string")(lambda url: url.parts.netloc.rpartition("@")[2])
unary("URL.getHostname(): string")(lambda url: re.sub(r":\d*\Z", "", url.parts.netloc.rpartition("@")[2]).strip("[]"))
unary("URL.getPort(): string")(lambda url: str(url.parts.port) if url.parts.port is not None else "")
unary("URL.getEscapedPath(): string")(lambda url: url.parts.path)
unary("URL.getQuery(): map<string, list<string>>")(lambda url: parse_qs(url.parts.query, keep_blank_values=True))

# -- quantity


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantity_of(text))
    except QuantityMalformed as error:
        raise CelEvaluationError(str(error)) from error


def _whole(quantity: Quantity) -> int:
    number = quantity.amount
    if number != number.to_integral_value() or not INT_MIN <= number <= INT_MAX:
        raise CelEvaluationError("cannot convert value to integer")
    return int(number)


def _sum(sign: int) -> Callable[[Quantity, Quantity | int], Quantity]:
    def call(left: Quantity, right: Quantity | int) -> Quantity:
        amount = right.amount if isinstance(right, Quantity) else Decimal(int(right))
        return Quantity(left.amount + sign * amount)

    return call


define("quantity(string): Quantity")(_quantity)
define("isQuantity(string): bool")(_succeeds(_quantity))
define("Quantity.isInteger(): bool")(_succeeds(_whole))
define("Quantity.asInteger(): int")(_whole)
unary("Quantity.asApproximateFloat(): double")(lambda quantity: float(quantity.amount))
unary("Quantity.sign(): int")(lambda quantity: (quantity.amount > 0) - (quantity.amount < 0))
define("Quantity.add(Quantity): Quantity", "Quantity.add(int): Quantity")(_sum(1))
define("Quantity.sub(Quantity): Quantity", "Quantity.sub(int): Quantity")(_sum(-1))
binary("Quantity.isGreaterThan(Quantity): bool")(lambda left, right: left.amount > right.amount)
binary("Quantity.isLessThan(Quantity): bool")(lambda left, right: left.amount < right.amount)
binary("Quantity.compareTo(Quantity): int")(
    lambda left, right: (left.amount > right.amount) - (left.amount < right.amount)
)

# -- ip and cidr


@dataclass(frozen=True, slots=True)
class Ip:
    cel_type: ClassVar[str] = "net.IP"
    address: ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Cidr:
    cel_type: ClassVar[str] = "net.CIDR"
    interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _ip(text: str) -> Ip:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise CelEvaluationError(f'IP Address "{text}" parse error during conversion from string: {error}') from error
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise CelEvaluationError(f'IP Address "{text}" with zone or IPv4-mapped IPv6 address is not allowed')
    return Ip(address)


def _cidr(text: str) -> Cidr:
    if not re.fullmatch(r"[0-9a-fA-F:.]+/\d{1,3}", text):
        raise CelEvaluationError("network address parse error during conversion from string")
    try:
        return Cidr(ipaddress.ip_interface(text))
    except ValueError as error:
        raise CelEvaluationError(f"network address parse error during conversion from string: {error}") from error


def _holds_ip(cidr: Cidr, address: Ip | str) -> bool:
    found = (_ip(address) if isinstance(address, str) else address).address
    return found.version == cidr.interface.version and found in cidr.interface.network


def _holds_cidr(cidr: Cidr, other: Cidr | str) -> bool:
    inner = (_cidr(other) if isinstance(other, str) else other).interface.network
    outer = cidr.interface.network
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    return inner.network_address in outer


define("ip(string): IP")(_ip)
define("isIP(string): bool")(_succeeds(_ip))
unary("ip.isCanonical(string): bool")(lambda text: str(_ip(text).address) == text)
unary("IP.family(): int")(lambda ip: ip.address.version)
unary("IP.isUnspecified(): bool")(lambda ip: ip.address.is_unspecified)
unary("IP.isLoopback(): bool")(lambda ip: ip.address.is_loopback)
unary("IP.isLinkLocalMulticast(): bool")(
    lambda ip: ip.address in ipaddress.ip_network("224.0.0.0/24" if ip.address.version == 4 else "ff02::/16")
)
unary("IP.isLinkLocalUnicast(): bool")(lambda ip: ip.address.is_link_local)
unary("IP.isGlobalUnicast(): bool")(
    lambda ip: not (
        ip.address.is_unspecified or ip.address.is_loopback or ip.address.is_multicast or ip.address.is_link_local
        or str(ip.address) == "255.255.255.255"
    )
)  # fmt: skip
unary("string(IP): string")(lambda ip: str(ip.address))
define("cidr(string): CIDR")(_cidr)
define("isCIDR(string): bool")(_succeeds(_cidr))
define("CIDR.containsIP(IP): bool", "CIDR.containsIP(string): bool")(_holds_ip)
define("CIDR.containsCIDR(CIDR): bool", "CIDR.containsCIDR(string): bool")(_holds_cidr)
unary("CIDR.ip(): IP")(lambda cidr: Ip(cidr.interface.ip))
unary("CIDR.masked(): CIDR")(lambda cidr: Cidr(ipaddress.ip_interface(str(cidr.interface.network))))
unary("CIDR.prefixLength(): int")(lambda cidr: cidr.interface.network.prefixlen)
unary("string(CIDR): string")(lambda cidr: str(cidr.interface))

# -- semver

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z"
)


@dataclass(frozen=True, slots=True)
class Semver:
    """``rank`` orders; build metadata does not count."""

    cel_type: ClassVar[str] = "kubernetes.Semver"
    rank: tuple[Any, ...]


def _semver(text: str, normalize: bool = False) -> Semver:
    match = _SEMVER.match(_normalized(text) if normalize else text)
    if match is None:
        raise CelEvaluationError(f"failed to parse semver: {text!r}")
    numbers = tuple(int(match[index]) for index in (1, 2, 3))
    if match[4] is None:
        return Semver((*numbers, 1, ()))
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in match[4].split("."))
    return Semver((*numbers, 0, parts))


def _normalized(text: str) -> str:
    """``v1.2`` is ``1.2.0`` and ``01.02.03`` is ``1.2.3``."""
    core, mark, rest = re.fullmatch(r"v?([^-+]*)([-+]?)(.*)", text, re.DOTALL).groups()  # pyright: ignore[reportOptionalMemberAccess]
    numbers = [part.lstrip("0") or "0" if part.isdigit() else part for part in core.split(".")]
    return ".".join([*numbers, *["0"] * (3 - len(numbers))]) + mark + rest


define("semver(string): Semver", "semver(string, bool): Semver")(_semver)
define("isSemver(string): bool", "isSemver(string, bool): bool")(_succeeds(_semver))
unary("Semver.major(): int")(lambda version: version.rank[0])
unary("Semver.minor(): int")(lambda version: version.rank[1])
unary("Semver.patch(): int")(lambda version: version.rank[2])
binary("Semver.isGreaterThan(Semver): bool")(lambda left, right: left.rank > right.rank)
binary("Semver.isLessThan(Semver): bool")(lambda left, right: left.rank < right.rank)
binary("Semver.compareTo(Semver): int")(lambda left, right: (left.rank > right.rank) - (left.rank < right.rank))

# -- named formats


@dataclass(frozen=True, slots=True)
class NamedFormat:
    """``problem`` says what is wrong with a text, or "" when nothing is."""

    cel_type: ClassVar[str] = "kubernetes.NamedFormat"
    name: str
    problem: Callable[[str], str]


def _form(name: str, pattern: str, limit: int, text: str) -> NamedFormat:
    matches = re.compile(rf"(?:{pattern})\Z").match

    def problem(value: str) -> str:
        if len(value) > limit:
            return f"must be no more than {limit} characters"
        return "" if matches(value) else f"{text} (regex used for validation is '{pattern}')"

    return NamedFormat(name, problem)


def _checked(name: str, parse: Callable[[str], Any], text: str) -> NamedFormat:
    def problem(value: str) -> str:
        try:
            parse(value)
        except (CelEvaluationError, ValueError, InvalidOperation):
            return text
        return ""

    return NamedFormat(name, problem)


def _base64(value: str) -> None:
    import base64

    base64.b64decode(value, validate=True)


def _stamp(value: str) -> None:
    from .library_standard import timestamp

    timestamp(value)


def _date(value: str) -> None:
    _stamp(value + "T00:00:00Z")


_1123 = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
_QUALIFIED = "name part must consist of alphanumeric characters"
_1123_SUB = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
_1035 = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character"
_FORMATS = (
    _form("dns1123Label", LABEL_FORM, 63, _1123), _form("dns1123Subdomain", SUBDOMAIN_FORM, 253, _1123_SUB),
    _form("dns1035Label", LABEL_1035_FORM, 63, _1035),
    _form("qualifiedName", f"({SUBDOMAIN_FORM}/)?{KEY_FORM}", 317, _QUALIFIED),
    _form("dns1123LabelPrefix", f"{LABEL_FORM}-?", 63, _1123),
    _form("dns1123SubdomainPrefix", rf"{SUBDOMAIN_FORM}[-.]?", 253, _1123_SUB),
    _form("dns1035LabelPrefix", f"{LABEL_1035_FORM}-?", 63, _1035),
    _form("labelValue", f"({KEY_FORM})?", 63, "a valid label must be an empty string or consist of alphanumerics"),
    _form("uuid", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", 36, "does not match the UUID format"),
    _checked("uri", _url, "invalid URI"), _checked("byte", _base64, "invalid base64"),
    _checked("date", _date, "invalid date"), _checked("datetime", _stamp, "invalid datetime"),
)  # fmt: skip
_BY_NAME = {form.name: form for form in _FORMATS}
for _known in _FORMATS:
    define(f"format.{_known.name}(): Format")(partial(_BY_NAME.__getitem__, _known.name))
unary("format.named(string): optional<Format>")(
    lambda name: Optional(_BY_NAME[name], True) if name in _BY_NAME else Optional()
)


@define("Format.validate(string): optional<list<string>>")
def _validate(form: NamedFormat, text: str) -> Optional:
    problem = form.problem(text)
    return Optional([problem], True) if problem else Optional()


# -- authorizer: its values are the caller's own objects, with ``cel_type`` and these methods


def _method(name: str) -> Callable[..., Any]:
    def call(target: Any, *args: str) -> Any:
        return getattr(target, name)(*args)

    return call


_A, _C, _D = "kubernetes.authorization.", "kubernetes.authorization.ResourceCheck", "kubernetes.authorization.Decision"
define(f"{_A}Authorizer.path(string): {_A}PathCheck")(_method("path"))
define(f"{_A}Authorizer.group(string): {_A}GroupCheck")(_method("group"))
define(f"{_A}Authorizer.serviceAccount(string, string): {_A}Authorizer")(_method("service_account"))
define(f"{_A}GroupCheck.resource(string): {_C}")(_method("resource"))
for _field in ("subresource", "namespace", "name"):
    define(f"{_C}.{_field}(string): {_C}")(_method(_field))
define(f"{_C}.fieldSelector(string): {_C}")(_method("field_selector"))
define(f"{_C}.labelSelector(string): {_C}")(_method("label_selector"))
define(f"{_C}.check(string): {_D}", f"{_A}PathCheck.check(string): {_D}")(_method("check"))
define(f"{_D}.allowed(): bool")(_method("allowed"))
define(f"{_D}.errored(): bool")(_method("errored"))
define(f"{_D}.error(): string")(_method("error"))
define(f"{_D}.reason(): string")(_method("reason"))
