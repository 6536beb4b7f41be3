"""`header`, `header_up` and their like as entries of headerUp and headerDown. Pure."""

import re
from typing import Final

from dovetail.apis.dialects.header_edits import BadHeaderEdit, parse_edit
from dovetail.gateway.caddyfile.grammar import Directive
from dovetail.gateway.caddyfile.notes import Notes

_PLACEHOLDER: Final = re.compile(r"\{[^{}\s]+\}")
_INSTEAD: Final = {
    **dict.fromkeys(("{host}", "{http.request.host}"), "the client's Host is in X-Forwarded-Host"),
    **dict.fromkeys(
        ("{remote}", "{remote_host}", "{http.request.remote.host}"), "the client's address is in X-Forwarded-For"
    ),
    **dict.fromkeys(("{scheme}", "{http.request.scheme}"), "the client's scheme is in X-Forwarded-Proto"),
    "{$KUBESPHERE_TOKEN}": "the gateway calls the cluster as the user, never with a token of its own",
}


def edit_header(directive: Directive, args: tuple[str, ...], notes: Notes) -> str:
    """One edit; empty, with a note, for one that cannot be said. `args` are the name and its values."""
    unknown = next((found[0] for value in args[1:] for found in _PLACEHOLDER.finditer(value)), "")
    if unknown:
        why = _INSTEAD.get(unknown, f"the gateway does not fill in {unknown}; write the value itself")
    else:
        entry = _entry(args)
        try:
            parse_edit(entry)
        except BadHeaderEdit as error:
            why = str(error)
        else:
            return entry
    notes.left_out(directive.line, str(directive), why)
    return ""


def _entry(args: tuple[str, ...]) -> str:
    name, *values = args or ("",)
    if name.startswith("-"):
        return name
    if len(values) == 2:
        find, new = (value.replace('"', '\\"') for value in values)
        return f'{name} "{find}" "{new}"'
    if len(values) == 1 and not values[0]:
        return f"-{name}"
    return f"{name}: {' '.join(values)}"
