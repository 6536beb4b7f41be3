"""Figures of control itself, for Prometheus: a name, labels and a value. Pure.

The parts of control yield theirs; `render` writes them down, each name once with its kind.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal["counter", "gauge"]


class Figure(msgspec.Struct, frozen=True):
    """One sample."""

    name: str
    kind: Kind
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def counter(name: str, value: float, **labels: str) -> Figure:
    """A figure that only grows."""
    return Figure(name, "counter", value, tuple(labels.items()))


def gauge(name: str, value: float, **labels: str) -> Figure:
    """A figure that goes up and down."""
    return Figure(name, "gauge", value, tuple(labels.items()))


def render(figures: Iterable[Figure]) -> str:
    """In Prometheus' text format."""
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    lines: list[str] = []
    for name, samples in by_name.items():
        lines.append(f"# TYPE {name} {samples[0].kind}")
        lines += [f"{name}{_labels(sample)} {sample.value:g}" for sample in samples]
    return "\n".join(lines) + "\n" if lines else ""


def _labels(figure: Figure) -> str:
    if not figure.labels:
        return ""
    return "{" + ",".join(f'{name}="{escape(value)}"' for name, value in figure.labels) + "}"


def escape(text: str) -> str:
    """A label's value as it stands between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
