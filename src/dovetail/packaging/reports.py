"""Findings as other programs read them: SARIF for code scanning, workflow commands for GitHub Actions.

SARIF is version 2.1.0 (OASIS), with the explanations of the codes as the rules. Places become paths relative to
`folder`, the extension's directory as given on the command line, so that annotations land in the right file of a
repository; a place that is no file of its own becomes extension.yaml.
"""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.packaging.codes import CODES, PAGE
from dovetail.packaging.findings import Finding, split_place
from dovetail.packaging.metadata import METADATA_FILE

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_COMMANDS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def sarif(checked: Mapping[str, Iterable[Finding]], version: str) -> dict[str, Any]:
    """One SARIF log of several extensions: folder -> findings."""
    results = [_result(finding, folder) for folder, findings in checked.items() for finding in findings]
    used = sorted({result["ruleId"] for result in results})
    driver = {"name": "ksbuilder", "version": version, "rules": [_rule(code) for code in used]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.why},
        "help": {"text": known.fix, "markdown": f"{known.fix} (See `{PAGE}#{code}`.)"},
    }


def _result(finding: Finding, folder: str) -> dict[str, Any]:
    file, line = _file(finding, folder)
    location: dict[str, Any] = {"artifactLocation": {"uri": file}, "region": {"startLine": max(line, 1)}}
    return {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": f"{finding.message}. {finding.fix}."},
        "locations": [{"physicalLocation": location}],
    }


def github(checked: Mapping[str, Iterable[Finding]]) -> str:
    """Workflow commands, one a line, which GitHub Actions shows beside the changed lines."""
    return "".join(_command(finding, folder) for folder, findings in checked.items() for finding in findings)


def _command(finding: Finding, folder: str) -> str:
    file, line = _file(finding, folder)
    title = CODES[finding.code].title if finding.code in CODES else finding.code
    fields = f"file={_property(file)},line={max(line, 1)},title={_property(f'{finding.code}: {title}')}"
    return f"::{_COMMANDS[finding.severity]} {fields}::{_data(f'{finding.message}. {finding.fix}.')}\n"


def _file(finding: Finding, folder: str) -> tuple[str, int]:
    file, line = split_place(finding.place)
    if " " in file or not file:
        file, line = METADATA_FILE, 1
    return (posixpath.join(folder, file) if folder not in ("", ".") else file), line


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
