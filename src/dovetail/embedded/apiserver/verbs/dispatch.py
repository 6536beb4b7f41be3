"""From a resource request to the verb that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import MethodNotAllowed, NoSuchPath
from . import asking, binding, connecting, deleting, evicting, reading, subresources, token_requests, writing
from .answer import Answer, Stream
from .call import Call
from .reviews import REVIEWS, review


async def dispatch(call: Call) -> Answer | Stream:
    """Everything but get, list and watch of whole objects (``app`` answers these at once). Raises StatusError."""
    if call.info.subresource:
        return await _subresource(call)
    verb, resource = call.info.verb, call.resource
    if verb not in resource.verbs:
        raise MethodNotAllowed(resource.group, resource.plural, verb)
    if resource.plural in REVIEWS:
        await asking.admit_review(call)
        return await review(call)
    if resource.store == "/bindings":
        return await binding.bind(call)
    if verb == "create" and not call.info.name:
        return await writing.create(call)
    if verb == "update":
        return await writing.update(call)
    if verb == "patch" and call.info.name:
        return await writing.patch(call)
    if verb == "delete":
        return await deleting.delete(call)
    if verb == "deletecollection":
        return await deleting.delete_collection(call)
    raise MethodNotAllowed(resource.group, resource.plural, verb)


_Handler = Callable[[Call], Awaitable[Answer | Stream]]
_SUBRESOURCES: dict[str, _Handler] = {
    "scale": subresources.scale,
    "finalize": subresources.finalize,
    "token": token_requests.token,
    "binding": binding.bind,
    "eviction": evicting.evict,
    "log": connecting.logs,
    "exec": connecting.connect,
    "attach": connecting.connect,
    "portforward": connecting.connect,
    "proxy": connecting.proxy,
}


async def _subresource(call: Call) -> Answer | Stream:
    name, verb = call.info.subresource, call.info.verb
    allowed = call.resource.subresources.get(name)
    if allowed is None or (call.info.rest and name != "proxy"):
        raise NoSuchPath
    if verb not in allowed or not call.info.name:
        raise MethodNotAllowed(call.resource.group, call.info.dotted, verb)
    if name in _SUBRESOURCES:
        return await _SUBRESOURCES[name](call)
    if verb == "get":
        return reading.get(call)
    return await (writing.update(call) if verb == "update" else writing.patch(call))
