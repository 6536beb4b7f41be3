"""`extension.yaml`: what an extension says of itself.

`ExtensionMetadata` has every field of reference/ksbuilder.md 2.1 under its published name. `read_metadata` takes
anything that the published tool takes; `judge` holds the result against the rules for writing and says, finding by
finding, what would keep the extension from being packaged, published or installed. Unknown keys are told and dropped,
so a package cannot slip fields such as `chartDataRef` into the objects made from it.

A chart without extension.yaml (the oldest packages) is read from its Chart.yaml by `metadata_of_chart`.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from dovetail.packaging import names
from dovetail.packaging.decoding import decode
from dovetail.packaging.errors import InvalidConstraint, InvalidVersion
from dovetail.packaging.findings import Finding
from dovetail.packaging.versions import Constraint, Version
from dovetail.packaging.yaml11 import Document, Path, load

METADATA_FILE: Final = "extension.yaml"
HOST_ONLY: Final = "HostOnly"
MULTICLUSTER: Final = "Multicluster"

Locales = dict[str, str]
"""Language code (ISO 639-1) -> text."""


class Maintainer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person to write to."""

    name: str = ""
    email: str = ""
    url: str = ""


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who offers the extension, in one language."""

    name: str = ""
    url: str = ""
    email: str = ""


class Dependency(msgspec.Struct, frozen=True, omit_defaults=True, rename={"import_values": "import-values"}):
    """A sub-chart, as in Helm's Chart.yaml. The tag `extension` means the host cluster, `agent` the chosen members."""

    name: str = ""
    version: str = ""
    repository: str = ""
    condition: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = False
    import_values: tuple[object, ...] = ()
    alias: str = ""


class ExternalDependency(msgspec.Struct, frozen=True):
    """Another extension that this one needs (`required`) or can use."""

    name: str = ""
    type: str = "extension"
    version: str = ""
    required: bool = False


class ExtensionMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """extension.yaml. Every field has a default, because reading is lenient; `judge` knows which are required."""

    api_version: str = ""
    name: str = ""
    version: str = ""
    display_name: Locales = {}
    description: Locales = {}
    category: str = ""
    keywords: tuple[str, ...] = ()
    home: str = ""
    docs: str = ""
    sources: tuple[str, ...] = ()
    kube_version: str = ""
    ks_version: str = ""
    maintainers: tuple[Maintainer, ...] = ()
    provider: dict[str, Provider] = {}
    static_file_directory: str = ""
    icon: str = ""
    screenshots: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    installation_mode: str = HOST_ONLY
    namespace: str = ""
    images: tuple[str, ...] = ()
    external_dependencies: tuple[ExternalDependency, ...] = ()
    annotations: dict[str, str] = {}

    @property
    def target_namespace(self) -> str:
        """Where the extension is installed: `namespace`, else `extension-<name>`."""
        return self.namespace or f"extension-{self.name}"


REQUIRED: Final = ("apiVersion", "name", "version", "displayName", "description", "category", "provider", "icon")


class Reading(msgspec.Struct, frozen=True):
    """Metadata as read, the document it came from (for places), and what reading noticed."""

    metadata: ExtensionMetadata
    document: Document
    findings: tuple[Finding, ...] = ()


def read_metadata(data: bytes) -> Reading:
    """Read extension.yaml leniently. Raises InvalidYaml; everything milder is a finding."""
    document = load(data, METADATA_FILE)
    metadata, findings = decode(document, ExtensionMetadata, METADATA_FILE)
    return Reading(metadata, document, findings)


def judge(reading: Reading) -> tuple[Finding, ...]:
    """What reading noticed and every broken rule. `error` means that the package must not be built."""
    judge_ = _Judge(reading)
    rules = (judge_.required(), judge_.identity(), judge_.languages(), judge_.constraints(), judge_.dependencies())
    return (*reading.findings, *(finding for rule in rules for finding in rule), *judge_.deployment())


