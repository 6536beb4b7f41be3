"""The form in which an object or a list leaves: as it is, as a Table for people, or metadata only.

The Accept header decides (``application/json;as=Table;v=v1;g=meta.k8s.io``). The plain form never parses what is
stored: the type header is put in front of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import NotAcceptable
from ..media_types import JSON, OFFERED, YAML, ranges
from ..output.tables import table_of
from ..registry.resource import ResourceType
from ..storage.records import Record

PLAIN, TABLE, PARTIAL = "plain", "table", "partial"


@dataclass(frozen=True, slots=True)
class Form:
    """``kind`` plain, table or partial; ``yaml`` for application/yaml; ``version`` of meta.k8s.io."""

    kind: str = PLAIN
    yaml: bool = False
    version: str = "v1"
    include: str = "Metadata"


def negotiate(accept: str, include: str = "") -> Form:
    """Raises NotAcceptable when nothing that the client takes is offered."""
    if not accept or accept == JSON:
        return Form()
    for taken in ranges(accept):
        form = _form(taken.parameters.get("as", ""), taken.parameters.get("v", "v1"), include)
        if form is None:
            continue
        if taken.covers(JSON):
            return form
        if taken.covers(YAML):
            return Form(form.kind, True, form.version, form.include)
    raise NotAcceptable(OFFERED)


def _form(wanted: str, version: str, include: str) -> Form | None:
    if wanted == "Table":
        return Form(TABLE, False, version, include or "Metadata")
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Form(PARTIAL, False, version)
    return None if wanted else Form()


def to_yaml(body: bytes) -> bytes:
    """Keys in order, as Kubernetes writes it."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(orjson.loads(body), Dumper=dumper, sort_keys=True, allow_unicode=True, width=1 << 20).encode()


def one(form: Form, resource: ResourceType, value: bytes, now: float) -> bytes:
    """A single object, ``value`` as stored."""
    if form.kind == TABLE:
        table = table_of(resource, form.version, form.include)
        return table.encode([resource.decode(value)], now, "")
    if form.kind == PARTIAL:
        return orjson.dumps(partial(resource.decode(value), form.version))
    return resource.encode(value)


def partial(obj: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    kind = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"}
    return {**kind, "metadata": obj.get("metadata", {})}


def many(
    form: Form, resource: ResourceType, records: Sequence[Record], meta: dict[str, Any], now: float
) -> list[bytes]:
    """A whole list with this ListMeta, in pieces."""
    if form.kind == TABLE:
        table = table_of(resource, form.version, form.include)
        objects = [resource.decode(record.value) for record in records]
        return [table.encode(objects, now, str(meta.get("resourceVersion", "")), meta)]
    return [opening(form, resource, meta), items(form, resource, records), closing()]


def opening(form: Form, resource: ResourceType, meta: dict[str, Any]) -> bytes:
    """The list up to its first item (not for tables)."""
    if form.kind == PARTIAL:
        kind, version = "PartialObjectMetadataList", f"meta.k8s.io/{form.version}"
    else:
        kind, version = resource.list_kind, resource.api_version
    return orjson.dumps({"kind": kind, "apiVersion": version, "metadata": meta})[:-1] + b',"items":['


def items(form: Form, resource: ResourceType, records: Iterable[Record]) -> bytes:
    """Items, joined as in a list (not for tables)."""
    if form.kind == PARTIAL:
        return b",".join(orjson.dumps(partial(resource.decode(record.value), form.version)) for record in records)
    encode = resource.encode_item
    return b",".join([encode(record.value) for record in records])


def closing() -> bytes:
    return b"]}"
