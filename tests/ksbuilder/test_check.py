"""ksbuilder check, lint, validate, explain, category, schema: the real command, with Helm's library behind it."""

import json
import shutil
from pathlib import Path

import pytest

from .command import SAMPLES, ksbuilder, quick, refused

GREETER = SAMPLES / "greeter"
BROKEN = "{{ if }}\n"
UNSELECTED = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-x\nspec: {}\n"


def greeter(into: Path, **files: str) -> Path:
    """A greeter with further templates in its back end."""
    target = Path(shutil.copytree(GREETER, into / "greeter"))
    for name, text in files.items():
        (target / "charts/backend/templates" / f"{name}.yaml").write_text(text)
    return target


def test_samples_pass(tmp_path: Path) -> None:
    process = quick("check", "--strict", GREETER, SAMPLES / "greeter-0.2.0", "-o", "json", cwd=tmp_path)
    report = json.loads(process.stdout)
    assert process.returncode == 0, process.stdout
    assert [one["ok"] for one in report["extensions"]] == [True, True]


def test_1_errors_are_the_exit_code(tmp_path: Path) -> None:
    faulty = greeter(tmp_path, x=UNSELECTED)
    for command in ("lint", "check"):
        process = ksbuilder(command, faulty, "-o", "json", cwd=tmp_path)
        assert process.returncode == 1
        (error,) = (one for one in json.loads(process.stdout)["findings"] if one["severity"] == "error")
        assert (error["code"], error["place"]) == ("selector-missing", "charts/backend/templates/x.yaml:2")
    assert quick("validate", faulty, cwd=tmp_path).returncode == 0


def test_a_warning_fails_only_if_strict(tmp_path: Path) -> None:
    pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "nginx"}]}\n'
    faulty = greeter(tmp_path, x=pod)
    assert quick("lint", faulty, cwd=tmp_path).returncode == 0
    process = quick("lint", faulty, "--strict", "--quiet", cwd=tmp_path)
    assert process.returncode == 1
    assert "warning image-unpinned charts/backend/templates/x.yaml:2: nginx of Pod p has no tag." in process.stdout
    assert "note " not in process.stdout


def test_what_does_not_render_is_a_finding_with_its_line(tmp_path: Path) -> None:
    faulty = greeter(tmp_path, y='a: b\nc: {{ fail "give me a name" }}\n')
    process = quick("lint", faulty, cwd=tmp_path)
    assert process.returncode == 1
    assert (
        "error render-failed charts/backend/templates/y.yaml:2: it does not render: give me a name." in process.stdout
    )
    broken = greeter(tmp_path / "other", z=BROKEN)
    assert "error render-failed charts/backend/templates/z.yaml:1:" in quick("lint", broken, cwd=tmp_path).stdout


def test_2_the_version_of_kubernetes_counts(tmp_path: Path) -> None:
    text = '{{ if semverCompare ">=1.25-0" .Capabilities.KubeVersion.Version }}\n' + UNSELECTED + "{{ end }}\n"
    faulty = greeter(tmp_path, x=text)
    assert quick("lint", faulty, "--kube-version", "1.24", cwd=tmp_path).returncode == 0
    assert quick("lint", faulty, "--kube-version", "v1.25.3", cwd=tmp_path).returncode == 1
    assert "not a version of Kubernetes" in refused(quick("lint", faulty, "--kube-version", "new", cwd=tmp_path))


def test_3_paths_may_be_absolute_relative_or_archives(tmp_path: Path) -> None:
    greeter(tmp_path)
    assert quick("package", "greeter", cwd=tmp_path).returncode == 0
    for path in (tmp_path / "greeter", "greeter", "./greeter/", tmp_path / "greeter-0.1.0.tgz", "greeter-0.1.0.tgz"):
        process = quick("validate", path, cwd=tmp_path)
        assert process.returncode == 0, process.stdout + process.stderr


def test_sarif_and_github(tmp_path: Path) -> None:
    greeter(tmp_path, x=UNSELECTED)
    log = json.loads(quick("check", "greeter", "-o", "sarif", cwd=tmp_path).stdout)
    found = {
        result["ruleId"]: result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in log["runs"][0]["results"]
    }
    assert found["selector-missing"] == "greeter/charts/backend/templates/x.yaml"
    annotations = quick("check", "greeter", "-o", "github", cwd=tmp_path).stdout
    assert "::error file=greeter/charts/backend/templates/x.yaml,line=2,title=selector-missing" in annotations


def test_values_are_looked_at(tmp_path: Path) -> None:
    values = "{{ if .Values.broken }}\n" + UNSELECTED + "{{ end }}\n"
    faulty = greeter(tmp_path, x=values)
    (tmp_path / "mine.yaml").write_text("backend: {broken: true}\n")
    assert quick("lint", faulty, cwd=tmp_path).returncode == 0
    assert quick("lint", faulty, "--set", "backend.broken=true", cwd=tmp_path).returncode == 1
    assert quick("lint", faulty, "-f", "mine.yaml", cwd=tmp_path).returncode == 1
    assert quick("lint", faulty, "--set-json", "backend.broken=true", cwd=tmp_path).returncode == 1
    assert quick("lint", faulty, "-f", "mine.yaml", "--set", "backend.broken=false", cwd=tmp_path).returncode == 0


def test_explain_category_schema(tmp_path: Path) -> None:
    assert "What to do: Give the image's version" in quick("explain", "image-unpinned", cwd=tmp_path).stdout
    assert len(quick("explain", cwd=tmp_path).stdout.splitlines()) > 80
    assert "nearest is image-unpinned" in refused(quick("explain", "image-unpined", cwd=tmp_path))
    assert "(Normalized name: dev-tools)" in quick("category", cwd=tmp_path).stdout
    schema = json.loads(quick("schema", "extension", cwd=tmp_path).stdout)
    assert schema["properties"]["installationMode"]["enum"] == ["HostOnly", "Multicluster"]
    assert quick("schema", "--output-dir", "schemas", cwd=tmp_path).returncode == 0
    assert {"extension.json", "permissions.json", "JSBundle.json"} <= {path.name for path in tmp_path.glob("schemas/*")}
    assert "There is no schema" in refused(quick("schema", "nothing", cwd=tmp_path))


@pytest.mark.parametrize("arguments", [["check"], ["lint"], ["check", "-o", "xml", "."], ["template"], ["diff"]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    assert quick(*arguments, cwd=tmp_path).returncode == 2


def test_places_are_files_of_the_tree(tmp_path: Path) -> None:
    target = greeter(tmp_path, x=UNSELECTED)
    (target / "charts/backend").rename(target / "charts/server-side")
    found = json.loads(quick("lint", target, "-o", "json", cwd=tmp_path).stdout)["findings"]
    (place,) = {one["place"] for one in found if one["code"] == "selector-missing"}
    assert place == "charts/server-side/templates/x.yaml:2"


def test_several_archives_of_one_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"nothing")
    (tmp_path / "b.tgz").write_bytes(b"nothing, too")
    log = json.loads(quick("check", "a.tgz", "b.tgz", "-o", "sarif", cwd=tmp_path).stdout)
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["archive-broken", "archive-broken"]
