"""Reaching a backend: several addresses, certificates that are none, credentials that are missing, and as whom."""

import asyncio
from pathlib import Path

from dovetail.gateway.proxy.identity_headers import identity_headers
from dovetail.iam.policy import Identity
from dovetail.routing.model import Address, UpstreamTLS
from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.client import PATIENCE, scrape
from tests.gateway_proxy.rig import gateway, route, upstream
from tests.gateway_proxy.test_failures import full_listener


async def test_an_address_that_is_silent_leaves_time_for_the_next() -> None:
    backend = await Backend().start()
    with full_listener() as silent:
        addresses = (Address("127.0.0.1", backend.port), Address("127.0.0.1", silent))
        to = upstream(0, addresses=addresses, connect_timeout=2.0)
        async with gateway([route("/", to)], [to]) as running:
            for _ in range(2):
                assert (await running.once("GET", "/", "Connection: close")).status == 200


async def test_what_cannot_be_dialled_is_told() -> None:
    wrong = {
        "no CA": UpstreamTLS("backend.test", ca_pem="this is no PEM"),
        "no certificate": UpstreamTLS("backend.test", client_cert_file="/nowhere/tls.crt", client_key_file="/nowhere"),
        "no name": UpstreamTLS("a" * 300),
    }
    backend = await Backend().start()
    ups = [upstream(backend.port, scheme="https", tls=tls) for tls in wrong.values()]
    ups += [upstream(0, addresses=()), upstream(0, addresses=(Address("a..b\0", 1),)), upstream(free_port())]
    routes = [route(f"/{number}", to) for number, to in enumerate(ups)]
    async with gateway(routes, ups) as running:
        for number in range(len(ups)):
            async with asyncio.timeout(PATIENCE):
                assert (await running.once("GET", f"/{number}")).is_status(502), number
    assert backend.seen == []


async def test_a_missing_credential_is_not_replaced_by_none(tmp_path: Path) -> None:
    path = tmp_path / "token"
    backend = await Backend().start()
    to = upstream(backend.port, bearer_token_file=str(path))
    async with gateway([route("/", to, identity="impersonate")], [to]) as running:
        assert (await running.once("GET", "/")).is_status(503)
        path.write_text("own\n")
        assert (await running.once("GET", "/")).status == 200
    (seen,) = backend.seen
    assert seen.all("impersonate-user") == ["system:anonymous"], "nobody is never the gateway itself"
    assert seen.all("impersonate-group") == ["system:unauthenticated"]


def test_spaces_at_the_ends_of_a_name_are_part_of_it() -> None:
    names = {identity_headers(Identity(name=name), "impersonate") for name in ("admin", " admin", "admin ", "  ", " ")}
    assert len(names) == 5
    assert identity_headers(Identity(name=" a b "), "remote-headers") == b"X-Remote-User: %20a b%20\r\n"


async def test_metrics_are_read_on_a_socket_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, id="a/b")], [to], metrics_socket=path) as running:
        assert (await running.once("GET", "/")).status == 200
        answers = [await scrape(path, target) for target in ("/metrics", "/")]
        assert path.stat().st_mode & 0o077 == 0
    assert b'dovetail_gateway_requests_total{code="200",route="a/b"} 1\n' in answers[0]
    assert answers[1].startswith(b"HTTP/1.1 404")
    assert not path.exists()
