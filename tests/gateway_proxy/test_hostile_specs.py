"""Hostile objects and targets, through everything that is pure: dialect, compiler, snapshot, admission, rewrite.

Whatever an object says, the compiler ends, the frame can be sent, the platform's own routes stay, and what leaves for a
backend is one well-formed head. Whatever a target says, what was authorized is what is forwarded.
"""

import re
import time
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dovetail.gateway.proxy.admission import Admitted, admit
from dovetail.gateway.proxy.outgoing import Client, Outgoing, outgoing
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import read_head
from dovetail.gateway.proxy.serving import Serving
from dovetail.gateway.snapshot import Snapshot, decode, encode
from dovetail.iam.attributes import parse
from dovetail.routing.model import Match, Route
from tests.gateway_proxy.applied import Object, compiled, proxy
from tests.gateway_proxy.rig import ADMIN, bearer, upstream
from tests.gateway_proxy.rig import snapshot as rig_snapshot

_PLATFORM = upstream(1)
BUILT_IN = (
    Route(id="builtin/oauth", match=Match("prefix", "/oauth"), upstream=_PLATFORM.key, access="public"),
    Route(id="builtin/kapis", match=Match("prefix", "/kapis"), upstream=_PLATFORM.key),
)
_NASTY = st.sampled_from(
    ["/p/a", "/p/*", "*", "/p/**/x*y", "{path}", "{query}", "$1", "${x}", "(", "(a+)+$", ".*", "[^/]*", "\r\n", "\x00",
     " ", "é", "\u202e", "%", "%0d%0a", "%2e%2e", "..", "//", "?", "#", "&", "=", '"', "'", "X: y", "-X", "+X: 1",
     "Host: evil", "X-Remote-User: root", "Transfer-Encoding: chunked", "http://b", "https://b.n.svc:1/x", "Foo",
     'Foo ".*" "$1\r\nX: y"', "GET", "post", "1", "9" * 30, "10Mi", "-1", "1h", "never", "\ud800"]
)  # fmt: skip
_text = st.one_of(_NASTY, st.lists(_NASTY, max_size=4).map(" ".join), st.lists(_NASTY, max_size=4).map("".join),
                  st.text(max_size=12))  # fmt: skip
_value = st.recursive(
    st.one_of(_text, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_text, inner, max_size=3)),
    max_leaves=6,
)
_many = st.one_of(st.lists(_text, max_size=4), _value)
_directives = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("rewrite", "replace", "pathRegexp", "headerUp", "headerDown", "redirect"), _many),
        **dict.fromkeys(("stripPathPrefix", "stripPathSuffix", "method", "maxBody", "authProxy", "timeouts"), _value),
        **dict.fromkeys(("circuitBreaker", "rateLimit", "retries", "wrapTransport"), _value),
    },
)
_matcher = st.one_of(
    st.lists(st.fixed_dictionaries({"path": _text}, optional={"method": _text}), max_size=3),
    st.just({"path": "/p/*"}), _value,
)  # fmt: skip
_upstream = st.one_of(
    st.fixed_dictionaries({"url": _text.map("http://{}".format)}, optional={"caBundle": _text, "healthCheck": _value}),
    st.just({"url": "http://b.test"}), _value,
)  # fmt: skip
_spec = st.fixed_dictionaries(
    {"matcher": _matcher, "upstream": _upstream, "directives": st.one_of(_directives, _value)},
    optional={"group": _text, "version": _text, "url": _text, "service": _value, "nonResourceURLs": _many,
              "rewrite": _many, "header": _value},
)  # fmt: skip
_object = st.builds(
    lambda kind, spec, status: {"apiVersion": "kubesphere.io/v1alpha1", "kind": kind, "spec": spec, "status": status,
                                "metadata": {"name": "evil", "uid": "evil"}},
    st.sampled_from(("ReverseProxy", "APIService")), _spec, st.one_of(st.none(), _value),
)  # fmt: skip
_targets = st.lists(
    st.sampled_from(["/", "/p", "/p/", "a", "b", ".", "..", "%2e", "%2F", "%5C", "%00", "%c0%af", "%61", "%C3%A9", ";",
                     "?", "#", "x=1", "&", "\\", "//", "oauth", "kapis", "iam.kubesphere.io", "%", "%zz", '"', "<"]),
    max_size=7,
).map(lambda parts: ("/" + "".join(parts)).encode("latin-1"))  # fmt: skip
_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\x00-\x08\x0a-\x1f\x7f]*")
_START = re.compile(rb"[A-Z]{1,20} /[!-~]* HTTP/1\.1")


