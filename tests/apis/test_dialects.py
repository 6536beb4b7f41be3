"""Today's dialect, the fine print of both, and what is refused."""

import base64
import contextlib
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis import dialects, labels, locales
from dovetail.apis.dialects.durations import BadDuration, parse_duration
from dovetail.apis.dialects.header_edits import BadHeaderEdit, parse_edit
from dovetail.apis.dialects.js_bundle import decode_raw
from dovetail.apis.errors import InvalidObject

EXT = "extensions.kubesphere.io/v1alpha1"
KS = "kubesphere.io/v1alpha1"


def pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


PEM = pem()


def make(kind, spec, api_version=EXT, name="x", **metadata):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def proxy(**directives):
    return make(
        "ReverseProxy",
        {"matcher": {"path": "/proxy/x/*"}, "upstream": {"url": "http://b"}, "directives": directives},
    )


def mistakes(reader, obj):
    with pytest.raises(InvalidObject) as caught:
        reader(obj)
    assert str(caught.value).startswith(f"{caught.value.kind} ")
    return {error.path: error.message for error in caught.value.errors}


# Backends


@pytest.mark.parametrize("form", [PEM, base64.b64encode(PEM.encode()).decode()])
@pytest.mark.parametrize("spelling", ["caBundle", "caBudle"])
def test_ca_bundle_is_pem_or_base64_of_it(form, spelling):
    obj = make("APIService", {"group": "a.io", "version": "v1", "url": "https://b", spelling: form})
    assert dialects.api_service(obj).backend.ca_pem.strip() == PEM.strip()


def test_ca_bundle_that_was_encoded_twice_is_understood():
    twice = base64.b64encode(base64.b64encode(PEM.encode())).decode()
    obj = make("APIService", {"group": "a.io", "version": "v1", "url": "https://b", "caBundle": twice})
    assert dialects.api_service(obj).backend.ca_pem.strip() == PEM.strip()


@pytest.mark.parametrize("form", ["nonsense", base64.b64encode(b"nonsense").decode(), PEM.replace("M", "x", 9)])
def test_a_bad_ca_bundle_is_told(form):
    obj = make("APIService", {"group": "a.io", "version": "v1", "url": "https://b", "caBundle": form})
    assert "spec.caBundle" in mistakes(dialects.api_service, obj)


@pytest.mark.parametrize("spelling", ["insecureSkipVerify", "insecureSkipTLSVerify"])
def test_both_spellings_of_insecure(spelling):
    obj = make("APIService", {"group": "a.io", "version": "v1", "url": "https://b", spelling: True})
    assert dialects.api_service(obj).backend.insecure_skip_verify


def test_a_service_without_a_port():
    obj = make("APIService", {"group": "a.io", "version": "v1", "service": {"namespace": "n", "name": "s"}})
    assert dialects.api_service(obj).backend.service == dialects.ServiceRef("n", "s", 0)


def test_url_wins_over_service():
    spec = {"group": "a.io", "version": "v1", "url": "http://b:81/p/", "service": {"namespace": "n", "name": "s"}}
    backend = dialects.api_service(make("APIService", spec)).backend
    assert (backend.host, backend.port, backend.path, backend.service) == ("b", 81, "/p", None)


@pytest.mark.parametrize(
    "url",
    [
        "b", "ftp://b", "http://", "http://u:p@b", "http://b?x", "http://b#x", "http://b/../c", "http://b/a//c",
        "http://b:99999", "http://b/ x", "http://[::1", "http://-b", "http://b/%zz\n",
    ],
)  # fmt: skip
def test_a_bad_url_is_told(url):
    obj = make("APIService", {"group": "a.io", "version": "v1", "url": url})
    assert "spec.url" in mistakes(dialects.api_service, obj)


