"""extension.yaml: reading is lenient, every rule has a finding with a place and a fix."""

import pytest

from dovetail.packaging.findings import Finding
from dovetail.packaging.metadata import Dependency, ExternalDependency, judge, read_metadata

from .trees import METADATA, with_metadata


def findings(*lines: str, without: str = "") -> dict[str, Finding]:
    """The findings for the tiny extension with these changes, by code."""
    data = with_metadata(*lines, without=without).files["extension.yaml"]
    return {finding.code: finding for finding in judge(read_metadata(data))}


def test_a_sound_file_has_no_findings() -> None:
    assert findings() == {}


def test_every_field() -> None:
    text = """
keywords: [a, b]
home: https://home
docs: https://docs
sources: [https://source]
kubeVersion: ">=1.19.0-0"
ksVersion: ">=4.0.0-0"
maintainers: [{name: me, email: e@x, url: https://u}]
staticFileDirectory: static
screenshots: [./s.png]
installationMode: Multicluster
namespace: own-namespace
images: [a:1]
externalDependencies: [{name: other, version: ">=1.0.0", required: true}]
annotations: {executor-hook-image.kubesphere.io/install: "image:1"}
"""
    reading = read_metadata((METADATA + text).encode())
    metadata = reading.metadata
    assert reading.findings == ()
    assert metadata.display_name == {"en": "Tiny", "zh": "微小"}
    assert metadata.dependencies == (Dependency(name="backend", tags=("extension",)),)
    assert metadata.external_dependencies == (ExternalDependency("other", "extension", ">=1.0.0", True),)
    assert metadata.target_namespace == "own-namespace"
    assert metadata.maintainers[0].email == "e@x"
    assert metadata.annotations == {"executor-hook-image.kubesphere.io/install": "image:1"}
    assert judge(reading) == ()


def test_defaults() -> None:
    metadata = read_metadata(METADATA.encode()).metadata
    assert metadata.installation_mode == "HostOnly"
    assert metadata.target_namespace == "extension-tiny"
    assert metadata.provider["en"].name == "Somebody"


def test_keys_match_in_any_case_and_are_told() -> None:
    reading = read_metadata(b"NAME: x\nDisplayname: {en: z}\n")
    assert reading.metadata.name == "x"
    assert reading.metadata.display_name == {"en": "z"}
    assert [finding.code for finding in reading.findings] == ["key-case", "key-case"]


def test_unquoted_numbers_become_text_and_are_told() -> None:
    reading = read_metadata(b"name: 123\nversion: 1.10\ncategory: true\n")
    metadata = reading.metadata
    assert (metadata.name, metadata.version, metadata.category) == ("123", "1.1", "true")
    assert {(finding.code, finding.place) for finding in reading.findings} == {
        ("text-not-quoted", "extension.yaml:1"),
        ("text-not-quoted", "extension.yaml:2"),
        ("text-not-quoted", "extension.yaml:3"),
    }


def test_norwegian_is_not_false() -> None:
    found = findings("", without="displayName") | findings("displayName: {en: A, no: B}", without="displayName")
    assert "'false' is not a language code" in found["language-invalid"].message


@pytest.mark.parametrize("key", ["chartDataRef", "chartURL", "digest", "repository", "created"])
def test_a_package_cannot_inject_fields(key: str) -> None:
    found = findings(f"{key}: {{name: evil}}")
    assert found["unknown-key"].severity == "warning"
    assert key in found["unknown-key"].message


def test_a_typo_is_told_with_its_correction() -> None:
    assert findings("keyword: [a]")["unknown-key"].fix == "Did you mean keywords"


@pytest.mark.parametrize(
    ("lines", "without", "code", "line"),
    [
        (["name: Not_Allowed"], "name", "name-invalid", 11),
        (["name: a.b"], "name", "name-invalid", 11),
        (["name: " + "a" * 48], "name", "name-invalid", 11),
        (["name: -a"], "name", "name-invalid", 11),
        (["version: '1.0'"], "version", "version-invalid", 11),
        (["version: 1.0.0+build"], "version", "version-invalid", 11),
        (["version: 1.0.0-RC1"], "version", "version-invalid", 11),
        (["category: no good"], "category", "category-invalid", 11),
        (["namespace: kube/system"], "", "namespace-invalid", 12),
        (["displayName: {en: A, zh-CN: B}"], "displayName", "language-invalid", 11),
        (["provider: {xx: {}, en: {}}"], "provider", "language-invalid", 11),
        (["kubeVersion: latest"], "", "constraint-invalid", 12),
        (["ksVersion: '>= x.y'"], "", "constraint-invalid", 12),
        (["externalDependencies: [{name: a, version: new}]"], "", "constraint-invalid", 12),
        (["externalDependencies: [{name: 'A b', version: '*'}]"], "", "external-dependency-invalid", 12),
        (["  - name: backend"], "", "dependency-invalid", 12),
        (["  - tags: [agent]"], "", "dependency-invalid", 12),
        (["  - name: x", "    alias: a/b"], "", "dependency-invalid", 12),
        (["installationMode: Everywhere"], "", "mode-invalid", 12),
        (["keywords: none"], "", "wrong-type", 12),
        (["maintainers: [me]"], "", "wrong-type", 12),
        (["icon: {}"], "icon", "wrong-type", 11),
    ],
)
def test_rules(lines: list[str], without: str, code: str, line: int) -> None:
    found = findings(*lines, without=without)[code]
    assert (found.severity, found.place) == ("error", f"extension.yaml:{line}")
    assert found.message
    assert found.fix
    assert not (found.message + found.fix).endswith(".")


@pytest.mark.parametrize(
    "field", ["apiVersion", "name", "version", "displayName", "description", "category", "provider", "icon"]
)
def test_required_fields(field: str) -> None:
    assert findings(without=field)["field-missing"].message == f"{field} is missing"


def test_combinations_that_never_deploy() -> None:
    assert "agent-never-installed" in findings("  - name: a", "    tags: [agent]")
    both = findings(
        "  - name: a", "    tags: [agent, extension]", "    condition: a.on", "installationMode: Multicluster"
    )
    assert both["both-tags-never-installed"].severity == "warning"


def test_repeated_keys_are_told() -> None:
    assert findings("screenshots: [a]", "screenshots: []")["repeated-key"].place == "extension.yaml:13"


def test_english_is_expected() -> None:
    assert findings("description: {zh: 中}", without="description")["english-missing"].severity == "warning"
