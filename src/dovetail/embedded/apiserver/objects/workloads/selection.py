"""Selectors of the kinds that make pods, and whether they select the pods that the template makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...errors import BadRequest
from ...fielderrors import FieldError
from ...foreign import part, parts
from ...selecting.labels import LabelSelector, from_object
from ..names import qualified
from ..pods.formats import selector

Object = dict[str, Any]


def parsed(wanted: Any) -> LabelSelector | None:
    """The selector, or None when it is none. An absent one matches nothing, see ``matches``."""
    try:
        found = from_object(wanted)
    except (BadRequest, KeyError):
        return None
    for item in parts(wanted or {}, "matchExpressions"):
        some = bool(parts(item, "values"))
        if some != (item.get("operator") in ("In", "NotIn")) or qualified(str(item.get("key", ""))):
            return None
    return found


def matches(wanted: Any, template: Object) -> bool:
    """Whether a valid selector selects the template's labels; an empty one is not asked."""
    if wanted is None:
        return False
    found = parsed(wanted)
    return found is None or not found or found.matches(part(template, "metadata", "labels"))


def selector_errors(spec: Object, field: str, empty: str, broken: str | None) -> Iterator[FieldError]:
    """A selector is required, valid and not empty. ``empty`` is the text for an empty one, ``broken`` for one that
    cannot be used at all (None: nothing is said).
    """
    wanted, where = spec.get("selector"), f"{field}.selector"
    if wanted is None:
        yield fe.required(where)
        return
    yield from selector(wanted, where)
    if not part(wanted, "matchLabels") and not parts(wanted, "matchExpressions"):
        yield fe.invalid(where, wanted, empty)
    if broken is not None and parsed(wanted) is None:
        yield fe.invalid(where, wanted, broken)


def match_errors(spec: Object, field: str) -> Iterator[FieldError]:
    template = part(spec, "template")
    if not matches(spec.get("selector"), template):
        labels = part(template, "metadata", "labels") or None
        text = "`selector` does not match template `labels`"
        yield fe.invalid(f"{field}.template.metadata.labels", labels, text)


def immutable(field: str, new: Any, old: Any) -> Iterator[FieldError]:
    if new != old:
        yield fe.invalid(field, new, "field is immutable")
