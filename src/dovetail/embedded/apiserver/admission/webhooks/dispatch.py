"""Asking webhooks: mutating ones one after the other, validating ones at once; what their answers and failures mean.

A hook whose call fails either refuses the write (failurePolicy Fail) or does not count. A mutating hook that wants it
(reinvocationPolicy IfNeeded) is asked again when a later one, or a built-in plugin after it, changed the object.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary

from ...errors import BadRequest, InternalError, StatusError
from ...patching.json_patch import apply_json_patch
from ...patching.rejected import PatchMalformed, PatchRejected
from ...schema.conform import Mismatch
from ..plugin import Attributes, Object
from .calling import Caller, CallFailed
from .configurations import Hook
from .matching import Invocation, convert, select
from .review import Denied, InvalidResponse, Verdict, review_of, verdict_of

_log = logging.getLogger("dovetail.embedded.apiserver.webhooks")
_callers: WeakKeyDictionary[asyncio.AbstractEventLoop, Caller] = WeakKeyDictionary()


class _Failed(Exception):
    """A call that gave no verdict."""


async def mutate(attributes: Attributes, plugins: Callable[[Attributes], None]) -> None:
    """Ask the mutating hooks; ``plugins`` sees what they changed. Raises StatusError."""
    before: set[Hook] = set()
    due: set[Hook] = set()
    changed = False
    for hook in attributes.api.webhooks.hooks(True):
        invocation = select(hook, attributes)
        if invocation is None:
            continue
        if await _mutate(invocation, attributes):
            changed = True
            due |= before
            before.clear()
        if hook.again:
            before.add(hook)
    if changed:
        await _again(attributes, plugins, before, due)


async def _again(
    attributes: Attributes, plugins: Callable[[Attributes], None], before: set[Hook], due: set[Hook]
) -> None:
    """The second and last round."""
    from ...registry.resource import pack

    seen = pack(attributes.obj or {})
    plugins(attributes)
    if pack(attributes.obj or {}) != seen:
        due |= before
    for hook in attributes.api.webhooks.hooks(True):
        if hook in due and (invocation := select(hook, attributes)) is not None:
            await _mutate(invocation, attributes)


async def _mutate(invocation: Invocation, attributes: Attributes) -> bool:
    """Whether the hook changed the object."""
    hook = invocation.hook
    try:
        verdict = await _ask(invocation, attributes)
    except _Failed as error:
        if hook.ignores_failure:
            _log.warning("failing open: %s", error)
            return False
        raise InternalError(str(error)) from error
    if not verdict.allowed:
        raise Denied(hook.name, verdict.result)
    return bool(verdict.patch) and _patch(invocation, attributes, verdict.patch)


def _patch(invocation: Invocation, attributes: Attributes, patch: list[Any]) -> bool:
    name, resource, obj = invocation.hook.name, invocation.resource, attributes.obj
    if obj is None:
        text = "attempted to modify the object, which is not supported for this operation"
        raise InternalError(f'admission webhook "{name}" {text}')
    try:
        patched: Any = apply_json_patch(convert(obj, attributes.resource, resource), patch)
        if not isinstance(patched, dict):
            raise PatchMalformed("the patched object is not an object")
        back: Object = convert(cast("Object", patched), resource, attributes.resource) or {}
        shaped = attributes.reread(back) if attributes.reread is not None else back
    except (PatchRejected, PatchMalformed, Mismatch) as error:
        raise InternalError(str(error)) from error
    if shaped == obj:
        return False
    attributes.set_object(shaped)
    return True


async def validate(attributes: Attributes) -> None:
    """Ask the validating hooks. Raises the StatusError of the first that refuses, in their order."""
    invocations = [
        found for hook in attributes.api.webhooks.hooks(False) if (found := select(hook, attributes)) is not None
    ]
    if len(invocations) == 1:
        problems = [await _validate(invocations[0], attributes)]
    else:
        problems = await asyncio.gather(*(_validate(invocation, attributes) for invocation in invocations))
    for problem in problems:
        if problem is not None:
            raise problem


async def _validate(invocation: Invocation, attributes: Attributes) -> StatusError | None:
    hook = invocation.hook
    try:
        verdict = await _ask(invocation, attributes)
    except StatusError as error:
        return error
    except _Failed as error:
        if hook.ignores_failure:
            _log.warning("failing open: %s", error)
            return None
        return InternalError(str(error))
    return None if verdict.allowed else Denied(hook.name, verdict.result)


async def _ask(invocation: Invocation, attributes: Attributes) -> Verdict:
    hook = invocation.hook
    if attributes.dry_run and not hook.dry_run:
        raise BadRequest(f'admission webhook "{hook.name}" does not support dry run')
    uid = str(uuid.uuid4())
    question = review_of(attributes, invocation.resource, uid, hook.review)
    try:
        answer = await _caller().ask(attributes.api.store, hook, question)
        verdict = verdict_of(answer, uid, hook.review, hook.mutating)
    except CallFailed as error:
        raise _Failed(f'failed calling webhook "{hook.name}": failed to call webhook: {error}') from error
    except InvalidResponse as error:
        text = f"received invalid webhook response: {error}"
        raise _Failed(f'failed calling webhook "{hook.name}": {text}') from error
    attributes.warnings += verdict.warnings
    return verdict


def _caller() -> Caller:
    return _callers.setdefault(asyncio.get_running_loop(), Caller())


async def close() -> None:
    """End the connections to webhooks."""
    if (caller := _callers.pop(asyncio.get_running_loop(), None)) is not None:
        await caller.close()
