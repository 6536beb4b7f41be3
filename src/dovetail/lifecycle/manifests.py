"""Objects out of a release's YAML, read as the Kubernetes tools read it. Pure.

Helm's YAML becomes JSON before the API sees it, so there are no dates and no numbers in base 60: what PyYAML would
make of `2024-01-01` or `12:30` stays text here. `List` kinds are taken apart. A document that is no object is left out:
Helm has refused the release that has one.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from dovetail.apis.yaml_depth import refuse_depth
from dovetail.kube import key_of

if TYPE_CHECKING:
    import yaml

Object = dict[str, Any]
KEEP: Final = "helm.sh/resource-policy"
_SEPARATOR: Final = re.compile(r"^---.*\n?", re.MULTILINE)  # as Helm's client reads it: the line break before stays
_LINE: Final = "\n"
_BASE_60: Final = re.compile(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$")


class Identity(NamedTuple):
    """Which object: `namespace` is empty for what lives in none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


def identity_of(obj: Mapping[str, Any]) -> Identity:
    key = key_of(obj)
    return Identity(str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""), key.namespace, key.name)


def objects_of(manifest: str) -> list[Object]:
    """The objects of a manifest, in its order."""
    return [obj for document in _SEPARATOR.split(manifest) for obj in _objects(_parsed(document))]


def without(manifest: str, unwanted: Callable[[Object], bool]) -> str:
    """The manifest without these objects; every other document keeps its text."""
    kept: list[str] = []
    for document in _SEPARATOR.split(manifest):
        objects = list(_objects(_parsed(document)))
        staying = [obj for obj in objects if not unwanted(obj)]
        if len(staying) == len(objects):
            kept.append(document)
        else:  # JSON is YAML; only a List with an unwanted item comes here with something left
            kept += [json.dumps(obj) for obj in staying]
    return "".join(f"---\n{text.removesuffix(_LINE)}{_LINE}" for text in kept if text.strip())


def _objects(value: object) -> Iterator[Object]:
    if not isinstance(value, dict):
        return
    obj = cast("Object", value)
    items = obj.get("items")
    if isinstance(items, list) and str(obj.get("kind")).endswith("List"):
        for item in cast("list[object]", items):
            yield from _objects(item)
    elif obj.get("kind") and isinstance(obj.get("metadata"), dict):
        yield obj


def _parsed(document: str) -> object:
    if not document.strip():
        return None
    import yaml

    try:
        refuse_depth(document)
        return yaml.load(document, Loader=_loader())  # a SafeLoader with fewer types
    except (yaml.YAMLError, ValueError):
        return None


@functools.cache
def _loader() -> "type[yaml.CSafeLoader]":
    import yaml

    class Loader(yaml.CSafeLoader):
        """CSafeLoader without dates and base 60."""

    dates = "tag:yaml.org,2002:timestamp"
    resolvers = cast("dict[str, list[tuple[str, Any]]]", yaml.CSafeLoader.yaml_implicit_resolvers)
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != dates] for first, known in resolvers.items()
    }
    for first in "-+0123456789":
        known = Loader.yaml_implicit_resolvers.get(first, [])
        Loader.yaml_implicit_resolvers[first] = [("tag:yaml.org,2002:str", _BASE_60), *known]
    return Loader
