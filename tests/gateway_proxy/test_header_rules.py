"""Whatever headers a client sends: what a backend gets is one well-formed head that claims nothing in our name."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.proxy.admission import Admitted, Place
from dovetail.gateway.proxy.answer_headers import framing, read_answer, render_answer
from dovetail.gateway.proxy.credentials import User
from dovetail.gateway.proxy.outgoing import Client, Outgoing, outgoing
from dovetail.gateway.proxy.request_headers import read_head
from dovetail.iam.policy import Identity
from dovetail.iam.tokens import VerifiedToken
from dovetail.routing.model import HeaderEdit
from tests.gateway_proxy.rig import route, upstream

_TO = upstream(80)
_NAMES = [
    "Host", "Connection", "Upgrade", "Transfer-Encoding", "Content-Length", "TE", "Trailer", "Keep-Alive", "Expect",
    "Proxy-Connection", "Authorization", "Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP",
    "X-Forwarded-Evil", "X-Remote-User", "X_Remote_User", "X-Remote-Extra-a", "Impersonate-User", "Impersonate_Group",
    "Impersonate-Uid", "Origin", "X-Fine", "Accept", "Sec-WebSocket-Key", "Proxy-Authorization", "HTTP2-Settings",
    "X-HTTP-Method-Override", "X-Dovetail-Assertion", "Set-Cookie",
]  # fmt: skip
_names = st.one_of(
    st.sampled_from(_NAMES),
    st.sampled_from([name.lower() for name in _NAMES]),
    st.sampled_from([name.upper().replace("-", "_") for name in _NAMES]),
    st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True),
).map(str.encode)  # fmt: skip
_values = st.one_of(
    st.sampled_from([b"chunked", b"5", b"close", b"upgrade", b"websocket", b"x-fine, upgrade", b"", b"100-continue"]),
    st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte == 9 or (byte >= 32 and byte != 127))),
)  # what llhttp lets through in a value
_digits = st.integers(0, 99).map(lambda number: b"%d" % number)
_header = st.tuples(_names, _values).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), _digits if pair[0].lower() == b"content-length" else st.just(pair[1]))
)
_headers = st.lists(_header, max_size=12)
_edits = st.lists(
    st.builds(
        HeaderEdit, st.sampled_from(["set", "add", "delete"]),
        st.one_of(st.sampled_from(_NAMES), st.text(st.characters(max_codepoint=255), max_size=8)), st.text(max_size=12),
    ), max_size=4,
)  # fmt: skip
_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\x00-\x08\x0a-\x1f\x7f]*")


def _block(raw: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1
    first, *lines = raw[:-4].split(b"\r\n")
    assert all(_LINE.fullmatch(line) for line in lines), lines
    return first, [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


@given(headers=_headers, edits=_edits, method=st.sampled_from(["GET", "POST"]), version=st.sampled_from(["1.0", "1.1"]))
def test_a_request(headers: list[tuple[bytes, bytes]], edits: list[HeaderEdit], method: str, version: str) -> None:
    head = read_head(method, b"/a?b", version, [(b"Host", b"gateway"), *headers])
    if head.refusal is not None:
        assert head.refusal.code in (400, 417, 501)
        return
    identity = Identity(name="alice\r\nX-Evil: 1", uid="u", groups=("g\n", "é"), extra={"k\r\n": ("v\0",)})
    user = User.of(VerifiedToken(identity, 0.0, ""))
    place = Place(route("/", _TO, header_up=tuple(edits)), "/a", "b", None)
    out = outgoing(head, Admitted(place, user, user.remote), _TO, Client(b"1.2.3.4", True), b"")
    assert isinstance(out, Outgoing)
    first, lines = _block(out.head)
    assert first == f"{method} /a?b HTTP/1.1".encode()
    names = [name for name, _ in lines]
    assert [value for name, value in lines if name == b"x-remote-user"] == [b"alice%0D%0AX-Evil: 1"]
    for name in (b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-remote-uid"):
        assert names.count(name) == 1, name
    edited = {edit.name.lower().encode() for edit in edits}
    for name in names:
        assert not name.startswith((b"impersonate", b"x-dovetail-"))
        assert name not in (b"te", b"trailer", b"keep-alive", b"proxy-connection", b"expect")
        if name not in edited:
            assert b"_" not in name
            assert name not in (b"authorization", b"cookie", b"forwarded", b"x-real-ip", b"x-http-method-override")
    assert names.count(b"content-length") + names.count(b"transfer-encoding") == bool(
        head.chunked or head.length is not None
    )
    assert names.count(b"upgrade") == names.count(b"connection") == bool(head.upgrade)


@given(
    headers=_headers, edits=_edits, method=st.sampled_from(["GET", "HEAD"]),
    status=st.sampled_from([200, 204, 304, 500]), length=st.one_of(st.none(), st.integers(0, 9)),
    http10=st.booleans(), close=st.booleans(),
)  # fmt: skip
def test_an_answer(
    headers: list[tuple[bytes, bytes]], edits: list[HeaderEdit], method: str, status: int, length: int | None,
    http10: bool, close: bool,
) -> None:  # fmt: skip
    head = read_answer(status, b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers))
    head.length = length
    framed = framing(head, method, http10=http10)
    _, lines = _block(render_answer(head, route("/", _TO, header_down=tuple(edits)), framed, close=close))
    names = [name for name, _ in lines]
    assert names.count(b"content-length") <= 1
    assert names.count(b"transfer-encoding") == (framed == "chunked")
    assert names.count(b"connection") == (close or framed == "close")
    if framed in ("chunked", "close"):
        assert b"content-length" not in names
    assert not {b"upgrade", b"keep-alive", b"te", b"trailer"} & set(names)
    assert not any(name == b"set-cookie" and value.startswith(b"dovetail-") for name, value in lines)
