"""Questions about the caller's rights beyond the one that his URL was decided by.

A URL under `/workspaces/{w}` is decided with the roles of that workspace, whose administrator holds everything in it.
What limits or places the workspace itself (its quota, its clusters) is not his to change: for that the same right is
asked for outside of any workspace, where only roles of the platform and of the cluster count.
"""

from dovetail.iam.attributes import of_resource
from dovetail.iam.authorizer import decide
from dovetail.iam.policy import Identity
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied


def holds_outside(deps: PlatformDeps, caller: Identity, verb: str, group: str, resource: str) -> bool:
    """Whether the caller has this right on the platform or the cluster."""
    return decide(deps.policy(), caller, of_resource(verb, group, resource)).allowed


def demand_outside(deps: PlatformDeps, caller: Identity, verb: str, group: str, resource: str, what: str) -> None:
    """The same, or AccessDenied: `what` is what the caller tried."""
    if not holds_outside(deps, caller, verb, group, resource):
        raise AccessDenied(
            f'User "{caller.name}" cannot {what}: that takes the right to {verb} {resource} in API group "{group}" '
            "on the platform or the cluster, whatever he holds in the workspace"
        )