def _serving(objects: list[Object]) -> Serving:
    table = compiled(objects, routes=BUILT_IN, upstreams=(_PLATFORM,)).table
    blank = rig_snapshot(1, [], [])
    return Serving(_sent(msgspec.structs.replace(blank, table=table)))


def _sent(snapshot: Snapshot) -> Snapshot:
    return decode(encode(snapshot)[4:])


def _pass(serving: Serving, target: bytes, *, method: str = "GET") -> Outgoing | Refusal:
    name, _, value = bearer(ADMIN).partition(": ")
    head = read_head(method, target, "1.1", [(b"Host", b"gateway"), (name.encode(), value.encode())])
    admitted = admit(head, serving, time.time(), secure=False)
    if not isinstance(admitted, Admitted):
        assert isinstance(admitted, Refusal)
        return admitted
    to = serving.snapshot.table.upstreams[admitted.route.upstream]
    return outgoing(head, admitted, to, Client(b"127.0.0.1", False), b"")


def _path(serving: Serving, target: bytes) -> bytes:
    """The path and query that leave; empty for a refusal."""
    out = _pass(serving, target)
    return b"" if isinstance(out, Refusal) else out.head.split(b" ", 2)[1]


@settings(max_examples=150, deadline=None)
@given(obj=_object, target=_targets)
@example(obj=proxy("evil", {"path": "/p/*"}, replace=["a \r\nX:"], headerUp=['Foo ".*" "$1\r\nX: y"']), target=b"/p/a")
def test_a_hostile_object_harms_nobody(obj: Any, target: bytes) -> None:
    fine = proxy("fine", {"path": "/fine/*"}, url="http://fine.test")
    serving = _serving([obj, fine])
    assert _path(serving, b"/fine/x?y") == b"/fine/x?y"
    for reserved in (b"/oauth/token", b"/kapis/iam.kubesphere.io/v1/users"):
        assert _path(serving, reserved) == reserved
    for each in (target, b"/p", b"/p/a", b"/p/a/b?c=d"):
        out = _pass(serving, each)
        if isinstance(out, Refusal):
            assert 400 <= out.code < 600
            continue
        assert out.head.endswith(b"\r\n\r\n")
        first, *lines = out.head[:-4].split(b"\r\n")
        assert _START.fullmatch(first), first
        assert all(_LINE.fullmatch(line) for line in lines), lines
        names = [line.partition(b":")[0].lower() for line in lines]
        assert names.count(b"host") == 1
        assert not any(name.startswith(b"impersonate-") for name in names)
        assert names.count(b"x-remote-user") <= 1


@settings(max_examples=250, deadline=None)
@given(target=_targets)
def test_what_is_authorized_is_what_is_forwarded(target: bytes) -> None:
    """Without a rewrite the backend gets exactly the path whose attributes were decided about."""
    serving = _serving([proxy("all", [{"path": "/p/*"}, {"path": "/a/*"}, {"path": "/b*"}])])
    name, _, value = bearer(ADMIN).partition(": ")
    head = read_head("GET", target, "1.1", [(b"Host", b"gateway"), (name.encode(), value.encode())])
    admitted = admit(head, serving, time.time(), secure=False)
    if isinstance(admitted, Admitted) and admitted.place.asks is not None:
        path, _, query = _path(serving, target).decode().partition("?")
        assert parse("GET", path, query) == admitted.place.asks
        segments = path.split("/")
        assert "" not in segments[1:-1]
        assert not {".", ".."} & set(segments)
