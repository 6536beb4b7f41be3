"""The audit through a running worker: every request has its record, whatever came of it, and no secret is in it."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dovetail.gateway.audit.policy import AuditPolicy, AuditRule
from dovetail.routing.traffic import RateLimit, Traffic
from tests.gateway_control.audit_rig import audited
from tests.gateway_proxy.backend import RUNNING, Backend, Seen
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import STRANGER, bearer, route, token, upstream


@pytest.fixture(autouse=True)
async def _backends() -> AsyncIterator[None]:
    yield
    while RUNNING:
        await RUNNING.pop().stop()


async def test_a_record_says_who_asked_for_what_and_what_came_of_it(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    path = "/kapis/example.io/v1/workspaces/w1/namespaces/shop/carts/c1/items?limit=3"
    async with audited([route("/kapis", to, access="authorized", id="kapis")], [to], tmp_path) as running:
        answer = await running.gateway.once("POST", path, bearer(), "User-Agent: tester/1.0", body=b"12345")
        (event,) = await running.expect(1)

    assert answer.status == 200
    assert (event["kind"], event["apiVersion"]) == ("Event", "audit.k8s.io/v1")
    assert (event["level"], event["stage"], event["verb"]) == ("Metadata", "ResponseComplete", "create")
    assert event["requestURI"] == path
    assert event["user"] == {
        "username": "alice", "uid": "u-1", "groups": ["devs", "ops team", "system:authenticated"]
    }  # fmt: skip
    assert event["sourceIPs"] == ["127.0.0.1"]
    assert event["userAgent"] == "tester/1.0"
    assert event["objectRef"] == {
        "resource": "carts", "namespace": "shop", "name": "c1", "apiGroup": "example.io", "apiVersion": "v1",
        "subresource": "items",
    }  # fmt: skip
    assert event["responseStatus"] == {"metadata": {}, "code": 200}
    notes = event["annotations"]
    assert (notes["dovetail.dev/route"], notes["dovetail.dev/workspace"]) == ("kapis", "w1")
    assert (notes["dovetail.dev/request-bytes"], notes["dovetail.dev/response-bytes"]) == ("5", str(len(answer.body)))
    assert event["requestReceivedTimestamp"] <= event["stageTimestamp"]
    assert len(event["auditID"]) == 36
    assert stat.S_IMODE(running.file.stat().st_mode) == 0o600


async def test_what_was_refused_is_recorded_with_the_reason(tmp_path: Path) -> None:
    backend = await Backend().start()
    to, gone = upstream(backend.port), upstream(1)
    routes = [
        route("/kapis", to, access="authorized"),
        route("/small", to, max_body=1),
        route("/gone", gone),
        route("/limited", to, traffic=Traffic(rate_limit=RateLimit(name="x", requests=1, per_seconds=60, burst=1))),
    ]
    async with audited(routes, [to, gone], tmp_path) as running:
        once = running.gateway.once
        for status, method, path, lines, body in (
            (401, "GET", "/kapis/a.io/v1/things", (), None),
            (401, "GET", "/kapis/a.io/v1/things", ("Authorization: Bearer nonsense",), None),
            (403, "DELETE", "/kapis/a.io/v1/things/x", (bearer(STRANGER),), None),
            (404, "GET", "/nowhere", (bearer(),), None),
            (413, "POST", "/small", (), b"22"),
            (502, "GET", "/gone", (), None),
            (405, "TRACE", "/small", (), None),
            (200, "GET", "/limited", (bearer(),), None),
            (429, "GET", "/limited", (bearer(),), None),
        ):
            assert (await once(method, path, *lines, body=body)).status == status
        async with await running.gateway.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            assert (await client.answer()).status == 400
        async with await running.gateway.client() as client:
            client.send(b"not HTTP at all\r\n\r\n")
            assert (await client.answer()).status == 400
        events = await running.expect(11)

    assert [event["responseStatus"]["code"] for event in events] == [
        401, 401, 403, 404, 413, 502, 405, 200, 429, 400, 400
    ]  # fmt: skip
    assert all(event["responseStatus"]["message"] for event in events if event["responseStatus"]["code"] >= 400)
    users = [event["user"]["username"] for event in events]
    assert users[:4] == ["system:anonymous", "system:anonymous", "bob", "alice"]
    assert events[8]["user"]["username"] == "alice"
    refused = events[2]
    assert refused["objectRef"] == {"resource": "things", "name": "x", "apiGroup": "a.io", "apiVersion": "v1"}
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert 'cannot delete resource "things"' in refused["annotations"]["authorization.k8s.io/reason"]


async def test_no_credential_is_in_the_file(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    secret = token()
    async with audited([route("/", to)], [to], tmp_path) as running:
        await running.gateway.once("GET", f"/a?access_token={secret}&x=1&%74oken={secret}", bearer())
        await running.gateway.once("GET", "/b", f"Cookie: dovetail-token={secret}", f"X-Api-Key: {secret}")
        await running.gateway.once("GET", f"/c?a=b#{secret}", bearer())
        events = await running.expect(2)

    assert events[0]["requestURI"] == "/a?access_token=REDACTED&x=1&%74oken=REDACTED"
    assert secret.encode() not in running.file.read_bytes()


async def test_a_watch_and_a_tunnel_have_two_records_of_one_id(tmp_path: Path) -> None:
    async def switching(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not seen.get("upgrade"):
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        else:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await reader.read(1)
        return True

    backend = await Backend(switching).start()
    to = upstream(backend.port)
    async with audited([route("/api", to, access="authorized")], [to], tmp_path) as running:
        for target, lines, verb in (
            ("/api/v1/pods?watch=true", (), "watch"),
            ("/api/v1/namespaces/a/pods/p/exec?command=sh", ("Connection: Upgrade", "Upgrade: websocket"), "create"),
        ):
            async with await running.gateway.client() as client:
                client.request("GET", target, bearer(), *lines)
                assert (await client.head()).status in (200, 101)
                (start,) = await running.expect(1, lambda event, verb=verb: event["verb"] == verb)
                assert start["stage"] == "ResponseStarted"
            both = await running.expect(2, lambda event, verb=verb: event["verb"] == verb)
            assert [event["stage"] for event in both] == ["ResponseStarted", "ResponseComplete"]
            assert both[0]["auditID"] == both[1]["auditID"]
            assert both[0]["requestReceivedTimestamp"] == both[1]["requestReceivedTimestamp"]


async def test_the_policy_of_a_snapshot_decides_from_the_next_request_on(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes = [route("/", to)]
    quiet = AuditPolicy(
        rules=(AuditRule(level="None", paths=("/quiet*",)), AuditRule(level="RequestResponse")), max_body=64
    )
    async with audited(routes, [to], tmp_path) as running:
        await running.gateway.once("GET", "/quiet/1")
        await running.gateway.serve(routes, [to], audit=quiet)
        await running.gateway.once("GET", "/quiet/2")
        await running.gateway.once("POST", "/loud", body=b'{"password": "hunter2", "name": "a"}')
        await running.gateway.once("POST", "/loud", body=b'{"large": "%s"}' % (b"x" * 100))
        events = await running.expect(3)
        await asyncio.sleep(0.4)
        assert len(running.events()) == 3

    assert [event["requestURI"] for event in events] == ["/quiet/1", "/loud", "/loud"]
    assert "requestObject" not in events[0]
    assert events[1]["requestObject"] == {"password": "REDACTED", "name": "a"}
    assert events[2]["requestObject"] == {"leftOut": "it is too large"}
    assert events[2]["responseObject"] == {"leftOut": "it is too large"}
    assert b"hunter2" not in running.file.read_bytes()


async def test_a_log_in_is_never_recorded_with_its_body(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes = [route("/oauth", to, id="builtin/oauth")]
    everything = AuditPolicy(rules=(AuditRule(level="RequestResponse"),), max_body=4096)
    async with audited(routes, [to], tmp_path) as running:
        await running.gateway.serve(routes, [to], audit=everything)
        await running.gateway.once("POST", "/oauth/token", body=b'{"anything": "hunter2"}')
        (event,) = await running.expect(1)

    assert "requestObject" not in event
    assert "responseObject" not in event


async def test_every_request_of_a_connection_has_its_own_record(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with audited([route("/", to)], [to], tmp_path) as running:
        async with await running.gateway.client() as client:
            for number in range(300):
                client.request("GET", f"/{number}", "Connection: keep-alive")
                assert (await client.answer()).status == 200
        events = await running.expect(300)

    assert [event["requestURI"] for event in events] == [f"/{number}" for number in range(300)]
    assert len({event["auditID"] for event in events}) == 300


async def test_health_checks_are_not_recorded(tmp_path: Path) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with audited([route("/", to)], [to], tmp_path) as running:
        async with asyncio.timeout(PATIENCE):
            assert (await running.gateway.once("GET", "/livez")).body == b"ok"
            await running.gateway.once("GET", "/after")
        (event,) = await running.expect(1)
        await asyncio.sleep(0.3)
        assert len(running.events()) == 1

    assert event["requestURI"] == "/after"
