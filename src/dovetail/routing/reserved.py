"""What no extension may claim: the platform's own paths and API groups.

An extension that could answer for `/oauth`, for the login page or for `iam.kubesphere.io` would be the platform. Groups
are reserved by name, not by suffix: `devops.kubesphere.io` is an extension like any other (reference/kubesphere-core.md
4 lists what the platform serves itself). So `/kapis` is reserved but for the groups of others, and those are claimed as
a whole or by version, for every method: nobody can take a part of another extension's API by being more specific.

Requests are matched with regard to case; what is reserved is reserved in any case, so that no path only looks like the
platform's.
"""

import functools
import re
from typing import Final

import msgspec

from dovetail.routing.conflicts import overlap
from dovetail.routing.model import Match
from dovetail.routing.paths import is_below

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
    "/swagger-ui",
    "/version",
    "/workspaces",
)
"""Each with everything below it; the root `/` too."""

RESERVED_GROUPS: Final = frozenset(
    {
        "application.kubesphere.io",
        "clusters",
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

_GROUP: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_APIS: Final = "/kapis"
_ADVICE: Final = "claim a path of your own, such as /proxy/<name>/*"


class Reserved(msgspec.Struct, frozen=True, dict=True):
    """What no object may claim: paths with all below them, and API groups."""

    paths: frozenset[str]
    groups: frozenset[str]

    @functools.cached_property
    def nested(self) -> tuple[str, ...]:
        """Reserved paths of more than one segment."""
        return tuple(sorted(path for path in self.paths if path.count("/") > 1))

    def why_not(self, match: Match) -> str:
        """Why a match may not be claimed; empty when it may."""
        folded = Match(match.kind, match.path.lower(), match.methods)
        first, *rest = folded.path[1:].split("/")
        if not first:
            return f"the root belongs to the console; {_ADVICE}"
        if f"/{first}" in self.paths and not (f"/{first}" == _APIS and match.path.startswith(_APIS + "/")):
            return f"/{first} belongs to the platform; {_ADVICE}"
        if f"/{first}" == _APIS in self.paths and (why := self._why_not_below_apis(match, rest)):
            return why
        for path in self.nested:
            reaches = match.kind == "glob" and overlap(folded, Match("prefix", path)) is not None
            if reaches or is_below(folded.path, path):
                return f"{path} belongs to the platform; {_ADVICE}"
        return ""

    def _why_not_below_apis(self, match: Match, segments: list[str]) -> str:
        """Somebody else's API group is not the platform's; who may use it is decided as for every API."""
        group = segments[0]
        if not _GROUP.fullmatch(group):
            return f"{_APIS} belongs to the platform; name the API group below it, such as {_APIS}/devops.example.org/*"
        if group in self.groups:
            return f"{group} belongs to the platform; name the group after a domain of your own"
        if match.kind != "prefix" or match.methods or len(segments) > len(("group", "version")):
            return (
                f"an API is served as a whole: claim {_APIS}/{group}/* or {_APIS}/{group}/<version>/*, for every method"
            )
        return ""
