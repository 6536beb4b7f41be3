"""`.helmignore`, Helm's dialect."""

import pytest

from dovetail.packaging.errors import UnreadableTree
from dovetail.packaging.ignore import Rules


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("*.md", ["README.md", "docs/a.md"], ["README.txt", "md"]),
        ("/README.md", ["README.md"], ["docs/README.md"]),
        ("docs/", ["docs/a", "charts/x/docs/b"], ["docs"]),
        ("docs", ["docs", "docs/a", "charts/x/docs/b"], ["docs2"]),
        ("/backend/", ["backend/server.py"], ["charts/backend/Chart.yaml"]),
        ("charts/*/ci", ["charts/a/ci/x"], ["charts/a/b/ci/x", "ci/x"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[a-c].txt", ["b.txt"], ["d.txt"]),
        ("[^a].txt", ["b.txt"], ["a.txt"]),
        (r"\*.txt", ["*.txt"], ["a.txt"]),
        ("# comment\n\n  *.bak  ", ["a.bak"], ["# comment"]),
        ("!*.md", ["a.txt"], ["a.md"]),
        ("", ["templates/.hidden", "templates/.x/y"], ["templates/.", ".hidden", "charts/a/templates/.x"]),
    ],
)
def test_rules(rules: str, ignored: list[str], kept: list[str]) -> None:
    parsed = Rules.parse(rules)
    assert [path for path in ignored if not parsed.ignores_file(path)] == []
    assert [path for path in kept if parsed.ignores_file(path)] == []


@pytest.mark.parametrize("line", ["a/**/b", "[abc", "a\\"])
def test_what_helm_refuses_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(UnreadableTree, match=r"^\.helmignore:2: "):
        Rules.parse(f"ok\n{line}\n")