def test_all_mistakes_are_told_at_once():
    obj = make("ReverseProxy", {"matcher": {"method": 7}, "upstream": {}, "header": {"up": ["Foo"]}})
    found = mistakes(dialects.reverse_proxy, obj)
    assert {"spec.matcher.path", "spec.matcher.method", "spec.upstream", "spec.header.up[0]"} <= found.keys()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"url": "http://b"}, "spec.group"),
        ({"group": "a.io", "url": "http://b"}, "spec.version"),
        ({"group": "A", "version": "v1", "url": "http://b"}, "spec.group"),
        ({"group": "a/b", "version": "v1", "url": "http://b"}, "spec.group"),
        ({"group": "a", "version": "v1/..", "url": "http://b"}, "spec.version"),
        ({"group": "a", "version": "v1"}, "spec"),
        ({"group": "a", "version": "v1", "service": {"namespace": "n", "name": "s", "port": 0}}, "spec.service.port"),
        ({"group": "a", "version": "v1", "service": {"name": "s"}}, "spec.service.namespace"),
    ],
)
def test_a_bad_api_service_is_told(spec, path):
    assert path in mistakes(dialects.api_service, make("APIService", spec))


# ReverseProxy


def test_todays_directives():
    model = dialects.reverse_proxy(
        proxy(
            method="post",
            stripPathPrefix="/proxy/x",
            headerUp=["Foo Bar", "+Foo: Baz", "-Drop", "-X-Old-*", 'Server "a(b)" "c$1"'],
            headerDown=['Cache-Control "no-store"'],
            replace=["a b"],
            pathRegexp=["^/v([0-9]+) /w$1"],
            authProxy=True,
            redirect=["/a /b 308", "/c /d"],
            timeouts={"connect": "1s", "request": "1m30s"},
            rateLimit={"requests": 10, "unit": "minute"},
            circuitBreaker={"consecutiveFailures": 5, "ejectionTime": "10s"},
            retries={"attempts": 2},
            maxBody="10Mi",
        )
    )
    assert (model.method, model.strip_prefix, model.auth_proxy, model.max_body) == ("POST", "/proxy/x", True, 10 << 20)
    assert [(edit.op, edit.name, edit.value, edit.find) for edit in model.header_up] == [
        ("set", "Foo", "Bar", ""),
        ("add", "Foo", "Baz", ""),
        ("delete", "Drop", "", ""),
        ("delete", "X-Old-*", "", ""),
        ("replace", "Server", "c$1", "a(b)"),
    ]
    assert model.header_down[0].value == "no-store"
    assert [(redirect.pattern, redirect.status) for redirect in model.redirects] == [("/a", 308), ("/c", 302)]
    assert (model.timeouts.connect, model.timeouts.request, model.timeouts.idle) == (1.0, 90.0, 0.0)
    assert model.rate_limit is not None
    assert (model.rate_limit.requests, model.rate_limit.per_seconds, model.rate_limit.burst) == (10, 60, 10)
    assert model.circuit_breaker is not None
    assert (model.circuit_breaker.consecutive_failures, model.circuit_breaker.ejection_time) == (5, 10.0)
    assert model.retries is not None
    assert model.retries.attempts == 2


def test_matcher_as_object_and_as_list():
    upstream = {"url": "http://b"}
    one = dialects.reverse_proxy(make("ReverseProxy", {"matcher": {"path": "/a", "method": "*"}, "upstream": upstream}))
    two = [{"path": "/a", "method": "get"}, {"path": "/b"}]
    many = dialects.reverse_proxy(make("ReverseProxy", {"matcher": two, "upstream": upstream}))
    assert one.matchers == (dialects.Matcher("/a"),)
    assert many.matchers == (dialects.Matcher("/a", "GET"), dialects.Matcher("/b"))


@pytest.mark.parametrize(
    ("directives", "path"),
    [
        ({"rewrite": ["/only-one"]}, "spec.directives.rewrite[0]"),
        ({"rewrite": ["a b c"]}, "spec.directives.rewrite[0]"),
        ({"redirect": ["/a /b 200"]}, "spec.directives.redirect[0]"),
        ({"headerUp": ["Foo"]}, "spec.directives.headerUp[0]"),
        ({"rateLimit": {}}, "spec.directives.rateLimit.requests"),
        ({"rateLimit": {"requests": 1, "unit": "week"}}, "spec.directives.rateLimit.unit"),
        ({"timeouts": {"connect": "soon"}}, "spec.directives.timeouts.connect"),
        ({"maxBody": "many"}, "spec.directives.maxBody"),
        ({"method": "G T"}, "spec.directives.method"),
        ({"circuitBreaker": {"errorPercent": 200}}, "spec.directives.circuitBreaker.errorPercent"),
        ({"replace": "a b"}, "spec.directives.replace"),
    ],
)
def test_a_bad_directive_is_told(directives, path):
    assert path in mistakes(dialects.reverse_proxy, proxy(**directives))


