"""Writing labels into rendered manifests without touching another byte of them.

A manifest is what one template rendered to: YAML documents, split the way Helm splits them. Each document is composed
to nodes only to learn *where* `metadata.labels` is; the labels are then written into the text at that place. So every
other value keeps the exact spelling that Helm's own parser will read: no octal, float, boolean or date changes its
type on the way through a second YAML library. A label that is already there gets the new value, as kustomize would
do.

Pure functions over text. What this does not do: pod templates and selectors stay as they are (labels of *objects* say
who owns them; labels of pods are the chart's own business), and CRDs under `crds/` never come here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import yaml

from dovetail.helm.errors import UnlabellableDocument

# helm.sh/helm/v4/pkg/release/v1/util.SplitManifests: the same expression, so that both see the same documents.
_SEPARATOR = re.compile(r"(?:^|\s*\n)---\s*")
_ALIAS = re.compile(r"\s*(\*[^\s,\]}]+)")
_Pair = tuple[yaml.Node, yaml.Node]


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def label_manifest(text: str, labels: Mapping[str, str], source: str) -> str:
    """`text` with `labels` on every object in it, items of `List` kinds included. `source` is for the error only.

    Raises UnlabellableDocument for a document that is neither empty nor an object.
    """
    if not labels:
        return text
    documents = _SEPARATOR.split(text)
    return "\n---\n".join(_label_document(document, labels, source) for document in documents)


def _label_document(text: str, labels: Mapping[str, str], source: str) -> str:
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise UnlabellableDocument(source, " ".join(str(error).split())) from error
    if node is None or _is_null(node):
        return text
    if not isinstance(node, yaml.MappingNode):
        raise UnlabellableDocument(source, f"expected a mapping, found {text.strip()[:60]!r}")
    edits = sorted(_edits(node, text, labels, source), reverse=True)
    for start, end, replacement in edits:
        text = text[:start] + replacement + text[end:]
    return text


def _edits(node: yaml.MappingNode, text: str, labels: Mapping[str, str], source: str) -> Iterator[_Edit]:
    items = _find(node, "items")
    if items is not None and isinstance(items[1], yaml.SequenceNode) and _kind(node).endswith("List"):
        for item in _elements(items[1]):
            if isinstance(item, yaml.MappingNode):
                yield from _edits(item, text, labels, source)
        return
    yield from _edits_in(node, ("metadata", "labels"), text, labels, source)


def _edits_in(
    node: yaml.MappingNode, path: tuple[str, ...], text: str, labels: Mapping[str, str], source: str
) -> Iterator[_Edit]:
    """Descend `path`; where it ends early, write the rest of it as a flow mapping, which fits into either style."""
    if not path:
        yield from _edits_of_labels(node, text, labels)
        return
    pair = _find(node, path[0])
    if pair is None:
        yield _insertion(node, text, f"{path[0]}: {_flow(path[1:], labels)}")
        return
    key, value = pair
    if value.start_mark.index < key.start_mark.index:  # an alias: the node it names is somebody else's mapping
        yield _widened_alias(key, text, path, labels, source)
    elif isinstance(value, yaml.MappingNode):
        yield from _edits_in(value, path[1:], text, labels, source)
    elif _is_null(value):
        colon = text.index(":", key.end_mark.index) + 1
        end = value.end_mark.index if _spelled(value) else colon
        yield _Edit(colon, end, " " + _flow(path[1:], labels))
    else:
        raise UnlabellableDocument(source, f"{path[0]} is not a mapping")


def _edits_of_labels(node: yaml.MappingNode, text: str, labels: Mapping[str, str]) -> Iterator[_Edit]:
    missing: dict[str, str] = {}
    for name, wanted in labels.items():
        pair = _find(node, name)
        if pair is None:
            missing[name] = wanted
        else:
            value = pair[1]
            yield _Edit(value.start_mark.index, value.end_mark.index, json.dumps(wanted))
    for name, wanted in missing.items():
        yield _insertion(node, text, f"{json.dumps(name)}: {json.dumps(wanted)}")


def _insertion(node: yaml.MappingNode, text: str, entry: str) -> _Edit:
    """Put `entry` before the first key:

    there the indentation is known, and no comment or block scalar is in the way.
    """
    pairs = _pairs(node)
    if not pairs:
        brace = text.index("{", node.start_mark.index) + 1
        return _Edit(brace, brace, entry)
    first = pairs[0][0].start_mark
    index, column = first.index, first.column
    if text[:index].rstrip(" ").endswith("?"):  # `? key`: the mark is at the key, its line begins at the question mark
        index = text.rindex("?", 0, index)
        column -= first.index - index
    rest = ", " if node.flow_style else "\n" + " " * column
    return _Edit(index, index, entry + rest)


def _widened_alias(key: yaml.Node, text: str, path: tuple[str, ...], labels: Mapping[str, str], source: str) -> _Edit:
    colon = text.index(":", key.end_mark.index) + 1
    alias = _ALIAS.match(text, colon)
    if alias is None or len(path) > 1:
        raise UnlabellableDocument(source, f"{path[0]} is an alias; write it out")
    entries = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in labels.items())
    return _Edit(colon, alias.end(), f" {{<<: {alias[1]}{entries}}}")


def _flow(path: tuple[str, ...], labels: Mapping[str, str]) -> str:
    value: Any = dict(labels)
    for name in reversed(path):
        value = {name: value}
    return json.dumps(value)


def _find(node: yaml.MappingNode, name: str) -> _Pair | None:
    return next((pair for pair in _pairs(node) if getattr(pair[0], "value", None) == name), None)


def _kind(node: yaml.MappingNode) -> str:
    pair = _find(node, "kind")
    return pair[1].value if pair and isinstance(pair[1], yaml.ScalarNode) else ""


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _spelled(node: yaml.Node) -> bool:
    return node.end_mark.index > node.start_mark.index


def _pairs(node: yaml.MappingNode) -> list[_Pair]:
    return cast("list[_Pair]", node.value)


def _elements(node: yaml.SequenceNode) -> list[yaml.Node]:
    return cast("list[yaml.Node]", node.value)
