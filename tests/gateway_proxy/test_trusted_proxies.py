"""An ingress in front of the gateway: whose X-Forwarded-For and -Proto are believed, and what follows from them."""

import contextlib

from dovetail.routing.traffic import RateLimit, Traffic
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import bearer, gateway, limits, route, token, upstream

HERE = ("127.0.0.0/8", "::1")


async def test_a_stranger_is_not_believed() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=RateLimit(name="x", requests=1, per_seconds=3600, burst=2, by="Address"))
    async with gateway([route("/", to, traffic=rules)], [to]) as running:
        codes = [
            (await running.once("GET", "/", f"X-Forwarded-For: 203.0.113.{number}", "X-Forwarded-Proto: https")).status
            for number in range(3)
        ]
    assert codes == [200, 200, 429]
    assert [seen.get("x-forwarded-for") for seen in backend.seen] == ["127.0.0.1"] * 2
    assert [seen.get("x-forwarded-proto") for seen in backend.seen] == ["http"] * 2


async def test_the_client_behind_an_ingress_is_told_to_the_backend_and_has_its_own_limit() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=RateLimit(name="x", requests=1, per_seconds=3600, burst=1, by="Address"))
    one = gateway([route("/", to, traffic=rules)], [to], trusted_proxies=HERE)
    async with one as running, await running.client() as ingress:  # one connection, many clients
        for header, status in (
            ("203.0.113.1", 200),
            ("203.0.113.2", 200),
            ("203.0.113.1", 429),
            ("6.6.6.6, 203.0.113.1", 429),
            ("203.0.113.3, 127.0.0.2", 200),
            ("2001:db8:1:2::1", 200),
            ("2001:db8:1:2:ffff::9", 429),
            ("2001:db8:1:3::1", 200),
        ):
            ingress.request("GET", "/", f"X-Forwarded-For: {header}", "X-Forwarded-Proto: https")
            assert (await ingress.answer()).status == status, header
        ingress.request("GET", "/", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9")
        assert (await ingress.answer()).status == 200, "several lines are one list"
    assert [seen.get("x-forwarded-for") for seen in backend.seen] == [
        "203.0.113.1", "203.0.113.2", "203.0.113.3", "2001:db8:1:2::1", "2001:db8:1:3::1", "203.0.113.9",
    ]  # fmt: skip
    assert [seen.get("x-forwarded-proto") for seen in backend.seen] == ["https"] * 5 + ["http"]


async def test_a_page_behind_an_ingress_with_tls_is_our_own() -> None:
    """With the console's cookie an unsafe request must come from our pages: https, when that is how the client came."""
    backend = await Backend().start()
    to = upstream(backend.port)
    cookie = f"Cookie: __Host-dovetail-token={token()}"
    ours, plain = "Origin: https://gateway", "Origin: http://gateway"
    async with gateway([route("/", to, access="authenticated")], [to], trusted_proxies=HERE) as running:
        for lines, status in (
            ([cookie, ours, "X-Forwarded-Proto: https"], 200),
            ([cookie, plain, "X-Forwarded-Proto: https"], 401),
            ([cookie, ours], 401),
            ([bearer(), plain, "X-Forwarded-Proto: https"], 200),
        ):
            assert (await running.once("POST", "/", *lines, body=b"x")).status == status, lines


async def test_an_ingress_may_have_more_connections_than_a_client() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    few = limits(connections_per_address=2)
    for trusted, served in ((HERE, 4), ((), 2)):
        async with gateway([route("/", to)], [to], limits=few, trusted_proxies=trusted) as running:
            clients = [await running.client() for _ in range(4)]
            answered = 0
            for client in clients:
                client.request("GET", "/")
                with contextlib.suppress(OSError, EOFError):
                    answered += (await client.answer()).status == 200
            for client in clients:
                await client.__aexit__()
        assert answered == served


async def test_what_an_ingress_says_is_logged_as_the_client(caplog) -> None:
    to = upstream(1)
    async with gateway([route("/", to)], [to], trusted_proxies=HERE) as running:
        assert (await running.once("GET", "/", "X-Forwarded-For: 203.0.113.7")).status == 502
    (record,) = [each for each in caplog.records if each.name == "dovetail.access"]
    assert record.fields["client"] == "203.0.113.7"
