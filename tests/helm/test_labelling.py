"""Labels are written into manifests, and nothing else changes."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.helm.errors import UnlabellableDocument
from dovetail.helm.labelling import label_manifest

REF = {"kubesphere.io/extension-ref": "greeter"}


def labelled(text: str) -> list[Any]:
    return [document for document in yaml.safe_load_all(label_manifest(text, REF, "x.yaml")) if document is not None]


@pytest.mark.parametrize(
    "text",
    [
        "kind: A\nmetadata:\n  name: a\n",
        "kind: A\nmetadata:\n  # why\n  labels:\n    # not this\n    x: y\n  name: a\nspec: {}\n",
        "kind: A\nmetadata: {name: a}\n",
        "kind: A\nmetadata: {name: a, labels: {x: y}}\n",
        "kind: A\nmetadata: {name: a, labels: {}}\n",
        "kind: A\nmetadata:\n  labels:\n  name: a\n",
        "kind: A\nmetadata:\n  labels: null\n  name: a\n",
        "kind: A\nmetadata:\n  labels: ~ # none\n  name: a\n",
        "kind: A\nmetadata:\n  name: a\n  labels:\n    kubesphere.io/extension-ref: other\n",
        'kind: A\nmetadata:\n  name: a\n  labels:\n    "kubesphere.io/extension-ref": "other" # theirs\n    x: y\n',
        "# head\nkind: A\nmetadata: # é日本\n  name: a\n",
        "kind: A\nmetadata:\n    labels:   {x: 'y'}\n    name: a\n",
        "kind: A\nmetadata:\n  name: a\n  labels: &l\n    x: y\nspec:\n  selector: *l\n",
        '{"kind":"A","metadata":{"name":"a"}}',
        "kind: A\n",
        "kind: A\nmetadata:\n",
    ],
)
def test_every_spelling_of_an_object_gets_the_label(text: str) -> None:
    (before,) = [yaml.safe_load(text)]
    (after,) = labelled(text)
    assert after["metadata"]["labels"]["kubesphere.io/extension-ref"] == "greeter"
    metadata = before.get("metadata") or {}
    expected = {**metadata, "labels": {**(metadata.get("labels") or {}), **REF}}
    assert after["metadata"] == expected


def test_an_alias_is_widened_and_its_anchor_left_alone() -> None:
    text = "kind: A\nspec:\n  selector: &l {x: y}\nmetadata:\n  name: a\n  labels: *l\n"
    (after,) = labelled(text)
    assert after["metadata"]["labels"] == {"x": "y", **REF}
    assert after["spec"]["selector"] == {"x": "y"}


def test_values_keep_their_spelling() -> None:
    text = (
        "kind: A\nmetadata:\n  name: a\ndata:\n  mode: 0644\n  time: 12:30:45\n  day: 2020-01-01\n  e: 1e3\n  on: off\n"
    )
    after = label_manifest(text, REF, "x.yaml")
    assert after.replace('labels: {"kubesphere.io/extension-ref": "greeter"}\n  ', "") == text


def test_documents_are_split_as_helm_does_and_comments_stay() -> None:
    text = "---\n# only a comment\n---\nkind: A\nmetadata: {name: a}\n---\n\n---\nkind: B\nmetadata: {name: b}\n"
    assert [document["kind"] for document in labelled(text)] == ["A", "B"]


def test_items_of_a_list_are_labelled_instead_of_the_list() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n  metadata:\n    name: a\n- kind: B\n  metadata: {name: b}\n"
    (after,) = labelled(text)
    assert "metadata" not in after
    assert [item["metadata"]["labels"] for item in after["items"]] == [REF, REF]


@pytest.mark.parametrize("text", ["just words", "- 1\n- 2\n", "kind: A\nmetadata: name\n", "a: [\n"])
def test_what_is_not_an_object_is_refused_with_its_template(text: str) -> None:
    with pytest.raises(UnlabellableDocument, match=r"x\.yaml"):
        label_manifest(text, REF, "x.yaml")


_text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)


@given(
    metadata=st.dictionaries(_text, _value, max_size=3),
    labels=st.none() | st.dictionaries(_text, _text, max_size=3),
    spec=_value,
    flow=st.sampled_from([None, True, False]),
)
def test_any_object_in_any_style(metadata: dict[str, Any], labels: dict[str, str] | None, spec: Any, flow: Any) -> None:
    metadata.pop("labels", None)
    thing = {"kind": "A", "metadata": {**metadata, "labels": labels}, "spec": spec}
    text = (
        json.dumps(thing, ensure_ascii=False)
        if flow is None
        else yaml.safe_dump(thing, default_flow_style=flow, allow_unicode=True)
    )
    (after,) = labelled(text)
    assert after == {**thing, "metadata": {**metadata, "labels": {**(labels or {}), **REF}}}
