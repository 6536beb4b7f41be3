"""What a request asks for, read from its method, path and query: the input of every access decision.

The grammar is KubeSphere's, a superset of Kubernetes' (`reference/kubesphere-core.md` 1.4): prefixes `api`, `apis`,
`kapis`, `kapi`; `/clusters/{c}`, `/workspaces/{w}` and `/namespaces/{n}` in front of a resource; the special verbs
`proxy` and `watch` after the version. `parse` is total: any three strings give an `Attributes`.

Where KubeSphere's grammar opened holes (1.4 against 8.3), this one does not follow it:

- a request that a backend might read differently from us is marked `ambiguous`, and the authorizer lets nobody pass:
  dot segments, empty segments or encoded slashes in front of a resource, bytes that are not UTF-8, `watch` given twice;
- exec, attach, portforward and proxy are `create` whatever the method (a WebSocket upgrade is a GET);
- the platform's own kinds keep their real scope, whatever place a URL names in front of them: a ClusterRoleBinding
  under `/namespaces/n/` is not a thing of that namespace, and a user under `/workspaces/w/` not one of that workspace.

Paths come in raw (still percent-encoded) and are decoded one segment at a time, so an encoded slash never makes a
segment. This module does not decide anything and knows no roles.
"""

from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec

from dovetail.iam import query as queries

Scope = Literal["Global", "Workspace", "Namespace", "Cluster"]

PREFIXES = frozenset({"api", "apis", "kapis", "kapi"})
GROUPLESS_PREFIXES = frozenset({"api", "kapi"})
KUBERNETES_PREFIXES = frozenset({"api", "apis"})
METHOD_VERBS = {
    "POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete",
}  # fmt: skip
TUNNELS = frozenset(
    {(resource, sub) for resource in ("pods",) for sub in ("exec", "attach", "portforward", "proxy")}
    | {("services", "proxy"), ("nodes", "proxy")}
)
"""(resource, subresource) pairs that reach into a workload: always `create`."""

ALWAYS_GLOBAL = frozenset(
    {("iam.kubesphere.io", kind) for kind in ("users", "globalroles", "globalrolebindings")}
    | {("cluster.kubesphere.io", kind) for kind in ("clusters", "labels")}
)
GLOBAL_UNLESS_WORKSPACE = frozenset(
    {(f"{group}.kubesphere.io", kind) for group, kind in (("tenant", "workspaces"), ("tenant", "clusters"))}
    | {("resources.kubesphere.io", kind) for kind in ("clusters", "labels")}
)
_OWN_GROUPS = frozenset(
    {"iam.kubesphere.io", "tenant.kubesphere.io", "kubesphere.io", "extensions.kubesphere.io", "config.kubesphere.io"}
)
"""Groups whose kinds are of the whole cluster, but for those of the next two tables."""
_IN_WORKSPACES = frozenset(
    {
        ("iam.kubesphere.io", kind)
        for kind in (
            "workspaceroles", "workspacerolebindings", "workspacemembers", "groups", "groupbindings", "roles",
            "rolebindings", "namespacemembers",
        )
    }
    | {
        ("tenant.kubesphere.io", kind)
        for kind in (
            "workspaces", "workspacetemplates", "workspacemembers", "workspaceroles", "workspacerolebindings",
            "namespaces", "resourcequotas", "clusters", "metrics",
        )
    }
    | {("kubesphere.io", "serviceaccounts")}
)  # fmt: skip
_IN_NAMESPACES = frozenset(
    {("iam.kubesphere.io", kind) for kind in ("roles", "rolebindings", "namespacemembers")}
    | {("tenant.kubesphere.io", kind) for kind in ("namespaces", "resourcequotas", "metrics")}
    | {("kubesphere.io", "serviceaccounts")}
)


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the authorizer sees it. For a non-resource request only `verb`, `path` and `cluster` count.

    `verb` is a Kubernetes verb for resources and the method in lower case for other paths. `path` has each segment
    decoded; a slash inside a segment stays `%2F`. `ambiguous` is a sentence, empty when all is well.
    """

    verb: str
    path: str
    resource_request: bool = False
    api_prefix: str = ""
    api_group: str = ""
    api_version: str = ""
    cluster: str = ""
    workspace: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    scope: Scope = "Cluster"
    ambiguous: str = ""

    @property
    def kubernetes_request(self) -> bool:
        """Whether the path is Kubernetes' own API, discovery included."""
        return self.api_prefix in KUBERNETES_PREFIXES


