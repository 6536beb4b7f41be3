"""What Helm's log tells of an operation's course.

Helm's library has no progress of its own, but its debug lines name each object that it deletes or waits for. Only the
few forms below are read; everything else of the debug log goes nowhere, because nobody has looked through it for
secrets. A form that a later Helm words differently is not recognised, and then only the progress is poorer: held by
tests/helm/test_worker_cluster.py. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from dovetail.helm import wire

WAITING: Final = "waiting"
DELETING: Final = "deleting"
APPLYING: Final = "applying"

_OBJECT: Final = re.compile(r"(?P<what>starting delete|waiting for) resource (?=.*\bkind=)(?P<fields>.*)")
_COUNT: Final = re.compile(r"(?:creating resource\(s\)|checking resources for changes) resources=(?P<count>\d+)")
_FIELD: Final = re.compile(r"\b(namespace|name|kind|expectedStatus)=(\"[^\"]*\"|\S*)")


_REASON: Final = re.compile(r"uninstall: Failed to delete release error=\"?\[?(?P<why>.*?)\]?\"?$", re.DOTALL)
_MAX_REASON: Final = 2000


@dataclass(frozen=True)
class Told:
    """One line: what is done, to which object or to how many."""

    step: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    count: int = 0


def told(line: str) -> Told | None:
    """What a line of Helm's log says of the course; None for every other line."""
    if found := _COUNT.match(line):
        return Told(APPLYING, count=int(found["count"]))
    found = _OBJECT.match(line)
    if found is None:
        return None
    fields = {key: value.strip('"') for key, value in _FIELD.findall(found["fields"])}
    going = found["what"] == "starting delete" or fields.get("expectedStatus") == "NotFound"
    step = DELETING if going else WAITING
    return Told(step, fields.get("kind", ""), fields.get("namespace", ""), fields.get("name", ""))


def reason(line: str) -> str:
    """Why an uninstall failed, which Helm's answer keeps to itself; empty for every other line."""
    found = _REASON.match(line)
    return found["why"][:_MAX_REASON] if found else ""


def whose(line: Told, running: Iterable[tuple[int, wire.Operation]]) -> int | None:
    """The call that a line belongs to: the only one, or the only one in the object's namespace."""
    calls = [(id, _namespace(operation)) for id, operation in running if _namespace(operation)]
    if len(calls) > 1:
        calls = [(id, namespace) for id, namespace in calls if namespace == line.namespace]
    return calls[0][0] if len(calls) == 1 else None


def _namespace(operation: wire.Operation) -> str:
    """Where an operation that changes something works; empty for the others."""
    changing = isinstance(operation, wire.Deploy | wire.Rollback | wire.RunTests | wire.Uninstall)
    return operation.connection.namespace if changing else ""


def progress(id: int, line: Told) -> wire.Progress:
    """The frame for it."""
    fields: Mapping[str, str] = {"kind": line.kind, "namespace": line.namespace, "name": line.name}
    return wire.Progress(id, line.step, count=line.count, **fields)
