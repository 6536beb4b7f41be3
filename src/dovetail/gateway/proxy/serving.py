"""Everything a snapshot means, made ready for lookups: immutable from the outside, swapped as one value.

What is costly to make again is taken over from the snapshot before where nothing it depends on has changed: the
matcher with the table, compiled rules with the roles, verified credentials with keys, accounts and revocations
(`credentials` says how), so a revoked session is refused from the swap on.
"""

from typing import Any

from dovetail.gateway.proxy.credentials import Credentials, User
from dovetail.gateway.proxy.recent import Recent
from dovetail.gateway.snapshot import Snapshot
from dovetail.iam.authorizer import Authorizer
from dovetail.iam.policy import Policy, alike
from dovetail.routing.matching import Matcher
from dovetail.routing.model import RouteTable

_HALF = 4096
"""Half of how many targets and decisions are remembered, each."""


class Serving:
    """One snapshot in force. What `admission` found out under it is kept here: where a method and a target lead
    (`places`), and which users (None: nobody) may go there (`allowed`)."""

    def __init__(self, snapshot: Snapshot, before: "Serving | None" = None) -> None:
        self.snapshot = snapshot
        same_table = before is not None and snapshot.table == before.snapshot.table
        matcher = before.matcher if before else Matcher(RouteTable())
        self.matcher = matcher if same_table else matcher.following(snapshot.table)
        self.authorizer = _authorizer(snapshot.policy, before.authorizer if before is not None else None)
        credentials = before.credentials if before else None
        if credentials is None or not credentials.suit(snapshot):
            credentials = Credentials(snapshot, credentials)
        self.credentials = credentials
        self.places: Recent[tuple[str, bytes], Any] = Recent(_HALF)
        self.allowed: Recent[tuple[User | None, Any], bool] = Recent(_HALF)

    def judges_like(self, other: "Serving") -> bool:
        """Whether who may do what is the same under both."""
        return self.authorizer is other.authorizer and self.credentials is other.credentials


def _authorizer(policy: Policy, before: Authorizer | None) -> Authorizer:
    if before is not None and alike(policy, before.policy):
        return before
    return Authorizer(policy, before)
