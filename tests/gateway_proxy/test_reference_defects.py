"""Defects of the reference's routing, each as a test that the original fails, against a running worker.

Named after reference/kubesphere-core.md 8.1 (P..), 8.2 and 9.3 and reference/peers.md 2.1 (H..). P4 (measured health)
is in tests/gateway_control/test_availability; H19 and what else concerns bundles in tests/console; circuit breakers and
limits with the traffic rules, tokens in test_identity.
"""

import asyncio
import base64
import itertools
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.certificates import Certificate, make_certificate
from tests.gateway_proxy.applied import Object, apply, compiled, proxy, serving
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import ADMIN, Gateway, bearer
from tests.gateway_proxy.routing_cases import api, at, one, seed, to


async def ask(running: Gateway, target: str, *lines: str, method: str = "GET") -> int:
    return (await running.once(method, target, bearer(ADMIN), *lines)).status


def api_by_service(port: int | str | None = None, **service: Any) -> Object:
    given = {"namespace": "n", "name": "s", **({} if port is None else {"port": port}), **service}
    return {**api("api", "x.example.org"), "spec": {"group": "x.example.org", "version": "v1", "service": given}}


PATH = "/kapis/x.example.org/v1/things"


async def test_p3_redirects() -> None:
    backend = await Backend().start()
    async with serving([one("/p/*", redirect=["/p/a /b 308"])], backend) as running:
        got = await running.once("GET", "/p/a", bearer(ADMIN))
        assert (got.status, got.get("location"), backend.seen) == (308, "/b", [])


async def test_p5_a_list_of_matchers_on_any_path() -> None:
    backend = await Backend().start()
    matcher = [at("/res/x/images/*", "GET"), at("/other/y", "POST")]
    async with serving([seed("s", matcher=matcher)], backend) as running:
        assert await ask(running, "/res/x/images/a.png") == 200
        assert await ask(running, "/other/y", "Content-Length: 0", method="POST") == 200
        assert await ask(running, "/other/y") == 404


async def test_p6_a_placeholder_in_a_rewrite() -> None:
    """The original panics on any placeholder and answers 503."""
    backend = await Backend().start()
    proxied = seed("s", matcher=[at("/old-prefix/*")], rewrite=["/old-prefix/* /new-prefix{path}"])
    async with serving([proxied], backend) as running:
        assert await ask(running, "/old-prefix/a?b=c") == 200
    assert backend.seen[0].target == "/new-prefix/old-prefix/a?b=c"


async def test_p7_non_resource_urls_are_dispatched_and_authorized() -> None:
    backend = await Backend().start()
    async with serving([api("api", "x.example.org", nonResourceURLs=["/extra/*"])], backend) as running:
        assert await ask(running, "/extra/a") == 200
        assert (await running.once("GET", "/extra/a")).status == 401
        assert (await running.once("GET", "/extra/a", bearer("bob"))).status == 403


async def test_p8_the_path_of_the_url_and_of_the_service() -> None:
    backend = await Backend().start()
    async with serving([api("api", "x.example.org", url="http://b.test/v1alpha1/")], backend) as running:
        assert await ask(running, PATH) == 200
        await apply(running, [api_by_service(80, path="/v1alpha1")], backend)
        assert await ask(running, PATH) == 200
    assert [seen.target for seen in backend.seen] == ["/v1alpha1" + PATH] * 2


async def test_p9_a_service_that_speaks_plain_http() -> None:
    backend = await Backend().start()
    async with serving([api_by_service(80)], backend) as running:
        assert await ask(running, PATH) == 200
    assert backend.seen[0].get("host") == "s.n.svc"


async def test_8_2_a_service_without_a_port_is_443_and_crashes_nothing(tmp_path: Path) -> None:
    """The original's process ends with a nil dereference in its OpenAPI aggregator."""
    certificate = make_certificate(tmp_path, hosts=("s.n.svc",))
    backend, secure = await Backend().start(), await Backend().start(tls=certificate.server_context())
    obj = api_by_service()
    obj["spec"]["caBundle"] = certificate.base64
    async with serving([obj, one("/p/*")], backend, secure.port) as running:
        assert await ask(running, PATH) == 200
        assert await ask(running, "/p") == 200
    assert secure.seen[0].get("host") == "s.n.svc"


