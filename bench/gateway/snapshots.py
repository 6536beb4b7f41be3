"""Snapshots for the benchmark: a table with one route that counts among many, users with tokens, and their server."""

import time

from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam import assertion_keys
from dovetail.iam.keys import SigningKey
from dovetail.iam.policy import Account, Policy, Rule
from dovetail.iam.tokens import Subject, TokenIssuer
from dovetail.routing.model import Access, Address, IdentityStyle, Match, Route, RouteTable, Upstream
from dovetail.routing.traffic import Breaker, RateLimit, Retries, Traffic

ISSUER = "https://bench.dovetail.dev"
PREFIX = "/kapis/bench.dovetail.dev/v1alpha1"
PATH = f"{PREFIX}/namespaces/demo/things/web-0"
KEY = SigningKey.generate()
BREAKER = Breaker(name="bench", consecutive_failures=5, error_percent=50, max_requests=10_000)
TRAFFIC = Traffic(
    rate_limit=RateLimit(name="bench", requests=10_000_000, burst=10_000_000), retries=Retries(attempts=2), breaker=True
)
"""Every rule that a route can have, none of which ever says no."""
_ISSUER = TokenIssuer(ISSUER, KEY)


def token(user: str) -> str:
    """An access token of a user of `snapshot`."""
    now = time.time()
    return _ISSUER.access(Subject(user, f"uid-{user}", f"session-{user}"), int(now) + 3600, now)


def snapshot(
    port: int, *, routes: int, users: int = 1, access: Access = "authorized",
    identity: IdentityStyle = "remote-headers", generation: int = 1, traffic: Traffic | None = None,
) -> Snapshot:  # fmt: skip
    """`routes` lines of which only the last leads to the backend at `port`; users `user-0`, `user-1`, ..."""
    breaker = BREAKER if traffic else None
    here = Address("127.0.0.1", port)
    backend = Upstream(key="backend", authority=f"127.0.0.1:{port}", addresses=(here,), breaker=breaker)
    nowhere = Upstream(key="nowhere", authority="nowhere", addresses=(Address("127.0.0.1", 9),))
    others = tuple(
        Route(id=f"other-{n}", match=Match("prefix", f"/kapis/other{n}.dovetail.dev/v1alpha1"), upstream="nowhere")
        for n in range(routes - 1)
    )
    route = Route(
        id="bench", match=Match("prefix", PREFIX), upstream="backend", access=access, identity=identity,
        traffic=traffic,
    )  # fmt: skip
    names = [f"user-{n}" for n in range(users)]
    rules = (
        Rule(verbs=("list",), api_groups=("apps",), resources=("deployments",)),
        Rule(verbs=("get", "list"), api_groups=("bench.dovetail.dev",), resources=("things",)),
    )
    policy = Policy(
        accounts={name: Account(uid=f"uid-{name}", groups=("devs",)) for name in names},
        roles={"viewer": rules},
        user_roles=dict.fromkeys(names, ("viewer",)),
    )
    keys = tuple(VerificationKey(key.kid, key.jwk) for key in (KEY.public(),))
    table = RouteTable(routes=(*others, route), upstreams={"backend": backend, "nowhere": nowhere})
    signs = assertion_keys.signing_key((assertion_keys.made(0, 1 << 40),), time.time())
    return Snapshot(
        generation=generation, issuer=ISSUER, table=table, policy=policy, keys=keys, assertion_key=signs
    )  # fmt: skip
