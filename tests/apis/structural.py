"""The rules that a real kube-apiserver holds a CRD's schema to, as a checker that returns every violation.

From the documentation of structural schemas and of apiextensions.k8s.io/v1 validation. Stricter than the server where
that finds mistakes: every key is known, every required field exists, no logical junctors.
"""

import re
from typing import Any

from tests.apis.validation import violations

TYPES = {"object", "array", "string", "integer", "number", "boolean"}
FORMATS = {"date-time", "int32", "int64", "byte", "duration", "uri"}
KEYS = {
    "type", "description", "properties", "required", "items", "additionalProperties", "enum", "pattern", "format",
    "minimum", "maximum", "minLength", "maxLength", "default", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
COLUMN_TYPES = {"integer", "number", "string", "boolean", "date"}


def check_schema(schema: dict[str, Any], at: str = "") -> list[str]:
    """Violations in a schema and all below it."""
    found = [f"{at}: unknown key {key}" for key in schema.keys() - KEYS]
    found += _check_type(schema, at)
    found += _check_lists(schema, at)
    found += _check_values(schema, at)
    for name, child in schema.get("properties", {}).items():
        found += check_schema(child, f"{at}.{name}")
    if isinstance(schema.get("items"), dict):
        found += check_schema(schema["items"], f"{at}[]")
    if "additionalProperties" in schema:
        if not isinstance(schema["additionalProperties"], dict):
            found.append(f"{at}: additionalProperties must be a schema")
        else:
            found += check_schema(schema["additionalProperties"], f"{at}.*")
    return found


def _check_type(schema: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    preserve = schema.get("x-kubernetes-preserve-unknown-fields")
    int_or_string = schema.get("x-kubernetes-int-or-string")
    if preserve not in (None, True) or int_or_string not in (None, True):
        found.append(f"{at}: extensions may only be true")
    if int_or_string and "type" in schema:
        found.append(f"{at}: int-or-string forbids a type")
    if "type" not in schema and not preserve and not int_or_string:
        found.append(f"{at}: needs a type")
    if "type" in schema and schema["type"] not in TYPES:
        found.append(f"{at}: unknown type {schema['type']}")
    if preserve and schema.get("type", "object") != "object":
        found.append(f"{at}: preserve-unknown-fields only on objects")
    if ("properties" in schema or "additionalProperties" in schema) and schema.get("type") != "object":
        found.append(f"{at}: fields only on objects")
    if "properties" in schema and "additionalProperties" in schema:
        found.append(f"{at}: properties and additionalProperties exclude each other")
    missing = set(schema.get("required", [])) - schema.get("properties", {}).keys()
    return [*found, *(f"{at}: requires unknown {name}" for name in missing)]


def _check_lists(schema: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        found.append(f"{at}: needs items")
    if "items" in schema and schema.get("type") != "array":
        found.append(f"{at}: items only on arrays")
    kind = schema.get("x-kubernetes-list-type")
    if kind is None:
        return found
    if kind not in ("atomic", "set", "map") or schema.get("type") != "array":
        found.append(f"{at}: bad list type")
    keys = schema.get("x-kubernetes-list-map-keys", [])
    items = schema.get("items", {})
    if (kind == "map") != bool(keys) or (kind == "map" and items.get("type") != "object"):
        found.append(f"{at}: map lists have keys and objects")
    for key in keys:
        child = items.get("properties", {}).get(key)
        if child is None or child.get("type") not in ("string", "integer", "boolean"):
            found.append(f"{at}: key {key} must be a scalar property")
        elif key not in items.get("required", []) and "default" not in child:
            found.append(f"{at}: key {key} must be required or have a default")
    return found


def _check_values(schema: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    kind = schema.get("type")
    if "pattern" in schema:
        if kind != "string":
            found.append(f"{at}: pattern only on strings")
        if re.search(r"\(\?[=!<]|\\[1-9]|[*+?}]\+", schema["pattern"]):
            found.append(f"{at}: pattern is not RE2")
        re.compile(schema["pattern"])
    if "format" in schema and schema["format"] not in FORMATS:
        found.append(f"{at}: unknown format")
    if any(key in schema for key in ("minimum", "maximum")) and kind not in ("integer", "number"):
        found.append(f"{at}: limits only on numbers")
    if any(key in schema for key in ("minLength", "maxLength")) and kind != "string":
        found.append(f"{at}: lengths only on strings")
    if "enum" in schema and (not schema["enum"] or kind != "string"):
        found.append(f"{at}: enum of strings, not empty")
    if "default" in schema:
        bare = {key: value for key, value in schema.items() if key != "default"}
        found += [f"{at}: default: {error}" for error in violations(bare, schema["default"])]
    return found


def check_crd(crd: dict[str, Any]) -> list[str]:
    """Violations in a CustomResourceDefinition."""
    spec = crd["spec"]
    names = spec["names"]
    found: list[str] = []
    if crd["metadata"]["name"] != f"{names['plural']}.{spec['group']}":
        found.append("name must be plural.group")
    used = (names["plural"], names["singular"], *names.get("shortNames", []), *names["categories"])
    found += [f"{name} is no DNS label" for name in used if not DNS_LABEL.fullmatch(name)]
    if names["plural"] != names["plural"].lower() or names["kind"] == names["listKind"]:
        found.append("bad names")
    if spec["scope"] not in ("Cluster", "Namespaced"):
        found.append("bad scope")
    if [version["storage"] for version in spec["versions"]].count(True) != 1:
        found.append("one version is stored")
    for version in spec["versions"]:
        found += _check_version(version)
    return found


def _check_version(version: dict[str, Any]) -> list[str]:
    schema = version["schema"]["openAPIV3Schema"]
    found = check_schema(schema)
    if schema.get("type") != "object" or schema["properties"].get("metadata") != {"type": "object"}:
        found.append("the root is an object with a bare metadata")
    if "status" not in schema["properties"] or version["subresources"] != {"status": {}}:
        found.append("status belongs to every kind")
    for column in version["additionalPrinterColumns"]:
        if column["type"] not in COLUMN_TYPES or not column["jsonPath"].startswith(".") or column.keys() - {
            "name", "type", "jsonPath", "priority", "description", "format",
        }:  # fmt: skip
            found.append(f"bad column {column}")
    return found
