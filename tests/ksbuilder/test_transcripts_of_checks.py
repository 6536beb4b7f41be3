"""The commands that look at extensions, in a real terminal: what they print, in which colours, how they end."""

import shutil
from pathlib import Path

from .command import SAMPLES
from .test_transcripts import shown, terminal

GREETER = SAMPLES / "greeter"
FAULT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n"


def test_check_and_lint(tmp_path: Path) -> None:
    target = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    text = shown("check", "greeter", cwd=tmp_path)
    assert text.startswith("checking extension greeter\n")
    assert text.endswith("1 note\n")
    (target / "charts/backend/templates/x.yaml").write_text(FAULT)
    with terminal("lint", "greeter", "-q", cwd=tmp_path, code=1) as child:
        child.expect("linting extension greeter\r\n")
        child.expect(
            r"\x1b\[31merror selector-missing charts/backend/templates/x\.yaml:2: Deployment x has no selector\."
        )
        child.expect("1 error\r\n")
    assert shown("validate", "greeter", cwd=tmp_path) == "validating extension greeter\nno issues found\n"


def test_template_diff_package(tmp_path: Path) -> None:
    text = shown("template", GREETER, "-s", "charts/backend/templates/service.yaml", cwd=tmp_path)
    assert text.startswith("# Release: host\n---\n# Source: charts/backend/templates/service.yaml\napiVersion: v1\n")
    with terminal("diff", GREETER, SAMPLES / "greeter-0.2.0", cwd=tmp_path) as child:
        child.expect(r"greeter 0\.1\.0 -> greeter 0\.2\.0")
        child.expect(r"\x1b\[31m  - greeter-backend:0\.1\.0")
        child.expect(r"\x1b\[32m  \+ greeter-backend:0\.2\.0")
        child.expect(r"~ Deployment\.apps greeter-backend \(host\)")
    saved = shown("package", GREETER, "--annex", cwd=tmp_path).splitlines()
    assert [line.partition(" saved to ")[0] for line in saved[1:]] == ["package", "annex", "annex"]


def test_explain_category_schema(tmp_path: Path) -> None:
    assert shown("explain", "value-dead", cwd=tmp_path).startswith("value-dead\nA value in values.yaml is not used")
    assert shown("explain", "value-deed", cwd=tmp_path, code=1) == (
        "There is no finding 'value-deed'. The nearest is value-dead.\n"
    )
    assert len(shown("category", cwd=tmp_path).splitlines()) == 11
    assert shown("schema", cwd=tmp_path).splitlines()[:2] == ["extension", "permissions"]
