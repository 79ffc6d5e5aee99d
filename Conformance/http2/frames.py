"""Frames that break a rule of RFC 9113, and what the server does: the code with which it ends the stream or the connection."""

import struct

import tls

from peer import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH, RST, SETTINGS, WINDOW, Closed,
                  Peer, frame)

PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = 1, 2, 3, 4, 5, 6, 7, 8, 9


def setting(name, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", name, value))


# What ends the connection, sent behind a whole request on stream 1.
CONNECTION = [
    ("§4.2 a frame above the largest size", lambda p: frame(DATA, 0, 1, b"x" * 16_385), {SIZE}),
    ("§4.2 SETTINGS that are not a multiple of six", lambda p: frame(SETTINGS, 0, 0, b"\0\3\0"), {SIZE}),
    ("§4.2 PING of six bytes", lambda p: frame(PING, 0, 0, b"\0" * 6), {SIZE}),
    ("§6.4 RST_STREAM of three bytes", lambda p: frame(RST, 0, 1, b"\0" * 3), {SIZE}),
    ("§6.9 WINDOW_UPDATE of three bytes", lambda p: frame(WINDOW, 0, 0, b"\0" * 3), {SIZE}),
    ("§6.5 acknowledged SETTINGS with content", lambda p: frame(SETTINGS, 1, 0, b"\0" * 6), {SIZE}),
    ("§4.3 a block that is no HPACK", lambda p: frame(HEADERS, 5, 3, b"\xff\xff\xff\xff\xff\xff\xff"), {COMPRESSION}),
    ("§4.3 an index that no table has", lambda p: frame(HEADERS, 5, 3, b"\xfe"), {COMPRESSION}),
    ("RFC 7541 §6.3 a table above the limit", lambda p: frame(HEADERS, 5, 3, b"\x3f\xe2\x1f\x82"), {COMPRESSION}),
    ("§5.1 DATA on an idle stream", lambda p: frame(DATA, 0, 9, b"x"), {PROTOCOL}),
    ("§5.1 RST_STREAM on an idle stream", lambda p: frame(RST, 0, 9, b"\0\0\0\x08"), {PROTOCOL}),
    ("§5.1 WINDOW_UPDATE on an idle stream", lambda p: frame(WINDOW, 0, 9, b"\0\0\0\x01"), {PROTOCOL}),
    ("§5.1 CONTINUATION on an idle stream", lambda p: frame(CONTINUATION, 4, 9, b"\x82"), {PROTOCOL}),
    ("§5.1.1 an even stream", lambda p: frame(HEADERS, 5, 2, p.block("GET", "/")), {PROTOCOL}),
    ("§5.1.1 a stream below the last one", lambda p: frame(HEADERS, 5, 5, p.block("GET", "/")) + frame(HEADERS, 5, 3, p.block("GET", "/")),
     {PROTOCOL, CLOSED}),
    ("§5.1 HEADERS on a closed stream", lambda p: frame(HEADERS, 5, 1, p.block("GET", "/")), {CLOSED, PROTOCOL}),
    ("§6.2 HEADERS on stream 0", lambda p: frame(HEADERS, 5, 0, p.block("GET", "/")), {PROTOCOL}),
    ("§6.1 DATA on stream 0", lambda p: frame(DATA, 0, 0, b"x"), {PROTOCOL}),
    ("§6.1 padding longer than the frame", lambda p: frame(HEADERS, 4, 3, p.block("POST", "/echo")) + frame(DATA, 8, 3, b"\x05abc"), {PROTOCOL}),
    ("§6.2 HEADERS in the midst of a block", lambda p: frame(HEADERS, 1, 3, p.block("GET", "/")) + frame(HEADERS, 5, 5, b"\x82"), {PROTOCOL}),
    ("§6.10 PING in the midst of a block", lambda p: frame(HEADERS, 1, 3, p.block("GET", "/")) + frame(PING, 0, 0, b"\0" * 8), {PROTOCOL}),
    ("§6.10 CONTINUATION of another stream", lambda p: frame(HEADERS, 1, 3, p.block("GET", "/")) + frame(CONTINUATION, 4, 5, b"\x82"), {PROTOCOL}),
    ("§6.10 CONTINUATION behind a whole block", lambda p: frame(HEADERS, 4, 3, p.block("POST", "/echo")) + frame(CONTINUATION, 4, 3, b"\x82"), {PROTOCOL}),
    ("§6.5 SETTINGS on a stream", lambda p: frame(SETTINGS, 0, 1), {PROTOCOL}),
    ("§6.5.2 ENABLE_PUSH of 2", lambda p: setting(2, 2), {PROTOCOL}),
    ("§6.5.2 a window above 2^31-1", lambda p: setting(4, 1 << 31), {FLOW}),
    ("§6.5.2 frames below 16,384", lambda p: setting(5, 16_383), {PROTOCOL}),
    ("§6.5.2 frames above 16,777,215", lambda p: setting(5, 1 << 24), {PROTOCOL}),
    ("§6.7 PING on a stream", lambda p: frame(PING, 0, 1, b"\0" * 8), {PROTOCOL}),
    ("§6.8 GOAWAY on a stream", lambda p: frame(GOAWAY, 0, 1, b"\0" * 8), {PROTOCOL}),
    ("§6.9 the connection's window by 0", lambda p: frame(WINDOW, 0, 0, b"\0" * 4), {PROTOCOL}),
    ("§6.9.1 the connection's window too large", lambda p: frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2, {FLOW}),
    ("§6.6 PUSH_PROMISE of a client", lambda p: frame(PUSH, 4, 1, b"\0\0\0\x02\x82"), {PROTOCOL}),
    ("§6.3 PRIORITY on stream 0", lambda p: frame(PRIORITY, 0, 0, b"\0" * 5), {PROTOCOL}),
]

HEAD = [(":method", "GET"), (":scheme", tls.SCHEME), (":path", "/plaintext")]

# Requests whose stream is reset, while the connection goes on.
STREAM = [
    ("§8.2.1 an upper case name", [("X-Upper", "a")]), ("§8.3 an unknown pseudo-header field", [(":unknown", "a")]),
    ("§8.3 a pseudo-header field of responses", [(":status", "200")]), ("§8.2.2 connection", [("connection", "keep-alive")]),
    ("§8.2.2 te", [("te", "gzip")]), ("§8.2.2 transfer-encoding", [("transfer-encoding", "chunked")]),
    ("§8.2.2 upgrade", [("upgrade", "h2c")]), ("§8.2.1 a line feed in a value", [("x-a", "a\nb")]), ("§8.2.1 NUL in a value", [("x-a", "a\0b")]),
    ("§8.2.1 a space in a name", [("x a", "b")]), ("§8.2.1 a colon in a name", [("x:a", "b")]),
    ("§8.1.1 content-length without content", [("content-length", "3")]), ("§8.3.1 :path twice", [(":path", "/")]),
]


def ends_connection(server, send, codes):
    with Peer(server) as peer:
        peer.get(1, "/plaintext")
        peer.response(1)
        peer.send(send(peer))
        code = peer.end_code(10)
        return None if code in codes else f"ended with {code}"


def resets_stream(server, fields):
    with Peer(server) as peer:
        head = HEAD + [(":authority", peer.authority)]
        # hpack would not write some of these: literals by hand.
        block = b"".join(b"\x00" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode("latin-1") for n, v in head + fields)
        peer.send(frame(HEADERS, 5, 1, block))
        found = peer.until(lambda one: one.stream == 1)
        if found.type != RST or found.code != PROTOCOL:
            return f"frame {found.type}, {found.payload[:20]!r}"
        peer.get(3, "/plaintext")
        return None if peer.response(3)[0] == 200 else "the connection does not go on"


def content_length(server, sent, declared):
    with Peer(server) as peer:
        peer.post(1, "/silent" if len(sent) > declared else "/collect", [("content-length", str(declared))])
        peer.data(1, sent, end=True)
        found = peer.until(lambda one: one.type == RST)
        return None if found.code == PROTOCOL else f"code {found.code}"


def goaway_at_sigterm(server_class):
    """The drain: requests in flight finish, and the client knows which were served."""
    with server_class("--h2c") as server, Peer(server) as peer:
        peer.get(1, "/slow/1500")
        peer.until(lambda one: one.type == SETTINGS)
        server.terminate()
        first = peer.until(lambda one: one.type == GOAWAY)
        last = struct.unpack(">I", first.payload[:4])[0]
        if first.code != 0 or last < 1:
            return f"GOAWAY {last} {first.code}"
        status, _, content = peer.response(1)
        code = server.wait(20)
        return None if (status, content, code) == (200, b"done", 0) else f"{status} {content!r}, exit {code}"


def trailers(server):
    with Peer(server) as peer:
        peer.post(1, "/echo")
        peer.data(1, b"abc")
        peer.send(frame(HEADERS, 5, 1, peer.encoder.encode([("x-trailer", "1")])))
        status, _, content = peer.response(1)
        return None if (status, content) == (200, b"abc") else f"{status} {content!r}"


def expect(server):
    with Peer(server) as peer:
        peer.post(1, "/collect", [("expect", "100-continue")])
        interim = dict(peer.until(lambda one: one.type == HEADERS).fields)[":status"]
        peer.data(1, b"abc", end=True)
        status, _, content = peer.response(1)
        return None if (interim, status, content) == ("100", 200, b"3") else f"{interim} {status} {content!r}"


def checks():
    for name, send, codes in CONNECTION:
        yield f"RFC 9113 {name}", lambda server, send=send, codes=codes: ends_connection(server, send, codes)
    for name, fields in STREAM:
        yield f"RFC 9113 {name}", lambda server, fields=fields: resets_stream(server, fields)
    yield "RFC 9113 §8.1.1 more content than content-length", lambda server: content_length(server, b"abcd", 3)
    yield "RFC 9113 §8.1.1 less content than content-length", lambda server: content_length(server, b"ab", 3)
    yield "RFC 9113 §8.1 trailers of a request", trailers
    yield "RFC 9110 §10.1.1 expect: 100-continue", expect
