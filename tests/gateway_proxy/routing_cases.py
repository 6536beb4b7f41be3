"""HTTP routing cases, in the manner of the Gateway API's conformance tests: objects, and what requests to them give.

A case names its backends by host (`one.test`, `two.test`); the echo behind all of them tells which one was meant. An
expectation is a status, or `host target` as the backend sees it, or a `Seen` where headers count, too.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.gateway_proxy.applied import Object, proxy

OLD, YOUNG = "2023-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
DOWN = (
    ("Server", "inner/1.0"),
    ("X-Old-A", "a"),
    ("X-Old-B", "b"),
    ("X-Old-A", "c"),
    ("Location", "http://inner.test:8080/there?x=1"),
    ("Set-Cookie", "theme=dark; Path=/"),
    ("Set-Cookie", "lang=en"),
)
"""Headers that the backend puts into each answer."""


@dataclass(frozen=True)
class Seen:
    """What the backend and the client see. Header values are lists, in order; an empty one: no such header."""

    to: str
    method: str = ""
    up: dict[str, list[str]] = field(default_factory=dict)
    down: dict[str, list[str]] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Moved:
    """The client is sent elsewhere; no backend is asked."""

    status: int
    location: str


Expected = int | str | Seen | Moved


@dataclass(frozen=True)
class Case:
    """Objects, and for each request (`METHOD target [| Header: value]...`) what becomes of it."""

    name: str
    objects: list[Object]
    requests: dict[str, Expected]


def at(path: str, method: str = "*") -> dict[str, str]:
    return {"path": path, "method": method}


def one(*paths: str, **directives: Any) -> Object:
    """A proxy for these paths to `one.test`."""
    return proxy("one", [at(path) for path in paths], url=directives.pop("url", "http://one.test"), **directives)


def to(name: str, path: str, method: str = "*", created: str = OLD, **directives: Any) -> Object:
    """A proxy for a path to the host of its name."""
    return proxy(name, at(path, method), created, url=f"http://{name}.test", **directives)


def api(name: str, group: str, **spec: Any) -> Object:
    """An APIService to the host of its name."""
    body = {"group": group, "version": "v1", "url": f"http://{name}.test", **spec}
    return {
        "apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "APIService",
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": OLD}, "spec": body,
    }  # fmt: skip


def seed(name: str, **spec: Any) -> Object:
    """A ReverseProxy in the seed's spelling."""
    body = {"upstream": {"backend": f"http://{name}.test"}, **spec}
    return {"apiVersion": "kubesphere.io/v1alpha1", "kind": "ReverseProxy", "metadata": {"name": name}, "spec": body}


