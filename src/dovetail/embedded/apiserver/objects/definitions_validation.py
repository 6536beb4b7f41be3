"""Which CustomResourceDefinitions are valid: every field of ``spec``, with the errors of kube-apiserver.

kube-apiserver validates an older form of the object, in which what all versions have in common (always, when there is
one) stands at the top: a schema's errors are then at ``spec.validation.openAPIV3Schema``, a subresource's at
``spec.subresources``. ``_Hoisted`` gives those paths. Schemas are checked in ``schema.acceptance``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..schema.structural import Structural
from .definitions_names import APPROVAL, approval, is_established, protected
from .names import dns_1035_label, dns_subdomain

Object = dict[str, Any]
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE = 8
_CASE = "may have mixed case, but should otherwise match: "


def validate_new(crd: Object) -> Iterator[FieldError]:
    yield from _whole(crd, None)


def validate_update(crd: Object, old: Object) -> Iterator[FieldError]:
    yield from _whole(crd, old)


def validate_status(crd: Object) -> Iterator[FieldError]:
    yield from _names(part(crd, "status", "acceptedNames"), "status.acceptedNames")


def _whole(crd: Object, old: Object | None) -> Iterator[FieldError]:
    spec: Object = part(crd, "spec")
    if old is None:
        wanted = f"{part(spec, 'names').get('plural') or ''}.{spec.get('group') or ''}"
        if crd["metadata"].get("name") != wanted:
            yield fe.invalid(
                "metadata.name", crd["metadata"].get("name") or "", 'must be spec.names.plural+"."+spec.group'
            )
    yield from _spec(spec, old)
    if old is not None:
        yield from _immutable(crd, old)
    yield from validate_status(crd)
    if old is not None:
        yield from _stored_versions(crd, spec)
    yield from _approval(crd, old)
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield fe.invalid("spec.preserveUnknownFields", True, text)


@dataclass(frozen=True, slots=True)
class _Hoisted:
    """Which parts all versions have in common."""

    schema: bool
    subresources: bool
    columns: bool
    selectable: bool

    @staticmethod
    def of(versions: list[Object]) -> _Hoisted:
        def common(name: str) -> bool:
            first: Any = versions[0].get(name) if versions else None
            return bool(versions) and all(version.get(name) == first for version in versions)

        return _Hoisted(
            common("schema"), common("subresources"), common("additionalPrinterColumns"), common("selectableFields")
        )


def _spec(spec: Object, old: Object | None) -> Iterator[FieldError]:
    group = str(spec.get("group") or "")
    if not group:
        yield fe.required("spec.group")
    elif problems := ",".join(dns_subdomain(group)):
        yield fe.invalid("spec.group", group, problems)
    elif "." not in group:
        yield fe.invalid("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope") or ""
    if scope not in ("Namespaced", "Cluster"):
        missing = fe.required("spec.scope")
        yield fe.not_supported("spec.scope", scope, ["Cluster", "Namespaced"]) if scope else missing
    versions = [cast("Object", version) for version in parts(spec, "versions") if isinstance(version, Mapping)]
    hoisted = _Hoisted.of(versions)
    for index, version in enumerate(versions):
        if not isinstance(part(version, "schema").get("openAPIV3Schema"), Mapping):
            yield fe.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    yield from _versions(versions, hoisted)
    names = part(spec, "names")
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            yield fe.required(f"spec.names.{name}")
    yield from _names(names, "spec.names")
    if hoisted.schema and versions:
        status = any(part(version, "subresources").get("status") is not None for version in versions)
        before = part(old or {}, "spec")
        yield from _schema(versions[0], "spec.validation", status, _unchanged(versions[0], before))
    if versions:
        yield from _common(versions[0], hoisted)
    yield from _conversion(part(spec, "conversion"), versions)


def _common(first: Object, hoisted: _Hoisted) -> Iterator[FieldError]:
    if hoisted.subresources:
        yield from _subresources(first, "spec.subresources")
    if hoisted.columns:
        yield from _columns(first, "spec.additionalPrinterColumns")
    if hoisted.selectable:
        yield from _selectable(first, "spec.selectableFields")


def _versions(versions: list[Object], hoisted: _Hoisted) -> Iterator[FieldError]:
    seen: list[str] = []
    for index, version in enumerate(versions):
        field, name = f"spec.versions[{index}]", str(version.get("name") or "")
        if problems := ",".join(dns_1035_label(name)):
            yield fe.invalid(f"{field}.name", name, problems)
        seen.append(name)
        for problem in _deprecation(version):
            yield fe.invalid(f"{field}.deprecationWarning", version.get("deprecationWarning"), problem)
        if not hoisted.schema:
            status = part(version, "subresources").get("status") is not None
            yield from _schema(version, f"{field}.schema", status, False)
        if not hoisted.subresources:
            yield from _subresources(version, f"{field}.subresources")
        if not hoisted.columns:
            yield from _columns(version, f"{field}.additionalPrinterColumns")
        if not hoisted.selectable:
            yield from _selectable(version, f"{field}.selectableFields")
    if len(set(seen)) != len(seen):
        yield fe.invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        yield fe.invalid("spec.versions", versions or None, text)
    if seen and seen[0] and (problems := ",".join(dns_1035_label(seen[0]))):
        yield fe.invalid("spec.version", seen[0], problems)


def _deprecation(version: Object) -> Iterator[str]:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        yield "can only be set for deprecated versions"
        return
    if len(text.encode()) > 256:
        yield "must be <= 256 characters long"
    if not text:
        yield "must not be an empty string"
    place = next((index for index, char in enumerate(text) if not char.isprintable()), -1)
    if place >= 0:
        found = len(text[:place].encode())
        yield f"must only contain printable UTF-8 characters; non-printable character found at index {found}"


def _names(names: Object, field: str) -> Iterator[FieldError]:
    for name in ("plural", "singular"):
        value = str(names.get(name) or "")
        if value and (problems := ",".join(dns_1035_label(value))):
            yield fe.invalid(f"{field}.{name}", value, problems)
    for name in ("kind", "listKind"):
        value = str(names.get(name) or "")
        if value and (problems := ",".join(dns_1035_label(value.lower()))):
            yield fe.invalid(f"{field}.{name}", value, _CASE + problems)
    for index, short in enumerate(parts(names, "shortNames")):
        if problems := ",".join(dns_1035_label(str(short))):
            yield fe.invalid(f"{field}.shortNames[{index}]", short, problems)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield fe.invalid(f"{field}.listKind", names["listKind"], "kind and listKind may not be the same")
    for index, category in enumerate(parts(names, "categories")):
        if problems := ",".join(dns_1035_label(str(category))):
            yield fe.invalid(f"{field}.categories[{index}]", category, problems)


# -- parts of a version


def _unchanged(version: Object, before: Object) -> bool:
    """An update that leaves a schema as it is does not need it checked again."""
    return any(version.get("schema") == other.get("schema") for other in parts(before, "versions"))


def _schema(version: Object, field: str, status: bool, unchanged: bool) -> Iterator[FieldError]:
    schema = part(version, "schema").get("openAPIV3Schema")
    if not isinstance(schema, Mapping) or unchanged:
        return
    known = cast("Mapping[str, Any]", schema)
    place = f"{field}.openAPIV3Schema"
    from ..schema.acceptance import schema_problems  # CEL comes with it: loaded when a definition is written

    try:
        problems = schema_problems(known, place, status)
        if not problems:
            Structural(known).compile()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        problems = [fe.invalid(field, "", f"error building validator: {what}")]
    yield from problems


def _subresources(version: Object, field: str) -> Iterator[FieldError]:
    scale = part(version, "subresources").get("scale")
    if not isinstance(scale, Mapping):
        return
    paths = cast("Mapping[str, Any]", scale)
    for name, roots, required in (
        ("specReplicasPath", (".spec.",), True),
        ("statusReplicasPath", (".status.",), True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        path = str(paths.get(name) or "")
        if not path:
            if required:
                yield fe.required(f"{field}.scale.{name}")
        elif path[0] != ".":
            yield fe.invalid(f"{field}.scale.{name}", path, "must be a simple json path starting with .")
        elif not path.startswith(roots):
            either = f"under {roots[0].rstrip('.')}" if len(roots) == 1 else "under either .spec or .status"
            yield fe.invalid(f"{field}.scale.{name}", path, f"should be a json path {either}")


def _columns(version: Object, field: str) -> Iterator[FieldError]:
    for index, column in enumerate(parts(version, "additionalPrinterColumns")):
        place = f"{field}[{index}]"
        if not column.get("name"):
            yield fe.required(f"{place}.name")
        types = f"must be one of {','.join(_COLUMN_TYPES)}"
        if not column.get("type"):
            yield fe.required(f"{place}.type", types)
        elif column["type"] not in _COLUMN_TYPES:
            yield fe.invalid(f"{place}.type", column["type"], types)
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            yield fe.invalid(f"{place}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}")
        path = column.get("jsonPath") or ""
        if not path:
            yield fe.required(f"{place}.JSONPath")
        elif path[0] != ".":
            yield fe.invalid(f"{place}.JSONPath", path, "must be a simple json path starting with .")


def _selectable(version: Object, field: str) -> Iterator[FieldError]:
    chosen = parts(version, "selectableFields")
    schema = part(version, "schema", "openAPIV3Schema")
    if not chosen:
        return
    from ..schema.acceptance import followed

    seen: set[str] = set()
    for index, entry in enumerate(chosen):
        place, path = f"{field}[{index}].jsonPath", str(entry.get("jsonPath") or "")
        if not path:
            yield fe.required(place)
            continue
        found, why = followed(schema, path, arrays=False)
        if found is None:
            yield fe.invalid(place, path, f"is an invalid path: {why}")
            continue
        if path.startswith(".metadata"):
            yield fe.invalid(place, path, "must not point to fields in metadata")
        if found.get("type") not in ("string", "boolean", "integer"):
            text = "must point to a field of type string, boolean or integer. "
            yield fe.invalid(place, path, text + "Enum string fields and strings with formats are allowed.")
        if path in seen:
            yield fe.duplicate(place, path)
        seen.add(path)
    if len(seen) > _SELECTABLE:
        yield fe.too_many(field, len(seen), _SELECTABLE)


def _conversion(conversion: Object, versions: list[Object]) -> Iterator[FieldError]:
    if not conversion:
        return
    strategy, field = conversion.get("strategy") or "", "spec.conversion"
    webhook = conversion.get("webhook")
    if strategy not in ("None", "Webhook"):
        missing = fe.required(f"{field}.strategy")
        yield fe.not_supported(f"{field}.strategy", strategy, ["None", "Webhook"]) if strategy else missing
    if strategy != "Webhook":
        if webhook is not None:
            text = "should not be set when strategy is not set to Webhook"
            yield fe.forbidden(f"{field}.webhookClientConfig", text)
        return
    config = part(conversion, "webhook", "clientConfig")
    if not config:
        yield fe.required(f"{field}.webhookClientConfig", "required when strategy is set to Webhook")
    elif bool(config.get("url")) == bool(config.get("service")):
        yield fe.required(f"{field}.webhookClientConfig", "exactly one of url or service is required")
    if not parts(conversion, "webhook", "conversionReviewVersions"):
        yield fe.required(f"{field}.conversionReviewVersions")
    # With one version there is nothing to convert: the webhook of such a definition is never called anywhere.
    if len(versions) > 1:
        text = "conversion webhooks are not supported by this server; serve one version, or use strategy None"
        yield fe.forbidden(f"{field}.strategy", text)


# -- updates


def _immutable(crd: Object, old: Object) -> Iterator[FieldError]:
    spec, before = part(crd, "spec"), part(old, "spec")
    pairs = [("group",), ("names", "plural")]
    if is_established(old):
        pairs = [("scope",), ("names", "kind"), *pairs]
    for path in pairs:
        new, was = part(spec, *path[:-1]).get(path[-1]), part(before, *path[:-1]).get(path[-1])
        if new != was:
            yield fe.invalid(f"spec.{'.'.join(path)}", new, "field is immutable")


def _stored_versions(crd: Object, spec: Object) -> Iterator[FieldError]:
    stored, field = cast("list[str]", parts(crd, "status", "storedVersions")), "status.storedVersions"
    if not stored:
        yield fe.invalid(field, stored, "must have at least one stored version")
    names = {version.get("name") for version in parts(spec, "versions")}
    for index, name in enumerate(stored):
        if name not in names:
            yield fe.invalid(
                f"{field}[{index}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions",
            )


def _approval(crd: Object, old: Object | None) -> Iterator[FieldError]:
    if not protected(str(part(crd, "spec").get("group") or "")):
        return
    state, value, reason = approval(crd)
    if old is not None and approval(old)[0] == state:
        return
    field = f"metadata.annotations[{APPROVAL}]"
    if state == "Invalid":
        yield fe.invalid(field, value, reason)
    elif state == "Missing":
        yield fe.required(field, reason)
