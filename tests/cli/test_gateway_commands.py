"""`dovetail gateway check` and `explain`, on files."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dovetail.cli.dovetail import dovetail
from tests.routing.objects import LATE, api_service, reverse_proxy


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """A directory with routes of which one loses to another, and something that is no route."""
    (tmp_path / "one.yaml").write_text(yaml.safe_dump_all([api_service(), reverse_proxy("/a/*", name="old")]))
    young = reverse_proxy("/a/*", "/b", name="young", created=LATE)
    listed = {"apiVersion": "v1", "kind": "List", "items": [young, {"kind": "ConfigMap"}]}
    (tmp_path / "two.yml").write_text(json.dumps(listed))
    (tmp_path / "notes.txt").write_text("{not: [yaml")
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(dovetail, ["gateway", *map(str, arguments)])


def test_check_tells_the_loser_and_the_witness(objects: Path) -> None:
    result = run("check", "-f", objects)
    assert result.exit_code == 1
    assert result.stdout.startswith("ReverseProxy young: Conflict: /a is claimed by the older ")
    assert "GET /a" in result.stdout
    (problem,) = json.loads(run("check", "-f", objects, "--output", "json").stdout)
    assert (problem["name"], problem["witness"]) == ("young", "GET /a")
    assert problem["winner"].endswith("/old")


def test_check_is_content_with_what_is_good(objects: Path) -> None:
    result = run("check", "-f", objects / "one.yaml")
    assert (result.exit_code, result.stdout) == (0, "")


def test_explain(objects: Path) -> None:
    lines = run("explain", "get", "/a/x?y", "-f", objects).stdout.splitlines()
    assert lines[0] == "taken by ReverseProxy.extensions.kubesphere.io/old (* /a/*, authorized)"
    assert lines[1] == "  as GET http://backend:8080/a/x?y"
    assert lines[2].startswith("then by ReverseProxy.extensions.kubesphere.io/young ")
    assert "builtin/console" in lines[4]
    found = json.loads(run("explain", "GET", "/a/x", "-f", objects, "--output", "json").stdout)
    assert [taker["object"].rpartition("/")[2] for taker in found["takers"]] == ["old", "young", "console"]
    assert run("explain", "PUT", "/none", "-f", objects).stdout == "404: no route takes /none\n"
    assert run("explain", "GET", "/a//b", "-f", objects).stdout.startswith("400: ")


def test_a_file_that_is_no_yaml_is_refused(objects: Path) -> None:
    result = run("check", "-f", objects / "notes.txt")
    assert result.exit_code == 1
    assert "notes.txt is no YAML or JSON file" in str(result.exception)