MATCHING = [
    Case("exact", [one("/a/b")], {
        "GET /a/b": "one.test /a/b", "GET /a/b?x=/c": "one.test /a/b?x=/c", "GET /a/b/": 404, "GET /a/b/c": 404,
        "GET /a": 404, "GET /A/b": 404, "GET /a/%62": "one.test /a/b",
    }),
    Case("prefix", [one("/a/b/*")], {
        "GET /a/b": "one.test /a/b", "GET /a/b/": "one.test /a/b/", "GET /a/b/c/d": "one.test /a/b/c/d",
        "GET /a/bc": 404, "GET /a/b.c": 404, "GET /a": 404,
    }),
    Case("a star without a slash is a prefix at a segment border, too", [one("/a/b*")], {
        "GET /a/b": "one.test /a/b", "GET /a/b/c": "one.test /a/b/c", "GET /a/bc": 404,
    }),
    Case("glob", [one("/a/*.js", "/a/*/edit", "/a/x*y*z")], {
        "GET /a/b.js": "one.test /a/b.js", "GET /a/b/c.js": "one.test /a/b/c.js", "GET /a/b.jsx": 404,
        "GET /a/q/edit": "one.test /a/q/edit", "GET /a/xyz": "one.test /a/xyz", "GET /a/x1y2z": "one.test /a/x1y2z",
        "GET /a/xz": 404,
    }),
    Case("escapes mean what they say", [one("/a b/*", "/é")], {
        "GET /a%20b/c": "one.test /a%20b/c", "GET /%C3%A9": "one.test /%C3%A9", "GET /%c3%a9": "one.test /%C3%A9",
    }),
    Case("the seed's list of matchers: any of them",
         [seed("s", matcher=[at("/res/a/*", "GET"), at("/res/b", "POST")])], {
        "GET /res/a/x": "s.test /res/a/x", "POST /res/b": "s.test /res/b", "POST /res/a/x": 404, "GET /res/b": 404,
    }),
    Case("method", [to("get", "/a/*", "GET"), to("post", "/a/*", "post"), to("any", "/b/*", "*")], {
        "GET /a/x": "get.test /a/x", "POST /a/x": "post.test /a/x", "PUT /a/x": 404, "PATCH /b": "any.test /b",
        "DELETE /b": "any.test /b", "OPTIONS /b": "any.test /b", "HEAD /b": 200,
    }),
    Case("an API at its group and version, with the original path", [api("api", "x.example.org")], {
        "GET /kapis/x.example.org/v1/things?watch=true": "api.test /kapis/x.example.org/v1/things?watch=true",
        "GET /kapis/x.example.org/v1": "api.test /kapis/x.example.org/v1", "GET /kapis/x.example.org/v1beta1": 404,
        "GET /kapis/x.example.org": 404, "GET /apis/x.example.org/v1": 404,
    }),
    Case("an API's nonResourceURLs", [api("api", "x.example.org", nonResourceURLs=["/extra/*", "/ping"])], {
        "GET /extra/a": "api.test /extra/a", "GET /ping": "api.test /ping", "GET /ping/a": 404,
    }),
    Case("the path of the backend's address comes first",
         [api("api", "x.example.org", url="http://api.test/base/v1/"), one("/p/*", url="http://one.test:8080/inner")], {
        "GET /kapis/x.example.org/v1/a": "api.test /base/v1/kapis/x.example.org/v1/a",
        "GET /p/a?b": "one.test:8080 /inner/p/a?b",
    }),
    Case("this cluster by its name", [api("api", "x.example.org"), one("/clusters-of-mine/*")], {
        "GET /clusters/host/kapis/x.example.org/v1/a?b": "api.test /kapis/x.example.org/v1/a?b",
        "GET /clusters/other/kapis/x.example.org/v1/a": 404, "GET /clusters/host/kapis": 404,
        "GET /clusters/host/clusters/host/kapis/x.example.org/v1": 404, "GET /clusters/host/p": 404,
        "GET /clusters-of-mine/host/kapis": "one.test /clusters-of-mine/host/kapis",
    }),
    Case("one bad object does not stop the others",
         [proxy("bad", [at("/oauth/*"), at("/a//b"), at("/mine/*")]), one("/a/*"), proxy("worse", 7)], {
        "GET /a/x": "one.test /a/x", "GET /mine/x": "backend.test /mine/x", "GET /oauth/x": 404,
    }),
]  # fmt: skip

PRECEDENCE = [
    Case("exact before the longer prefix before the shorter one before a glob",
         [to("wide", "/a/*"), to("narrow", "/a/b/*", created=YOUNG), to("exact", "/a/b/c", created=YOUNG),
          to("glob", "/q/*.js"), to("prefix", "/q/x/*", created=YOUNG)], {
        "GET /a/b/c": "exact.test /a/b/c", "GET /a/b/c/": "narrow.test /a/b/c/", "GET /a/b": "narrow.test /a/b",
        "GET /a/c": "wide.test /a/c", "GET /a": "wide.test /a", "GET /q/a.js": "glob.test /q/a.js",
        "GET /q/x/a.js": "prefix.test /q/x/a.js",
    }),
    Case("a method before all of them", [to("any", "/a/*"), to("get", "/a/*", "GET", YOUNG)], {
        "GET /a/x": "get.test /a/x", "PUT /a/x": "any.test /a/x",
    }),
    Case("a longer prefix before a method", [to("get", "/a/*", "GET"), to("deep", "/a/b/*", created=YOUNG)], {
        "GET /a/b/x": "deep.test /a/b/x", "GET /a/x": "get.test /a/x",
    }),
    Case("among equals the oldest", [to("young", "/a/*", created=YOUNG), to("old", "/a/*", created=OLD)], {
        "GET /a/x": "old.test /a/x",
    }),
    Case("a longer glob before a shorter one", [to("short", "/a/*x"), to("long", "/a/b*x", created=YOUNG)], {
        "GET /a/bx": "long.test /a/bx", "GET /a/cx": "short.test /a/cx",
    }),
]  # fmt: skip

