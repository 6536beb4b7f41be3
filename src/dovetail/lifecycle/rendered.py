"""What a package renders to, as values: every object with its place, and hooks with what Helm will do to them.

Helm decides by annotations: `helm.sh/hook` makes an object a hook: it is created beside the release, not owned by it,
and deleted as `helm.sh/hook-delete-policy` says, whoever's it is (`before-hook-creation` when nothing is said). Pure;
reading YAML blocks, so a package is read on a thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.kube import annotations_of, key_of
from dovetail.lifecycle.manifests import objects_of

HOOK: Final = "helm.sh/hook"
_WEIGHT: Final = "helm.sh/hook-weight"
TESTS: Final = frozenset({"test", "test-success"})


@dataclass(frozen=True)
class Rendered:
    """One object; `namespace` is empty where the text names none."""

    content: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        return str(self.content.get("apiVersion") or "")

    @property
    def kind(self) -> str:
        return str(self.content.get("kind") or "")

    @property
    def name(self) -> str:
        return key_of(self.content).name

    @property
    def namespace(self) -> str:
        return key_of(self.content).namespace

    @property
    def hooks(self) -> frozenset[str]:
        """The events that it is a hook of; empty for an object of the release."""
        text = str(annotations_of(self.content).get(HOOK) or "")
        return frozenset(filter(None, (part.strip() for part in text.split(","))))

    @property
    def weight(self) -> int:
        text = str(annotations_of(self.content).get(_WEIGHT) or "0")
        return int(text) if text.lstrip("+-").isdecimal() else 0

    @property
    def is_test(self) -> bool:
        return bool(self.hooks & TESTS)


def read(texts: Iterable[str]) -> list[Rendered]:
    """Every object in these manifests, items of `List` kinds one by one."""
    return [Rendered(obj) for text in texts for obj in objects_of(text)]


def read_templates(manifests: Mapping[str, str]) -> list[Rendered]:
    """Every object of a rendering; notes for people are none."""
    return read(text for path, text in manifests.items() if not path.endswith("NOTES.txt"))


def hooks_of(objects: Iterable[Rendered], event: str) -> list[Rendered]:
    """The hooks of one event, in the order that Helm runs them."""
    return sorted((one for one in objects if event in one.hooks), key=lambda one: (one.weight, one.name))
