"""Every finding has a code, every code an explanation, and every explanation a section in the documentation."""

import ast
from collections.abc import Iterator
from pathlib import Path

from dovetail.packaging.codes import CODES, PAGE, page

from .corpus import REPOSITORY

SOURCES = [
    *(REPOSITORY / "src/dovetail/packaging").rglob("*.py"),
    REPOSITORY / "src/dovetail/cli/ksbuilder/registries.py",
    REPOSITORY / "src/dovetail/cli/ksbuilder/rendering.py",
]
MAKERS = {"error", "warning", "note", "makes", "refuse", "_error", "_warning", "_warn"}


def codes_in(path: Path) -> Iterator[str]:
    """Every code that a module gives to a finding."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            given += node.args[:1] if name in MAKERS else []
            yield from (
                value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
        if path.name == "checking.py" and isinstance(node, ast.Dict):
            yield from (value.value for value in node.values if isinstance(value, ast.Constant))


def test_every_code_is_explained_and_every_explanation_is_of_a_code() -> None:
    used = {code for path in SOURCES for code in codes_in(path)} | {"package-invalid"}
    assert len(used) > 80
    assert used - CODES.keys() == set()
    assert CODES.keys() - used == set()


def test_the_page_has_a_section_for_each() -> None:
    text = (REPOSITORY / PAGE).read_text()
    assert [code for code in CODES if f"\n## {code}\n" not in text] == []
    assert text == page(), (
        f"write it again: python -c 'from dovetail.packaging.codes import page; print(page())' > {PAGE}"
    )


def test_explanations_are_sentences() -> None:
    for one in CODES.values():
        assert one.code == one.code.lower()
        assert " " not in one.code
        assert all(text.endswith(".") for text in (one.title, one.why, one.fix)), one.code
