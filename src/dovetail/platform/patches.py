"""What a patch would make of an object: tried as a dry run, so that it can be looked at before it is written.

The patch is bound to the version that was read; what is written afterwards names that version, too. When somebody else
(mostly a controller that writes a status) was faster, both are done again.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

import orjson

from dovetail.kube.client import Client
from dovetail.kube.errors import Conflict
from dovetail.kube.objects import key_of, resource_version_of
from dovetail.kube.resources import ResourceLike
from dovetail.platform.answers import part_of
from dovetail.platform.describing import Schema
from dovetail.platform.errors import BadRequest, UnknownMediaType

Object = dict[str, Any]

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
_VERSION: Final = "/metadata/resourceVersion"
_TRIES: Final = 4
T = TypeVar("T")

_TEXT: Final = {"type": "string"}
PATCH_BODIES: Final[Mapping[str, Schema]] = {
    JSON_PATCH: {
        "type": "array",
        "items": {
            "type": "object", "required": ["op", "path"],
            "properties": {"op": _TEXT, "path": _TEXT, "from": _TEXT, "value": {}},
        },
    },
    MERGE_PATCH: {"type": "object"},
}  # fmt: skip
"""What a patch may be, for the OpenAPI documents."""


async def again(once: Callable[[], Awaitable[T]]) -> T:
    """Read, look and write until nobody comes in between. Raises what `once` raises, Conflict after a few tries: a
    version that the client named stays another one."""
    for _ in range(_TRIES):
        try:
            return await once()
        except Conflict:
            continue
    return await once()


async def patched(
    client: Client, resource: ResourceLike, before: Mapping[str, Any], content: str, body: bytes
) -> Object:
    """The object after the patch. Raises BadRequest, UnknownMediaType, and kube's errors."""
    if content not in {JSON_PATCH, MERGE_PATCH}:
        raise UnknownMediaType(content, (JSON_PATCH, MERGE_PATCH))
    key, version = key_of(before), resource_version_of(before)
    if content == JSON_PATCH:
        operations = [*_operations(body), {"op": "add", "path": _VERSION, "value": version}]
        return await client.patch(resource, key.name, operations, key.namespace or None, content="json", dry_run=True)
    change = _read(body)
    if not isinstance(change, dict):
        raise BadRequest("the body is not a JSON object")
    given = cast("Object", change)
    bound = {**given, "metadata": {**part_of(given, "metadata"), "resourceVersion": version}}
    return await client.patch(resource, key.name, bound, key.namespace or None, dry_run=True)


def _operations(body: bytes) -> list[Any]:
    operations = _read(body)
    if not isinstance(operations, list):
        raise BadRequest("the body is not a list of operations (RFC 6902)")
    return cast("list[Any]", operations)


def _read(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error