def of_resource(
    verb: str, group: str, resource: str, *, subresource: str = "", name: str = "", workspace: str = "",
    namespace: str = "", version: str = "", prefix: str = "kapis", cluster: str = "",
) -> Attributes:  # fmt: skip
    """The attributes of a request that was never made, with the scope and the verb that a real one would have."""
    verb = "create" if (resource, subresource) in TUNNELS else verb
    scope = _scope(group, resource, workspace, namespace)
    return Attributes(
        verb=verb, path="", resource_request=True, api_prefix=prefix, api_group=group, api_version=version,
        cluster=cluster, workspace=workspace, namespace=namespace, resource=resource, subresource=subresource,
        name=name, scope=scope,
    )  # fmt: skip


class _Ambiguous(Exception):
    """The path can be read in more than one way."""


def parse(method: str, path: str, query: str = "") -> Attributes:
    """The attributes of a request. `path` is raw and begins with a slash, `query` is raw and without the `?`."""
    try:
        return _parse(method, path, query)
    except _Ambiguous as problem:
        return Attributes(verb=method.lower(), path=path, ambiguous=str(problem))


def _parse(method: str, path: str, query: str) -> Attributes:
    segments, cluster = _segments(path), ""
    if len(segments) >= 3 and segments[0] == "clusters":
        cluster, segments = segments[1], segments[2:]
        _demand_clear([cluster])
    if not segments[0] and len(segments) > 1:
        raise _Ambiguous("the path begins with an empty segment")
    whole = _plain(method, segments, cluster)
    if segments[0] not in PREFIXES:
        return whole
    return _api(method, segments, query, msgspec.structs.replace(whole, api_prefix=segments[0]))


def _segments(path: str) -> list[str]:
    """The decoded segments after the first slash; a slash at the end gives an empty last one."""
    raw = path[1:] if path.startswith("/") else path
    return [_decode(segment) for segment in raw.split("/")]


def _decode(segment: str) -> str:
    if "%" not in segment:
        decoded = segment
    else:
        try:
            decoded = unquote_to_bytes(segment).decode()
        except UnicodeError as error:
            raise _Ambiguous("the path holds bytes that are not UTF-8") from error
    if "." in decoded and _climbs(decoded):
        raise _Ambiguous("the path holds a dot segment")
    if "\0" in decoded:
        raise _Ambiguous("the path holds a null byte")
    return decoded


def _climbs(segment: str) -> bool:
    """Whether a backend that decodes before it splits (on either slash) would find `.` or `..` in here."""
    return any(part in {".", ".."} for part in segment.replace("\\", "/").split("/"))


def _plain(method: str, segments: list[str], cluster: str) -> Attributes:
    path = "/" + "/".join(segment.replace("/", "%2F") for segment in segments)
    return Attributes(verb=method.lower(), path=path, cluster=cluster)


def _api(method: str, segments: list[str], query: str, whole: Attributes) -> Attributes:
    """A path under an API prefix: discovery when it is short, otherwise a resource."""
    prefix, cluster = segments[0], whole.cluster
    segments = segments[:-1] if not segments[-1] else segments
    rest = segments[1:]
    if len(rest) >= 2 and rest[0] == "clusters" and not cluster:
        cluster, rest = rest[1], rest[2:]
    shortest = 2 if prefix in GROUPLESS_PREFIXES else 3
    if len(rest) < shortest:
        _demand_clear(segments)
        return whole
    group = "" if prefix in GROUPLESS_PREFIXES else rest[0]
    version, tail = rest[shortest - 2], rest[shortest - 1 :]
    target = _target(method, tail)
    _demand_clear([*segments[: len(segments) - len(tail)], *tail[: target.depth]])
    return _with_query(target, query, whole, _Place(prefix=prefix, group=group, version=version, cluster=cluster))