@pytest.mark.parametrize(
    ("entry", "op", "name", "value"),
    [
        ("Foo: Bar", "set", "Foo", "Bar"),
        ("Foo:Bar", "set", "Foo", "Bar"),
        ("Foo Bar", "set", "Foo", "Bar"),
        ("Authorization Bearer abc", "set", "Authorization", "Bearer abc"),
        ("Authorization: Basic eDp5", "set", "Authorization", "Basic eDp5"),
        ('Foo "Bar Baz"', "set", "Foo", "Bar Baz"),
        ("Link: <http://a>; rel=x", "set", "Link", "<http://a>; rel=x"),
        ("+Foo Bar", "add", "Foo", "Bar"),
        ("-Foo", "delete", "Foo", ""),
        ("-Foo:", "delete", "Foo", ""),
        ("-Foo-*", "delete", "Foo-*", ""),
    ],
)
def test_header_edits(entry, op, name, value):
    edit = parse_edit(entry)
    assert (edit.op, edit.name, edit.value) == (op, name, value)


@pytest.mark.parametrize(
    "entry",
    [
        "", "Foo", "Foo:", "-", "-*", "+Foo", "Fo(o: x", "Foo: a\r\nEvil: b", "Foo: a\x00", "X-Remote-User: admin",
        "-X-Remote-*", "+Impersonate-User system:masters", "Transfer-Encoding: chunked", "Content-Length 0",
        "Connection close", "-X-*", "X-Forwarded-For: 1.2.3.4", "Foo: " + "x" * 9000,
    ],
)  # fmt: skip
def test_refused_header_edits(entry):
    with pytest.raises(BadHeaderEdit):
        parse_edit(entry)


# JSBundle


@pytest.mark.parametrize(
    ("metadata", "spec", "link"),
    [
        ({}, {}, "/dist/x/index.js"),
        ({"annotations": {labels.HELM_RELEASE_NAME: "devops-v0.10.0"}}, {}, "/dist/devops/index.js"),
        ({"labels": {labels.EXTENSION_REF: "ext"}, "annotations": {labels.HELM_RELEASE_NAME: "r"}}, {},
         "/dist/ext/index.js"),
        ({}, {"filenameOverride": "main.js"}, "/dist/x/main.js"),
    ],
)  # fmt: skip
def test_the_default_link_of_a_bundle(metadata, spec, link):
    assert dialects.js_bundle(make("JSBundle", {"raw": "1;", **spec}, **metadata)).link == link


def test_the_link_in_status_wins():
    obj = {**make("JSBundle", {"raw": "1;"}), "status": {"link": "/dist/hello-world/index.js", "state": "Available"}}
    assert dialects.bundle_link(obj) == "/dist/hello-world/index.js"


@pytest.mark.parametrize("link", ["/oauth/token", "/dist/../oauth", "/dist/", "/dist/a//b", "/dist/a?b", "/dist/.x"])
def test_a_link_outside_of_dist_is_refused(link):
    obj = {**make("JSBundle", {"raw": "1;"}), "status": {"link": link}}
    assert "status.link" in mistakes(dialects.js_bundle, obj)


def test_raw_is_text_base64_or_base64_twice():
    code = b"System.register([], function () {});"
    once = base64.b64encode(code)
    assert {decode_raw(code.decode()), decode_raw(once.decode()), decode_raw(base64.b64encode(once).decode())} == {code}


def test_a_bundle_without_a_source_is_told():
    assert "spec.rawFrom" in mistakes(dialects.js_bundle, make("JSBundle", {}))


def test_assets():
    file = {"name": "logo", "link": "/dist/x/logo.svg", "mimeType": "image/svg+xml", "url": "http://b/logo.svg"}
    style = {"link": "/dist/x/style.css", "service": {"namespace": "n", "name": "s"}}
    model = dialects.js_bundle(make("JSBundle", {"raw": "1;", "assets": {"style": style, "files": [file]}}))
    assert model.style is not None
    assert model.style.link == "/dist/x/style.css"
    assert model.files[0].mime_type == "image/svg+xml"


