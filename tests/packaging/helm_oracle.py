"""Answers questions from Helm's own library, in a process of its own: the Go runtime stays out of the tests.

Reads JSON from stdin, `[["semver", constraint, version], ["chart", base64], ["render", base64, values], ...]`, and
writes a JSON list: true/false/null (refused); the saved Chart.yaml, or null; the rendered documents by template; for
`["lint", base64]` the errors of Helm's lint.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import helm_python

from dovetail.packaging.archive import read_archive, write_archive

COMPARE = write_archive(
    [
        ("c/Chart.yaml", b"apiVersion: v2\nname: c\nversion: 0.1.0\n"),
        ("c/templates/a.yaml", b"{{ semverCompare .Values.constraint .Values.version }}"),
    ]
)


def semver(constraint: str, version: str) -> bool | None:
    chart = helm_python.Chart.load_archive(COMPARE)
    try:
        (text,) = chart.render({"constraint": constraint, "version": version}).values()
    except helm_python.HelmError:
        return None
    return text.strip() == "true"


def chart(data: str) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            saved = helm_python.Chart.load_archive(base64.b64decode(data)).save(folder)
        except helm_python.HelmError:
            return None
        return read_archive(Path(saved).read_bytes()).files["Chart.yaml"].decode()


def render(data: str, values: dict[str, Any]) -> dict[str, str]:
    loaded = helm_python.Chart.load_archive(base64.b64decode(data))
    return loaded.render(values, name="release", namespace="extension-x")


def lint(data: str) -> list[str]:
    """What Helm's lint calls an error in a package's sub-charts, each linted like a chart of its own."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "x.tgz")
        archive.write_bytes(base64.b64decode(data))
        helm_python.expand(folder, archive)
        reports = [
            helm_python.lint(path, kube_version="v1.36.0") for path in Path(folder).glob("*/charts/*") if path.is_dir()
        ]
    return [message["error"] for report in reports for message in report["messages"] if message["severity"] >= 3]


ANSWERS: dict[str, Any] = {"semver": semver, "chart": chart, "lint": lint, "render": render}

if __name__ == "__main__":
    json.dump([ANSWERS[kind](*rest) for kind, *rest in json.load(sys.stdin)], sys.stdout)
