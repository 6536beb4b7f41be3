"""How a plugin says no: 403 with the object's name as far as it is known.

Source: apiserver ``pkg/admission/errors.go``.
"""

from __future__ import annotations

from ...errors import Forbidden
from ...foreign import part
from ..plugin import Attributes


def forbidden(attributes: Attributes, why: str) -> Forbidden:
    """``pods "x" is forbidden: why``."""
    return Forbidden(attributes.resource.group, attributes.resource.plural, named(attributes), why)


def named(attributes: Attributes) -> str:
    """The name of the URL, of the object, or the start of the name that it is going to get."""
    if attributes.name:
        return attributes.name
    meta = part(attributes.obj or {}, "metadata")
    return str(meta.get("name") or meta.get("generateName") or "Unknown")


def joined(problems: list[str]) -> str:
    """Several reasons in one sentence, as Go's error aggregate writes them."""
    distinct = list(dict.fromkeys(problems))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
