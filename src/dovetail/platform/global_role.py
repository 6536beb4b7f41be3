"""The one GlobalRole that a user holds by name, as the annotation iam.kubesphere.io/globalrole shows and commands it.

A role is given before others are taken away, so that a change that is killed in the middle leaves the user with both
for the next one to sort out, and a name that is taken up again inherits nothing.
"""

from typing import Any

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS
from dovetail.iam.bootstrap import binding, binding_name
from dovetail.iam.compiler import read_binding
from dovetail.kube.errors import NotFound
from dovetail.platform.deps import PlatformDeps


class GlobalRoleOfUser:
    """Reads from the policy, writes GlobalRoleBindings."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def held(self, user: str) -> str:
        """The role; "" for none. Of several, the first by name."""
        return next(iter(sorted(self._deps.policy().user_roles.get(user, ()))), "")

    async def assign(self, user: str, role: str) -> None:
        """Give the user this role and no other; "" for none."""
        if role:
            bound = binding(binding_name(user, role), role, "User", user)
            await self._deps.client.apply(GLOBALROLEBINDINGS, bound, field_manager="dovetail-platform", force=True)
        for bound in (await self._deps.client.list(GLOBALROLEBINDINGS)).items:
            read = read_binding(bound)
            if read is not None and ("User", user) in read[1] and read[0] != role:
                await self._take_away(bound, user)

    async def _take_away(self, bound: dict[str, Any], user: str) -> None:
        others = [one for one in bound["subjects"] if (one.get("kind"), one.get("name")) != ("User", user)]
        metadata = bound["metadata"]
        try:
            if others:
                await self._deps.client.update(GLOBALROLEBINDINGS, {**bound, "subjects": others})
            else:
                await self._deps.client.delete(GLOBALROLEBINDINGS, str(metadata["name"]), uid=metadata["uid"])
        except NotFound:
            return
