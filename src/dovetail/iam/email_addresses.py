"""Whose e-mail address it is. Addresses are compared in lower case: one is good for one log-in. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def address_of(user: Mapping[str, Any]) -> str:
    """The address of a User in lower case; "" for none."""
    return str(user.get("spec", {}).get("email") or "").lower()


def holders(users: Iterable[Mapping[str, Any]], email: str) -> list[str]:
    """The names of the users who have this address; nobody has none."""
    wanted = email.strip().lower()
    return [str(user["metadata"]["name"]) for user in users if address_of(user) == wanted] if wanted else []
