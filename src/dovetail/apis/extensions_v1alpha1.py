"""extensions.kubesphere.io/v1alpha1: what an extension plugs into the platform.

APIService (an API under `/kapis`), ReverseProxy (any other path), JSBundle (a front end) and ExtensionEntry (menu
entries). All are cluster-scoped. The seed printed the first three as `kubesphere.io/v1alpha1` with other spellings; the
schema here accepts both spellings and serves both groups (reference/kubesphere-core.md 2.1, 2.8).
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Final, Literal

import msgspec

from dovetail.apis.kind import AGE, STATE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import (
    INT_OR_STRING,
    PRESERVE,
    Conditions,
    Count,
    Duration,
    ObjectMeta,
    Port,
    Wire,
    about,
    several_shapes,
)

GROUP: Final = "extensions.kubesphere.io"
VERSION: Final = "v1alpha1"

APISERVICES: Final = ResourceName(GROUP, VERSION, "apiservices", "APIService")
JSBUNDLES: Final = ResourceName(GROUP, VERSION, "jsbundles", "JSBundle")
REVERSEPROXIES: Final = ResourceName(GROUP, VERSION, "reverseproxies", "ReverseProxy")
EXTENSIONENTRIES: Final = ResourceName(GROUP, VERSION, "extensionentries", "ExtensionEntry")


class ServiceReference(Wire, frozen=True, kw_only=True):
    """A Service of the cluster."""

    namespace: Annotated[str, about("Namespace of the Service.")]
    name: Annotated[str, about("Name of the Service.")]
    port: Annotated[
        Port | str | None,
        about(
            "Number or name of the Service's port; 443 when absent. 443, or a port named https, is spoken to with "
            "TLS, any other in plain HTTP, unless `scheme` says otherwise.",
            schema={INT_OR_STRING: True},
        ),
    ] = None
    path: Annotated[str, about("Put before the path of each request.")] = ""
    scheme: Annotated[Literal["http", "https"] | None, about("Overrides the rule of `port`.")] = None


class Endpoint(Wire, frozen=True, kw_only=True):
    """A backend: an address (`url`) or a Service of the cluster. The address wins when both are given."""

    url: Annotated[str, about("`http(s)://host:port/path`; the path is put before the path of each request.")] = ""
    service: ServiceReference | None = None
    ca_bundle: Annotated[
        str, about("Certificates that the backend's certificate must chain to: PEM, or base64 of PEM.")
    ] = ""
    ca_budle: Annotated[str, about("The seed's spelling of `caBundle`.")] = ""
    insecure_skip_verify: Annotated[bool, about("Do not verify the backend's certificate. For tests only.")] = False
    insecure_skip_tls_verify: Annotated[bool, about("The seed's spelling of `insecureSkipVerify`.")] = msgspec.field(
        default=False, name="insecureSkipTLSVerify"
    )


class BackendStatus(Wire, frozen=True, kw_only=True):
    """Whether the object is in force: Available, Unavailable (its backend is down) or Disabled (its extension is)."""

    state: Annotated[str, about("Available, Unavailable or Disabled.")] = ""
    observed_generation: Count | None = None
    conditions: Conditions = []


class APIServiceSpec(Endpoint, frozen=True, kw_only=True):
    """An API: the paths it takes and the backend that serves them. The backend sees the original path."""

    group: Annotated[str, about("API group: requests to `/kapis/<group>/<version>` go to the backend.")] = ""
    version: Annotated[str, about("API version.")] = ""
    non_resource_urls: Annotated[
        list[str],
        about("Further paths; a trailing `/*` takes everything below. Authorized by nonResourceURL rules."),
    ] = msgspec.field(default=[], name="nonResourceURLs")


class APIService(Wire, frozen=True, kw_only=True):
    """APIService registers an API of an extension with the gateway."""

    metadata: ObjectMeta
    spec: APIServiceSpec
    status: BackendStatus | None = None


class KeyReference(Wire, frozen=True, kw_only=True):
    """A key of a ConfigMap or a Secret."""

    namespace: Annotated[str, about("Namespace of the ConfigMap or Secret.")] = ""
    name: Annotated[str, about("Its name.")] = ""
    key: Annotated[str, about("The key in it.")] = ""
    optional: Annotated[bool, about("A missing key is no error.")] = False


class RemoteFile(Endpoint, frozen=True, kw_only=True):
    """Bytes behind an address, and which bytes they have to be."""

    digest: Annotated[
        str,
        about("`sha256:` and 64 hexadecimal digits. Other bytes are not served.", pattern=r"^(sha256:[0-9a-f]{64})?$"),
    ] = ""


class RawFrom(RemoteFile, frozen=True, kw_only=True):
    """Where a bundle's bytes are: a ConfigMap, a Secret, or an address."""

    config_map_key_ref: KeyReference | None = None
    secret_key_ref: KeyReference | None = None


