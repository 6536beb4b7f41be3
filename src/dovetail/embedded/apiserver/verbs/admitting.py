"""Writes with admission: the steps of ``storing`` with webhooks between them.

Model, as kube-apiserver's GuaranteedUpdate: a change is worked out from the latest version, admitted (which may wait),
and written only if that version is still the latest; otherwise it is worked out again. A client that stated a resource
version thereby gets its Conflict. Nothing waits when no webhook is concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..admission import chain
from ..admission.plugin import Attributes
from ..errors import Conflict
from ..objects import metadata
from ..storage.records import Record
from .call import Call, WriteOptions
from .decoding import Object
from .storing import (
    Draft,
    NameNotGenerated,
    begin_create,
    begin_update,
    existing,
    finish_create,
    finish_update,
    key_of,
    prepare_create,
    prepare_update,
)

TRIES = 30
_NAMES = 8

Change = Callable[[Record], tuple[Object, "list[Object] | None"]]
"""The next version of a record, and its managedFields when an apply has worked them out."""


class View(Protocol):
    """How a write looks to webhooks where it is not the object itself (a Scale)."""

    def show(self, attributes: Attributes) -> Attributes: ...

    def take(self, shown: Attributes, attributes: Attributes) -> None:
        """Bring back what webhooks changed."""
        ...


async def create(call: Call, obj: Object, options: WriteOptions, managed: list[Object] | None = None) -> bytes:
    """Admit and store a new object; it is encoded, and not yet committed."""
    draft = begin_create(call, obj, options, managed)
    await chain.wait(draft.attributes)
    chain.mutate(draft.attributes)
    if chain.awaits_mutation(draft.attributes):
        await chain.mutate_outside(draft.attributes)
    drawn = not obj["metadata"].get("name")
    prepare_create(draft)
    for _ in range(_NAMES):
        if chain.awaits_validation(draft.attributes):
            await chain.validate_outside(draft.attributes)
        try:
            return finish_create(draft)
        except NameNotGenerated:
            if not drawn:
                raise
            _draw_again(draft)
    raise NameNotGenerated(call.resource, draft.attributes.name)


def _draw_again(draft: Draft) -> None:
    meta = draft.obj["metadata"]
    meta["name"] = draft.attributes.name = metadata.generate_name(str(meta["generateName"]))


async def modify(call: Call, change: Change, options: WriteOptions, view: View | None = None) -> bytes:
    """Admit and store what ``change`` makes of the object in the URL; it is encoded, and not yet committed."""
    for _ in range(TRIES):
        record = existing(call)
        obj, managed = change(record)
        draft = begin_update(call, record, obj, options, managed)
        if not await _admitted(draft, view):
            continue
        return finish_update(draft)
    raise Conflict(call.resource.group, call.resource.plural, call.info.name)


async def _admitted(draft: Draft, view: View | None) -> bool:
    """False when the object has changed while webhooks were asked."""
    attributes, waited = draft.attributes, False
    chain.mutate(attributes)
    if chain.awaits_mutation(attributes):
        shown = view.show(attributes) if view else attributes
        await chain.mutate_outside(shown)
        if view:
            view.take(shown, attributes)
        waited = True
    if waited and not _still_latest(draft):
        return False
    prepare_update(draft)
    if chain.awaits_validation(attributes):
        await chain.validate_outside(view.show(attributes) if view else attributes)
        return _still_latest(draft)
    return True


def _still_latest(draft: Draft) -> bool:
    assert draft.record is not None
    latest = draft.call.api.store.latest(key_of(draft.call, draft.record.name))
    return latest is not None and latest.rev == draft.record.rev
