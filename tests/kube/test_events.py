"""Events: counted up, never in the way."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dovetail.kube import EventRecorder
from tests.kube.canned import Answer, Seen, canned, configmap, failure

NOON = datetime(2026, 7, 5, 12, tzinfo=UTC)


async def test_the_same_again_counts_up_and_a_lost_event_is_made_anew() -> None:
    lost = False

    async def respond(seen: Seen, answer: Answer) -> None:
        if seen.method == "PATCH" and lost:
            await answer.json(failure(404, "NotFound"), 404)
        else:
            await answer.json({"metadata": {"name": f"e{len(server.seen)}"}}, 201)

    async with canned(respond) as server, server.client() as client:
        recorder = EventRecorder(client, "tests", clock=lambda: NOON)
        obj = configmap("a", 7, "n")
        for _ in range(3):
            await recorder.record(obj, "Warning", "Broken", "it is")
        lost = True
        await recorder.record(obj, "Warning", "Broken", "it is")
        await recorder.record(obj, "Normal", "Fixed", "x" * 5000)
        seen = server.seen
    assert [s.method for s in seen] == ["POST", "PATCH", "PATCH", "PATCH", "POST", "POST"]
    assert seen[1].json() == {"count": 2, "lastTimestamp": "2026-07-05T12:00:00Z"}
    assert seen[2].json()["count"] == 3
    first: Any = seen[0].json()
    assert first["involvedObject"] == {
        "apiVersion": "v1", "kind": "ConfigMap", "name": "a", "namespace": "n", "uid": "uid-a", "resourceVersion": "7",
    }  # fmt: skip
    assert (first["type"], first["reason"], first["count"]) == ("Warning", "Broken", 1)
    assert first["metadata"]["namespace"] == "n"
    assert len(seen[5].json()["message"]) == 1024


async def test_recording_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json(failure(403, "Forbidden"), 403)

    cluster_scoped = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    async with canned(respond) as server, server.client() as client:
        await EventRecorder(client, "tests").record(cluster_scoped, "Normal", "R", "m")
        assert server.seen[0].path == "/api/v1/namespaces/default/events"
    assert "was not recorded" in caplog.text
