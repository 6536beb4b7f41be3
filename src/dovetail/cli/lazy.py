"""A click group whose subcommands are imported when they are called, so that help and completion are quick."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import click


class LazyGroup(click.Group):
    """Subcommands by name, each as `module:attribute`. Subclass it with the `places` of one command."""

    places: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: Any = getattr(importlib.import_module(module), attribute)
        return command