REWRITING = [
    Case("the seed's example", [seed("s", matcher=[at("/old-prefix/*", "GET")],
                                     rewrite=["/old-prefix/* /new-prefix{path}"])], {
        "GET /old-prefix/a?x=1": "s.test /new-prefix/old-prefix/a?x=1", "GET /old-prefix": "s.test /old-prefix",
    }),
    Case("strip a prefix", [one("/p/x/*", stripPathPrefix="/p/x")], {
        "GET /p/x/a/b?c": "one.test /a/b?c", "GET /p/x": "one.test /", "GET /p/x/": "one.test /",
        "GET /p/x/%2e": 400,
    }),
    Case("a prefix is stripped at a segment border only", [one("/p/*", stripPathPrefix="/p/x")], {
        "GET /p/xy/a": "one.test /p/xy/a", "GET /p/x/a": "one.test /a",
    }),
    Case("strip a suffix", [one("/p/*", stripPathSuffix="/edit"), to("two", "/q/*", stripPathSuffix=".html")], {
        "GET /p/a/edit": "one.test /p/a", "GET /p/credit": "one.test /p/credit", "GET /q/a.html": "two.test /q/a",
    }),
    Case("exchange a prefix", [one("/old/*", stripPathPrefix="/old", rewrite=["* /new{path}"])], {
        "GET /old/a/b?c=d": "one.test /new/a/b?c=d", "GET /old": "one.test /new/",
    }),
    Case("placeholders",
         [one("/p/*", rewrite=["/p/* /x{dir}{file.base}.min{file.ext}?from={path.1}&{query}&v={query.v}"])], {
        "GET /p/a/b.js?v=2": "one.test /x/p/a/b.min.js?from=a&v=2&v=2",
        "GET /p/a=b/c.js": "one.test /x/p/a=b/c.min.js?from=a%3Db&v=",
    }),
    Case("rewrites that match, one after the other",
         [one("/p/*", rewrite=["/p/a/* /one{path}", "*.png /img{path}"])], {
        "GET /p/a/x.png": "one.test /img/one/p/a/x.png", "GET /p/b": "one.test /p/b",
    }),
    Case("regular expressions and groups", [one("/v/*", pathRegexp=["^/v/v([0-9]+)/(.*)$ /$2/v${1}"])], {
        "GET /v/v2/things/x?y": "one.test /things/x/v2?y", "GET /v/x": "one.test /v/x",
    }),
    Case("a path too long for its expression", [one("/p/*", pathRegexp=["x.*a.*b.*c y"])], {
        "GET /p/xabc": "one.test /p/y", f"GET /p/{'x' * 1200}": 414,
    }),
    Case("replace in path and query", [one("/p/*", replace=["old new", "x"])], {
        "GET /p/old/oldx?q=old": "one.test /p/new/new?q=new",
    }),
    Case("the method", [one("/p/*", method="post")], {"GET /p/a": Seen("one.test /p/a", method="POST")}),
    Case("all of it in the documented order",
         [one("/p/*", method="PUT", stripPathPrefix="/p", rewrite=["/a/* /b{path}"], replace=["/b/ /c/"],
              pathRegexp=["^/c(.*)$ /d$1"])], {
        "GET /p/a/x?q": Seen("one.test /d/a/x?q", method="PUT"),
    }),
    Case("nothing leads out of the backend's own tree",
         [one("/p/*", url="http://one.test/jail", replace=["x .", "y /"], pathRegexp=["^/p/q /p/"])], {
        "GET /p/xx/xx/a": "one.test /jail/a", "GET /p/yya": "one.test /jail/p/a", "GET /p/qb": "one.test /jail/p/b",
    }),
    Case("queries pass as they are", [one("/p/*")], {
        "GET /p?": "one.test /p", "GET /p?b=2&a=1&a=0&&x": "one.test /p?b=2&a=1&a=0&&x",
        "GET /p?a=%2F..%2F&b=%zz;c": "one.test /p?a=%2F..%2F&b=%zz;c", "GET /p?/../x?y": "one.test /p?/../x?y",
    }),
]  # fmt: skip