# The catalogue and plans


def test_todays_install_plan():
    spec = {
        "extension": {"name": "e", "version": "1.0.0"},
        "enabled": False,
        "upgradeStrategy": "Automatic",
        "config": "a: 1\n\n",
        "clusterScheduling": {"placement": {"clusters": ["m1"]}, "overrides": {"m1": "a: 2"}},
    }
    model = dialects.install_plan(make("InstallPlan", spec, KS))
    assert (model.enabled, model.upgrade_strategy, model.config) == (False, "Automatic", "a: 1")
    assert model.scheduling is not None
    assert model.scheduling.clusters == ("m1",)
    assert not model.from_subscription


@pytest.mark.parametrize("config", ["a: [", "- a", "just text", 7, "\x01"])
def test_a_bad_config_is_told(config):
    spec = {"extension": {"name": "e", "version": "1"}, "config": config}
    assert "spec.config" in mistakes(dialects.install_plan, make("InstallPlan", spec, KS))


def test_a_version_that_yaml_read_as_a_number_is_told_to_be_quoted():
    obj = make("InstallPlan", {"extension": {"name": "e", "version": 0.1}}, KS)
    assert "quotes" in mistakes(dialects.install_plan, obj)["spec.extension.version"]


def test_a_repository_polls_no_faster_than_every_ten_seconds():
    strategy = {"registryPoll": {"interval": "1s"}}
    obj = make("Repository", {"url": "https://r", "updateStrategy": strategy}, KS)
    assert "spec.updateStrategy.registryPoll.interval" in mistakes(dialects.repository, obj)


def test_repository_defaults():
    model = dialects.repository(make("Repository", {"url": "https://r"}, KS))
    assert (model.interval, model.timeout, model.depth) == (900.0, 120.0, 3)


def test_locales_in_either_form():
    one = dialects.category(make("Category", {"displayName": "Storage"}, KS))
    two = dialects.category(make("Category", {"displayName": {"en": "Storage", "zh": "存储"}}, KS))
    assert locales.resolve(one.display_name) == locales.resolve(two.display_name) == "Storage"
    assert locales.resolve(two.display_name, "zh-CN") == "存储"
    assert locales.resolve({"fr": "Stockage"}) == "Stockage"
    assert locales.resolve({}) == ""


def test_entries_need_names():
    obj = make("ExtensionEntry", {"entries": [{"name": "a", "title": "A"}, {"title": "B"}]})
    assert "spec.entries[1].name" in mistakes(dialects.extension_entry, obj)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "15", "s", "-1s", "1 s", "1d", "999999999h", "1s1", "９s"])
def test_no_durations(text):
    with pytest.raises(BadDuration):
        parse_duration(text)


READERS = [
    ("APIService", dialects.api_service),
    ("JSBundle", dialects.js_bundle),
    ("ReverseProxy", dialects.reverse_proxy),
    ("ExtensionEntry", dialects.extension_entry),
    ("Category", dialects.category),
    ("Repository", dialects.repository),
    ("Extension", dialects.extension),
    ("ExtensionVersion", dialects.extension_version),
    ("InstallPlan", dialects.install_plan),
]
FIELDS = sorted(
    {
        "metadata", "spec", "status", "name", "labels", "group", "version", "url", "service", "matcher", "path",
        "upstream", "directives", "headerUp", "rewrite", "caBundle", "raw", "rawFrom", "entries", "extension",
        "config", "displayName", "provider", "maintainers", "assets", "files", "link", "port", "state", "conditions",
    }
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(which=st.sampled_from(READERS), body=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_hostile_objects_are_read_or_refused(which, body):
    kind, reader = which
    with contextlib.suppress(InvalidObject):
        reader({"apiVersion": EXT, "kind": kind, **body})


@pytest.mark.parametrize("obj", [None, [], "x", {}, {"kind": []}, {"kind": "Pod", "metadata": {"name": "x"}}])
def test_things_that_are_no_objects_are_refused(obj):
    with pytest.raises(InvalidObject):
        dialects.api_service(obj)


def test_config_nested_too_deeply_is_refused():
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    spec = {"extension": {"name": "e", "version": "1"}, "config": deep}
    assert "spec.config" in mistakes(dialects.install_plan, make("InstallPlan", spec, KS))
