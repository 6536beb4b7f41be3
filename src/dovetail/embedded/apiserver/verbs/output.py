"""The form in which an object or a list leaves: as it is, as a Table for people, or metadata only.

The Accept header decides (``application/json;as=Table;v=v1;g=meta.k8s.io``). The plain form never parses what is
stored: the type header is put in front of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import NotAcceptable
from ..output.tables import Table, columns_for
from ..registry.resource import ResourceType
from ..storage.records import Record

PIECE = 128 * 1024

PLAIN, TABLE, PARTIAL = "plain", "table", "partial"
_OFFERED = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")[:2]


@dataclass(frozen=True, slots=True)
class Form:
    """``kind`` plain, table or partial; ``yaml`` for application/yaml; ``version`` of meta.k8s.io."""

    kind: str = PLAIN
    yaml: bool = False
    version: str = "v1"
    include: str = "Metadata"


def negotiate(accept: str, include: str = "") -> Form:
    """Raises NotAcceptable when nothing that the client takes is offered."""
    if not accept or accept == "application/json":
        return Form()
    for item in accept.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        options = dict(p.split("=", 1) for p in parameters if "=" in p)
        form = _form(options.get("as", ""), options.get("v", "v1"), include)
        if form is None:
            continue
        if media in ("application/json", "*/*", "application/*"):
            return form
        if media == "application/yaml":
            return Form(form.kind, True, form.version, form.include)
    raise NotAcceptable(_OFFERED)


def _form(wanted: str, version: str, include: str) -> Form | None:
    if wanted == "Table":
        return Form(TABLE, False, version, include or "Metadata")
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Form(PARTIAL, False, version)
    return None if wanted else Form()


def to_yaml(body: bytes) -> bytes:
    import yaml

    return yaml.safe_dump(orjson.loads(body), sort_keys=False).encode()


def one(form: Form, resource: ResourceType, value: bytes, now: float) -> bytes:
    """A single object, ``value`` as stored."""
    if form.kind == TABLE:
        table = Table(columns_for(resource), form.version, form.include)
        return table.encode([resource.decode(value)], now, "")
    if form.kind == PARTIAL:
        return orjson.dumps(partial(resource.decode(value), form.version))
    return resource.encode(value)


def partial(obj: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    kind = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"}
    return {**kind, "metadata": obj.get("metadata", {})}


def many(
    form: Form, resource: ResourceType, records: Iterable[Record], meta: dict[str, Any], now: float
) -> list[bytes]:
    """A list with this ListMeta, in pieces."""
    if form.kind == TABLE:
        table = Table(columns_for(resource), form.version, form.include)
        objects = [resource.decode(record.value) for record in records]
        return [table.encode(objects, now, str(meta.get("resourceVersion", "")), meta)]
    if form.kind == PARTIAL:
        items = [partial(resource.decode(record.value), form.version) for record in records]
        kind = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{form.version}"}
        return [orjson.dumps({**kind, "metadata": meta, "items": items})]
    head = orjson.dumps({"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta})
    return list(_pieces(head[:-1] + b',"items":[', map(resource.encode_item, (record.value for record in records))))


def _pieces(head: bytes, items: Iterable[bytes]) -> Iterator[bytes]:
    """The list's bytes, joined to pieces of a useful size: no second copy of a large list is ever made."""
    pending, size, separator = [head], len(head), b""
    for item in items:
        pending += (separator, item)
        size += len(item)
        separator = b","
        if size >= PIECE:
            yield b"".join(pending)
            pending, size = [], 0
    pending.append(b"]}")
    yield b"".join(pending)
