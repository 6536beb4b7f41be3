"""Findings for other programs."""

from dovetail.packaging.findings import Finding, error, note, warning
from dovetail.packaging.reports import github, sarif

FOUND = (
    error("selector-missing", "charts/a/templates/d.yaml:7", "Deployment d has no selector", "Add one"),
    warning("archive-large", "the package", "100% too large: a, b", "Leave files out"),
    note("readme-missing", "README.md", "there is no README.md", "Add it"),
)


def test_sarif() -> None:
    log = sarif({"extensions/tiny": FOUND}, "1.0")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {finding.code for finding in FOUND}
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules.values())
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places] == [
        ("extensions/tiny/charts/a/templates/d.yaml", 7), ("extensions/tiny/extension.yaml", 1),
        ("extensions/tiny/README.md", 1),
    ]  # fmt: skip
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]


def test_github() -> None:
    first, second, third = github({".": FOUND}).splitlines()
    assert first == (
        "::error file=charts/a/templates/d.yaml,line=7,title=selector-missing%3A A workload has no selector.::"
        "Deployment d has no selector. Add one."
    )
    assert second.startswith("::warning file=extension.yaml,line=1,")
    assert second.endswith("::100%25 too large: a, b. Leave files out.")
    assert third.startswith("::notice file=README.md,")


def test_nothing_breaks_out_of_its_line() -> None:
    evil = Finding(code="x", severity="error", place="a,b:c\n::error::d", message="m\n::set-output::x", fix="f")
    assert github({".": [evil]}).count("\n") == 1
