"""Rules about CustomResourceDefinitions: what an API server would refuse, for `crds/` and for templates."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error
from dovetail.packaging.manifests import RenderedObject, items, mapping

_KIND: Final = "CustomResourceDefinition"
_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION: Final = re.compile(r"[a-z][-a-z0-9]{0,62}")
_TYPES: Final = frozenset({"array", "boolean", "integer", "number", "object", "string"})
_ANY: Final = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def definitions_of(examined: Examined) -> Iterator[RenderedObject]:
    """Every CRD of the package, each once."""
    seen: set[tuple[str, str]] = set()
    for view in examined.views:
        for obj in (*view.crds, *view.objects):
            if obj.kind == _KIND and (obj.name, obj.place) not in seen:
                seen.add((obj.name, obj.place))
                yield obj


def definitions(examined: Examined) -> Iterator[Finding]:
    """Every fault of every CRD that an API server looks for first."""
    for obj in definitions_of(examined):
        if obj.api_version != "apiextensions.k8s.io/v1":
            continue  # an old version is told by `api-removed`
        for message, fix in _faults(obj):
            yield error("crd-invalid", obj.place, f"the CRD {obj.name}: {message}", fix)


def _faults(obj: RenderedObject) -> Iterator[tuple[str, str]]:
    spec = mapping(obj.value.get("spec"))
    names = mapping(spec.get("names"))
    plural, group = str(names.get("plural") or ""), str(spec.get("group") or "")
    if not plural or not group or not names.get("kind"):
        yield "spec.group, spec.names.plural or spec.names.kind is missing", "Add it"
    elif obj.name != f"{plural}.{group}":
        yield f"its name must be {plural}.{group}", f"Set metadata.name to {plural}.{group}"
    for field in ("plural", "singular"):
        if names.get(field) and not _LABEL.fullmatch(str(names[field])):
            yield f"spec.names.{field} {names[field]!r} is not a label", "Use lower-case letters"
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        yield f"spec.scope is {spec.get('scope')!r}", "Use Namespaced or Cluster"
    yield from _version_faults([mapping(version) for version in items(spec.get("versions"))])


def _version_faults(versions: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    if not versions:
        yield "it has no versions", "Add spec.versions"
        return
    if sum(version.get("storage") is True for version in versions) != 1:
        yield "exactly one version must be stored", "Set storage: true on one version"
    listed = [str(version.get("name") or "") for version in versions]
    for name in listed:
        if not _VERSION.fullmatch(name) or listed.count(name) > 1:
            yield f"{name!r} is not a version's name, or is there twice", "Name versions like v1 or v1alpha1"
    for name, version in zip(listed, versions, strict=True):
        schema = mapping(mapping(version.get("schema")).get("openAPIV3Schema"))
        if not schema:
            yield f"version {name} has no schema", "Add schema.openAPIV3Schema with type: object"
        elif schema.get("type") != "object":
            yield f"the schema of version {name} is not of type object", "Set type: object at its root"
        else:
            yield from _schema_faults(schema, name)


def _schema_faults(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The rules of structural schemas that are broken most often."""
    kind = schema.get("type")
    if kind is None and not any(schema.get(key) for key in _ANY):
        yield f"{path} has no type", "Give every property a type (structural schemas need one)"
    elif kind is not None and kind not in _TYPES:
        yield f"{path} has the unknown type {kind!r}", f"Use one of {', '.join(sorted(_TYPES))}"
    elif kind == "array" and not isinstance(schema.get("items"), Mapping):
        yield f"{path} is an array without items", "Add items"
    if schema.get("properties") and schema.get("additionalProperties"):
        yield f"{path} has both properties and additionalProperties", "Keep one of them"
    for key in ("$ref", "definitions", "patternProperties"):
        if key in schema:
            yield f"{path} uses {key}, which CRDs do not allow", "Write the schema out"
    for name, inner in mapping(schema.get("properties")).items():
        yield from _schema_faults(mapping(inner), f"{path}.{name}")
    if isinstance(schema.get("items"), Mapping):
        yield from _schema_faults(mapping(schema["items"]), f"{path}[]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _schema_faults(mapping(schema["additionalProperties"]), f"{path}.*")