class AssetStyle(RemoteFile, frozen=True, kw_only=True):
    """The bundle's style sheet."""

    link: Annotated[str, about("Public path, below /dist/.")] = ""


class AssetFile(RemoteFile, frozen=True, kw_only=True):
    """A further file of the bundle."""

    name: Annotated[str, about("Name of the file.")] = ""
    link: Annotated[str, about("Public path, below /dist/.")] = ""
    mime_type: Annotated[str, about("Content-Type to serve it with.")] = ""


class Assets(Wire, frozen=True, kw_only=True):
    """Files that belong to the bundle."""

    style: AssetStyle | None = None
    files: list[AssetFile] = []


class JSBundleSpec(Wire, frozen=True, kw_only=True):
    """A front end: JavaScript, given in place or fetched, and the files that belong to it."""

    raw: Annotated[str, about("The JavaScript itself, as text or as base64.")] = ""
    raw_from: RawFrom | None = None
    filename_override: Annotated[str, about("Last part of the public path; index.js when absent.")] = ""
    assets: Assets | None = None


class JSBundleStatus(BackendStatus, frozen=True, kw_only=True):
    """Where the bundle is served, and whether it is."""

    link: Annotated[str, about("Public path, below /dist/.")] = ""
    digest: Annotated[str, about("sha256 of the bytes in force, in hexadecimal.")] = ""
    size: Count | None = None


class JSBundle(Wire, frozen=True, kw_only=True):
    """JSBundle is the front end of an extension, loaded by the console."""

    metadata: ObjectMeta
    spec: JSBundleSpec
    status: JSBundleStatus | None = None


class HealthCheck(Wire, frozen=True, kw_only=True):
    """An active check: GET an address, expect a status."""

    url: Annotated[str, about("A path of the backend (`/healthz`), or a whole address.")] = ""
    interval: Annotated[Duration, about("Time between two checks, `15s`.")] = ""
    timeout: Annotated[Duration, about("Longest wait for an answer, `15s`.")] = ""
    status: Annotated[
        int | str | None,
        about("The status that means healthy: 200, or a class such as `2xx`.", schema={INT_OR_STRING: True}),
    ] = None


class UpstreamSpec(Endpoint, frozen=True, kw_only=True):
    """The backend of a ReverseProxy."""

    backend: Annotated[str, about("The seed's spelling of `url`.")] = ""
    health_check: HealthCheck | None = None


class CircuitBreaker(Wire, frozen=True, kw_only=True):
    """When to stop sending to a backend that fails, and how much to send at all. Absent fields set no limit."""

    max_connections: Annotated[Count | None, about("Connections to the backend, of each gateway worker.")] = None
    max_pending_requests: Annotated[
        Count | None, about("Requests that may wait while all connections are in use; 1024 when absent.")
    ] = None
    max_requests: Annotated[Count | None, about("Requests under way at the same time, in each gateway worker.")] = None
    max_retries: Annotated[Count | None, about("Retries under way at the same time; sets the budget aside.")] = None
    consecutive_failures: Annotated[
        Count | None, about("Failures in a row after which an address is left alone. 0: never.")
    ] = None
    error_percent: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100)] | None,
        about("Share of failures within `interval` from which on an address is left alone."),
    ] = None
    minimum_requests: Annotated[Count | None, about("Requests before `errorPercent` counts; 20 when absent.")] = None
    interval: Annotated[Duration, about("How far back `errorPercent` looks, `10s`.")] = ""
    ejection_time: Annotated[
        Duration, about("How long an address is left alone before one request tries it again, `30s`.")
    ] = ""


