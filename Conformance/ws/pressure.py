"""Floods, clients that do not read, and shutdown. Each check has its own server."""

import time

from frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Peer, frame
from server import Server
from wire import connect

MEBIBYTE = 1 << 20


def flood(server, path, raw, seconds=4, at_most=256 * MEBIBYTE):
    """Sends `raw` repeatedly without reading. Returns how many bytes were sent and how much the server grew."""
    before = peak = server.resident_bytes()
    with Peer(server, path) as peer:
        peer.connection.setblocking(False)
        sent, deadline, rest = 0, time.monotonic() + seconds, b""
        while sent < at_most and time.monotonic() < deadline:
            rest = rest or raw
            try:
                count = peer.connection.send(rest)
                sent, rest = sent + count, rest[count:]
            except BlockingIOError:
                time.sleep(0.005)
            except (BrokenPipeError, ConnectionResetError):
                break
            peak = max(peak, server.resident_bytes())
        time.sleep(0.2)
        peak = max(peak, server.resident_bytes())
    return sent, peak - before


def unread(path, raw, bound):
    def check():
        with Server() as server:
            sent, grown = flood(server, path, raw)
            if grown > bound:
                return f"grew by {grown >> 20} MiB after {sent >> 20} MiB"
            return None if server.alive() else server.tail()
    return check


def many_unread():
    """Thirty clients send large messages and read nothing."""
    with Server() as server:
        message = frame(BINARY, bytes(MEBIBYTE))
        before = server.resident_bytes()
        peers = [Peer(server, "/ws") for _ in range(30)]
        for peer in peers:
            peer.connection.setblocking(False)
        deadline = time.monotonic() + 4
        rests = [b""] * len(peers)
        while time.monotonic() < deadline:
            for index, peer in enumerate(peers):
                rests[index] = rests[index] or message * 2
                try:
                    rests[index] = rests[index][peer.connection.send(rests[index]):]
                except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                    pass
            time.sleep(0.01)
        grown = server.resident_bytes() - before
        for peer in peers:
            peer.connection.close()
        bound = 8 * MEBIBYTE * len(peers)
        return f"{len(peers)} clients: grew by {grown >> 20} MiB" if grown > bound else None


def empty_fragments():
    """Empty fragments use no memory."""
    with Server() as server:
        sent, grown = open_message_flood(server)
        return f"grew by {grown >> 20} MiB after {sent >> 20} MiB" if grown > 48 * MEBIBYTE else None


def open_message_flood(server):
    before = server.resident_bytes()
    with Peer(server, "/ws") as peer:
        peer.send(frame(BINARY, b"", fin=False))
        burst, sent = frame(CONTINUATION, b"", fin=False) * 5000, 0
        while sent < 24 * MEBIBYTE and peer.send(burst):
            sent += len(burst)
        return sent, server.resident_bytes() - before


def cooperative_drain():
    """Every socket is closed with 1001, and the server exits with 0 within 10 s."""
    with Server() as server:
        peers = [Peer(server, path) for path in ("/ws", "/wsd", "/wsdd", "/wsh") for _ in range(5)]
        server.terminate()
        started = time.monotonic()
        for peer in peers:
            code, _ = peer.closing()
            if code != 1001:
                return f"a socket was closed with {code}"
        code = server.wait(10)
        took = time.monotonic() - started
        return None if code == 0 and took < 10 else f"exit code {code} after {took:.1f} s"


def stubborn_drain():
    """Clients that do not reply to the close delay shutdown by at most 35 s."""
    with Server() as server:
        peers = [Peer(server, "/ws") for _ in range(3)]
        half = connect(server.address)
        half.sendall(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
        server.terminate()
        started = time.monotonic()
        code = server.wait(36)
        took = time.monotonic() - started
        for peer in peers:
            peer.connection.close()
        half.close()
        return None if code == 0 else f"exit code {code} after {took:.1f} s"


def vanishing_peers():
    """Clients that disconnect without a close frame leak no memory."""
    with Server() as server:
        for _ in range(200):
            with Peer(server, "/wsdd", "Sec-WebSocket-Extensions: permessage-deflate") as peer:
                peer.send(frame(TEXT, b"x" * 100, length=1000))
        before = server.resident_bytes()
        for _ in range(1000):
            with Peer(server, "/wsdd", "Sec-WebSocket-Extensions: permessage-deflate") as peer:
                peer.send(frame(TEXT, b"x" * 100, length=1000))
        time.sleep(0.3)
        grown = server.resident_bytes() - before
        return f"grew by {grown >> 20} MiB over 1,000 peers" if grown > 24 * MEBIBYTE else None


def closed_without_reply():
    """The server does not wait forever for the client's close (RFC 6455 §7.1.1)."""
    with Server() as server, Peer(server, "/ws", timeout=40) as peer:
        peer.send(frame(TEXT, b"\xff"))
        if peer.read()[2] != CLOSE:
            return "no close frame"
        try:
            peer.read()
        except (EOFError, ConnectionResetError):
            return None
        except TimeoutError:
            return "still open 40 s after its close frame"
        return "something after the close frame"


def checks():
    bound = 24 * MEBIBYTE
    yield "a client that never reads its echoes, 1 KiB each", unread("/ws", frame(BINARY, bytes(1024)) * 64, bound)
    yield "a client that never reads its echoes, callback shape", unread("/wsh", frame(BINARY, bytes(1024)) * 64, bound)
    yield "a client that never reads its echoes, 64 KiB each", unread("/ws", frame(BINARY, bytes(65536)), bound)
    yield "a flood of pings, pongs never read", unread("/ws", frame(PING, bytes(125)) * 500, bound)
    yield "a flood of tiny messages", unread("/ws", frame(TEXT, b"x") * 5000, bound)
    yield "a flood of tiny messages with deflate", unread("/wsd", frame(TEXT, b"x") * 5000, bound)
    yield "30 clients that never read", many_unread
    yield "a flood of empty fragments", empty_fragments
    yield "clients that disconnect without a close frame", vanishing_peers
    yield "SIGTERM: 1001 and exit 0 within 10 s", cooperative_drain
    yield "SIGTERM with clients that do not reply: exit 0 within 35 s", stubborn_drain
    yield "a client that never replies to a close is disconnected", closed_without_reply
