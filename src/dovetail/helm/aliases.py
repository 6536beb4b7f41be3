"""YAML whose aliases unfold to more than anybody can hold ("billion laughs"): refused before it is read.

Helm renders text and does not look at it; whoever reads the text afterwards, and writes it out as JSON, would need all
the memory there is. Parsers keep an alias as a reference, so reading costs nothing; unfolding does. What it would come
to is counted on the parser's events, which takes no more than the text does. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import yaml

from dovetail.apis.yaml_depth import TooDeep, refuse_depth
from dovetail.helm.errors import UnfoldsTooFar

MOST: Final = 16 << 20
"""Characters of what is unfolded; a release that Kubernetes can store is far smaller."""


def refuse_bombs(texts: Mapping[str, str]) -> None:
    """Raises UnfoldsTooFar, naming the source. What is no YAML is other people's business."""
    for source, text in texts.items():
        try:
            refuse_depth(text)
        except TooDeep as error:
            raise UnfoldsTooFar(source, str(error)) from error
        if "&" in text and "*" in text and _unfolds_too_far(text):
            raise UnfoldsTooFar(source, f"its YAML aliases unfold to more than {MOST >> 20} MiB")


def _unfolds_too_far(text: str) -> bool:
    sizes: dict[str | None, int] = {}
    begun: list[tuple[str | None, int]] = []
    total = 0
    try:
        for event in cast("Iterator[Any]", yaml.parse(text, Loader=yaml.CSafeLoader)):
            match event:
                case yaml.DocumentStartEvent():
                    sizes.clear()
                    total = 0
                case yaml.AliasEvent(anchor=anchor):
                    total += sizes.get(anchor, MOST)  # inside of itself it has no end
                case yaml.ScalarEvent(anchor=anchor, value=value):
                    total += 1 + len(value)
                    if anchor:
                        sizes[anchor] = 1 + len(value)
                case yaml.CollectionStartEvent(anchor=anchor):
                    sizes.pop(anchor, None)
                    begun.append((anchor, total))
                    total += 1
                case yaml.CollectionEndEvent():
                    anchor, before = begun.pop()
                    if anchor:
                        sizes[anchor] = total - before
                case _:
                    continue
            if total > MOST:
                return True
    except yaml.YAMLError:
        return False
    return False
