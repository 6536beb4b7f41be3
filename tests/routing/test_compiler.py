"""Objects to a table: what they claim, who wins, what is told, and that nothing spoils the rest."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.dialects import ServiceRef
from dovetail.gateway.snapshot import Snapshot, decode, encode
from dovetail.routing.compiler import Compiler, CompilerInput
from dovetail.routing.model import Address, Match, Route, RouteTable, Upstream
from dovetail.routing.services import Resolution, references
from dovetail.routing.sources import read_objects
from dovetail.routing.upstreams import ClientCertificate, with_key
from tests.routing.objects import EARLY, LATE, api_service, compiled, found, owner, reverse_proxy


def upstream_of(compilation, route: Route | None) -> Upstream:
    assert route is not None
    return compilation.table.upstreams[route.upstream]


def reasons(compilation):
    return [problem.reason for problem in compilation.problems]


# What objects claim


def test_an_api_service_claims_its_group_and_version():
    table = compiled(api_service())
    route = found(table, "POST", "/kapis/greeter.dovetail.dev/v1alpha1/greetings")
    assert route is not None
    assert (route.access, route.identity, route.rewrite) == ("authorized", "remote-headers", ())
    assert found(table, "GET", "/kapis/greeter.dovetail.dev/v1alpha10/x") is None
    assert upstream_of(table, route).addresses == (Address("backend", 8080),)
    assert table.problems == []


def test_non_resource_urls():
    table = compiled(api_service(nonResourceURLs=["/greetings/*", "/greeter"]))
    assert owner(table, "GET", "/greetings/today")
    assert owner(table, "GET", "/greeter")
    assert not owner(table, "GET", "/greeter/x")


def test_non_resource_urls_alone():
    obj = api_service()
    obj["spec"] = {"nonResourceURLs": ["/only/*"], "url": "http://backend:8080"}
    assert owner(compiled(obj), "GET", "/only/this")


@pytest.mark.parametrize(
    ("spec", "base_path", "authority"),
    [
        ({"url": "http://b:8080/v1/"}, "/v1", "b:8080"),
        ({"url": "https://b"}, "", "b"),
        ({"url": "", "service": {"namespace": "n", "name": "s", "port": 80, "path": "/v1alpha1"}}, "/v1alpha1",
         "s.n.svc"),
        ({"url": "", "service": {"namespace": "n", "name": "s"}}, "", "s.n.svc"),
        ({"url": "", "service": {"namespace": "n", "name": "s", "port": 9090}}, "", "s.n.svc:9090"),
    ],
)  # fmt: skip
def test_the_path_of_the_backend_is_honoured(spec, base_path, authority):
    table = compiled(api_service(**spec))
    upstream = upstream_of(table, table.table.routes[0])
    assert (upstream.base_path, upstream.authority) == (base_path, authority)


@pytest.mark.parametrize(
    ("service", "resolution", "scheme"),
    [
        ({}, None, "https"),
        ({"port": 443}, None, "https"),
        ({"port": 80}, None, "http"),
        ({"port": "https"}, None, "https"),
        ({"port": 8443}, Resolution(addresses=(Address("10.0.0.1", 8443),), port=8443, https=True), "https"),
        ({"port": 8443}, Resolution(addresses=(Address("10.0.0.1", 8443),), port=8443), "http"),
        ({"port": 8443, "scheme": "https"}, None, "https"),
        ({"port": 443, "scheme": "http"}, None, "http"),
    ],
)
def test_the_scheme_rule_of_services(service, resolution, scheme):
    ref = ServiceRef("n", "s", service.get("port", 0))
    obj = api_service(url="", service={"namespace": "n", "name": "s", **service})
    table = compiled(obj, addresses={ref: resolution} if resolution else {})
    upstream = upstream_of(table, table.table.routes[0])
    assert upstream.scheme == scheme
    assert (upstream.tls is not None) == (scheme == "https")
    assert upstream.addresses == (
        resolution.addresses if resolution else (Address("s.n.svc", upstream.addresses[0].port),)
    )


def test_an_address_of_the_clusters_dns_is_resolved_as_a_service():
    sources = read_objects([api_service(url="https://s.n.svc/x")])
    assert references(sources.api_services, sources.reverse_proxies) == {ServiceRef("n", "s", 443)}
    resolution = Resolution(addresses=(Address("127.0.0.1", 7443),), port=443)
    table = compiled(api_service(url="https://s.n.svc/x"), addresses={ServiceRef("n", "s", 443): resolution})
    upstream = upstream_of(table, table.table.routes[0])
    assert (upstream.authority, upstream.addresses) == ("s.n.svc", (Address("127.0.0.1", 7443),))
    assert upstream.tls is not None
    assert upstream.tls.server_name == "s.n.svc"


def test_a_service_that_leads_nowhere_is_unavailable_but_routed():
    nowhere = Resolution(reason="ServiceNotFound", message="there is no Service s")
    obj = api_service(url="", service={"namespace": "n", "name": "s"})
    route = compiled(obj, addresses={ServiceRef("n", "s"): nowhere}).table.routes[0]
    assert route.unavailable == "ServiceNotFound: there is no Service s"


def test_the_gateways_certificate_is_shown_to_tls_backends():
    table = compiled(api_service(url="https://b"), certificate=ClientCertificate("c.pem", "k.pem"))
    tls = upstream_of(table, table.table.routes[0]).tls
    assert tls is not None
    assert (tls.client_cert_file, tls.client_key_file) == ("c.pem", "k.pem")


def test_a_reverse_proxy_is_a_program():
    obj = reverse_proxy(
        "/proxy/x/* GET",
        "/res/*",
        rewrite=["/old-prefix/* /new-prefix{path}"],
        header={"up": ["Foo: Bar", "Host: inner.example"]},
        directives={
            "stripPathPrefix": "/proxy/x",
            "method": "POST",
            "authProxy": True,
            "headerUp": ["-Cookie2"],
            "timeouts": {"connect": "2s"},
            "maxBody": "1Ki",
        },
    )
    table = compiled(obj)
    route = found(table, "GET", "/proxy/x/y")
    assert route is not None
    assert [step.op for step in route.rewrite] == ["method", "strip-prefix", "rewrite"]
    assert [(edit.op, edit.name) for edit in route.header_up] == [("delete", "Cookie2"), ("set", "Foo")]
    assert (route.identity, route.max_body) == ("remote-headers", 1024)
    upstream = upstream_of(table, route)
    assert (upstream.authority, upstream.connect_timeout) == ("inner.example", 2.0)
    assert found(table, "POST", "/proxy/x/y") is None
    assert found(table, "POST", "/res/y") is not None
    assert len({route.id for route in table.table.routes}) == 2


def test_without_auth_proxy_the_backend_is_not_told_who_asks():
    route = found(compiled(reverse_proxy("/a/*")), "GET", "/a/b")
    assert route is not None
    assert route.identity == "none"


def test_states():
    disabled = {**reverse_proxy("/a/*"), "status": {"state": "Disabled"}}
    condition = {"type": "Healthy", "status": "False", "reason": "ConnectionRefused", "message": "nothing listens"}
    down = {**reverse_proxy("/a/*"), "status": {"state": "Unavailable", "conditions": [condition]}}
    assert compiled(disabled).table == RouteTable()
    unwritten = {**reverse_proxy("/a/*"), "status": {"state": "Unavailable"}}
    assert compiled(unwritten).table.routes[0].unavailable == "the backend is not available"
    partly = {"state": "Unavailable", "conditions": [{"type": "Healthy", "status": "True"}]}
    assert compiled({**reverse_proxy("/a/*"), "status": partly}).table.routes[0].unavailable == ""
    assert compiled(down).table.routes[0].unavailable == "nothing listens"
    up = {**reverse_proxy("/a/*"), "status": {"state": "Available"}}
    assert compiled(up).table.routes[0].unavailable == ""
    leaving = reverse_proxy("/a/*")
    leaving["metadata"]["deletionTimestamp"] = LATE
    assert compiled(leaving).table == RouteTable()


# What is refused


@pytest.mark.parametrize(
    "pattern",
    [
        "/", "/*", "*", "/oauth/token", "/oauth*", "/api", "/apis/*", "/kapis/iam.kubesphere.io/v1beta1/users",
        "/login", "/console/api/boot", "/dist/x/index.js", "/healthz", "/.well-known/*", "/clusters/*", "/%6Fauth/x",
        "/Oauth/../oauth", "/a//b", "/a/../b", "/*/x", "/o*/x", "x", "/a?b", "/a%2Fb", "/a%5Cb", "/a;b/*", "/a\\b",
        "/a b%", "",
    ],
)  # fmt: skip
def test_reserved_and_malformed_paths_give_no_route(pattern):
    table = compiled(reverse_proxy(pattern, "/fine/*"))
    problems = [problem for problem in table.problems if problem.reason in ("Reserved", "Invalid")]
    assert problems
    assert problems[0].field.startswith("spec.matcher[0]")
    assert [route.match.path for route in table.table.routes if route.match.path != "/fine"] == []


def test_reserved_nonresource_urls():
    table = compiled(api_service(nonResourceURLs=["/api/*", "/fine"]))
    assert reasons(table) == ["Reserved"]
    assert owner(table, "GET", "/fine")


@pytest.mark.parametrize("group", ["iam.kubesphere.io", "tenant.kubesphere.io", "config.kubesphere.io"])
def test_groups_of_the_platform_are_reserved(group):
    table = compiled(api_service(group))
    assert reasons(table) == ["Reserved"]
    assert table.table == RouteTable()


def test_groups_of_extensions_that_look_alike_are_not():
    assert owner(compiled(api_service("devops.kubesphere.io")), "GET", "/kapis/devops.kubesphere.io/v1alpha1/x")


def test_paths_of_built_in_routes_are_reserved():
    built_in = Route(id="builtin/x", match=Match("prefix", "/special/part"), upstream="u")
    table = compiled(reverse_proxy("/special/part/x", "/special/p*t/x", "/special/other/*"), routes=(built_in,))
    assert reasons(table) == ["Reserved", "Reserved"]
    assert found(table, "GET", "/special/part/x") == built_in
    assert owner(table, "GET", "/special/other/x") == "proxy"


@pytest.mark.parametrize(
    "pattern",
    [
        "/kapis", "/kapis/*", "/kapis*", "/kapis/*/v1", "/kapis/iam.kubesphere.io/*", "/kapis/version",
        "/kapis/clusters/a/*", "/Kapis/x.io/*", "/KAPIS/iam.kubesphere.io/*", "/OAuth/token",
        "/kapis/IAM.kubesphere.io", "/kapis/-/x", "/kapis/%C3%A9/x",
    ],
)  # fmt: skip
def test_a_proxy_may_serve_somebody_elses_group_only(pattern):
    assert reasons(compiled(reverse_proxy(pattern))) == ["Reserved"]


@pytest.mark.parametrize(
    "pattern",
    [
        "/kapis/x.io/v1/secrets/*",
        "/kapis/x.io/v1",
        "/kapis/x.io/v1/*.json",
        "/kapis/x.io/v1/* GET",
        "/kapis/x.io/* GET",
    ],
)
def test_nobody_takes_a_part_of_anothers_api_by_being_more_specific(pattern):
    table = compiled(
        reverse_proxy(pattern, name="thief", created=EARLY), api_service("x.io", version="v1", created=LATE)
    )
    assert reasons(table) == ["Reserved"]
    assert owner(table, "GET", "/kapis/x.io/v1/secrets/x.json") == "v1alpha1.x.io"


def test_a_proxy_may_serve_an_api_of_its_own_group_and_rewrite_it():
    table = compiled(reverse_proxy("/kapis/devops.kubesphere.io/*"), api_service("devops.kubesphere.io"))
    assert table.problems == []
    assert owner(table, "GET", "/kapis/devops.kubesphere.io/v1alpha2/x") == "proxy"
    assert owner(table, "GET", "/kapis/devops.kubesphere.io/v1alpha1/x") == "v1alpha1.devops.kubesphere.io"


@pytest.mark.parametrize(
    "directives",
    [
        {"rewrite": ["/a/* /b{env.SECRET}"]},
        {"rewrite": ["a /b"]},
        {"rewrite": ["/a http://evil/"]},
        {"pathRegexp": ["(a+)+ b"]},
        {"pathRegexp": ["[ x"]},
        {"headerUp": ['Foo "(?=a)" "b"']},
        {"headerUp": ["+Host: x"]},
        {"headerUp": ["Host: a/b"]},
    ],
)
def test_a_program_with_a_bad_step_is_not_run_at_all(directives):
    table = compiled(reverse_proxy("/a/*", directives=directives), reverse_proxy("/b/*", name="other"))
    assert reasons(table) == ["Invalid"]
    assert not owner(table, "GET", "/a/x")
    assert owner(table, "GET", "/b/x") == "other"


def test_an_object_has_at_most_so_many_routes():
    table = compiled(api_service(nonResourceURLs=[f"/p{i}" for i in range(200)]))
    assert reasons(table) == ["Invalid"]
    assert len(table.table.routes) == 65


# Precedence and conflicts


def test_more_specific_wins_whatever_the_age():
    objects = [
        reverse_proxy("/a/*", name="wide", created=EARLY),
        reverse_proxy("/a/b/*", name="narrow", created=LATE),
        reverse_proxy("/a/b/c", name="exact", created=LATE),
        reverse_proxy("/a/b/* GET", name="get", created=LATE),
        reverse_proxy("/q/*.js", name="glob", created=EARLY),
    ]
    for order in itertools.permutations(objects):
        table = compiled(*order)
        assert owner(table, "POST", "/a/b/c") == "exact"
        assert owner(table, "GET", "/a/b/x") == "get"
        assert owner(table, "POST", "/a/b/x") == "narrow"
        assert owner(table, "GET", "/a/x") == "wide"
        assert owner(table, "GET", "/q/x.js") == "glob"
        assert table.problems == []


def test_the_older_object_wins_and_the_loser_is_told_a_witness():
    old, young = reverse_proxy("/a/*", name="zz", created=EARLY), reverse_proxy("/a/*", name="aa", created=LATE)
    for order in ([old, young], [young, old]):
        table = compiled(*order)
        (problem,) = table.problems
        assert (problem.reason, problem.name) == ("Conflict", "aa")
        assert problem.winner.endswith("/zz")
        method, path = problem.witness.split()
        assert owner(table, method, path) == "zz"


def test_equal_age_is_decided_by_name():
    table = compiled(reverse_proxy("/a/*", name="b"), reverse_proxy("/a/*", name="a"))
    assert owner(table, "GET", "/a/x") == "a"


def test_two_api_services_for_one_group():
    table = compiled(api_service(name="one", created=LATE), api_service(name="two", created=EARLY))
    assert reasons(table) == ["Conflict"]
    assert owner(table, "GET", "/kapis/greeter.dovetail.dev/v1alpha1/x") == "two"


def test_an_object_does_not_conflict_with_itself():
    assert compiled(reverse_proxy("/a/*", "/a/*", "/a/* GET", "/a*")).problems == []


def test_a_glob_that_is_never_used_is_told():
    table = compiled(reverse_proxy("/a/*.js", name="glob"), reverse_proxy("/a/*", name="prefix"))
    assert reasons(table) == ["Shadowed"]


def test_the_consoles_catch_all_is_last():
    catch_all = Route(id="builtin/console", match=Match("prefix", "/", ("GET",)), upstream="u")
    table = compiled(reverse_proxy("/a/*.js"), routes=(catch_all,))
    assert owner(table, "GET", "/a/x.js") == "proxy"
    assert found(table, "GET", "/anything") == catch_all


# Determinism, robustness, reuse


NAMES = st.sampled_from(["a", "b", "c", "d"])
PATTERNS = st.sampled_from(["/a/*", "/a/b", "/a/b/*", "/a/*.js", "/a/*x", "/b/* GET", "/b/*", "/api/x", "//", "/c/%zz"])
OBJECTS = st.one_of(
    st.builds(
        lambda name, patterns, created: reverse_proxy(*patterns, name=name, created=created),
        NAMES, st.lists(PATTERNS, max_size=4), st.sampled_from([EARLY, LATE]),
    ),
    st.builds(
        lambda name, group, created: api_service(group, name=name, created=created),
        NAMES, st.sampled_from(["x.io", "iam.kubesphere.io", "BAD"]), st.sampled_from([EARLY, LATE]),
    ),
)  # fmt: skip


def _unique(objects):
    return list({(obj["kind"], obj["metadata"]["name"]): obj for obj in objects}.values())


@settings(max_examples=100, deadline=None)
@given(objects=st.lists(OBJECTS, max_size=8).map(_unique), seed=st.integers())
def test_the_order_of_objects_does_not_matter(objects, seed):
    shuffled = list(objects)
    random.Random(seed).shuffle(shuffled)
    one, two = compiled(*objects), compiled(*shuffled)
    assert one.table == two.table
    assert sorted(map(repr, one.problems)) == sorted(map(repr, two.problems))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["/a/*", "http://b", "x y", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "matcher": JSON | st.fixed_dictionaries({"path": st.text(max_size=20), "method": JSON}),
        "upstream": JSON | st.fixed_dictionaries({"url": st.text(max_size=20).map("http://{}".format)}),
        "url": st.text(max_size=20).map("http://{}".format),
        "group": st.text(max_size=8) | JSON,
        "version": st.text(max_size=8),
        "service": JSON,
        "nonResourceURLs": JSON | st.lists(st.text(max_size=12)),
        "caBundle": JSON,
        "directives": st.dictionaries(
            st.sampled_from(["rewrite", "pathRegexp", "replace", "headerUp", "stripPathPrefix", "method", "maxBody"]),
            JSON | st.lists(st.text(max_size=20), max_size=3),
            max_size=4,
        ),
        "rewrite": st.lists(st.text(max_size=20), max_size=3),
        "header": JSON,
    },
)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(["APIService", "ReverseProxy", "Pod", ""]), spec=SPEC | JSON, status=JSON)
def test_a_hostile_object_never_spoils_the_rest(kind, spec, status):
    hostile = {"apiVersion": "kubesphere.io/v1alpha1", "kind": kind, "metadata": {"name": "evil"}, "spec": spec,
               "status": status}  # fmt: skip
    table = compiled(reverse_proxy("/fine/*"), hostile, api_service())
    assert owner(table, "GET", "/fine/x") == "proxy"
    assert owner(table, "GET", "/kapis/greeter.dovetail.dev/v1alpha1/x") == "v1alpha1.greeter.dovetail.dev"
    assert owner(table, "GET", "/oauth/token") in ("",)
    frame = encode(Snapshot(generation=1, table=table.table))
    assert decode(frame[4:]).table == table.table


def test_compiling_again_gives_the_same_and_notices_changes():
    compiler = Compiler()
    sources = read_objects([api_service(), reverse_proxy("/a/*")])
    given_ = CompilerInput(api_services=sources.api_services, reverse_proxies=sources.reverse_proxies)
    first, second = compiler.compile(given_), compiler.compile(given_)
    assert first == second
    assert first.table.routes[0] is second.table.routes[0]
    changed = read_objects([reverse_proxy("/b/*")])
    third = compiler.compile(msgspec.structs.replace(given_, reverse_proxies=changed.reverse_proxies))
    assert owner(third, "GET", "/b/x") == "proxy"
    assert not owner(third, "GET", "/a/x")


def test_equal_backends_share_an_upstream_and_changed_ones_do_not():
    table = compiled(reverse_proxy("/a/*", name="a"), reverse_proxy("/b/*", name="b"))
    assert len(table.table.upstreams) == 1
    other = compiled(reverse_proxy("/a/*", upstream={"url": "http://backend:8080", "insecureSkipVerify": True}))
    assert other.table.routes[0].upstream in table.table.upstreams  # plain HTTP: verification does not matter
    tls = [{"url": "https://backend"}, {"url": "https://backend", "insecureSkipVerify": True}]
    assert len({compiled(reverse_proxy("/a/*", upstream=spec)).table.routes[0].upstream for spec in tls}) == 2


def test_the_key_covers_every_field():
    base = Upstream(key="", addresses=(Address("h", 1),))
    keys = {with_key(base).key}
    for field, value in (("scheme", "https"), ("authority", "x"), ("base_path", "/x"), ("unix_path", "/s"),
                         ("connect_timeout", 1.0), ("bearer_token_file", "t")):  # fmt: skip
        keys.add(with_key(msgspec.structs.replace(base, **{field: value})).key)
    assert len(keys) == 7
    assert with_key(with_key(base)) == with_key(base)
