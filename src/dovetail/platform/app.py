"""The platform's own HTTP API as one application: `create_app(PlatformDeps(...))`.

It listens on a Unix socket behind the gateway, which vouches for the caller (`dovetail.platform.callers`). One module
an API group: `oauth` and `browser` log in and out, `discovery` describes, `users` and `access_reviews` are
iam.kubesphere.io. Reads of many objects come from informers that control owns; everything that decides or changes
something asks the Kubernetes API. The application sweeps old sessions while it runs.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from dovetail.iam.errors import IamError
from dovetail.kube.errors import KubeError
from dovetail.platform.access_reviews import AccessReviews
from dovetail.platform.answers import HANDLERS
from dovetail.platform.authorize import AuthorizationEndpoint
from dovetail.platform.browser import BrowserSession
from dovetail.platform.cluster_resources import ClusterResources
from dovetail.platform.configs import Configs
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.discovery import Discovery
from dovetail.platform.effective_templates import EffectiveTemplates
from dovetail.platform.extension_plans import ExtensionPlans
from dovetail.platform.gatekeeper import Gatekeeper
from dovetail.platform.generic import Generic
from dovetail.platform.identity_providers import ProviderEndpoints
from dovetail.platform.logout import Logout
from dovetail.platform.members import member_endpoints
from dovetail.platform.oauth import TokenEndpoint
from dovetail.platform.platform_configs import PlatformConfigs
from dovetail.platform.projects import Projects
from dovetail.platform.quotas import Quotas
from dovetail.platform.service_account_tokens import ServiceAccountTokens
from dovetail.platform.tenant_metrics import TenantMetrics
from dovetail.platform.userinfo import UserInfo
from dovetail.platform.users import Users
from dovetail.platform.visible_clusters import VisibleClusters
from dovetail.platform.workspaces import Workspaces

log = logging.getLogger(__name__)

SWEEP_EVERY = 600.0
"""Seconds between two sweeps of old sessions."""


def create_app(deps: PlatformDeps, more: Sequence[Route] = ()) -> Starlette:
    """The application; `more` is served beside the platform's own API."""
    parts = (
        TokenEndpoint(deps),
        AuthorizationEndpoint(deps),
        Logout(deps),
        UserInfo(deps),
        BrowserSession(deps),
        ProviderEndpoints(deps),
        Configs(deps),
        PlatformConfigs(deps),
        Discovery(deps),
        Users(deps),
        AccessReviews(deps),
        ServiceAccountTokens(deps),
        *member_endpoints(deps),
        Workspaces(deps),
        Projects(deps),
        Quotas(deps),
        VisibleClusters(deps),
        TenantMetrics(deps),
        EffectiveTemplates(deps),
        ClusterResources(deps),
        ExtensionPlans(deps),
        Generic(deps),  # last: what has an endpoint of its own is not generic
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        sweeper = asyncio.create_task(_sweep_forever(deps), name="session sweep")
        try:
            yield
        finally:
            sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeper

    return Starlette(
        routes=[*(route for part in parts for route in part.routes()), *more],
        middleware=[Middleware(Gatekeeper, deps=deps)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )


async def _sweep_forever(deps: PlatformDeps) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            gone = await deps.sessions.sweep(deps.clock())
            log.debug("swept %d old sessions", gone)
        except (KubeError, IamError) as error:
            log.warning("old sessions stay until the next sweep: %s", error)
