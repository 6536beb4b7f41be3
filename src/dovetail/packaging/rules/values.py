"""Dead values: what values.yaml offers and no template reads.

A value below a sub-chart's name is read by that chart's templates as `.Values.<rest>`, and by those of charts inside
it. The rule looks for the *word*: a key whose name stands in no template of its chart cannot be read by name; it may
still be read as a part of something larger (`toYaml .Values.pod`, `range`, `with`), so a key is told only if its chart
never uses what is around it as a whole. Where templates use `.Values` itself as a value, the rule is silent.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from dovetail.packaging.chart import VALUES_FILE, Chart
from dovetail.packaging.examined import Examined, place_in
from dovetail.packaging.findings import Finding, warning
from dovetail.packaging.manifests import mapping
from dovetail.packaging.yaml11 import Path, load

_WHOLE: Final = re.compile(r"\.Values\s*(?:[)}|,]|-\}\}|\Z)|index\s+\.Values\b|\btpl\s+\(\s*toYaml\s+\.Values\s*\)")
_WORD: Final = re.compile(r"[\w-]+")
_RESERVED: Final = frozenset({"global", "tags"})


def dead(examined: Examined) -> Iterator[Finding]:
    """Every value of values.yaml that nothing reads, the outermost of each branch only."""
    package = examined.package
    document = load(package.files.get(VALUES_FILE, b""), VALUES_FILE)
    for path in _unread(mapping(document.value), package.chart, ()):
        message = f"no template reads {'.'.join(map(str, path))}"
        fix = "Correct its name or its place (values of a sub-chart belong below the sub-chart's name), or remove it"
        yield warning("value-dead", place_in(document, VALUES_FILE, path), message, fix)


def _unread(values: Mapping[str, Any], chart: Chart, prefix: Path) -> Iterator[Path]:
    text = _text(chart)
    if _WHOLE.search(text):
        return
    words = frozenset(_WORD.findall(text))
    inside = {dependency.alias or dependency.name: dependency.name for dependency in chart.metadata.dependencies}
    inside = {**{sub.name: sub.name for sub in chart.charts}, **inside}
    switches = {
        path.strip() for dependency in chart.metadata.dependencies for path in dependency.condition.split(",") if path
    }
    for key, value in values.items():
        sub = next((one for one in chart.charts if one.name == inside.get(key)), None)
        if sub is not None:
            rest = {name: item for name, item in mapping(value).items() if f"{key}.{name}" not in switches}
            yield from _unread(rest, sub, (*prefix, key))
        elif key not in _RESERVED and key not in inside and not _is_switch(key, switches):
            yield from _dead_below(key, value, text, words, (*prefix, key))


def _is_switch(key: str, switches: set[str]) -> bool:
    return any(path == key or path.startswith(f"{key}.") for path in switches)


def _dead_below(key: str, value: object, text: str, words: Set[str], path: Path) -> Iterator[Path]:
    if key not in words:
        yield path
    elif not _used_whole(text, key):
        for name, item in mapping(value).items():
            yield from _dead_below(str(name), item, text, words, (*path, str(name)))


def _used_whole(text: str, key: str) -> bool:
    """Whether the key stands anywhere without one of its own keys behind it: then all of it may be read there."""
    word = re.escape(key)
    # The look behind comes last, so that the search can run for the plain word.
    return re.search(rf"{word}(?!\.\w)(?![\w-])(?<![\w-]{word})", text) is not None


def _text(chart: Chart) -> str:
    """The templates that may read a chart's values: its own, and what they include from the charts inside it."""
    own = [data.decode("utf-8", "replace") for path, data in chart.files.items() if path.startswith("templates/")]
    return "\n".join([*own, *(_text(sub) for sub in chart.charts)]) if own else ""
