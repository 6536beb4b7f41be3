"""Rendered manifests as objects, each with the place in the package that it came from.

Helm renders a template to text; a text holds documents; a document is an object, or a List of objects. The objects keep
every scalar as Kubernetes reads it (no dates, and `=` is text). Their place is the template, with the line on which a
document of that kind begins in the *template's* source: rendered line numbers mean nothing to its author.

Rendering itself is not here: whoever renders passes the texts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml

from dovetail.apis.yaml_depth import refuse_depth
from dovetail.packaging.findings import Finding, error

_SEPARATOR: Final = re.compile(r"(?:\A|\n)---\s*")
_KIND: Final = re.compile(r"^kind:\s*[\"']?([A-Za-z]+)", re.MULTILINE)
_BLANK: Final = re.compile(r"(?:\s|#[^\n]*(?:\n|$))*\Z")
WORKLOADS: Final = frozenset(
    {"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"}
)


class _Loader(yaml.CSafeLoader):
    """Scalars as the API server reads them: a date is text, and so is `=`."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":timestamp", ":value"))]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object of a release. `place` is template:line in the package."""

    value: Mapping[str, Any]
    place: str
    text: str = ""
    in_list: bool = False

    @property
    def kind(self) -> str:
        return str(self.value.get("kind", ""))

    @property
    def api_version(self) -> str:
        return str(self.value.get("apiVersion", ""))

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def metadata(self) -> Mapping[str, Any]:
        return mapping(self.value.get("metadata"))

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace") or "")

    @property
    def annotations(self) -> Mapping[str, Any]:
        return mapping(self.metadata.get("annotations"))

    @property
    def title(self) -> str:
        """As a person would say it: `Deployment backend`."""
        return f"{self.kind} {self.name}".strip()


@dataclass(slots=True)
class ManifestReader:
    """Reads renderings of one package. Documents that several renderings share are parsed once."""

    files: Mapping[str, bytes]
    root: str
    _parsed: dict[str, Any] = field(default_factory=dict[str, Any])
    _kinds: dict[str, dict[str, list[int]]] = field(default_factory=dict[str, dict[str, list[int]]])

    def objects(
        self, manifests: Mapping[str, str], *, workloads_only: bool = False
    ) -> tuple[list[RenderedObject], list[Finding]]:
        """The objects of a rendering (path -> text), and what is wrong with those that are none."""
        found: list[RenderedObject] = []
        faults: list[Finding] = []
        for path, text in sorted(manifests.items()):
            if path.endswith("NOTES.txt"):
                continue
            source = self.source(path)
            seen: dict[str, int] = {}
            for document in _SEPARATOR.split(text):
                kind = _KIND.search(document)
                if _BLANK.match(document) or (workloads_only and kind and kind[1] not in (*WORKLOADS, "List")):
                    continue
                self._document(document, source, seen, found, faults)
        return found, faults

    def source(self, path: str) -> str:
        """The path in the package of a rendered template's path, which begins with the chart's name."""
        return path.removeprefix(f"{self.root}/")

    def _document(
        self, document: str, source: str, seen: dict[str, int], found: list[RenderedObject], faults: list[Finding]
    ) -> None:
        try:
            value = self._load(document)
        except (yaml.YAMLError, ValueError, RecursionError) as fault:
            faults.append(error("manifest-not-yaml", source, _reason(fault), "Correct the template"))
            return
        if value is None:
            return
        kind = str(cast("dict[str, Any]", value).get("kind", "")) if isinstance(value, dict) else ""
        seen[kind] = seen.get(kind, 0) + 1
        place = f"{source}:{self._line(source, kind, seen[kind])}"
        if not isinstance(value, dict) or not kind:
            message = f"a document is no object: {' '.join(document.split())[:60]!r}"
            faults.append(error("manifest-not-object", place, message, "Give it apiVersion, kind and metadata.name"))
            return
        found.extend(_flat(cast("dict[str, Any]", value), place, document))

    def _load(self, document: str) -> Any:
        if document not in self._parsed:
            refuse_depth(document)
            self._parsed[document] = yaml.load(document, Loader=_Loader)
        return self._parsed[document]

    def _line(self, source: str, kind: str, nth: int) -> int:
        """Where the template says `kind: X` for the nth time; the last such line if it says so less often."""
        if source not in self._kinds:
            self._kinds[source] = _kind_lines(self.files.get(source, b"").decode("utf-8", "replace"))
        lines = self._kinds[source].get(kind, [1])
        return lines[min(nth, len(lines)) - 1]


def _kind_lines(text: str) -> dict[str, list[int]]:
    """Kind -> the lines of a template on which a document of it says so."""
    lines: dict[str, list[int]] = {}
    at, line = 0, 1
    for match in _KIND.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        lines.setdefault(match[1], []).append(line)
    return lines


def _flat(value: Mapping[str, Any], place: str, text: str, in_list: bool = False) -> Iterator[RenderedObject]:
    items = value.get("items")
    if str(value.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in cast("list[Any]", items):
            if isinstance(item, dict):
                yield from _flat(cast("dict[str, Any]", item), place, text, in_list=True)
        return
    yield RenderedObject(value, place, text, in_list)


def _reason(fault: Exception) -> str:
    problem = getattr(fault, "problem", None) or (str(fault).splitlines() or [""])[0]
    mark = getattr(fault, "problem_mark", None)
    return f"what it renders to is not YAML: {problem}" + (f" (line {mark.line + 1} of the result)" if mark else "")


def load_objects(text: str) -> list[Mapping[str, Any]]:
    """The objects of a YAML stream. Raises ValueError for what is no YAML, or no object."""
    try:
        found = [value for value in yaml.load_all(text, Loader=_Loader) if value is not None]
    except yaml.YAMLError as fault:
        raise ValueError(_reason(fault)) from fault
    if not all(isinstance(value, dict) and cast("dict[str, Any]", value).get("kind") for value in found):
        raise ValueError("a document is no object with a kind")
    return found


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: rendered objects can hold anything anywhere."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(item for item in items(value) if isinstance(item, str))


def pod_spec(obj: RenderedObject) -> Mapping[str, Any]:
    """The pod that a workload makes; empty for anything else."""
    if obj.kind not in WORKLOADS:
        return {}
    spec = mapping(obj.value.get("spec"))
    if obj.kind == "Pod":
        return spec
    if obj.kind == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    return mapping(mapping(spec.get("template")).get("spec"))


def containers(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Every container of a pod, the initial and the ephemeral ones too."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from (mapping(container) for container in items(pod.get(kind)))
