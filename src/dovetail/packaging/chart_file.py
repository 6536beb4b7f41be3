"""Chart.yaml: the fields that Helm knows, read, cleaned, checked and written as Helm does.

`metadata_for` makes the one of an extension from its extension.yaml. `decoded` and `checked` are what a chart has to
pass to be loaded; `chart_yaml` gives the bytes that Helm would save, which is how published packages are compared.
"""

import unicodedata
from typing import Any, Final, TypeVar

import msgspec

from dovetail.packaging import names
from dovetail.packaging.canonical import dump
from dovetail.packaging.decoding import decode
from dovetail.packaging.errors import InvalidChart, InvalidVersion
from dovetail.packaging.findings import errors_of
from dovetail.packaging.metadata import Dependency, ExtensionMetadata, Maintainer
from dovetail.packaging.versions import Version
from dovetail.packaging.yaml11 import load

S = TypeVar("S", bound=msgspec.Struct)

CHART_FILE: Final = "Chart.yaml"


class ChartMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Chart.yaml, the fields that Helm knows."""

    name: str = ""
    home: str = ""
    sources: tuple[str, ...] = ()
    version: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    maintainers: tuple[Maintainer, ...] = ()
    icon: str = ""
    api_version: str = ""
    condition: str = ""
    tags: str = ""
    app_version: str = ""
    deprecated: bool = False
    annotations: dict[str, str] = {}
    kube_version: str = ""
    dependencies: tuple[Dependency, ...] = ()
    type: str = ""


class ChartLock(msgspec.Struct, frozen=True, omit_defaults=True):
    """Chart.lock: which versions of its dependencies a chart was packed with."""

    generated: str = ""
    digest: str = ""
    dependencies: tuple[Dependency, ...] = ()


def chart_yaml(metadata: ChartMetadata) -> bytes:
    """Chart.yaml as Helm writes it. A chart of apiVersion v1 keeps its dependencies in requirements.yaml instead."""
    if metadata.api_version == "v1":
        metadata = msgspec.structs.replace(metadata, dependencies=())
    return dump(serialised(metadata)).encode()


def serialised(struct: ChartMetadata | ChartLock) -> dict[str, Any]:
    """Plain values as Helm writes them: the empty ones left out, save the repository of a dependency."""
    plain: dict[str, Any] = msgspec.to_builtins(struct)
    if struct.dependencies:
        plain["dependencies"] = [{"repository": "", **entry} for entry in plain["dependencies"]]
    return plain


def metadata_for(extension: ExtensionMetadata, icon: str) -> ChartMetadata:
    """The Chart.yaml that is generated from extension.yaml. `icon` is a URL or a data URI."""
    return ChartMetadata(
        api_version="v2",
        name=extension.name,
        version=extension.version,
        description=extension.description.get("en", ""),
        keywords=extension.keywords,
        home=extension.home,
        sources=extension.sources,
        kube_version=extension.kube_version,
        maintainers=extension.maintainers,
        icon=icon,
        dependencies=extension.dependencies,
        annotations=extension.annotations,
    )


def decoded(data: bytes, struct: type[S], file: str) -> S:
    """Unknown keys are Helm's to ignore; a value of the wrong kind is refused, as Helm does."""
    value, findings = decode(load(data, file), struct, file)
    for error in errors_of(findings):
        raise InvalidChart(error.place, error.message, error.fix)
    return value


def checked(metadata: ChartMetadata, file: str) -> ChartMetadata:
    """The metadata with texts on one line, as Helm cleans them. Raises InvalidChart for what Helm would refuse."""
    metadata = clean(metadata)
    if not metadata.name or "/" in metadata.name or metadata.name in (".", ".."):
        raise InvalidChart(file, f"{metadata.name!r} cannot be a chart's name", "Set name to the folder's name")
    try:
        Version.parse(metadata.version)
    except InvalidVersion as error:
        raise InvalidChart(
            file, f"the version {metadata.version!r} is not semantic", "Set version, such as 0.1.0"
        ) from error
    if metadata.type not in ("", "application", "library"):
        raise InvalidChart(
            file, f"{metadata.type!r} is not a type of chart", "Use application or library, or leave it out"
        )
    _check_dependencies(metadata.dependencies, file)
    return metadata


def _check_dependencies(dependencies: tuple[Dependency, ...], file: str) -> None:
    keys = [dependency.alias or dependency.name for dependency in dependencies]
    for dependency, key in zip(dependencies, keys, strict=True):
        if dependency.alias and not names.is_alias(dependency.alias):
            raise InvalidChart(file, f"{dependency.alias!r} cannot be an alias", "Use letters, digits, - and _")
        if keys.count(key) > 1:
            raise InvalidChart(file, f"{key!r} is a dependency twice", "Remove one, or give it an alias")


def clean(metadata: ChartMetadata) -> ChartMetadata:
    """Helm's cleaning of texts: white space becomes blanks, what cannot be printed goes."""
    plain = msgspec.to_builtins(metadata)
    cleaned = {key: _cleaned(value) if key != "annotations" else value for key, value in plain.items()}
    return msgspec.convert(cleaned, ChartMetadata)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return "".join(" " if char.isspace() else char for char in value if char.isspace() or _printable(char))
    if isinstance(value, dict):
        return {key: item if key == "import-values" else _cleaned(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _printable(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMNPS"
