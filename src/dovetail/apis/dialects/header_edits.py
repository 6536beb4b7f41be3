"""Header edits: one entry of `headerUp`/`headerDown` (today) or `header.up`/`header.down` (the seed).

    Name: value        set            Name value         set
    +Name: value       add            +Name value        add
    -Name              delete         -Prefix*           delete every header that starts so
    Name "find" "new"  search and replace: both in double quotes; find is a regular expression, new may use $1

The replacing form wants quotes, because `Authorization Bearer abc` sets a value of two words. In a value, double quotes
around the whole are taken off.
"""

import re
from typing import Final, Literal

import msgspec

from dovetail.apis.dialects.reading import Fields

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'^_`|~.-]+")
_REPLACE: Final = re.compile(r'([^\s:"]+):?\s+"((?:[^"\\]|\\.)*)"\s+"((?:[^"\\]|\\.)*)"')
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\uffff]*")
MAX_EDITS: Final = 64
MAX_ENTRY: Final = 8192

FRAMING: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that belong to one connection and are the gateway's alone."""
IDENTITY_PREFIXES: Final = ("x-remote-", "impersonate-", "x-forwarded-", "x-dovetail-")
"""Headers by which backends believe the gateway: no extension may write them, or it could speak for any user."""


class HeaderEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One edit. For `delete` a name that ends in `*` is a prefix; `find` is a regular expression, for `replace`."""

    op: Literal["set", "add", "delete", "replace"]
    name: str
    value: str = ""
    find: str = ""


class BadHeaderEdit(ValueError):
    """An entry that is no header edit."""


def read_edits(fields: Fields, name: str) -> tuple[HeaderEdit, ...]:
    """The edits in a list of entries; mistakes become FieldErrors."""
    entries = fields.texts(name)
    if len(entries) > MAX_EDITS:
        fields.fail(name, f"has more than {MAX_EDITS} entries")
        return ()
    edits: list[HeaderEdit] = []
    for index, entry in enumerate(entries):
        try:
            edits.append(parse_edit(entry))
        except BadHeaderEdit as error:
            fields.fail(f"{name}[{index}]", str(error))
    return tuple(edits)


def parse_edit(entry: str) -> HeaderEdit:
    """One entry. Raises BadHeaderEdit with a sentence that says what to write."""
    text = entry.strip()
    if len(entry) > MAX_ENTRY:
        raise BadHeaderEdit(f"is longer than {MAX_ENTRY} characters")
    edit = _parse(text)
    wildcard = edit.op == "delete" and edit.name.endswith("*")
    bare = edit.name[:-1] if wildcard else edit.name
    if not _NAME.fullmatch(bare):
        raise BadHeaderEdit(f"{bare[:60]!r} is no header name; write 'Name: value', '+Name: value' or '-Name'")
    if not _VALUE.fullmatch(edit.value):
        raise BadHeaderEdit("has a value with control characters")
    _refuse_reserved(bare.lower(), wildcard=wildcard)
    return edit


def _parse(text: str) -> HeaderEdit:
    if text.startswith("-"):
        return HeaderEdit(op="delete", name=text[1:].rstrip(":").strip())
    if found := _REPLACE.fullmatch(text):
        name, find, value = found.groups()
        return HeaderEdit(op="replace", name=name, value=_unescape(value), find=_unescape(find))
    op: Literal["add", "set"] = "add" if text.startswith("+") else "set"
    name, value = _name_and_value(text.removeprefix("+"))
    return HeaderEdit(op=op, name=name, value=value)


def _name_and_value(text: str) -> tuple[str, str]:
    found = re.match(r"([^\s:]+)(?:\s*:\s*|\s+)(.*)", text, re.DOTALL)
    if not found or not found[2].strip():
        raise BadHeaderEdit(f"{text[:60]!r} has no value; write 'Name: value', or '-Name' to delete the header")
    value = found[2].strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = _unescape(value[1:-1])
    return found[1], value


def _unescape(text: str) -> str:
    return text.replace('\\"', '"')


def _refuse_reserved(name: str, *, wildcard: bool) -> None:
    if name in FRAMING:
        raise BadHeaderEdit(f"{name} belongs to the connection and is set by the gateway; leave it out")
    if name.startswith(IDENTITY_PREFIXES) or (
        wildcard and any(prefix.startswith(name) for prefix in IDENTITY_PREFIXES)
    ):
        raise BadHeaderEdit(f"{name} tells backends who the user is and is set by the gateway; use authProxy")
