"""`dovetail extension`: what an administrator asks before and after an extension changes."""

import click

from dovetail.cli.lazy import LazyGroup

_COMMANDS: dict[str, str] = {
    "uninstall": "dovetail.cli.extension_uninstall:uninstall",
    "receipt": "dovetail.cli.extension_uninstall:receipt",
    "install": "dovetail.cli.extension_install:install",
    "permissions": "dovetail.cli.extension_permissions:permissions",
    "dependencies": "dovetail.cli.extension_dependencies:dependencies",
    "plan": "dovetail.cli.extension_plan:plan",
}


class _Commands(LazyGroup):
    places = _COMMANDS


@click.group(cls=_Commands)
def extension() -> None:
    """Look at extensions: what an install would change, what it needs, what an uninstall would take away."""
