"""Waiting, shortly, until the caches show what was just written, so that the caller's next request sees it.

Nothing depends on it: when the time is over the answer goes out all the same. It is not for a write that may take the
caller's own right to the request away: the gateway ends a request that is no longer allowed, whatever it has done.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from dovetail.apis.labels import SCOPE
from dovetail.iam.builtin_roles import builtin_roles, instance
from dovetail.iam.tenancy.membership import Community
from dovetail.kube.objects import key_of, labels_of
from dovetail.platform.deps import PlatformDeps

_STEP: Final = 0.01


async def caught_up(holds: Callable[[], bool], seconds: float = 1.0) -> None:
    """Return when it holds, or after so many seconds."""
    for _ in range(int(seconds / _STEP)):
        if holds():
            return
        await asyncio.sleep(_STEP)


def roles_are_made(deps: PlatformDeps, place: Community) -> bool:
    """Whether a new workspace or project has its copies of the built-in roles, so that they can be given."""
    patterns = [one for one in builtin_roles() if labels_of(one).get(SCOPE) == place.scope]
    names = [key_of(instance(one, place.name)).name for one in patterns]
    return all(deps.directory(place.roles).get(name, place.namespace or None) is not None for name in names)