class _Judge:
    def __init__(self, reading: Reading) -> None:
        self.metadata, self.document = reading.metadata, reading.document

    def _at(self, path: Path) -> str:
        return f"{METADATA_FILE}:{self.document.line(_spelled(self.document, path))}"

    def _error(self, code: str, path: Path, message: str, fix: str) -> Finding:
        return Finding(code=code, severity="error", place=self._at(path), message=message, fix=fix)

    def _warning(self, code: str, path: Path, message: str, fix: str) -> Finding:
        return Finding(code=code, severity="warning", place=self._at(path), message=message, fix=fix)

    def required(self) -> Iterator[Finding]:
        values = msgspec.to_builtins(self.metadata)
        for field in REQUIRED:
            if not values.get(field):
                yield self._error("field-missing", (), f"{field} is missing", f"Add {field} to {METADATA_FILE}")

    def identity(self) -> Iterator[Finding]:
        metadata = self.metadata
        if metadata.name and not names.is_strict_name(metadata.name):
            fix = f"Use {names.STRICT_NAME_RULE}"
            yield self._error(
                "name-invalid", ("name",), f"the name {metadata.name!r} cannot be installed everywhere", fix
            )
        if metadata.version:
            yield from self._version(metadata.version)
        if metadata.category and not names.is_label_value(metadata.category):
            fix = f"Use one of: {', '.join(names.CATEGORIES)}"
            yield self._error(
                "category-invalid", ("category",), f"{metadata.category!r} cannot be a category's name", fix
            )
        if metadata.namespace and not names.is_strict_name(metadata.namespace):
            fix = "Use lower-case letters, digits and hyphens"
            message = f"{metadata.namespace!r} cannot be a namespace's name"
            yield self._error("namespace-invalid", ("namespace",), message, fix)

    def _version(self, text: str) -> Iterator[Finding]:
        try:
            version = Version.parse(text, strict=True)
        except InvalidVersion as error:
            yield self._error("version-invalid", ("version",), f"the version {text!r} is not semantic", _fix_of(error))
            return
        if version.build or text != text.lower() or not names.is_subdomain(text):
            message = f"the version {text!r} cannot be part of an object's name"
            yield self._error("version-invalid", ("version",), message, "Use lower case and no build metadata (no +)")

    def languages(self) -> Iterator[Finding]:
        metadata = self.metadata
        fields = {
            "displayName": metadata.display_name,
            "description": metadata.description,
            "provider": metadata.provider,
        }
        for field, locales in fields.items():
            for code in locales:
                if code not in names.LANGUAGES:
                    fix = "Use a two-letter code of ISO 639-1, such as en or zh"
                    yield self._error("language-invalid", (field, code), f"{code!r} is not a language code", fix)
            if locales and "en" not in locales:
                message = f"{field} has no English text, which is what most readers fall back to"
                yield self._warning("english-missing", (field,), message, f"Add {field}.en")

    def constraints(self) -> Iterator[Finding]:
        metadata = self.metadata
        fields: list[tuple[Path, str]] = [
            (("kubeVersion",), metadata.kube_version),
            (("ksVersion",), metadata.ks_version),
        ]
        for at, external in enumerate(metadata.external_dependencies):
            path: Path = ("externalDependencies", at)
            fields.append(((*path, "version"), external.version))
            if not names.is_subdomain(external.name):
                message = f"{external.name!r} is not an extension's name"
                yield self._error("external-dependency-invalid", path, message, "Give the name of the extension")
        for path, text in fields:
            yield from self._constraint(path, text)

    def _constraint(self, path: Path, text: str) -> Iterator[Finding]:
        try:
            Constraint.parse(text)
        except InvalidConstraint as error:
            yield self._error("constraint-invalid", path, f"{text!r} is not a version constraint", _fix_of(error))

    def dependencies(self) -> Iterator[Finding]:
        seen: set[str] = set()
        for at, dependency in enumerate(self.metadata.dependencies):
            path: Path = ("dependencies", at)
            key = dependency.alias or dependency.name
            if not dependency.name:
                yield self._error("dependency-invalid", path, "a dependency has no name", "Name the sub-chart")
            elif dependency.alias and not names.is_alias(dependency.alias):
                fix = "Use letters, digits, hyphens and underscores"
                yield self._error("dependency-invalid", path, f"{dependency.alias!r} cannot be an alias", fix)
            elif key in seen:
                fix = "Remove one, or give it an alias"
                yield self._error("dependency-invalid", path, f"{key!r} is a dependency twice", fix)
            yield from self._constraint((*path, "version"), dependency.version)
            seen.add(key)

    def deployment(self) -> Iterator[Finding]:
        """Combinations that are legal and never do what their author wants."""
        mode = self.metadata.installation_mode
        if mode not in (HOST_ONLY, MULTICLUSTER):
            fix = f"Use {HOST_ONLY} or {MULTICLUSTER}"
            yield self._error("mode-invalid", ("installationMode",), f"{mode!r} is not an installation mode", fix)
        for at, dependency in enumerate(self.metadata.dependencies):
            path: Path = ("dependencies", at)
            tags = set(dependency.tags)
            if mode == HOST_ONLY and tags == {"agent"}:
                message = (
                    f"{dependency.name} is tagged agent, but {HOST_ONLY} extensions have no agents: never installed"
                )
                yield self._warning("agent-never-installed", path, message, f"Tag it extension, or use {MULTICLUSTER}")
            if {"agent", "extension"} <= tags and dependency.condition:
                message = f"{dependency.name} has both tags and a condition, which is set to false on either side"
                yield self._warning("both-tags-never-installed", path, message, "Remove one tag or the condition")


def _fix_of(error: Exception) -> str:
    """The last sentence of an error of `versions` is its way out."""
    return str(error).rpartition(". ")[2].rstrip(".")


def _spelled(document: Document, path: Path) -> Path:
    """The path as the file spells its first key, which matches in any case."""
    if not path or path in document.lines:
        return path
    keys = (known[0] for known in document.lines if len(known) == 1)
    return (next((key for key in keys if str(key).lower() == str(path[0]).lower()), path[0]), *path[1:])
