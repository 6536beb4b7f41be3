"""Whatever a worker reports becomes one line of good JSON: a record that cannot be written would cost its batch."""

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.audit.entry import Bodies, Entry
from dovetail.gateway.audit.event import EventWriter
from dovetail.iam.policy import Identity

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TARGET = st.binary(max_size=60) | st.builds(
    lambda path, query: b"/" + path + b"?" + query, st.binary(max_size=20), st.binary(max_size=30)
)
IDENTITY = st.builds(
    lambda name, uid, groups, extra: Identity(name=name, uid=uid, groups=tuple(groups), extra=extra),
    TEXT, TEXT, st.lists(TEXT, max_size=3), st.dictionaries(TEXT, st.lists(TEXT, max_size=2).map(tuple), max_size=2),
)  # fmt: skip
BODY = st.none() | st.binary(max_size=30) | st.just(b'{"password": "x", "a": [1, {"token": 2}]}')
ENTRY = st.builds(
    Entry, st.just("") | st.uuids().map(str), st.booleans(), st.floats(0, 4e9), st.floats(0, 1e6), TEXT, TARGET,
    st.integers(0, 599), TEXT, st.none() | IDENTITY, st.binary(max_size=20), st.binary(max_size=20), TEXT,
    st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.sampled_from(["Metadata", "Request", "RequestResponse"]),
    st.none() | st.builds(Bodies, BODY, BODY, st.booleans(), st.booleans()),
)  # fmt: skip
WRITER = EventWriter()


@given(ENTRY)
def test_every_entry_becomes_an_event_that_says_what_it_said(entry: Entry) -> None:
    sent = msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode([entry])), list[Entry])[0]

    line = WRITER.line(sent)

    event = orjson.loads(line)
    assert b"\n" not in line
    assert event["user"]["username"] == (entry.who.name if entry.who else "system:anonymous")
    assert event["responseStatus"]["code"] == entry.code
    assert event["level"] == entry.level
    assert event["annotations"]["dovetail.dev/response-bytes"] == str(entry.sent)
    assert event["annotations"].get("dovetail.dev/route", "") == entry.route
    assert event == orjson.loads(WRITER.line(sent)) | {"auditID": event["auditID"]}


@given(ENTRY, ENTRY)
def test_what_is_remembered_of_one_never_turns_up_in_another(first: Entry, second: Entry) -> None:
    WRITER.line(first)
    event = orjson.loads(WRITER.line(second))

    assert event | {"auditID": ""} == orjson.loads(EventWriter().line(second)) | {"auditID": ""}


def test_the_cluster_and_the_workspace_of_a_path_are_told() -> None:
    target = b"/clusters/east/kapis/tenant.kubesphere.io/v1beta1/workspaces/w1/things/x?watch=true"
    entry = Entry("", False, 1.5, 0.25, "GET", target, 200, "", None, b"::1", b"", "", 0, 0, "Metadata")

    event = orjson.loads(EventWriter().line(entry))

    assert event["annotations"]["dovetail.dev/cluster"] == "east"
    assert event["annotations"]["dovetail.dev/workspace"] == "w1"
    assert event["objectRef"]["resource"] == "things"
    assert (event["requestReceivedTimestamp"], event["stageTimestamp"]) == (
        "1970-01-01T00:00:01.500000Z",
        "1970-01-01T00:00:01.750000Z",
    )
    assert event["annotations"]["dovetail.dev/duration-ms"] == "250"
