"""An object against a CRD's schema, with unknown fields refused, as `kubectl apply` does (field validation Strict)."""

import re
from typing import Any

PRESERVE = "x-kubernetes-preserve-unknown-fields"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,),
}  # fmt: skip


def violations(schema: dict[str, Any], value: Any, at: str = "") -> list[str]:
    """What a server would say of this value; empty when it accepts it."""
    if schema.get("x-kubernetes-int-or-string"):
        fine = isinstance(value, (int, str)) and not isinstance(value, bool)
        return [] if fine else [f"{at}: must be a number or a string"]
    kind = schema.get("type")
    if kind is None:
        return []
    if not isinstance(value, PYTHON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{at}: must be of type {kind}, not {type(value).__name__}"]
    if isinstance(value, dict):
        return _fields(schema, value, at)
    if isinstance(value, list):
        return [error for i, item in enumerate(value) for error in violations(schema["items"], item, f"{at}[{i}]")]
    return _scalar(schema, value, at)


def _fields(schema: dict[str, Any], value: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}.{name}: is required" for name in schema.get("required", []) if value.get(name) is None]
    properties = schema.get("properties", {})
    for name, item in value.items():
        if at == "" and name == "metadata":
            continue
        if name in properties:
            found += violations(properties[name], item, f"{at}.{name}")
        elif "additionalProperties" in schema:
            found += violations(schema["additionalProperties"], item, f"{at}.{name}")
        elif not schema.get(PRESERVE):
            found.append(f"{at}.{name}: unknown field")
    return found


def _scalar(schema: dict[str, Any], value: Any, at: str) -> list[str]:
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: must be one of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: must match {schema['pattern']}")
    if schema.get("format") == "date-time" and not TIME.fullmatch(value):
        found.append(f"{at}: must be a time")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at}: too small")
    if "maximum" in schema and value > schema["maximum"]:
        found.append(f"{at}: too large")
    if not schema.get("minLength", 0) <= (len(value) if isinstance(value, str) else 0):
        found.append(f"{at}: too short")
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        found.append(f"{at}: too long")
    return found
