"""Violations of RFC 6455 and RFC 7692, and the expected close codes."""

import os
import struct
import threading
import time
import zlib

from frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, close, echoes, frame

LIMIT = 16 << 20
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def deflate(payload, level=6):
    """A message body as in RFC 7692 §7.2.1: a sync flush without its last four bytes."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


def closes_with(codes, *raw, path="/ws", fields=()):
    codes = {codes} if isinstance(codes, int) else set(codes)

    def check(server):
        with Peer(server, path, *fields) as peer:
            if peer.response.status != 101:
                return f"answered {peer.response.status}"
            for piece in raw:
                peer.send(piece)
            code, _ = peer.closing()
            return None if code in codes else f"closed with {code}, expected {sorted(codes)}"
    return check


def frames_table():
    yield "6455 §5.1 an unmasked frame", closes_with(1002, frame(TEXT, b"x", masked=False))
    yield "6455 §5.1 an unmasked ping", closes_with(1002, frame(PING, masked=False))
    for rsv in (1, 2, 3, 4, 7):
        yield f"6455 §5.2 reserved bits {rsv:03b} without an extension", closes_with(1002, frame(TEXT, b"x", rsv=rsv))
    for rsv in (1, 2, 3):
        yield f"6455 §5.2 reserved bits {rsv:03b} with deflate", closes_with(1002, frame(TEXT, b"x", rsv=rsv), path="/wsd", fields=[DEFLATE])
    yield "7692 §6 compressed bit on a ping", closes_with(1002, frame(PING, b"x", rsv=4), path="/wsd", fields=[DEFLATE])
    yield "7692 §6 compressed bit on a continuation", closes_with(
        1002, frame(TEXT, b"x", fin=False), frame(CONTINUATION, b"y", rsv=4), path="/wsd", fields=[DEFLATE])
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"6455 §5.2 opcode {opcode}", closes_with(1002, frame(opcode, b"x"))
    for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        yield f"6455 §5.5 a fragmented {name}", closes_with(1002, frame(opcode, b"", fin=False))
        yield f"6455 §5.5 a {name} of 126 bytes", closes_with(1002, frame(opcode, struct.pack("!H", 1000) + b"x" * 124))
    yield "6455 §5.4 a continuation of nothing", closes_with(1002, frame(CONTINUATION, b"x"))
    yield "6455 §5.4 a continuation after a message", closes_with(1002, frame(TEXT, b"x") + frame(CONTINUATION, b"x"))
    yield "6455 §5.4 a message inside of a message", closes_with(1002, frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"))
    yield "6455 §5.4 a binary message inside of a text", closes_with(1002, frame(TEXT, b"x", fin=False) + frame(BINARY, b"y"))
    yield "6455 §5.2 the first bit of a 64-bit length", closes_with((1002, 1009), frame(BINARY, b"", length=1 << 63))


def texts_table():
    for name, payload in [("a lone continuation byte", b"\x80"), ("an overlong slash", b"\xc0\xaf"), ("a surrogate", b"\xed\xa0\x80"),
                          ("over U+10FFFF", b"\xf4\x90\x80\x80"), ("0xff", b"a\xff"), ("cut short", b"\xe2\x82"), ("0xfe", b"\xfe")]:
        yield f"6455 §8.1 text: {name}", closes_with(1007, frame(TEXT, payload))
        yield f"6455 §8.1 compressed text: {name}", closes_with(1007, frame(TEXT, deflate(payload), rsv=4), path="/wsd", fields=[DEFLATE])
    yield "6455 §8.1 invalid in the second fragment, before the end", closes_with(
        1007, frame(TEXT, b"ok", fin=False), frame(CONTINUATION, b"\xff", fin=False))
    yield "6455 §8.1 invalid in half of a frame", closes_with(1007, frame(TEXT, b"ok\xff", length=1000))
    yield "6455 §5.5.1 invalid text in a close", closes_with((1002, 1007), frame(CLOSE, struct.pack("!H", 1000) + b"\xff"))


def closes_table():
    yield "6455 §5.5.1 a close of one byte", closes_with(1002, frame(CLOSE, b"\x03"))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999):
        yield f"6455 §7.4 close code {code} may not be sent", closes_with(1002, close(code))
    for code in (5000, 65535):
        yield f"6455 §7.4 close code {code} is undefined", closes_with((1002, code), close(code))
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield f"6455 §5.5.1 close code {code} comes back", closes_with((code, 1000), close(code, b"why"))
    yield "6455 §7.1.5 a close without a code", closes_with((1005, 1000), close())
    yield "6455 §5.5.1 what follows a close is ignored", closes_with(1000, close(1000) + frame(TEXT, b"late") + frame(3))


def limits_table():
    for path, fields in (("/ws", ()), ("/wsd", [DEFLATE])):
        yield f"{path}: one byte over the limit, at the header", closes_with(1009, frame(BINARY, b"", length=LIMIT + 1), path=path, fields=fields)
        yield f"{path}: 2^62 announced", closes_with(1009, frame(BINARY, b"", length=1 << 62), path=path, fields=fields)
        yield f"{path}: 2^63 - 1 announced", closes_with((1002, 1009), frame(BINARY, b"", length=(1 << 63) - 1), path=path, fields=fields)
    yield "fragments over the limit together, at the header", closes_with(
        1009, frame(BINARY, bytes(1 << 20), fin=False), frame(CONTINUATION, b"", fin=False, length=LIMIT - (1 << 20) + 1))
    yield "7692 §7.2.2 not deflate", closes_with((1002, 1007), frame(TEXT, b"\xff" * 64, rsv=4), path="/wsd", fields=[DEFLATE])
    yield "7692 §7.2.2 a reserved block type", closes_with((1002, 1007), frame(TEXT, b"\x07", rsv=4), path="/wsdd", fields=[DEFLATE])
    yield "7692 §7.2.2 a distance too far back", closes_with((1002, 1007), frame(BINARY, b"\x4b\x04\x62\x63\xff\xff", rsv=4), path="/wsd", fields=[DEFLATE])


def bomb(path, size=256 << 20):
    def check(server):
        payload = deflate(bytes(size), 9)
        before = server.resident_bytes()
        with Peer(server, path, DEFLATE) as peer:
            peer.send(frame(BINARY, payload, rsv=4))
            peak = max_resident(server, before)
            code, _ = peer.closing()
            peak = max(peak, server.resident_bytes())
        if code != 1009:
            return f"closed with {code}"
        grown = peak - before
        return f"grew by {grown >> 20} MiB" if grown > 64 << 20 else None
    return check


def max_resident(server, at_least):
    peak = at_least
    for _ in range(20):
        peak = max(peak, server.resident_bytes())
        time.sleep(0.005)
    return peak


def deflated(path, body, plain):
    """The message is echoed, whatever its deflate blocks look like."""
    def check(server):
        with Peer(server, path, DEFLATE) as peer:
            peer.send(frame(BINARY, body, rsv=4))
            return echoes(peer, plain)
    return check


def allowed_table():
    def both(*raw, path="/ws", fields=(), want=None, then=()):
        def check(server):
            with Peer(server, path, *fields) as peer:
                for piece in raw:
                    peer.send(piece)
                if want is not None:
                    got = peer.read()
                    if got[2:] != want:
                        return f"got {got[2]} {got[3][:40]!r}"
                return echoes(peer, *then)
        return check

    yield "6455 §5.5.3 an unsolicited pong is ignored", both(frame(PONG, b"x"))
    yield "6455 §5.5.2 a ping gets a pong with the same payload", both(frame(PING, b"p" * 125), want=(PONG, b"p" * 125))
    yield "6455 §5.4 a ping between fragments", both(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"b"), want=(PONG, b"p"), then=[b"ab"])
    yield "6455 §5.4 empty fragments", both(*[frame(BINARY, b"", fin=False), frame(CONTINUATION, b"", fin=False), frame(CONTINUATION, b"")], want=(BINARY, b""))
    yield "6455 §5.4 a message split into bytes", both(*[frame(TEXT if i == 0 else CONTINUATION, b"abc"[i:i + 1], fin=i == 2) for i in range(3)], want=(TEXT, b"abc"))
    yield "6455 §8.1 a character across fragments", both(frame(TEXT, b"\xe2\x82", fin=False), frame(CONTINUATION, b"\xac"), want=(TEXT, b"\xe2\x82\xac"))
    yield "6455 §5.2 byte by byte", both(*[bytes([byte]) for byte in frame(TEXT, b"abc")], want=(TEXT, b"abc"))
    yield "16 MiB come back", sixteen_mebibytes
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    yield "7692 §7.2.3.3 blocks without compression", deflated("/wsd", (stored.compress(b"x" * 100) + stored.flush(zlib.Z_SYNC_FLUSH))[:-4], b"x" * 100)
    final = zlib.compressobj(6, zlib.DEFLATED, -15)
    yield "7692 §7.2.3.4 a block with BFINAL", deflated("/wsd", final.compress(b"x" * 100) + final.flush(zlib.Z_FINISH) + b"\0", b"x" * 100)
    yield "7692 §7.2.3.6 an empty message", deflated("/wsd", b"\x00", b"")
    yield "7692 §6.1 plain messages between compressed ones", both(frame(TEXT, b"plain"), frame(TEXT, deflate(b"deflated"), rsv=4), path="/wsd", fields=[DEFLATE],
                                                                     then=[b"plain", b"deflated"])


def sixteen_mebibytes(server):
    payload = os.urandom(LIMIT)
    with Peer(server, "/ws", timeout=30) as peer:
        sender = threading.Thread(target=peer.send, args=(frame(BINARY, payload),))
        sender.start()
        got = b""
        while True:
            fin, _, opcode, piece = peer.read()
            if opcode == CLOSE:
                return f"closed with {struct.unpack('!H', piece[:2])[0] if piece else 1005}"
            got += piece
            if fin:
                break
        sender.join()
        return None if got == payload else "the echo differs"


def checks():
    for table in (frames_table, texts_table, closes_table, limits_table, allowed_table):
        for name, body in table():
            yield (name if name.startswith(("/", "16", "fragments")) else f"RFC {name}"), body


def own_server_checks():
    """Checks that measure the server's memory."""
    yield "a deflate bomb of 256 MiB, no takeover", bomb("/wsd")
    yield "a deflate bomb of 256 MiB, takeover", bomb("/wsdd")
