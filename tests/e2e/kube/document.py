"""The table as a page for the users."""

from collections.abc import Iterator

from tests.e2e.kube import rows
from tests.e2e.kube.table import Row

_HEAD = """# Kubernetes compatibility of the embedded cluster

`dovetail kube` (and with it `dovetail up`) serves the API of Kubernetes 1.36 to unmodified clients. This page is
written from the conformance table in `tests/e2e/kube`: every row is run in CI by the named client against the real
process. On a real cluster the same platform uses that cluster's API, and nothing here applies.
"""
_UNSUPPORTED = """
## Not supported

What is not here is refused with the `Status` that Kubernetes clients understand. Nothing is accepted and ignored.

| What | How it is refused | Kubernetes documentation |
| --- | --- | --- |
"""


def page() -> str:
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    supported = [row for row in rows() if row.supported]
    for area in dict.fromkeys(row.area for row in supported):
        yield f"\n## {area}\n\n| Behaviour | Checked with | Kubernetes documentation |\n| --- | --- | --- |\n"
        yield from (f"| {_cell(row.says)} | {row.client} | {_link(row)} |\n" for row in supported if row.area == area)
    yield _UNSUPPORTED
    for row in rows():
        if not row.supported:
            what, _, how = _cell(row.says).partition(": ")
            yield f"| {what} | {how} | {_link(row)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _link(row: Row) -> str:
    title = row.source.rstrip("/").rpartition("/")[2].replace("#", " ").replace("-", " ").strip()
    return f"[{title}]({row.source})"
