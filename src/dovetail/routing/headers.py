"""Headers: the edits that a route makes to the headers of a request or an answer. Names are compared without case."""

import functools
from collections.abc import Iterable

from dovetail.routing.errors import PathTooLong
from dovetail.routing.model import HeaderEdit
from dovetail.routing.regexps import Regexp, compile_regexp

Header = tuple[str, str]


def apply(edits: Iterable[HeaderEdit], headers: Iterable[Header]) -> list[Header]:
    """The headers after all edits, in order. `set` leaves one header of the name, in the place of the first."""
    edited = list(headers)
    for edit in edits:
        edited = _EDITS[edit.op](edit, edited)
    return edited


def apply_bytes(edits: Iterable[HeaderEdit], headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same for headers as they are on the wire; bytes that are not ASCII pass through unchanged (latin-1)."""
    text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return [(name.encode("latin-1"), _on_wire(value)) for name, value in apply(edits, text)]


def _on_wire(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def _set(edit: HeaderEdit, headers: list[Header]) -> list[Header]:
    name = edit.name.lower()
    kept: list[Header] = []
    placed = False
    for header in headers:
        if header[0].lower() != name:
            kept.append(header)
        elif not placed:
            kept.append((edit.name, edit.value))
            placed = True
    return kept if placed else [*kept, (edit.name, edit.value)]


def _add(edit: HeaderEdit, headers: list[Header]) -> list[Header]:
    return [*headers, (edit.name, edit.value)]


def _delete(edit: HeaderEdit, headers: list[Header]) -> list[Header]:
    name = edit.name.lower()
    if name.endswith("*"):
        prefix = name[:-1]
        return [header for header in headers if not header[0].lower().startswith(prefix)]
    return [header for header in headers if header[0].lower() != name]


def _replace(edit: HeaderEdit, headers: list[Header]) -> list[Header]:
    name, regexp = edit.name.lower(), _regexp(edit.find, edit.value)
    return [(key, _replaced(regexp, value) if key.lower() == name else value) for key, value in headers]


@functools.lru_cache(maxsize=1024)
def _regexp(find: str, value: str) -> Regexp:
    return compile_regexp(find, value)


def _replaced(regexp: Regexp, value: str) -> str:
    """A value too long for its expression stays as it is: unlike a path, nothing is decided by it."""
    try:
        return regexp.sub(value)
    except PathTooLong:
        return value


_EDITS = {"set": _set, "add": _add, "delete": _delete, "replace": _replace}
