"""What would bring an extension's dependencies in order: the solver's answer, as it is told."""

import asyncio
from typing import TYPE_CHECKING

from dovetail.kube import Client
from dovetail.lifecycle.preview.document import Resolution, Told

if TYPE_CHECKING:
    from dovetail.lifecycle.dependencies.conflict import Conflict
    from dovetail.lifecycle.dependencies.solver import Solution


async def resolve(client: Client, extension: str, version: str, platform_version: str) -> "Solution | Conflict | None":
    """The best way to this version, or why there is none; None when the search was given up. Raises KubeError."""
    # Only plans that lack something pay for the whole catalogue.
    from dovetail.lifecycle.dependencies.conflict import answer
    from dovetail.lifecycle.dependencies.demands import Goal, Request
    from dovetail.lifecycle.dependencies.network import TooHard
    from dovetail.lifecycle.dependencies.survey import survey

    situation = await survey(client, platform_version)
    try:
        # On a thread: whoever publishes a catalogue can make it hard, and nobody else shall wait for that.
        return await asyncio.to_thread(answer, situation, Request((Goal(extension, version=version),)))
    except TooHard:
        return None


def resolution(found: "Solution | Conflict") -> Resolution:
    """In words."""
    from dovetail.lifecycle.dependencies import words
    from dovetail.lifecycle.dependencies.solver import Solution

    if isinstance(found, Solution):
        return Resolution(steps=[Told(en=words.change(one, "en"), zh=words.change(one, "zh")) for one in found.changes])
    return Resolution(conflict=Told(en=words.conflict(found, "en"), zh=words.conflict(found, "zh")))
