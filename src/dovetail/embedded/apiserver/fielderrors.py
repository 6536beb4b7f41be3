"""One problem with one field of an object, with the wording of Kubernetes (apimachinery ``validation/field``).

``str(error)`` is ``spec.replicas: Invalid value: -1: must be greater than or equal to 0``; ``cause()`` is the entry of
``Status.details.causes``. Values are shown as Go's ``%v``/``%q`` would show them, shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_SHOWN = 10_000


@dataclass(frozen=True, slots=True)
class FieldError:
    """``type`` is the machine reason (``FieldValueInvalid``...), ``title`` its words; ``value`` None means not
    shown.
    """

    type: str
    title: str
    field: str
    shown: str = ""
    detail: str = ""

    def body(self) -> str:
        return ": ".join(part for part in (self.title, self.shown, self.detail) if part)

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"

    def cause(self) -> dict[str, str]:
        return {"reason": self.type, "message": self.body(), "field": self.field}

    def under(self, prefix: str) -> FieldError:
        """The same problem seen from an enclosing object."""
        joined = self.field if not prefix else prefix + ("" if self.field.startswith("[") else ".") + self.field
        return FieldError(self.type, self.title, joined, self.shown, self.detail)


def show(value: Any) -> str:
    """The value as it appears in a sentence: strings quoted, the rest as JSON."""
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", "Required value", field, detail=detail)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", "Invalid value", field, show(value), detail)


def every(field: str, value: Any, problems: Iterable[str]) -> list[FieldError]:
    """One ``invalid`` for each problem of the value."""
    return [invalid(field, value, problem) for problem in problems]


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", "Invalid value", field, show(value), detail)


def not_supported(field: str, value: Any, supported: Sequence[str]) -> FieldError:
    detail = "supported values: " + ", ".join(show(item) for item in supported)
    return FieldError("FieldValueNotSupported", "Unsupported value", field, show(value), detail)


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", "Not found", field, show(value))


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", "Duplicate value", field, show(value))


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", "Forbidden", field, detail=detail)


def too_long(field: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", "Too long", field, detail=f"may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", "Too many", field, str(count), f"must have at most {limit} items")
