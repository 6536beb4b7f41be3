"""What an unquoted YAML 1.1 scalar means to the published tools, and how they write a number as text.

`resolve` is their reading: yes, on and y are booleans, 010 is eight, 1_000 a thousand, dates stay text. `text_of` is
what becomes of a number or boolean where text is wanted, such as `version: 1.10`, which turns into "1.1"
(reference/ksbuilder.md 2.3). Held against Helm itself by tests/packaging/test_against_helm.py.
"""

import math
import re
import struct
from datetime import date
from decimal import Decimal
from typing import Final

_TRUE: Final = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE: Final = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_SPECIAL_FLOAT: Final = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_LONGEST: Final = 80
"""Characters of an integer that is worth looking at: 64 binary digits with sign and prefix, and then some."""
_INTEGER: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CLOCK: Final = r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?"
_TIMESTAMP: Final = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[Tt]{_CLOCK}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})| {_CLOCK})?\Z"
)


def resolve(text: str) -> str | bool | int | float | None:
    """What an unquoted scalar means. Dates stay text, as they do in the published tools."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _NULL:
        return None
    if text in _SPECIAL_FLOAT:
        return _SPECIAL_FLOAT[text]
    if text[0] not in "+-.0123456789" or is_timestamp(text):
        return text
    return _number(text)


def is_timestamp(text: str) -> bool:
    """Whether a scalar is a date, which stays text but has to be quoted."""
    match = _TIMESTAMP.match(text)
    if match is None:
        return False
    try:
        date(*map(int, match.groups()))
    except ValueError:
        return False
    return True


def _number(text: str) -> str | int | float:
    plain = text.replace("_", "") if text[0] != "." else text
    if len(plain) <= _LONGEST and _INTEGER.match(plain):
        value = _integer(plain)
        if _SMALLEST <= value <= _LARGEST:
            return value
    # A number too large for a double stays text.
    return float(plain) if _FLOAT.match(plain) and not math.isinf(float(plain)) else text


def _integer(plain: str) -> int:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-").lower()
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") else 10)


def text_of(value: str | bool | int | float) -> str:
    """A scalar where text is wanted: `1.10` was read as a number and becomes "1.1", `true` becomes "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float_text(value) if isinstance(value, float) else str(value)


def _float_text(value: float) -> str:
    """As the published tools write a float: as few digits as single precision needs, with an exponent from 1e6 up."""
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(value)]
    short = next((text for text in (f"{value:.{size}g}" for size in range(1, 9)) if _same_single(text, value)), None)
    number = Decimal(short or f"{value:.9g}").normalize()
    sign, digits, exponent = number.as_tuple()
    text, power = "".join(map(str, digits)), len(digits) + int(exponent) - 1
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0"
    if -4 <= power < 6:
        return f"{number:f}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _same_single(text: str, value: float) -> bool:
    try:
        return struct.pack("f", float(text)) == struct.pack("f", value)
    except OverflowError:
        return float(text) == value