class RateLimit(Wire, frozen=True, kw_only=True):
    """How many requests may pass: `requests` a `unit`, with bursts up to `burst`, counted for each user or address."""

    requests: Annotated[int, msgspec.Meta(ge=1)]
    unit: Literal["second", "minute", "hour"] = "second"
    burst: Annotated[Count | None, about("How many may come at once; as many as `requests` when absent.")] = None
    by: Annotated[Literal["User", "Address", "Global"], about("What has a budget of its own.")] = "User"


class Retries(Wire, frozen=True, kw_only=True):
    """Idempotent requests that failed before an answer may be sent again, within a budget."""

    attempts: Annotated[int, msgspec.Meta(ge=0, le=10), about("Tries after the first one.")]
    retry_on: Annotated[
        list[Literal["ConnectFailure", "Reset", "Timeout", "502", "503", "504"]],
        about("What is tried again: everything when absent. `Timeout` is that of `perTryTimeout`."),
    ] = []
    per_try_timeout: Annotated[Duration, about("Longest wait for the first byte of the answer to one try.")] = ""
    back_off: Annotated[Duration, about("Longest pause before the second try, `25ms`; it doubles each time.")] = ""
    max_back_off: Annotated[Duration, about("The longest pause between two tries, ten times `backOff`.")] = ""
    budget_percent: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=100)] | None,
        about("Retries may be this share of the requests under way (or three, if that is more); 20 when absent."),
    ] = None
    max_body: Annotated[
        int | str | None,
        about("The largest body that is kept for another try, `64Ki`.", schema={INT_OR_STRING: True}),
    ] = None


class Timeouts(Wire, frozen=True, kw_only=True):
    """How long the gateway waits for the backend."""

    connect: Annotated[Duration, about("For a connection, `5s`.")] = ""
    first_byte: Annotated[Duration, about("From the end of the request to the first byte of the answer, `60s`.")] = ""
    request: Annotated[Duration, about("From the first byte of the request to the last of the answer.")] = ""
    idle: Annotated[Duration, about("Longest silence inside an answer or a tunnel, `1h`.")] = ""


class Directives(Wire, frozen=True, kw_only=True):
    """What is done to a request on its way, in the order: method, strip, headers, rewrite, replace, pathRegexp."""

    method: Annotated[str, about("Send the request with this method.")] = ""
    strip_path_prefix: Annotated[str, about("Cut from the front of the path, at a segment border.")] = ""
    strip_path_suffix: Annotated[str, about("Cut from the end of the path, at a segment border.")] = ""
    header_up: Annotated[
        list[str],
        about("Edits of the request's headers: `Name: value`, `Name value`, `+Name value`, `-Name`, `-Prefix*`."),
    ] = []
    header_down: Annotated[list[str], about("The same for the answer's headers.")] = []
    reject_forwarding_redirects: Annotated[
        bool, about("A redirection that the backend answers becomes a 502 instead of going to the client.")
    ] = False
    wrap_transport: Annotated[
        bool, about("Links in the backend's answers (Location, HTML) get the path that was cut from the request's.")
    ] = False
    auth_proxy: Annotated[bool, about("Tell the backend who asks, in X-Remote-* headers.")] = False
    rewrite: Annotated[
        list[str], about("`<pattern> <target>`: `/old/* /new{path}`; {path} is the whole old path, {query} its query.")
    ] = []
    replace: Annotated[list[str], about("`<find> <replacement>`, in path and query.")] = []
    path_regexp: Annotated[list[str], about("`<regular expression> <replacement>` with $1 groups.")] = []
    redirect: Annotated[
        list[str],
        about("`<pattern> <target> [301|302|303|307|308]`: `/old/* /new/{rest} 308`; {path}, {query}, {uri}, {host}."),
    ] = []
    circuit_breaker: CircuitBreaker | None = None
    rate_limit: RateLimit | None = None
    retries: Retries | None = None
    timeouts: Timeouts | None = None
    load_balancing: Annotated[
        Literal["RoundRobin", "LeastRequests"], about("How requests are spread over the addresses of the backend.")
    ] = "RoundRobin"
    max_body: Annotated[
        int | str | None,
        about("Largest request body, in bytes or as `10Mi`.", schema={INT_OR_STRING: True}),
    ] = None