def _spellings(certificate: Certificate) -> list[str]:
    pem = certificate.authority.read_text()
    once = base64.b64encode(pem.encode()).decode()
    return [pem, once, base64.b64encode(once.encode()).decode()]


async def test_h16_a_ca_bundle_is_pem_or_base64_of_it(tmp_path: Path) -> None:
    """The original decodes a correct bundle a second time and answers 503."""
    certificate = make_certificate(tmp_path, hosts=("b.test",))
    backend, secure = await Backend().start(), await Backend().start(tls=certificate.server_context())
    async with serving([], backend) as running:
        for text in _spellings(certificate):
            obj = proxy("one", at("/p/*"), url="https://b.test")
            obj["spec"]["upstream"]["caBundle"] = text
            await apply(running, [obj], backend, secure.port)
            assert await ask(running, "/p") == 200


async def test_h18_a_changed_authority_counts_from_the_next_request(tmp_path: Path) -> None:
    """The original keeps the transport of a name for ever."""
    good, other = (make_certificate(tmp_path / name, name, hosts=("b.test",)) for name in ("good", "other"))
    backend, secure = await Backend().start(), await Backend().start(tls=good.server_context())

    def trusting(certificate: Certificate) -> list[Object]:
        obj = proxy("one", at("/p/*"), url="https://b.test")
        obj["spec"]["upstream"]["caBundle"] = certificate.base64
        return [obj]

    async with serving(trusting(other), backend, secure.port) as running:
        assert await ask(running, "/p") == 502
        await apply(running, trusting(good), backend, secure.port)
        assert await ask(running, "/p") == 200
        await apply(running, trusting(other), backend, secure.port)
        assert await ask(running, "/p") == 502


async def test_8_2_overlapping_routes_go_the_same_way_every_time() -> None:
    """The original takes the first of a map's random order."""
    objects = [to("wide", "/p/*"), to("narrow", "/p/a/*"), to("exact", "/p/a/b"), to("young", "/p/*", created="2026")]
    backend = await Backend().start()
    async with serving([], backend) as running:
        for order in itertools.permutations(objects):
            await apply(running, order, backend)
            backend.seen.clear()
            for target in ("/p/a/b", "/p/a/c", "/p/c"):
                assert await ask(running, target) == 200
            assert [seen.get("host") for seen in backend.seen] == ["exact.test", "narrow.test", "wide.test"]


OVERLAPPING = [
    (at("/p/a", "GET"), at("/p/%61", "GET")),
    (at("/p/*"), at("/p*")),
    (at("/p/*", "GET"), [at("/q"), at("/p/*", "get")]),
    (at("/p/a*bc"), at("/p/ab*c")),
]


async def test_h17_overlaps_are_found_in_both_directions_with_a_witness() -> None:
    """The original's check misses half of them; the witness is a request that both ask for."""
    backend = await Backend().start()
    async with serving([], backend) as running:
        for older, younger in OVERLAPPING:
            first, second = proxy("first", older, "2024", url="http://first.test"), proxy("second", younger, "2025")
            for objects in ([first, second], [second, first]):
                (problem,) = [problem for problem in compiled(objects).problems if problem.reason == "Conflict"]
                assert (problem.name, problem.winner.rpartition("/")[2]) == ("second", "first")
                method, _, path = problem.witness.partition(" ")
                await apply(running, objects, backend)
                backend.seen.clear()
                assert await ask(running, path, method=method) == 200
                assert backend.seen[0].get("host") == "first.test"
            await apply(running, [second], backend)
            assert await ask(running, path, method=method) == 200, "the loser claims it, too"


