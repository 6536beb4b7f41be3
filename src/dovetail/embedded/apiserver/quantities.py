"""resource.Quantity: exact numbers with a suffix, and the canonical form in which Kubernetes writes them back.

A quantity keeps the family of its suffix (binary ``Ki``, decimal ``k``, exponent ``e3``) and is written with the
largest suffix that leaves a whole number: ``1000m`` is ``1``, ``0.5`` is ``500m``, ``1024Mi`` is ``1Gi``, ``1.5Gi`` is
``1536Mi``. Precision ends at nano; what is finer is rounded up. Source: apimachinery ``api/resource/quantity.go``.

Sums keep the family of their first term that is not zero, as in Kubernetes. Arithmetic is exact.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache

_FORM = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?\Z")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_NANO, _MILLI = Decimal(1).scaleb(-9), Decimal(1).scaleb(-3)
_LIMIT = Decimal((1 << 63) - 1)
_EXACT = Context(prec=200)
_UP = Context(prec=200, rounding=ROUND_CEILING)


class QuantityMalformed(ValueError):
    """Not a quantity; the text is that of Kubernetes."""

    def __init__(self) -> None:
        super().__init__("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")


@lru_cache(4096)
def value(text: str) -> Decimal:
    """The exact number. Raises QuantityMalformed."""
    return _parsed(text)[0]


@lru_cache(4096)
def canonical(text: str) -> str:
    """The form in which Kubernetes writes the quantity back. Raises QuantityMalformed."""
    number, family = _parsed(text)
    return written(number, family)


def written(number: Decimal, family: str) -> str:
    """A number in a family: ``binary``, ``decimal`` or ``exponent``."""
    if number == 0:
        return "0"
    if family == "binary" and abs(number) >= 1024 and number == number.to_integral_value():
        return _binary(int(number))
    exponent = -9
    mantissa = _scaled(number, exponent)
    while mantissa % 1000 == 0 and exponent < 18:
        mantissa, exponent = mantissa // 1000, exponent + 3
    if family == "exponent":
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_SUFFIX[exponent]}"


def family_of(text: str) -> str:
    """``binary``, ``decimal`` or ``exponent``. Raises QuantityMalformed."""
    return _parsed(text)[1]


def compare(left: str, right: str) -> int:
    """-1, 0 or 1. Raises QuantityMalformed."""
    difference = value(left) - value(right)
    return (difference > 0) - (difference < 0)


def add(left: str, right: str) -> str:
    """Raises QuantityMalformed."""
    return written(_EXACT.add(value(left), value(right)), _joint_family(left, right))


def subtract(left: str, right: str) -> str:
    """Raises QuantityMalformed."""
    return written(_EXACT.subtract(value(left), value(right)), _joint_family(left, right))


def in_millis(text: str) -> str:
    """Rounded up to whole thousandths, as resource lists are when they are read. Raises QuantityMalformed."""
    number = value(text)
    rounded = _UP.quantize(number, _MILLI)
    return text if rounded == number else written(rounded, family_of(text))


def _joint_family(left: str, right: str) -> str:
    return family_of(left) if value(left) else family_of(right)


def _scaled(number: Decimal, exponent: int) -> int:
    return int(_EXACT.to_integral_value(_EXACT.scaleb(number, -exponent)))


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(_BINARY) - 1:
        number, power = number // 1024, power + 1
    return f"{number}{_BINARY[power]}"


def _parsed(text: str) -> tuple[Decimal, str]:
    found = _FORM.match(text)
    if found is None:
        raise QuantityMalformed
    sign, digits, suffix = found[1], found[2], found[3] or ""
    number = Decimal(digits)
    family = "decimal"
    if suffix.endswith("i"):
        family = "binary"
        number = _EXACT.multiply(number, Decimal(1024 ** _BINARY.index(suffix)))
    elif suffix[:1] in ("e", "E") and len(suffix) > 1:
        family = "exponent"
        exponent = int(suffix[1:])
        if abs(exponent) > 100:
            raise QuantityMalformed
        number = _EXACT.scaleb(number, exponent)
    else:
        number = _EXACT.scaleb(number, _DECIMAL[suffix])
    number = min(_UP.quantize(number, _NANO), _LIMIT)
    return (-number if sign == "-" else number), family
