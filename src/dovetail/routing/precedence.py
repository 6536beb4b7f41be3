"""One route on its way into the table, and what its owner is told when it meets others.

Shared by the two ways to link claims into a table: at once (`dovetail.routing.compiler`) and one by one
(`dovetail.routing.live`).
"""

from typing import Final, NamedTuple

from dovetail.apis.dialects import Meta
from dovetail.routing.conflicts import Witness, specificity
from dovetail.routing.model import Route
from dovetail.routing.problems import Problem, problem

_LAST: Final = "~"
"""Sorts after any creation time: an object without one counts as the youngest."""
BUILT_IN: Final = Meta(api_version="", kind="", name="")


class Claim(NamedTuple):
    """`key` sorts by precedence, and no two claims of a table have the same."""

    key: tuple[object, ...]
    route: Route
    meta: Meta


def claim_of(route: Route, meta: Meta) -> Claim:
    """What an object (or the platform: BUILT_IN) asks for."""
    age = meta.created or (_LAST if meta.kind else "")
    return Claim((*specificity(route.match), age, meta.name, route.id), route, meta)


def conflict(winner: Claim, loser: Claim, witness: Witness) -> Problem:
    """What the loser's owner is told."""
    name, path = winner.meta.id, loser.route.match.path
    text = f"{path} is claimed by the older {name} too, which gets {witness} and the like"
    return problem(loser.meta, "Conflict", text, winner=name, witness=str(witness))


def shadows(claim: Claim) -> bool:
    """Whether it takes all below its path, so that globs there are never used."""
    match = claim.route.match
    return match.kind == "prefix" and not match.methods and match.path != "/"


def shadowing_paths(claim: Claim) -> list[str]:
    """The paths of prefixes that would take all requests of a glob, the longest first; none for what is no glob."""
    if claim.route.match.kind != "glob":
        return []
    literal = claim.route.match.path.partition("*")[0].rpartition("/")[0]
    segments = literal.split("/")
    return ["/".join(segments[:length]) for length in range(len(segments), 1, -1)]


def shadowed(claim: Claim, prefix: Claim) -> Problem:
    """What the owner of a glob is told: it sees nothing happen, and is told why."""
    name = prefix.meta.id
    text = f"{claim.route.match.path} is never used: {name} takes all of {prefix.route.match.path}"
    return problem(claim.meta, "Shadowed", text, winner=name)


def order_of(item: Problem) -> tuple[str, ...]:
    """Sorts problems."""
    return (item.kind, item.api_version, item.name, item.reason, item.field, item.message)
