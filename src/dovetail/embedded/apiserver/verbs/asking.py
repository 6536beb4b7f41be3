"""Admission of what is asked and never stored: access and token reviews, token requests, finalizers of a namespace.

Only webhooks have a say in these. A mutating one changes the body that the verb then reads.
"""

from __future__ import annotations

import orjson

from ..admission import chain
from ..admission.plugin import CREATE, UPDATE, Attributes
from .call import Call
from .decoding import Object
from .small_objects import Kind, read_small
from .storing import existing

_TOKEN_REQUEST = ("authentication.k8s.io", "v1", "TokenRequest")


async def admit_review(call: Call) -> None:
    resource = call.resource
    await _admit(call, (resource.group, resource.version, resource.kind))


async def admit_token(call: Call) -> None:
    await _admit(call, _TOKEN_REQUEST)


async def _admit(call: Call, kind: Kind) -> None:
    if not call.api.webhooks.any():
        return
    attributes = _attributes(call, CREATE, read_small(call, kind, ()), None)
    attributes.kind = kind
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
