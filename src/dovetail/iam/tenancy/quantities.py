"""Amounts as Kubernetes writes them (`500m`, `1Gi`, `2`, `1e3`), to add and to subtract. Pure.

Source: apimachinery's resource.Quantity. Amounts are exact decimals; what is written keeps the family (binary or
decimal) of an amount that it is written like, and is rounded up to a thousandth.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_BINARY: Final = {
    suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
}
_DECIMAL: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
}  # fmt: skip
_FORM: Final = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d{1,3})\Z")


def amount(text: object) -> Decimal:
    """The amount that is written. Raises ValueError."""
    found = _FORM.match(str(text)) if not isinstance(text, bool) else None
    if found is None or len(found["number"]) > 40:
        raise ValueError(f"{text!r} is not a quantity such as 2, 500m or 1Gi")
    number, suffix = Decimal(found["number"]), found["suffix"]
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix in _DECIMAL:
        return number * _DECIMAL[suffix]
    return number.scaleb(int(suffix[1:]))


def written(value: Decimal, like: object = "") -> str:
    """The amount as text, in the family of `like`."""
    if value != value.to_integral_value():
        return f"{int((value * 1000).to_integral_value(ROUND_CEILING))}m"
    whole = int(value)
    if str(like).endswith("i") and whole:
        for suffix, size in reversed(_BINARY.items()):
            if whole % int(size) == 0:
                return f"{whole // int(size)}{suffix}"
    return str(whole)
