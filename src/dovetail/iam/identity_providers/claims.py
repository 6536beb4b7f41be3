"""What a provider says about somebody, read with care: each is text, or it is not there. Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast

_LONGEST: Final = 254
_MOST_GROUPS: Final = 100


def word(said: Mapping[str, Any], name: str) -> str:
    """A text on one line; empty when it is none."""
    value = said.get(name)
    if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
        return value.strip()
    return ""


def identifier(said: Mapping[str, Any], name: str) -> str:
    """A text or a whole number."""
    value = said.get(name)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else word(said, name)


def address(said: Mapping[str, Any], name: str) -> str:
    """An e-mail address, unless the provider says itself that it has not looked whose it is."""
    found = word(said, name)
    return "" if said.get("email_verified") is False or found.count("@") != 1 else found


def groups(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Names of groups, in order, not too many."""
    values: object = said.get(name)
    listed = cast("list[object]", values) if isinstance(values, list) else [values]
    names = {one for one in listed if isinstance(one, str) and one and len(one) <= _LONGEST and one.isprintable()}
    return tuple(sorted(names)[:_MOST_GROUPS])
