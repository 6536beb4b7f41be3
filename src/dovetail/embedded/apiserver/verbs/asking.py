"""Admission of what is asked and never stored: access and token reviews, finalizers of a namespace.

Only webhooks have a say in these. A mutating one changes the body that the verb then reads.
"""

from __future__ import annotations

import orjson

from ..admission import chain
from ..admission.plugin import CREATE, UPDATE, Attributes
from .call import Call
from .decoding import Object
from .small_objects import read_small
from .storing import existing


async def admit_review(call: Call) -> None:
    if not call.api.webhooks.any():
        return
    resource = call.resource
    obj = read_small(call, (resource.group, resource.version, resource.kind), ())
    attributes = _attributes(call, CREATE, obj, None)
    await _ask(attributes)
    call.body, call.content_type = orjson.dumps(attributes.obj), "application/json"


async def admit_finalize(call: Call, obj: Object) -> None:
    """``obj`` is the namespace as it would be."""
    old = call.resource.decode(existing(call).value)
    await _ask(_attributes(call, UPDATE, obj, old))


def _attributes(call: Call, operation: str, obj: Object, old: Object | None) -> Attributes:
    options = call.write_options()
    return Attributes(
        call.api, operation, call.resource, call.info.subresource, call.namespace, call.info.name, obj, old, call.user,
        options.dry_run, options.wire(operation), call.warnings,
    )  # fmt: skip


async def _ask(attributes: Attributes) -> None:
    if chain.awaits_mutation(attributes):
        await chain.mutate_outside(attributes)
    if chain.awaits_validation(attributes):
        await chain.validate_outside(attributes)
