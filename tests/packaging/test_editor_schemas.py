"""The schemas for editors: they say what the readers say."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from dovetail.packaging.editor_schemas import extension_schema, permissions_schema, schemas
from dovetail.packaging.metadata import Dependency, ExtensionMetadata, ExternalDependency, Maintainer, Provider
from dovetail.packaging.yaml11 import load, load_all

from .corpus import SAMPLES, each, sources, unpack
from .trees import METADATA


def valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value follows a schema."""
    return jsonschema_rs.validator_for(schema).is_valid(value)


def test_every_schema_is_one() -> None:
    known = schemas()
    assert {"extension", "permissions", "JSBundle", "ReverseProxy", "InstallPlan"} <= known.keys()
    for make in known.values():
        jsonschema_rs.validator_for(make())


def test_it_has_the_fields_of_the_readers() -> None:
    schema = extension_schema()
    properties = schema["properties"]
    assert set(properties) == set(ExtensionMetadata.__struct_encode_fields__)
    for field, struct in (
        ("dependencies", Dependency),
        ("externalDependencies", ExternalDependency),
        ("maintainers", Maintainer),
    ):
        assert set(properties[field]["items"]["properties"]) == set(struct.__struct_encode_fields__)
    assert set(properties["provider"]["additionalProperties"]["properties"]) == set(Provider.__struct_encode_fields__)


@pytest.mark.parametrize(
    "line",
    [
        "name: Tiny", "version: 1.10", "version: '1.0.0+build'", "displayName: {zh-CN: x}", "displayName: {}",
        "icon: 7",
        "installationMode: Both", "home: example.org", "typo: 1", "dependencies: [{nam: x}]", "dependencies: {}",
        "provider: {en: Somebody}", "externalDependencies: [{name: a}]",
    ],
)  # fmt: skip
def test_faults_are_seen_while_typing(line: str) -> None:
    good = yaml.safe_load(METADATA)
    assert valid(extension_schema(), good)
    assert not valid(extension_schema(), {**good, **yaml.safe_load(line)})


@each(sources())
def test_published_files_follow_them(path: Path, tmp_path: Path) -> None:
    folder = unpack(path, tmp_path)
    value = load((folder / "extension.yaml").read_bytes(), "extension.yaml").value
    errors = [error.message for error in jsonschema_rs.validator_for(extension_schema()).iter_errors(value)]
    assert errors == []
    for document in load_all((folder / "permissions.yaml").read_bytes(), "permissions.yaml"):
        assert valid(permissions_schema(), document.value)


def test_samples_follow_them() -> None:
    for file in SAMPLES.glob("*/extension.yaml"):
        assert valid(extension_schema(), load(file.read_bytes(), "extension.yaml").value), file
