"""The conformance table of the embedded cluster: what real clients rely on, one row a behaviour.

Every row is a function that drives a client nobody here wrote (kubectl, Helm, the official Python client, kopf) or
plain HTTP against a running `dovetail kube`, names the behaviour in one sentence, and says where Kubernetes documents
it. `document` prints the table for the users; `test_conformance` runs it.
"""

from importlib import import_module

from tests.e2e.kube.table import ROWS, Row

_MODULES = (
    "lists", "watches", "writes", "custom", "aggregation", "access", "admission", "controllers", "helm",
    "python", "kopf", "unsupported",
)  # fmt: skip


def rows() -> list[Row]:
    """The whole table, in the order of the page."""
    for module in _MODULES:
        import_module(f"tests.e2e.kube.{module}")
    return ROWS
