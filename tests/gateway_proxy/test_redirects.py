"""Redirects, answered by a worker; and redirections of backends, refused or led back below the public path."""

import pytest

from dovetail.routing.traffic import RateLimit, RedirectRule, Traffic
from tests.gateway_proxy.backend import Backend, Seen, always, answer
from tests.gateway_proxy.rig import bearer, gateway, route, upstream


def redirecting(*rules: RedirectRule, **more: object) -> Traffic:
    return Traffic(redirects=rules, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_answered_without_the_backend(status: int) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = redirecting(RedirectRule("/a/old/*", "/a/new/{rest}", status))
    async with gateway([route("/a", to, traffic=rules)], [to]) as running, await running.client() as client:
        for method in ("GET", "HEAD", "DELETE"):
            client.request(method, "/a/old/x?y=1")
            got = await client.answer(head_only=method == "HEAD")
            assert (got.status, got.get("location")) == (status, "/a/new/x?y=1"), method
            assert (got.body, got.get("content-length"), got.get("connection")) == (b"", "0", None)
        client.request("GET", "/a/new/x?y=1")
        assert (await client.answer()).json()["target"] == "/a/new/x?y=1", "the same connection goes on"
        posted = await running.once("POST", "/a/old/x", body=b"form=1")
        assert (posted.status, posted.get("location")) == (status, "/a/new/x")
    assert len(backend.seen) == 1


async def test_a_redirect_needs_no_backend_but_access() -> None:
    to = upstream(1)
    rules = redirecting(RedirectRule("*", "https://{host}/elsewhere{path}", 308))
    routes = [
        route("/down", to, traffic=rules, unavailable="ConnectionRefused: nothing listens"),
        route("/closed", to, traffic=rules, access="authorized"),
        route("/part", to, traffic=redirecting(RedirectRule("/part/x", "/y")), unavailable="it is down"),
    ]
    async with gateway(routes, [to]) as running:
        assert (await running.once("GET", "/down/a")).get("location") == "https://gateway/elsewhere/down/a"
        assert (await running.once("GET", "/closed/a")).is_status(401)
        assert (await running.once("GET", "/closed/a", bearer())).status == 308
        assert (await running.once("GET", "/part/x")).get("location") == "/y"
        assert (await running.once("GET", "/part/z")).is_status(503), "no rule fits, and the backend is down"


async def test_redirects_count_against_the_limit() -> None:
    to = upstream(1)
    limit = RateLimit(name="x", requests=1, per_seconds=3600, burst=2, by="Global")
    rules = redirecting(RedirectRule("*", "/there"), rate_limit=limit)
    async with gateway([route("/", to, traffic=rules)], [to]) as running:
        first = await running.once("GET", "/")
        assert (first.status, first.get("ratelimit")) == (302, '"default";r=1;t=3600')
        assert (await running.once("GET", "/")).status == 302
        assert (await running.once("GET", "/")).is_status(429)


async def test_redirections_of_the_backend_can_be_refused() -> None:
    async def handler(seen: Seen, reader: object, writer: object) -> None:
        status = seen.target.rpartition("/")[2]
        lines = ["Location: http://169.254.169.254/secret"] if status != "304" else []
        writer.write(answer(b"" if status == "304" else b"go there", f"{status} Somewhere", *lines))  # type: ignore[attr-defined]

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    routes = [route("/kept", to, traffic=Traffic(reject_redirects=True)), route("/free", to)]
    async with gateway(routes, [to]) as running, await running.client() as client:
        for status in (300, 301, 302, 303, 307, 308):
            client.request("GET", f"/kept/{status}")
            got = await client.answer()
            assert got.is_status(502), status
            assert got.get("location") is None
            assert "redirect" in got.json()["message"]
        for target, status in (("/kept/304", 304), ("/kept/201", 201), ("/free/302", 302)):
            client.request("GET", target)
            assert (await client.answer()).status == status
        client.request("GET", "/free/302")
        assert (await client.answer()).get("location") == "http://169.254.169.254/secret"


async def test_a_refused_redirection_does_not_leak_into_the_next_answer() -> None:
    backend = await Backend(always(answer(b"secret", "302 Found", "Location: /x"))).start()
    to = upstream(backend.port)
    rules = Traffic(reject_redirects=True)
    async with gateway([route("/", to, traffic=rules)], [to]) as running, await running.client() as client:
        client.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        for _ in range(3):
            got = await client.answer()
            assert got.is_status(502)
            assert b"secret" not in got.body
        client.request("HEAD", "/")
        assert (await client.answer(head_only=True)).status == 502
