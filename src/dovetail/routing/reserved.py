"""What no extension may claim: the platform's own paths and API groups.

An extension that could answer for `/oauth`, for the login page or for `iam.kubesphere.io` would be the platform. Groups
are reserved by name, not by suffix: `devops.kubesphere.io` is an extension like any other (reference/kubesphere-core.md
4 lists what the platform serves itself).
"""

from typing import Final

RESERVED_PATHS: Final = (
    "/.well-known",
    "/api",
    "/apis",
    "/assets",
    "/clusters",
    "/console",
    "/dashboard",
    "/diagnostics",
    "/dist",
    "/extensions",
    "/favicon.ico",
    "/favicon.svg",
    "/healthz",
    "/index.html",
    "/kapis",
    "/livez",
    "/locales",
    "/login",
    "/logout",
    "/metrics",
    "/oauth",
    "/openapi",
    "/pstatic",
    "/readyz",
    "/static",
    "/version",
    "/workspaces",
)
"""Each with everything below it; the root `/` too."""

RESERVED_GROUPS: Final = frozenset(
    {
        "application.kubesphere.io",
        "cluster.kubesphere.io",
        "config.kubesphere.io",
        "extensions.kubesphere.io",
        "iam.kubesphere.io",
        "kubesphere.io",
        "oauth.kubesphere.io",
        "operations.kubesphere.io",
        "package.kubesphere.io",
        "quota.kubesphere.io",
        "resources.kubesphere.io",
        "tenant.kubesphere.io",
        "terminal.kubesphere.io",
        "version",
    }
)
