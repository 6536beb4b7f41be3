"""Wire models to structural OpenAPI v3 schemas, as CustomResourceDefinitions want them.

Types, nesting and requiredness come from the Struct; descriptions from its docstring and the fields' Meta; patterns,
limits and further keys from Meta. A field whose Meta says preserve-unknown-fields or int-or-string gets no `type` (the
rule for structural schemas: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
A Struct's Python defaults do not become schema defaults, so that the server stores what was written; a default that
the server shall fill in is said in Meta.

Not done: references (schemas are inlined, as required), unions other than "or None", recursive models.
"""

import copy
from typing import Any, cast

import msgspec.inspect as mi

from dovetail.apis.wire import INT_OR_STRING, PRESERVE, Wire

Schema = dict[str, Any]


def object_schema(model: type[Wire]) -> Schema:
    """The schema of a whole object: apiVersion, kind and metadata as the server expects them, the rest from `model`."""
    schema = _struct(_type_info(model))
    properties = {
        "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
        "kind": {"type": "string", "description": "Name of the kind of this object."},
        **schema["properties"],
        "metadata": {"type": "object"},
    }
    required = [name for name in schema.get("required", []) if name != "metadata"]
    return _without_empty({**schema, "properties": properties, "required": required})


def _type_info(model: type[Wire]) -> mi.StructType:
    info = mi.type_info(model)
    assert isinstance(info, mi.StructType)
    return info


def _struct(info: mi.StructType) -> Schema:
    required = [field.encode_name for field in info.fields if field.required]
    properties = {field.encode_name: _schema(field.type) for field in info.fields}
    return _without_empty(
        {"type": "object", "description": _docstring(info.cls), "properties": properties, "required": required}
    )


def _docstring(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())


def _without_empty(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if value not in ("", [], None)}


def _schema(info: mi.Type) -> Schema:
    info, extra = _unwrap(info)
    if extra.get(PRESERVE) or extra.get(INT_OR_STRING):
        return extra
    return {**_bare(info), **extra}


def _unwrap(info: mi.Type) -> tuple[mi.Type, Schema]:
    """A type without its Metadata and without `| None`, and what the Metadata said; the outer one wins."""
    if isinstance(info, mi.Metadata):
        inner, extra = _unwrap(info.type)
        said = cast("Schema | None", info.extra_json_schema)  # pyright: ignore[reportUnknownMemberType]
        return inner, {**extra, **copy.deepcopy(said or {})}
    if isinstance(info, mi.UnionType):
        members = [member for member in info.types if not isinstance(member, mi.NoneType)]
        if len(members) == 1:
            return _unwrap(members[0])
    return info, {}


def _bare(info: mi.Type) -> Schema:
    match info:
        case mi.StructType():
            return _struct(info)
        case mi.StrType():
            return _without_empty({"type": "string", "pattern": info.pattern})
        case mi.BoolType():
            return {"type": "boolean"}
        case mi.IntType():
            return _without_empty({"type": "integer", "minimum": info.ge, "maximum": info.le})
        case mi.LiteralType():
            return {"type": "string", "enum": list(info.values)}
        case mi.ListType():
            return {"type": "array", "items": _schema(info.item_type)}
        case mi.DictType():
            return _map(info)
        case _:
            raise TypeError(f"no structural schema for {info!r}: give the field a Meta from wire.several_shapes")


def _map(info: mi.DictType) -> Schema:
    if isinstance(info.value_type, mi.AnyType):
        return {"type": "object", PRESERVE: True}
    return {"type": "object", "additionalProperties": _schema(info.value_type)}