async def test_8_2_a_path_stripped_to_nothing_is_the_backends_root() -> None:
    """The original answers 301 to its own root."""
    backend = await Backend().start()
    async with serving([one("/p/*", stripPathPrefix="/p")], backend) as running:
        for target in ("/p", "/p/", "/p?x"):
            assert await ask(running, target) == 200
    assert [seen.target for seen in backend.seen] == ["/", "/", "/?x"]


async def test_8_2_prefixes_end_at_segment_borders() -> None:
    backend = await Backend().start()
    async with serving([one("/p/foo*", stripPathPrefix="/p/foo")], backend) as running:
        assert await ask(running, "/p/foobar") == 404
        assert await ask(running, "/p/foo/bar") == 200
    assert backend.seen[0].target == "/bar"


async def test_8_2_the_raw_path_and_query_reach_the_backend() -> None:
    backend = await Backend().start()
    target = "/p/a%20b%3Fc%25/%E4%BD%A0?z=1&a=2&&b=%zz&c;d&e=%2F"
    async with serving([one("/p/*")], backend) as running:
        assert await ask(running, target) == 200
    assert backend.seen[0].target == target


async def test_h15_headers_are_deleted_by_prefix_not_by_suffix() -> None:
    backend = await Backend().start()
    async with serving([one("/p/*", headerUp=["-X-Foo*"])], backend) as running:
        assert await ask(running, "/p", "X-Foo-A: 1", "X-Foo: 2", "A-X-Foo: 3") == 200
    assert "x-foo" not in str(backend.seen[0].names - {"a-x-foo"})
    assert backend.seen[0].get("a-x-foo") == "3"


async def test_8_2_both_spellings_of_a_header_and_search_and_replace() -> None:
    backend = await Backend().start()
    edits = ["Foo: Bar", "Baz Qux", 'Referer "^http://a/" "http://b/"']
    async with serving([one("/p/*", headerUp=edits)], backend) as running:
        assert await ask(running, "/p", "Referer: http://a/x") == 200
    seen = backend.seen[0]
    assert (seen.get("foo"), seen.get("baz"), seen.get("referer")) == ("Bar", "Qux", "http://b/x")


async def test_8_2_every_refusal_is_a_status() -> None:
    """The original writes `{}`, or a Status inside of `ErrStatus`."""
    backend = await Backend().start()
    down = to("down", "/down/*")
    down["status"] = {"state": "Unavailable"}
    async with serving([one("/p/*"), down], backend) as running:
        for target, code in (("/none", 404), ("/down/x", 503), ("/p//x", 400)):
            assert (await running.once("GET", target, bearer(ADMIN))).is_status(code), target
        assert (await running.once("GET", "/p")).is_status(401)
        assert (await running.once("GET", "/p", bearer("bob"))).is_status(403)
        await backend.stop()
        assert (await running.once("GET", "/p", bearer(ADMIN))).is_status(502)


