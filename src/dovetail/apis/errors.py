"""Errors of this room: an object whose content cannot be understood, told field by field.

    ApisError
    +-- InvalidObject   a foreign object does not have the shape of its kind; carries every FieldError found

What the API server already refuses by schema is not repeated here; these are what a schema cannot say.
"""

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong at `path` (`spec.matcher[0].path`), in a sentence that says what to write instead."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ApisError(Exception):
    """Root of the errors of `dovetail.apis`."""


class InvalidObject(ApisError):
    """An object of a kind of ours that cannot be read. `errors` has at least one FieldError, in order of the fields."""

    def __init__(self, kind: str, name: str, errors: list[FieldError]) -> None:
        self.kind = kind
        self.name = name
        self.errors = tuple(errors)
        super().__init__(f"{kind} {name or '(no name)'} cannot be used: " + "; ".join(map(str, self.errors)))

    def __reduce__(self) -> tuple[type["InvalidObject"], tuple[str, str, list[FieldError]]]:
        return InvalidObject, (self.kind, self.name, list(self.errors))
