"""Label and field selectors, as the API understands them; for the in-memory API. Written anew on purpose."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Matcher = Callable[[Mapping[str, Any]], bool]
_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")


@lru_cache(maxsize=4096)
def labels_match(selector: str) -> Matcher | None:
    """A test of labels; None when everything matches."""
    if not selector:
        return None
    terms = [_term(part.strip()) for part in re.split(r",(?![^(]*\))", selector) if part.strip()]
    return lambda labels: all(term(labels) for term in terms)


def _term(text: str) -> Matcher:
    if found := _SET.match(text):
        key, word, values = found.group(1), found.group(2), {v.strip() for v in found.group(3).split(",")}
        return (lambda m: m.get(key) in values) if word == "in" else (lambda m: m.get(key) not in values)
    if "!=" in text:
        key, _, value = text.partition("!=")
        return lambda m: m.get(key.strip()) != value.strip()
    if "=" in text:
        key, _, value = text.replace("==", "=").partition("=")
        key, value = key.strip(), value.strip()
        return lambda m: m.get(key) == value
    if text.startswith("!"):
        return lambda m: text[1:] not in m
    return lambda m: text in m


@lru_cache(maxsize=256)
def fields_match(selector: str) -> Matcher | None:
    """A test of `metadata` by name and namespace; None when everything matches."""
    if not selector:
        return None
    pairs = [part.partition("=") for part in selector.replace("==", "=").split(",")]
    wanted = {key.removeprefix("metadata."): value for key, _, value in pairs}
    assert wanted.keys() <= {"name", "namespace"}, f"the model has no field selector {selector}"
    return lambda metadata: all((metadata.get(key) or "") == value for key, value in wanted.items())
