"""Drift as values: which objects of a release are not what the release says, and the patch that would mend them. Pure.

`ignored` fields are out of it: what the plan's rules name, the replicas that an autoscaler of the same release rules,
and what we changed ourselves to scale a disabled extension down.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from dovetail.apis.dialects.policies import DriftIgnored
from dovetail.kube import annotations_of, key_of
from dovetail.lifecycle.comparison import END, Difference, Object, Path, covers, differences
from dovetail.lifecycle.manifests import Identity, identity_of
from dovetail.lifecycle.objects import mapping, spec_of
from dovetail.lifecycle.workloads import BEFORE

What = Literal["Missing", "Changed", "Foreign"]
MAX_OBJECTS: Final = 100
MAX_PATHS: Final = 20
WHOLE: Final[Path] = ()
_SCALED: Final[tuple[Path, ...]] = (("spec", "replicas"), ("spec", "suspend"))


@dataclass(frozen=True)
class Drifted:
    """An object with what differs in it; `wanted` is the manifest's."""

    identity: Identity
    what: What
    wanted: Object
    differences: tuple[Difference, ...] = ()
    whose: str = ""

    @property
    def pointers(self) -> list[str]:
        return [one.pointer for one in self.differences]

    @property
    def told(self) -> str:
        """In words."""
        if self.what == "Missing":
            return f"{self.identity} is missing"
        if self.what == "Foreign":
            return f"{self.identity}: {self.whose}"
        more = f" and {len(self.pointers) - 3} more" if len(self.pointers) > 3 else ""
        return f"{self.identity} differs in {', '.join(self.pointers[:3])}{more}"


def ignored_paths(obj: Object, rules: Sequence[DriftIgnored], scaled: Iterable[tuple[str, str]]) -> list[Path]:
    """The fields of a manifest's object that are not looked at; WHOLE means all of it.

    `scaled`: (kind, name) of what autoscalers rule.
    """
    paths: list[Path] = []
    kind, name = str(obj.get("kind")), key_of(obj).name
    for rule in rules:
        if rule.kind in ("", kind) and rule.name in ("", name):
            paths += [parsed_pointer(text) for text in rule.paths] or [WHOLE]
    if (kind, name) in scaled:
        paths.append(("spec", "replicas"))
    return paths


def parsed_pointer(text: str) -> Path:
    """The parts of a JSON pointer; `*` stands for any."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def autoscaled(objects: Iterable[Object]) -> frozenset[tuple[str, str]]:
    """What the autoscalers among these objects rule, as (kind, name)."""
    targets = [
        mapping(spec_of(obj).get("scaleTargetRef"))
        for obj in objects
        if obj.get("kind") in ("HorizontalPodAutoscaler", "ScaledObject")
    ]
    return frozenset((str(target.get("kind") or "Deployment"), str(target.get("name"))) for target in targets)


def drifted(wanted: Object, live: Object | None, ignored: Sequence[Path], namespace: str) -> Drifted | None:
    """How the live object differs, or None. `namespace` is where it is when the manifest says none."""
    if WHOLE in ignored:
        return None
    identity = identity_of(wanted)
    identity = identity if identity.namespace or not namespace else identity._replace(namespace=namespace)
    if live is None:
        ends_by_itself = wanted.get("kind") == "Job" and spec_of(wanted).get("ttlSecondsAfterFinished") is not None
        return None if ends_by_itself else Drifted(identity, "Missing", wanted)
    own = [*ignored, *_SCALED] if BEFORE in annotations_of(live) else ignored
    found = differences(_pruned(wanted, own), live)
    kept = tuple(one for one in found if not any(covers(path, one.path) for path in own))
    return Drifted(identity, "Changed", wanted, kept) if kept else None


def _pruned(obj: Object, paths: Sequence[Path]) -> Object:
    for path in paths:
        obj = _without(obj, path)
    return obj


def _without(value: Any, path: Path) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        found = mapping(cast("object", value))
        hits = [name for name in found if head in ("*", name)]
        changed = {name: _without(found[name], rest) for name in hits} if rest else {}
        return {name: changed.get(name, inner) for name, inner in found.items() if rest or name not in hits}
    if isinstance(value, list) and rest:
        items = cast("list[Any]", value)
        return [_without(item, rest) if head in ("*", str(at)) else item for at, item in enumerate(items)]
    return cast("Any", value)


def mending(found: Sequence[Difference], resource_version: str = "") -> list[dict[str, Any]]:
    """The JSON patch that writes what is wanted, and nothing else; with a version, only over that one."""
    operations: list[dict[str, Any]] = []
    if resource_version:
        operations.append({"op": "test", "path": "/metadata/resourceVersion", "value": resource_version})
    for one in found:
        adds = not one.present or one.path[-1] == END
        operations.append({"op": "add" if adds else "replace", "path": one.pointer, "value": one.wanted})
    return operations


def confirmed(one: Drifted, patched: Object) -> Drifted | None:
    """What is left of a drift when the server has said what it would make of the mending.

    A field that the server does not keep (a misspelt one, one that an admission webhook rules) is no drift.
    """
    still = {found.path for found in differences(one.wanted, patched)}
    rest = tuple(found for found in one.differences if found.path not in still)
    return Drifted(one.identity, one.what, one.wanted, rest, one.whose) if rest else None


def status_of_drift(found: Sequence[Drifted]) -> list[dict[str, Any]]:
    """For `status.drift`, bounded; the condition tells how many there are."""
    return [
        {
            "apiVersion": one.identity.api_version, "kind": one.identity.kind,
            **({"namespace": one.identity.namespace} if one.identity.namespace else {}),
            "name": one.identity.name, "what": one.what,
            **({"paths": one.pointers[:MAX_PATHS]} if one.differences else {}),
        }
        for one in found[:MAX_OBJECTS]
    ]  # fmt: skip


def summary(found: Sequence[Drifted]) -> str:
    """The condition's message."""
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    plural = "objects are" if len(found) != 1 else "object is"
    return f"{len(found)} {plural} not what the release says: {'; '.join(one.told for one in found[:5])}{more}"
