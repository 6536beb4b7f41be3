"""ksbuilder create: every template makes a project that checks, packages, and whose own tests pass."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovetail.packaging import Tree, build, read_package
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.projects.answers import Answers
from dovetail.packaging.projects.errors import InvalidAnswer
from dovetail.packaging.projects.project import create
from tests.helm.charts import tgz

from .command import REPOSITORY, inline, ksbuilder, refusal, value
from .npm import node_modules

BASE = ("--name", "notes", "--category", "dev-tools", "--author", "Ada")
CHART = tgz(
    {
        "wiki/Chart.yaml": "apiVersion: v2\nname: wiki\nversion: 3.1.0\n",
        "wiki/templates/service.yaml": (
            "apiVersion: v1\nkind: Service\nmetadata: {name: wiki}\nspec: {ports: [{name: http, port: 80}]}\n"
        ),
    }
)
TEMPLATES: dict[str, tuple[str, ...]] = {
    "standard": (),
    "standard in Go": ("--backend", "go"),
    "frontend": ("--template", "frontend"),
    "backend": ("--template", "backend"),
    "backend in Go": ("--template", "backend", "--backend", "go"),
    "iframe": ("--template", "simple", "--target", "https://example.org"),
    "link": ("--template", "simple", "--target", "https://example.org", "--open", "link"),
    "app": ("--template", "app", "--from", "wiki.tgz", "--service", "wiki:80"),
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_project_checks_and_packages(template: str, tmp_path: Path) -> None:
    (tmp_path / "wiki.tgz").write_bytes(CHART)
    made = value("create", *BASE, *TEMPLATES[template], cwd=tmp_path)
    for path in (
        ".helmignore",
        "extension.yaml",
        "permissions.yaml",
        "README_zh.md",
        ".github/workflows/extension.yaml",
    ):
        assert path in made["files"]
    checked = value("check", "notes", cwd=tmp_path)
    assert [one for one in checked["findings"] if one["severity"] != "note"] == []
    package = value("package", "notes", cwd=tmp_path)
    assert (package["name"], package["findings"]) == ("notes", [])
    assert not [path for path in package["members"] if path.startswith(("notes/backend/", "notes/frontend/"))]


def test_the_backend_is_deployed_and_verifies(tmp_path: Path) -> None:
    inline("create", *BASE, cwd=tmp_path)
    rendered = inline("template", "notes", cwd=tmp_path)
    assert "kind: Deployment" in rendered
    assert "--audience=notes-backend.extension-notes.svc:8080" in rendered
    assert "name: dovetail-gateway" in rendered


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "../x"), "--name cannot be '../x'"),
        (("--name", "A b"), "--name cannot be"),
        (("--category", "Über"), "--category cannot be"),
        (("--email", "nobody"), "--email cannot be"),
        (("--url", "javascript:alert(1)"), "--url cannot be"),
        (("--template", "simple"), "--target cannot be ''"),
        (("--template", "app"), "--from cannot be ''"),
        (("--group", "x"), "--group cannot be"),
        (("--title", "a {{ b }}"), "--title cannot be"),
    ],
)
def test_answers_that_will_not_do(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    given_base = {BASE[at]: BASE[at + 1] for at in range(0, len(BASE), 2)}
    given_base |= {arguments[0]: arguments[1]}
    flat = [part for pair in given_base.items() for part in pair]
    assert refusal("create", *flat, cwd=tmp_path).startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine").write_text("precious")
    assert "is there already and not empty" in refusal("create", *BASE, cwd=tmp_path)
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine"]


def test_nothing_is_asked_without_a_terminal(tmp_path: Path) -> None:
    process = ksbuilder("create", "--name", "notes", cwd=tmp_path)
    assert process.returncode == 2
    assert "Give --category, --author: there is no terminal to ask on." in process.stderr


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=60)

names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    author=texts, title=texts, description=texts, name=st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
)
def test_whatever_an_author_is_called(author: str, title: str, description: str, name: str) -> None:
    answers = Answers(name=name, category="dev-tools", author=author, title=title, description=description)
    try:
        files = create(answers)
    except InvalidAnswer:
        assert "{{" in author + title + description or not author.strip()
        return
    package = read_package(build(Tree(name, files)).data)
    assert package.metadata.display_name["en"] == title
    assert package.metadata.description["en"] == description
    assert package.metadata.provider["en"].name == author.strip()
    assert [finding for finding in package.findings if finding.severity == "error"] == []


def test_the_same_answers_give_the_same_files() -> None:
    answers = Answers(name="notes", category="dev-tools", author="Ada")
    assert create(answers) == create(answers)
    assert create(dataclasses.replace(answers, author="Bob")) != create(answers)


def test_a_chart_that_is_none() -> None:
    answers = Answers(name="notes", category="x", author="A", template="app", chart=b"no", service="a:1")
    with pytest.raises(PackagingError):
        create(answers)


def written(folder: Path, **answers: Any) -> Path:
    """A project on disk."""
    for path, data in create(Answers(name="notes", category="dev-tools", author="Ada", **answers)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_the_python_backends_own_tests(tmp_path: Path) -> None:
    backend = written(tmp_path) / "backend"
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "tests"], cwd=backend, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed (prepare_machine.sh)")
def test_the_go_backends_own_tests(tmp_path: Path) -> None:
    backend = written(tmp_path, language="go") / "backend"
    for command in (["go", "vet", "./..."], ["go", "test", "./..."]):
        done = subprocess.run(command, cwd=backend, capture_output=True, text=True, timeout=55)
        assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run(["gofmt", "-l", "."], cwd=backend, capture_output=True, text=True).stdout == ""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("script", ["check", "test", "build"])
@pytest.mark.parametrize("template", ["standard", "frontend"])
def test_the_front_ends_own_tests_and_its_bundle(template: Any, script: str, tmp_path: Path) -> None:
    modules = node_modules()
    project = written(tmp_path, template=template)
    (project / "frontend/node_modules").symlink_to(modules)
    bundle = project / "charts/frontend/files/index.js"
    before = bundle.read_bytes()
    command = ["npm", "run", "--silent", script]
    done = subprocess.run(command, cwd=project / "frontend", capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    # What the template carries is what its sources build: scripts/build_project_templates.py was run.
    assert bundle.read_bytes() == before


def test_templates_name_no_private_registry() -> None:
    files = REPOSITORY / "src/dovetail/packaging/projects/files"
    for path in files.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert ".npmrc" not in path.name
            assert "@ks-console" not in text
            assert "@kubed" not in text