class HeaderLists(Wire, frozen=True, kw_only=True):
    """The seed's spelling of headerUp and headerDown."""

    up: list[str] = []
    down: list[str] = []


class ReverseProxySpec(Wire, frozen=True, kw_only=True):
    """Which requests, to which backend, changed how."""

    matcher: Annotated[
        dict[str, str] | list[dict[str, str]],
        several_shapes(
            "`{path, method}`, or a list of them of which any may match. A path is exact, a prefix (`/a/*`), or has "
            "`*` elsewhere for any run of characters; method `*` or none takes all."
        ),
    ]
    upstream: UpstreamSpec
    directives: Directives | None = None
    rewrite: Annotated[list[str], about("The seed's spelling of directives.rewrite.")] = []
    header: HeaderLists | None = None
    redirect: Annotated[list[str], about("The same as directives.redirect, as are the following.")] = []
    circuit_breaker: CircuitBreaker | None = None
    rate_limit: RateLimit | None = None
    retries: Retries | None = None
    timeouts: Timeouts | None = None
    load_balancing: Literal["RoundRobin", "LeastRequests"] | None = None
    max_body: Annotated[int | str | None, about("As in directives.", schema={INT_OR_STRING: True})] = None
    wrap_transport: bool = False
    reject_forwarding_redirects: bool = False


class ReverseProxy(Wire, frozen=True, kw_only=True):
    """ReverseProxy sends requests for a path to a backend, rewriting them on the way."""

    metadata: ObjectMeta
    spec: ReverseProxySpec
    status: BackendStatus | None = None


class ExtensionEntrySpec(Wire, frozen=True, kw_only=True):
    """Menu entries of an extension."""

    entries: Annotated[
        list[dict[str, Any]],
        about(
            "Menu entries; `name` is needed and unique, other fields are the console's.",
            schema={
                "items": {
                    "type": "object",
                    PRESERVE: True,
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "minLength": 1}},
                }
            },
        ),
    ] = msgspec.field(default_factory=list[dict[str, Any]])


class ExtensionEntry(Wire, frozen=True, kw_only=True):
    """ExtensionEntry declares menu entries that the console shows without loading the extension's code."""

    metadata: ObjectMeta
    spec: ExtensionEntrySpec
    status: BackendStatus | None = None


_REASON = Column("Reason", '.status.conditions[?(@.type=="Healthy")].reason', priority=1)

APISERVICE_COLUMNS: Final = (
    Column("Group", ".spec.group"),
    Column("Version", ".spec.version"),
    Column("Service", ".spec.service.name"),
    Column("URL", ".spec.url", priority=1),
    STATE,
    _REASON,
    AGE,
)
JSBUNDLE_COLUMNS: Final = (Column("Link", ".status.link"), STATE, Column("Digest", ".status.digest", priority=1), AGE)
REVERSEPROXY_COLUMNS: Final = (
    Column("Path", ".spec.matcher.path"),
    Column("Paths", ".spec.matcher[*].path", priority=1),
    Column("Service", ".spec.upstream.service.name"),
    Column("URL", ".spec.upstream.url", priority=1),
    STATE,
    _REASON,
    AGE,
)

KINDS: Final = (
    Kind(APISERVICES, APIService, (), APISERVICE_COLUMNS),
    Kind(JSBUNDLES, JSBundle, ("jsb",), JSBUNDLE_COLUMNS),
    Kind(REVERSEPROXIES, ReverseProxy, ("rproxy",), REVERSEPROXY_COLUMNS),
    Kind(EXTENSIONENTRIES, ExtensionEntry, ("extentry",), (Column("Entries", ".spec.entries[*].name"), STATE, AGE)),
)