HEADERS = [
    Case("the seed's header.up and header.down", [seed("s", matcher=[at("/p/*")],
                                                       header={"up": ["Foo: Bar"], "down": ["Foo: Baz"]})], {
        "GET /p": Seen("s.test /p", up={"foo": ["Bar"]}, down={"foo": ["Baz"]}),
    }),
    Case("set, add, delete, delete by prefix",
         [one("/p/*", headerUp=["X-Set new", "+X-Add: two", "-X-Gone", "-X-Old-*"],
              headerDown=["Server dovetail", "+X-Add 2", "-Location", "-X-Old-*"])], {
        "GET /p | X-Set: old | X-Set: older | X-Add: one | X-Gone: 1 | X-Old-A: 1 | x-old-b: 2 | X-Older: 3": Seen(
            "one.test /p",
            up={"x-set": ["new"], "x-add": ["one", "two"], "x-gone": [], "x-old-a": [], "x-old-b": [],
                "x-older": ["3"]},
            down={"server": ["dovetail"], "x-add": ["2"], "location": [], "x-old-a": [], "x-old-b": [],
                  "set-cookie": ["theme=dark; Path=/", "lang=en"]},
        ),
    }),
    Case("search and replace", [one("/p/*", headerUp=['Referer "^https://[^/]*" "https://inner"'],
                                    headerDown=['Location "^http://inner.test:8080/(.*)$" "/p/$1"',
                                                'Set-Cookie "Path=/$" "Path=/p"'])], {
        "GET /p | Referer: https://outer/x": Seen(
            "one.test /p", up={"referer": ["https://inner/x"]},
            down={"location": ["/p/there?x=1"], "set-cookie": ["theme=dark; Path=/p", "lang=en"]},
        ),
    }),
    Case("Host can be set", [one("/p/*", headerUp=["Host: inner.example:81"])], {"GET /p": "inner.example:81 /p"}),
    Case("with authProxy the backend is told who asks", [one("/p/*", authProxy=True), to("two", "/q/*")], {
        "GET /p | X-Remote-User: root | X-Remote-Extra-A: b | Impersonate-User: root": Seen(
            "one.test /p", up={"x-remote-user": ["alice"], "x-remote-group": ["system:authenticated"],
                               "x-remote-extra-a": [], "impersonate-user": [], "authorization": []}),
        "GET /q | X-Remote-User: root | Authorization2: x": Seen("two.test /q", up={"x-remote-user": []}),
    }),
    Case("no edit speaks in the gateway's name", [
        proxy("evil", at("/e/*"), headerUp=["X-Remote-User: root"]), proxy("worse", at("/w/*"), headerUp=["-X-*"]),
        proxy("framing", at("/f/*"), headerUp=["Transfer-Encoding: chunked"]), one("/p/*"),
    ], {"GET /e": 404, "GET /w": 404, "GET /f": 404, "GET /p": "one.test /p"}),
]  # fmt: skip

REDIRECTS = [
    Case("redirects of each kind", [one("/p/*", redirect=[
        "/p/old/* /p/new/{rest} 301", "/p/out https://out.example{path} 308", "/p/q /p/r?x=1", "/p/see {uri}#top 303",
        "/p/tmp ?a=b 307",
    ])], {
        "GET /p/old/a/b?x=1": Moved(301, "/p/new/a/b?x=1"), "POST /p/out": Moved(308, "https://out.example/p/out"),
        "GET /p/q?y": Moved(302, "/p/r?x=1"), "GET /p/see?z=1": Moved(303, "/p/see?z=1#top"),
        "GET /p/tmp": Moved(307, "/p/tmp?a=b"), "GET /p/other": "one.test /p/other", "GET /p/old/%2e": 400,
    }),
    Case("the first that fits, and before any rewrite", [
        one("/p/*", redirect=["/p/a/b /one", "/p/a/* /two"], stripPathPrefix="/p"),
    ], {"GET /p/a/b": Moved(302, "/one"), "GET /p/a/c": Moved(302, "/two"), "GET /p/c": "one.test /c"}),
    Case("in the name of the client's host and scheme", [one("/p/*", redirect=["/p/x {scheme}://{host}/y{path}"])], {
        "GET /p/x": Moved(302, "http://gateway/y/p/x"),
    }),
    Case("a client's path cannot choose another host", [one("/p/*", redirect=["/p/* /{rest}"])], {
        "GET /p/evil.example": Moved(302, "/evil.example"), "GET /p//evil.example": 400,
        "GET /p/%2Fevil.example": 400, "GET /p/%5Cevil.example": 400,
    }),
]  # fmt: skip

CASES = [*MATCHING, *PRECEDENCE, *REWRITING, *HEADERS, *REDIRECTS]