def _demand_clear(segments: list[str]) -> None:
    """Segments that name a resource must be one segment to everybody: Go's servers split after decoding."""
    for segment in segments:
        if not segment:
            raise _Ambiguous("the path holds an empty segment in front of a resource")
        if "/" in segment or "\\" in segment:
            raise _Ambiguous("the path holds an encoded slash in front of a resource")


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the API a resource stands."""

    prefix: str
    group: str
    version: str
    cluster: str


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """What comes after the version. `depth` says how many segments were read; deeper ones mean nothing to us."""

    verb: str
    workspace: str
    namespace: str
    resource: str
    name: str
    subresource: str
    depth: int


def _target(method: str, tail: list[str]) -> _Target:
    """Read `[verb] [workspaces w] [namespaces n] resource [name [subresource]]`. `tail` is not empty."""
    verb, used = METHOD_VERBS.get(method.upper(), ""), 0
    if len(tail) > 1 and (tail[0] == "proxy" or (tail[0] == "watch" and verb == "get")):
        verb, used = tail[0], 1
    workspace = namespace = ""
    if len(tail) > used + 1 and tail[used] in {"workspaces", "workspacetemplates"}:
        workspace = tail[used + 1]
        used += 2 if len(tail) > used + 2 else 0
    if len(tail) > used + 1 and tail[used] == "namespaces":
        namespace = tail[used + 1]
        nested = len(tail) > used + 2 and tail[used + 2] not in {"status", "finalize"}
        used += 2 if nested else 0
    resource, name, subresource = (*tail[used : used + 3], "", "", "")[:3]
    if verb == "proxy":
        subresource = ""
    elif (resource, subresource) in TUNNELS:
        verb = "create"
    return _Target(
        verb=verb, workspace=workspace, namespace=namespace, resource=resource, name=name, subresource=subresource,
        depth=min(used + 3, len(tail)),
    )  # fmt: skip


def _with_query(target: _Target, query: str, whole: Attributes, place: _Place) -> Attributes:
    """Let the query settle name, verb and workspace of a request without a name."""
    verb, name, workspace, ambiguous = target.verb, target.name, target.workspace, ""
    watched_workspace = ""
    if query and not name and verb in {"get", "watch", "delete"}:
        asked = queries.read(query)
        name, ambiguous = asked.name, asked.ambiguous
        if verb == "get" and asked.watch:
            verb, watched_workspace = "watch", asked.workspace
    if not target.name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    workspace = workspace or watched_workspace
    scope = _scope(place.group, target.resource, workspace, "" if watched_workspace else target.namespace)
    return Attributes(
        verb=verb, path=whole.path, resource_request=True, api_prefix=place.prefix, api_group=place.group,
        api_version=place.version, cluster=place.cluster, workspace=workspace, namespace=target.namespace,
        resource=target.resource, subresource=target.subresource, name=name, scope=scope, ambiguous=ambiguous,
    )  # fmt: skip


def _scope(group: str, resource: str, workspace: str, namespace: str) -> Scope:
    if (group, resource) in ALWAYS_GLOBAL:
        return "Global"
    if (group, resource) in GLOBAL_UNLESS_WORKSPACE and not workspace:
        return "Global"
    if namespace and _may_be_in(group, resource, _IN_NAMESPACES):
        return "Namespace"
    return "Workspace" if workspace and _may_be_in(group, resource, _IN_WORKSPACES) else "Cluster"


def _may_be_in(group: str, resource: str, kinds: frozenset[tuple[str, str]]) -> bool:
    return group not in _OWN_GROUPS or (group, resource) in kinds
