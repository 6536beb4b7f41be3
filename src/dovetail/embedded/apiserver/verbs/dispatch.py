"""From a resource request to the verb that answers it."""

from __future__ import annotations

from ..errors import MethodNotAllowed, NoSuchPath
from . import deleting, reading, subresources, watching, writing
from .answer import Answer, Stream
from .call import Call
from .reviews import REVIEWS, review


async def dispatch(call: Call) -> Answer | Stream:
    """Raises StatusError."""
    if call.info.subresource:
        return await _subresource(call)
    verb, resource = call.info.verb, call.resource
    if verb not in resource.verbs:
        raise MethodNotAllowed(resource.group, resource.plural, verb)
    if resource.plural in REVIEWS:
        return await review(call)
    if verb == "get":
        return reading.get(call)
    if verb == "list":
        return reading.list_objects(call)
    if verb == "watch":
        return watching.watch(call)
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


async def _subresource(call: Call) -> Answer:
    name, verb = call.info.subresource, call.info.verb
    allowed = call.resource.subresources.get(name)
    if allowed is None or call.info.rest:
        raise NoSuchPath
    if verb not in allowed or not call.info.name:
        raise MethodNotAllowed(call.resource.group, call.info.dotted, verb)
    if name == "scale":
        return await subresources.scale(call)
    if name == "finalize":
        return await subresources.finalize(call)
    if name == "token":
        return await subresources.token(call)
    if verb == "get":
        return reading.get(call)
    return await (writing.update(call) if verb == "update" else writing.patch(call))
