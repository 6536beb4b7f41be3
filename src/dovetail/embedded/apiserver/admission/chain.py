"""The built-in plugins in the order in which they run."""

from __future__ import annotations

from .plugin import Attributes, Plugin

PLUGINS: tuple[Plugin, ...] = ()


def mutate(attributes: Attributes) -> None:
    """Raises StatusError."""
    for plugin in PLUGINS:
        plugin.mutate(attributes)


def validate(attributes: Attributes) -> None:
    """Raises StatusError."""
    for plugin in PLUGINS:
        plugin.validate(attributes)
