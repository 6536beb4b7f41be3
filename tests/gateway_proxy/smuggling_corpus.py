"""Requests that two servers could read differently, and what becomes of each.

Every case is sent on one connection, followed by `SENTINEL`. The expected statuses tell whether the gateway read on
(the sentinel's 200 is among them), the expected targets what the backend saw, whole and in order.
"""

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: gateway\r\n\r\n"
_S = "/sentinel"


def _post(lines: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\nHost: gateway\r\n" + lines + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


_REFUSED = ([400], [])
"""Refused, and nothing behind it is read."""
_PATH_REFUSED = ([400, 200], [_S])
"""Refused for what it asks for; where it ends is clear, so the connection goes on."""
_READ = ([200, 200], ["/a", _S])
_ALL_READ = ([200, 200, 200], ["/a", "/hidden", _S])
CASES: dict[str, tuple[bytes, tuple[list[int], list[str]]]] = {
    # two framings
    "CL.TE": (_post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"), _REFUSED),
    "TE.CL": (_post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\n" + HIDDEN), _REFUSED),
    "TE.TE twice": (_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE.TE obscured": (_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE unknown": (_post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN), ([501], [])),
    "TE gzip, chunked": (_post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + HIDDEN), ([501], [])),
    "TE chunked, gzip": (_post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE vertical tab": (_post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE empty": (_post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE space before colon": (_post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE folded": (_post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE hidden by Connection": (
        _post(b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n"),
        _READ,
    ),
    "TE with an underscore": (_post(b"Transfer_Encoding: chunked\r\n"), _READ),
    "TE in HTTP/1.0": (
        b"POST /a HTTP/1.0\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN, ([400], [])
    ),
    # lengths
    "CL twice": (_post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), _REFUSED),
    "CL twice, different": (_post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc"), _REFUSED),
    "CL list": (_post(b"Content-Length: 3, 3\r\n", b"abc"), _REFUSED),
    "CL plus": (_post(b"Content-Length: +3\r\n", b"abc"), _REFUSED),
    "CL minus": (_post(b"Content-Length: -3\r\n", b"abc"), _REFUSED),
    "CL hex": (_post(b"Content-Length: 0x3\r\n", b"abc"), _REFUSED),
    "CL empty": (_post(b"Content-Length:\r\n"), _REFUSED),
    "CL with a space": (_post(b"Content-Length: 3 3\r\n", b"abc"), _REFUSED),
    "CL overflow": (_post(b"Content-Length: 18446744073709551619\r\n", b"abc"), _REFUSED),
    "CL leading zero": (_post(b"Content-Length: 03\r\n", b"abc"), _READ),
    "CL.0: what follows is the next request": (_post(b"", HIDDEN), _ALL_READ),
    "CL of GET counts": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        _READ,
    ),
    "TE of GET counts": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(HIDDEN), HIDDEN),
        _READ,
    ),
    # lines
    "bare LF": (b"GET /a HTTP/1.1\nHost: gateway\n\n", _REFUSED),
    "bare LF in a header": (b"GET /a HTTP/1.1\r\nHost: gateway\nX: y\r\n\r\n", _REFUSED),
    "bare CR in a header": (b"GET /a HTTP/1.1\r\nHost: gateway\rX: y\r\n\r\n", _REFUSED),
    "folded header": (_post(b"X: a\r\n b\r\n"), _REFUSED),
    "space before colon": (_post(b"X : a\r\n"), _REFUSED),
    "space before the first header": (b"GET /a HTTP/1.1\r\n X: y\r\nHost: gateway\r\n\r\n", _REFUSED),
    "header without a name": (_post(b": a\r\n"), _REFUSED),
    "NUL in a value": (_post(b"X: a\0b\r\n"), _REFUSED),
    "NUL in a name": (_post(b"X\0: a\r\n"), _REFUSED),
    "control character": (_post(b"X: a\x01b\r\n"), _REFUSED),
    # chunks
    "chunk size hex prefix": (_chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size negative": (_chunked(b"-3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size space": (_chunked(b"3 \r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size empty": (_chunked(b"\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size overflow": (_chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size bare LF": (_chunked(b"3\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk data bare LF": (_chunked(b"3\r\nabc\n0\r\n\r\n"), _REFUSED),
    "chunk data too long": (_chunked(b"3\r\nabcd\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension": (_chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"), _READ),
    "chunk extension bare LF": (_chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extensions without end": (_chunked(b"3;" + b"a" * 600_000), _REFUSED),
    "trailer": (_chunked(b"0\r\nX-Remote-User: root\r\n\r\n"), _READ),
    "trailer with framing": (_chunked(b"0\r\nContent-Length: 5\r\n\r\n"), _REFUSED),
    "trailers without end": (_chunked(b"0\r\nX: " + b"a" * 600_000), _REFUSED),
    # start lines
    "absolute form": (b"GET http://gateway/a?b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a?b", _S])),
    "absolute form, other host": (b"GET http://evil/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, user": (b"GET http://x@gateway/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "two Hosts": (b"GET /a HTTP/1.1\r\nHost: gateway\r\nHost: gateway\r\n\r\n", _REFUSED),
    "no Host": (b"GET /a HTTP/1.1\r\n\r\n", _REFUSED),
    "a Host that is none": (b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", _REFUSED),
    "HTTP/2.0": (b"GET /a HTTP/2.0\r\nHost: gateway\r\n\r\n", ([505], [])),
    "HTTP/0.9": (b"GET /a\r\n\r\n", ([505], [])),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _REFUSED),
    "RTSP": (b"PLAY /a RTSP/1.0\r\nHost: gateway\r\n\r\n", ([405], [])),
    "CONNECT": (b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n" + HIDDEN, ([405], [])),
    "TRACE": (b"TRACE /a HTTP/1.1\r\nHost: gateway\r\n\r\n", ([405], [])),
    "lower-case method": (b"get /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "empty lines before a request": (b"\r\n\r\nGET /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _READ),
    "requests after Connection: close": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n" + HIDDEN, ([200], ["/a"])
    ),
    # paths
    "dot segments": (b"GET /a/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded dot segments": (b"GET /a/%2e%2E/b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded slash": (b"GET /a%2fb HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded line break": (
        b"GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED
    ),
    "double slash": (b"GET //a HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "backslash": (b"GET /a\\..\\b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "path parameter": (b"GET /a;/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    # upgrades
    "h2c": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", _READ
    ),
    "h2c with a body": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
        _READ,
    ),
    "h2c with chunks": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n",
              b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)), _READ
    ),
    "h2c with bad chunks": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"0x1\r\na\r\n0\r\n\r\n"),
        _REFUSED,
    ),
    "websocket with a body": (
        _post(b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), _REFUSED
    ),
    "websocket that the backend declines": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN,
        _ALL_READ,
    ),
    "expectation": (_post(b"Expect: the-unexpected\r\n"), ([417, 200], [_S])),
    # Transfer-Encoding, spelled otherwise
    "TE in capitals": (_post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"1\r\na\r\n0\r\n\r\n"), _READ),
    "TE without a space": (_post(b"Transfer-Encoding:chunked\r\n", b"1\r\na\r\n0\r\n\r\n"), _READ),
    "TE with tabs": (_post(b"Transfer-Encoding:\tchunked\t\r\n", b"1\r\na\r\n0\r\n\r\n"), _REFUSED),
    "TE quoted": (_post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"), ([501], [])),
    "TE with a parameter": (_post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE with a comma before": (_post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE with a comma behind": (_post(b"Transfer-Encoding: chunked,\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE chunked, chunked": (_post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE chunked, identity": (_post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE identity, chunked": (_post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE identity": (_post(b"Transfer-Encoding: identity\r\n"), ([501], [])),
    "TE cow": (_post(b"Transfer-Encoding: cow\r\n"), ([501], [])),
    "TE identity with CL": (_post(b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", b"abc"), _REFUSED),
    "TE x with CL": (_post(b"Content-Length: 3\r\nTransfer-Encoding: x\r\n", b"abc"), _REFUSED),
    "TE chunkedx": (_post(b"Transfer-Encoding: chunkedx\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE chunk": (_post(b"Transfer-Encoding: chunk\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE ch-unked": (_post(b"Transfer-Encoding: ch\x00unked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE obs-text": (_post(b"Transfer-Encoding: \xffchunked\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE NBSP": (_post(b"Transfer-Encoding: \xa0chunked\r\n", b"0\r\n\r\n"), ([501], [])),
    "TE form feed": (_post(b"Transfer-Encoding: \x0cchunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE bare CR": (_post(b"Transfer-Encoding: chunked\rX: y\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE behind bare LF": (_post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE behind bare CR": (_post(b"X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE with a prefix": (_post(b"X-Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"abc"), _READ),
    "TE with a tab before the colon": (_post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE with a leading space": (_post(b" Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE with a NUL in its name": (_post(b"Transfer-Encoding\x00: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE with obs-text in its name": (_post(b"Transfer-Encoding\xa0: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE folded behind": (_post(b"Transfer-Encoding: chunked\r\n , identity\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE.TE chunked, then identity": (
        _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"), _REFUSED
    ),
    "TE.TE identity, then chunked": (
        _post(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), ([501], [])
    ),
    "TE.TE in two spellings": (
        _post(b"Transfer-Encoding: chunked\r\ntransfer-encoding: CHUNKED\r\n", b"0\r\n\r\n"), _REFUSED
    ),
    "CL.TE without a body": (_post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE.CL zero": (_post(b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE.0": (b"OPTIONS /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
             % (len(HIDDEN), HIDDEN), _READ),
    "CL.TE in HTTP/1.0": (
        b"POST /a HTTP/1.0\r\nHost: gateway\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _REFUSED,
    ),
    # lengths
    "CL in HTTP/1.0 keeps no connection": (
        b"POST /a HTTP/1.0\r\nHost: gateway\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na", ([200], ["/a"])
    ),
    "CL with tabs": (_post(b"Content-Length:\t3\t\r\n", b"abc"), _READ),
    "CL with a decimal point": (_post(b"Content-Length: 3.0\r\n", b"abc"), _REFUSED),
    "CL with an exponent": (_post(b"Content-Length: 3e0\r\n", b"abc"), _REFUSED),
    "CL with an underscore": (_post(b"Content-Length: 1_0\r\n", b"abc"), _REFUSED),
    "CL with a name's underscore": (_post(b"Content_Length: 3\r\n"), _READ),
    "CL octal": (_post(b"Content-Length: 0o3\r\n", b"abc"), _REFUSED),
    "CL quoted": (_post(b'Content-Length: "3"\r\n', b"abc"), _REFUSED),
    "CL with a parameter": (_post(b"Content-Length: 3;x\r\n", b"abc"), _REFUSED),
    "CL list, different": (_post(b"Content-Length: 3,0\r\n", b"abc"), _REFUSED),
    "CL comma behind": (_post(b"Content-Length: 3,\r\n", b"abc"), _REFUSED),
    "CL minus zero": (_post(b"Content-Length: -0\r\n"), _REFUSED),
    "CL plus zero": (_post(b"Content-Length: +0\r\n"), _REFUSED),
    "CL NUL": (_post(b"Content-Length: 3\x00\r\n", b"abc"), _REFUSED),
    "CL vertical tab": (_post(b"Content-Length: \x0b3\r\n", b"abc"), _REFUSED),
    "CL NBSP": (_post(b"Content-Length: \xa03\r\n", b"abc"), _REFUSED),
    "CL Arabic digits": (_post("Content-Length: ٣\r\n".encode(), b"abc"), _REFUSED),
    "CL folded": (_post(b"Content-Length: 3\r\n 0\r\n", b"abc"), _REFUSED),
    "CL folded before": (_post(b"Content-Length:\r\n 3\r\n", b"abc"), _REFUSED),
    "CL behind bare CR": (_post(b"X: y\rContent-Length: 3\r\n", b"abc"), _REFUSED),
    "CL space before colon": (_post(b"Content-Length : 3\r\n", b"abc"), _REFUSED),
    "CL 2^63": (_post(b"Content-Length: 9223372036854775808\r\n", b"abc"), ([413], [])),
    "CL 2^64": (_post(b"Content-Length: 18446744073709551616\r\n", b"abc"), _REFUSED),
    "CL many zeroes": (_post(b"Content-Length: " + b"0" * 60 + b"3\r\n", b"abc"), _READ),
    "CL hidden by Connection": (
        _post(b"Connection: content-length\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), _READ
    ),
    "CL.0 of OPTIONS": (
        b"OPTIONS /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        _READ,
    ),
    "CL of DELETE": (
        b"DELETE /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        _READ,
    ),
    # chunks
    "chunk size plus": (_chunked(b"+3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size minus zero": (_chunked(b"-0\r\n\r\n"), _REFUSED),
    "chunk size with an underscore": (_chunked(b"0_3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size leading space": (_chunked(b" 3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size tab": (_chunked(b"3\t\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size leading zeroes": (_chunked(b"0003\r\nabc\r\n000\r\n\r\n"), _READ),
    "chunk size in capitals": (_chunked(b"A\r\n0123456789\r\n0\r\n\r\n"), _READ),
    "chunk size no hex": (_chunked(b"g\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size beyond 32 bits": (_chunked(b"100000003\r\nabc\r\n0\r\n\r\n"), ([408], [])),
    "chunk size of almost 64 bits": (_chunked(b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), ([408], [])),
    "chunk size NUL": (_chunked(b"3\x00\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size bare CR": (_chunked(b"3\rabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size CR CR LF": (_chunked(b"3\r\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk data too short": (_chunked(b"4\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk data without an end": (_chunked(b"3\r\nabc0\r\n\r\n"), _REFUSED),
    "chunk data bare CR": (_chunked(b"3\r\nabc\r0\r\n\r\n"), _REFUSED),
    "chunk data LF CR": (_chunked(b"3\r\nabc\n\r0\r\n\r\n"), _REFUSED),
    "last chunk bare LF": (_chunked(b"3\r\nabc\r\n0\n\n"), _REFUSED),
    "last chunk, line bare LF": (_chunked(b"3\r\nabc\r\n0\r\n\n"), _REFUSED),
    "last chunk with an extension": (_chunked(b"3\r\nabc\r\n0;a=b\r\n\r\n"), _READ),
    "chunk extension quoted": (_chunked(b'3;a="b;c"\r\nabc\r\n0\r\n\r\n'), _READ),
    "chunk extension with a line break in quotes": (_chunked(b'3;a="\r\nabc"\r\nabc\r\n0\r\n\r\n'), _REFUSED),
    "chunk extension without a name": (_chunked(b"3;\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension with a space": (_chunked(b"3 ;a\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension bare CR": (_chunked(b"3;a\rb\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension NUL": (_chunked(b"3;a\x00\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension hides a request": (
        _chunked(b"3;" + b"a" * 50 + b"\r\nabc\r\n0\r\n\r\n" + HIDDEN), _ALL_READ
    ),
    "chunks of a request within a request": (
        _chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)), _READ
    ),
    "trailer folded": (_chunked(b"0\r\nX: a\r\n b\r\n\r\n"), _REFUSED),
    "trailer bare LF": (_chunked(b"0\r\nX: a\n\r\n"), _REFUSED),
    "trailer with a space before the colon": (_chunked(b"0\r\nX : a\r\n\r\n"), _REFUSED),
    "trailer without a colon": (_chunked(b"0\r\n" + HIDDEN), _REFUSED),
    "trailer with Transfer-Encoding": (_chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), _REFUSED),
    "trailer with Host": (
        _post(b"Transfer-Encoding: chunked\r\nTrailer: Host\r\n", b"0\r\nHost: evil\r\n\r\n"), _READ
    ),
    # lines and names
    "LF CR": (b"GET /a HTTP/1.1\n\rHost: gateway\n\r\n\r", _REFUSED),
    "CR CR LF": (b"GET /a HTTP/1.1\r\r\nHost: gateway\r\n\r\n", _REFUSED),
    "bare CR for every line end": (b"GET /a HTTP/1.1\rHost: gateway\r\r", _REFUSED),
    "bare LF at the end of the head": (b"GET /a HTTP/1.1\r\nHost: gateway\r\n\n", _REFUSED),
    "folded with a tab": (_post(b"X: a\r\n\tb\r\n"), _REFUSED),
    "folded Host": (b"GET /a HTTP/1.1\r\nHost: gateway\r\n evil\r\n\r\n", _REFUSED),
    "an empty folded line": (_post(b"X: a\r\n \r\n"), _REFUSED),
    "header name with obs-text": (_post(b"X\xff: a\r\n"), _REFUSED),
    "header name with a slash": (_post(b"X/Y: a\r\n"), _REFUSED),
    "header name with a bracket": (_post(b"X(Y): a\r\n"), _REFUSED),
    "header name with an equals sign": (_post(b"X=Y: a\r\n"), _REFUSED),
    "header without a colon": (_post(b"nonsense\r\n"), _REFUSED),
    "DEL in a value": (_post(b"X: a\x7fb\r\n"), _REFUSED),
    "escape in a value": (_post(b"X: a\x1bb\r\n"), _REFUSED),
    "a request line in a header": (_post(b"GET /hidden HTTP/1.1: x\r\n"), _REFUSED),
    # start lines
    "two spaces behind the method": (b"GET  /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _READ),
    "two spaces before the version": (b"GET /a  HTTP/1.1\r\nHost: gateway\r\n\r\n", _READ),
    "tabs in the start line": (b"GET\t/a\tHTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "space behind the version": (b"GET /a HTTP/1.1 \r\nHost: gateway\r\n\r\n", _REFUSED),
    "space before the method": (b" GET /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "space in the target": (b"GET /a b HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "NUL in the target": (b"GET /a\x00b HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "obs-text in the target": (b"GET /\xff HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "no target": (b"GET HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "a fragment": (b"GET /a#/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "a fragment behind the query": (b"GET /a?b#c HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "unknown method": (b"FROB /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "a method's prefix": (b"GE /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/1.2": (b"GET /a HTTP/1.2\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/1.10": (b"GET /a HTTP/1.10\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/01.1": (b"GET /a HTTP/01.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "http/1.1": (b"GET /a http/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/1,1": (b"GET /a HTTP/1,1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/3.0": (b"GET /a HTTP/3.0\r\nHost: gateway\r\n\r\n", _REFUSED),
    "HTTP/0.9 with headers": (b"GET /a HTTP/0.9\r\nHost: gateway\r\n\r\n", ([505], [])),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", _REFUSED),
    "OPTIONS in absolute form": (b"OPTIONS http://gateway HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/", _S])),
    "CONNECT with a path": (b"CONNECT /a HTTP/1.1\r\nHost: gateway\r\n\r\n" + HIDDEN, ([405], [])),
    "CONNECT with a body": (
        b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway:80\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        ([405], []),
    ),
    "GET *": (b"GET * HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "authority form": (b"GET gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, ftp": (b"GET ftp://gateway/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, no host": (b"GET http:///a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, port": (b"GET http://gateway:80/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, capitals": (b"GET HTTP://GATEWAY/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _READ),
    "absolute form, query only": (b"GET http://gateway?b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/?b", _S])),
    "absolute form, no Host": (b"GET http://gateway/a HTTP/1.1\r\n\r\n", _REFUSED),
    "absolute form, backslash": (b"GET http:\\\\gateway\\a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, dots": (b"GET http://gateway/a/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "a path in absolute form in a path": (
        b"GET /http://evil/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED
    ),
    # Host
    "Host twice, different": (b"GET /a HTTP/1.1\r\nHost: gateway\r\nHost: evil\r\n\r\n", _REFUSED),
    "Host twice, in two spellings": (b"GET /a HTTP/1.1\r\nHost: gateway\r\nhost: gateway\r\n\r\n", _REFUSED),
    "Host twice in HTTP/1.0": (b"GET /a HTTP/1.0\r\nHost: gateway\r\nHost: evil\r\n\r\n", _REFUSED),
    "Host list": (b"GET /a HTTP/1.1\r\nHost: gateway, evil\r\n\r\n", _REFUSED),
    "Host with a user": (b"GET /a HTTP/1.1\r\nHost: x@gateway\r\n\r\n", _REFUSED),
    "Host with a query": (b"GET /a HTTP/1.1\r\nHost: gateway?x\r\n\r\n", _REFUSED),
    "Host with a space": (b"GET /a HTTP/1.1\r\nHost: gate way\r\n\r\n", _REFUSED),
    "Host with obs-text": (b"GET /a HTTP/1.1\r\nHost: gateway\xff\r\n\r\n", _REFUSED),
    "Host empty": (b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", _READ),
    "Host hidden by Connection": (b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: host\r\n\r\n", _READ),
    # Expect
    "Expect twice": (_post(b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", b"abc"),
                     ([100, 200, 200], ["/a", _S])),
    "Expect in capitals": (
        _post(b"Expect: 100-CONTINUE\r\nContent-Length: 3\r\n", b"abc"), ([100, 200, 200], ["/a", _S])
    ),
    "Expect without a body": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\n\r\n", _READ
    ),
    "Expect obscured": (_post(b"Expect: y 100-continue\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), ([417], [])),
    "Expect list": (_post(b"Expect: 100-continue, x\r\nContent-Length: 3\r\n", b"abc"), ([417], [])),
    "Expect empty": (_post(b"Expect:\r\nContent-Length: 3\r\n", b"abc"), ([417], [])),
    "Expect with a body of a request": (
        _post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), ([100, 200, 200], ["/a", _S])
    ),
    "Expect in HTTP/1.0": (
        b"POST /a HTTP/1.0\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", ([200], ["/a"])
    ),
    # paths
    "dot segment at the end": (b"GET /a/.. HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "single dot": (b"GET /./a HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "half-encoded dots": (b"GET /a/.%2e/b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "doubly encoded dots": (
        b"GET /a/%252e%252e/b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a/%252e%252e/b", _S])
    ),
    "dots with a parameter": (b"GET /a/..;x/b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded backslash": (b"GET /a%5c..%5cb HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded NUL": (b"GET /a%00b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "overlong dots": (b"GET /a/%c0%ae%c0%ae/b HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "escape that is none": (b"GET /a%zz HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "escape cut short": (b"GET /a%2 HTTP/1.1\r\nHost: gateway\r\n\r\n", _PATH_REFUSED),
    "encoded question mark": (b"GET /a%3Fb HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a%3Fb", _S])),
    "encoded number sign": (b"GET /a%23b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a%23b", _S])),
    "dots in the query": (b"GET /a?/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a?/../b", _S])),
    "line break in the query": (
        b"GET /a?%0d%0aX:y HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a?%0d%0aX:y", _S])
    ),
    # upgrades
    "websocket in HTTP/1.0": (
        b"GET /a HTTP/1.0\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", ([200], ["/a"])
    ),
    "Upgrade without Connection": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\n\r\n" + HIDDEN, _ALL_READ
    ),
    "websocket with chunks": (
        _post(b"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED
    ),
    "upgrade to a list": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n" + HIDDEN,
        _ALL_READ,
    ),
    "HTTP/2 preface behind an upgrade": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ([200, 400], ["/a"]),
    ),
}  # fmt: skip
