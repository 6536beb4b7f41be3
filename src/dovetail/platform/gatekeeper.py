"""Every `/kapis` request is decided a second time here, by the same function and the latest policy.

The gateway's worker has decided already. Asking again costs microseconds and means that no route which is opened wider
than it should be, no older snapshot and no other way to the socket changes who may do what. `/kapis/version` is open.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dovetail.iam.authorizer import Authorizer
from dovetail.iam.policy import Policy
from dovetail.platform.answers import status_answer
from dovetail.platform.callers import NOBODY, identity_of
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, PlatformError, Unauthenticated

OPEN = frozenset({"/kapis/version"})


class Gatekeeper:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, deps: PlatformDeps) -> None:
        self._app = app
        self._deps = deps
        self._authorizer = Authorizer(Policy())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await status_answer(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlatformError | None:
        if not scope["path"].startswith("/kapis/") or scope["path"] in OPEN:
            return None
        identity = identity_of(Request(scope))
        policy = self._deps.policy()
        if policy is not self._authorizer.policy:
            self._authorizer = Authorizer(policy, self._authorizer)
        raw = scope.get("raw_path") or scope["path"].encode()
        decision = self._authorizer.check(
            identity, scope["method"], raw.decode("latin-1"), scope["query_string"].decode("latin-1")
        )
        if decision.allowed:
            return None
        if identity is NOBODY:
            return Unauthenticated("nobody is logged in; send a bearer token or log in")
        return AccessDenied(decision.reason)