async def test_8_2_header_edits_delay_no_stream() -> None:
    """The original's writer for headerDown cannot flush."""
    more = asyncio.Event()

    async def stream(seen, reader, writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await more.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        return True

    backend = await Backend(stream).start()
    async with serving([one("/p/*", headerDown=["X-Down: 1"])], backend) as running, await running.client() as client:
        client.request("GET", "/p", bearer(ADMIN))
        head = await client.head()
        assert head.get("x-down") == "1"
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.readuntil(b"first\r\n")
            more.set()
            assert (await client.reader.readuntil(b"0\r\n\r\n")).endswith(b"last\r\n0\r\n\r\n")


async def test_8_2_one_broken_object_is_one_objects_problem() -> None:
    backend = await Backend().start()
    broken: list[Object] = [
        {"kind": "ReverseProxy", "apiVersion": "v9", "metadata": {"name": "a"}, "spec": None},
        {"kind": "APIService", "apiVersion": "extensions.kubesphere.io/v1alpha1", "metadata": {}, "spec": []},
        {"kind": "APIService", "apiVersion": "extensions.kubesphere.io/v1alpha1", "metadata": {"name": "neither"},
         "spec": {"group": "y.org", "version": "v1"}},
        proxy("loop", at("/l/*"), pathRegexp=["(a+)+$ b"]),
    ]  # fmt: skip
    async with serving([*broken, one("/p/*")], backend) as running:
        assert await ask(running, "/p") == 200
        assert await ask(running, "/l/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") == 404
    assert {problem.name for problem in compiled(broken).problems} >= {"a", "neither", "loop"}


async def test_9_3_short_paths_of_a_member_cluster_keep_the_connection() -> None:
    """The original resets the connection: index out of range, for anybody."""
    backend = await Backend().start()
    async with serving([one("/p/*")], backend) as running, await running.client() as client:
        for target in ("/clusters/x/api", "/clusters/x/api/v1", "/clusters/x", "/clusters", "/clusters//api"):
            client.request("GET", target)
            assert 400 <= (await client.answer()).status < 500
        client.request("GET", "/p", bearer(ADMIN))
        assert (await client.answer()).status == 200


async def test_9_3_a_backend_that_is_known_to_be_down_is_answered_at_once() -> None:
    obj = one("/p/*")
    obj["status"] = {
        "state": "Unavailable",
        "conditions": [{"type": "Healthy", "status": "False", "reason": "Timeout", "message": "no answer within 5 s"}],
    }
    backend = await Backend().start()
    async with serving([obj], backend) as running:
        got = await running.once("GET", "/p", bearer(ADMIN))
        assert got.is_status(503)
        assert "no answer within 5 s" in got.json()["message"]
        assert backend.seen == []
        obj["status"] = {"state": "Available"}
        await apply(running, [obj], backend)
        assert await ask(running, "/p") == 200


async def test_h13_upgrades_tell_the_same_identity_as_plain_requests() -> None:
    """The original leaves out its identity headers on upgrades, and lets the client's pass."""

    async def switch(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer() if "upgrade" not in seen.names else b"HTTP/1.1 101 Switching Protocols\r\n"
                     b"Connection: Upgrade\r\nUpgrade: " + seen.all("upgrade")[0].encode() + b"\r\n\r\n")  # fmt: skip
        return "upgrade" in seen.names

    backend = await Backend(switch).start()
    spoofed = [f"{name}: root" for name in SPOOFS]
    upgrades = [["Connection: Upgrade", f"Upgrade: {protocol}"] for protocol in ("websocket", "SPDY/3.1")]
    async with serving([api("api", "x.example.org"), one("/p/*", authProxy=True)], backend) as running:
        for target, lines in itertools.product((PATH, "/p"), ([], *upgrades)):
            async with await running.client() as client:
                client.request("GET", target, bearer(ADMIN), *spoofed, *lines)
                assert (await client.head()).status == (101 if lines else 200)
    assert len(backend.seen) == 6
    for seen in backend.seen:
        assert (seen.get("x-remote-user"), seen.get("x-remote-uid")) == (ADMIN, "u-1")
        assert "root" not in str(seen.headers)


SPOOFS = (
    "X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-Scopes",
    "Impersonate-User", "Impersonate-Group", "Impersonate-Extra-a", "X-Dovetail-Assertion", "X-Forwarded-User",
    "X-Token-Username", "Remote-User",
)  # fmt: skip


async def test_h14_credentials_reach_no_backend() -> None:
    backend = await Backend().start()
    lines = ("Cookie: dovetail-token=x; theme=dark", "Proxy-Authorization: Basic eDp5", "X-KubeSphere-Authorization: x")
    async with serving([one("/p/*"), one("/q/*", authProxy=True) | {"metadata": {"name": "q"}}], backend) as running:
        for target in ("/p", "/q"):
            assert await ask(running, target, *lines) == 200
    for seen in backend.seen:
        assert not {"authorization", "proxy-authorization", "x-kubesphere-authorization"} & seen.names
        assert "dovetail-token" not in str(seen.headers)


def test_snapshots_of_hostile_objects_can_be_sent() -> None:
    objects = [proxy("é" * 50, at("/p/" + "x" * 900), headerUp=["X: \u00ff\u4e2d"], replace=["\u0000 x"])]
    assert msgspec.msgpack.encode(compiled(objects).table)
