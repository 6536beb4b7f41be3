"""From a resource request to the verb that answers it."""

from __future__ import annotations

from ..errors import MethodNotAllowed, NoSuchPath
from . import deleting, reading, subresources, token_requests, writing
from .answer import Answer
from .call import Call
from .reviews import REVIEWS, review


async def dispatch(call: Call) -> Answer:
    """Everything but get, list and watch of whole objects (``app`` answers these at once). Raises StatusError."""
    if call.info.subresource:
        return await _subresource(call)
    verb, resource = call.info.verb, call.resource
    if verb not in resource.verbs:
        raise MethodNotAllowed(resource.group, resource.plural, verb)
    if resource.plural in REVIEWS:
        return await review(call)
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
        return await token_requests.token(call)
    if verb == "get":
        return reading.get(call)
    return await (writing.update(call) if verb == "update" else writing.patch(call))
