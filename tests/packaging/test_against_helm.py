"""Our reading of versions, constraints and Chart.yaml, held against Helm itself."""

import base64
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from dovetail.packaging import build, read_directory
from dovetail.packaging.archive import write_archive
from dovetail.packaging.chart import load_chart
from dovetail.packaging.chart_file import chart_yaml
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Constraint, Version

from .corpus import REPOSITORY, each, sources, unpack
from .trees import with_files


def ask(questions: list[list[Any]]) -> list[Any]:
    """Helm's answers."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.packaging.helm_oracle"],
        input=json.dumps(questions), capture_output=True, text=True, cwd=REPOSITORY, timeout=50,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_versions_and_constraints() -> None:
    operators = ["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"]
    written = [
        "1.2.3",
        "1.2",
        "1",
        "1.x",
        "1.2.*",
        "*",
        "0.0.0",
        "0.0",
        "0.0.3",
        "0.2.3",
        "1.2.3-0",
        "1.2.3-beta.2",
        "v2",
    ]
    whole = [
        "1.2 - 1.4.5",
        "1 - 2",
        ">=1.0 <2.0",
        "1, 2",
        ",1",
        "1 ||",
        ">",
        "a",
        ">=1<2",
        "1.2.3.4",
        ">=1.0-0 <2 || 3.x",
    ]
    versions = [
        "1.2.3",
        "1.3.0",
        "2.0.0",
        "0.0.0",
        "0.0.3",
        "0.2.9",
        "1.2.3-beta.11",
        "v1.30.0-tke.1",
        "1.2",
        "01.2",
        "1-",
    ]
    constraints = [f"{operator}{version}" for operator in operators for version in written] + whole
    pairs = list(itertools.product(constraints, versions))
    sample = random.Random(7).sample(pairs, 700) + [(constraint, "1.2.3") for constraint in constraints]
    theirs = ask([["semver", *pair] for pair in sample])
    assert [(*pair, answer) for pair, answer in zip(sample, theirs, strict=True) if _accepts(*pair) != answer] == []


def _accepts(constraint: str, version: str) -> bool | None:
    try:
        return Constraint.parse(constraint).accepts(Version.parse(version))
    except PackagingError:
        return None


_PIECES = (
    "a|yes|no|on|y|n|~|null|1|1.0|1.10|0x1f|010|0o7|0b11|1e3|1_000|.5|.inf|.nan|2001-01-01|2001-13-01|12:30:45|<<|=|!x"
    "|&a|*b|- x|-|?|:|a: b|a:b|a #b|#c|@x|%x|{a}|[a]|'q'|\"dq\"|it's|back\\slash|trail |  lead|中文|é|😀|tab\tx|a\nb"
    "|a\n|\na|x \ny|\u00a0nb|a\u0085b|a\u2028b|\x7fdel|>=1.0|> y|TRUE|-0|+1|1.|0x|08|1e1000|--- x|...|a:|key: "
    "|https://x.y/z?a=b"
)
PIECES = _PIECES.split("|")


def test_chart_yaml_is_byte_identical() -> None:
    chance = random.Random(11)

    def text() -> str:
        pieces = chance.choices([*PIECES, "long " * 40, "x" * 100, "中 文 " * 40], k=chance.choice([1, 1, 1, 2, 3]))
        return json.dumps("".join(pieces), ensure_ascii=False)

    charts: list[bytes] = []
    for _ in range(150):
        keys = chance.sample(
            ["a", "b10", "b9", "b-x", "bZ", "a/b", "0", "10", "9", "true", "中", "A", "_", "a0", "a1b"], 6
        )
        charts.append(
            "apiVersion: v2\nname: c\nversion: 1.2.3\n"
            f"description: {text()}\nhome: {text()}\nappVersion: {text()}\nkeywords: [{text()}, {text()}]\n"
            f"maintainers: [{{name: {text()}, email: {text()}}}]\n"
            f"annotations: {{{', '.join(f'{json.dumps(key)}: {text()}' for key in keys)}}}\n".encode()
        )
    charts += [f"apiVersion: v2\nname: c\nversion: 1.2.3\ndescription: {piece}\n".encode() for piece in PIECES]
    packed = [base64.b64encode(write_archive([("c/Chart.yaml", chart)])).decode() for chart in charts]
    theirs = ask([["chart", data] for data in packed])
    ours = [_saved(chart) for chart in charts]
    assert [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b] == []


def _saved(chart: bytes) -> str | None:
    try:
        return chart_yaml(load_chart({"Chart.yaml": chart}, "c").metadata).decode()
    except PackagingError:
        return None


def test_a_built_package_renders() -> None:
    data = base64.b64encode(build(with_files({})).data).decode()
    (rendered,) = ask([["render", data, {"tags": {"extension": True, "agent": False}}]])
    assert "kind: ConfigMap" in rendered["tiny/charts/backend/templates/config.yaml"]


@each(sources())
def test_every_package_of_the_corpus_loads_in_helm(path: Path, tmp_path: Path) -> None:
    archive = build(read_directory(unpack(path, tmp_path)))
    (saved,) = ask([["chart", base64.b64encode(archive.data).decode()]])
    assert f"name: {archive.metadata.name}\n" in saved
