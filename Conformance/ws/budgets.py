"""How much memory unfinished messages use, and how long one client's compressed messages delay other clients.

Each check has its own server and prints what it measured.
"""

import os
import threading
import time
import zlib

from frames import BINARY, CLOSE, CONTINUATION, TEXT, Peer, frame
from server import Server

MEBIBYTE = 1 << 20
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
SOCKETS = 300


def compressed(plain, level=9):
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (deflater.compress(plain) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def say(text):
    print(text, flush=True)


def begun(path, name, raw, bound, fields=()):
    """Sockets send the beginning of a message and stop. Measures how much the server grows."""
    def check():
        with Server() as server:
            peers = [Peer(server, path, *fields) for _ in range(SOCKETS)]
            time.sleep(0.3)
            before = server.resident_bytes()
            for peer in peers:
                peer.send(raw)
            time.sleep(1)
            grown = server.resident_bytes() - before
            say(f"{name}: {SOCKETS} sockets grew the server by {grown / MEBIBYTE:.1f} MiB")
            for peer in peers:
                peer.connection.close()
            return f"grew by {grown >> 20} MiB" if grown > bound else None
    return check


def memory_budget():
    """40 clients send 15 of 16 MiB each. Those above the bound are closed with 1013."""
    with Server("--threads", "1") as server:
        before = peak = server.resident_bytes()
        # It is below the size limit, and its mask is zero, so the payload is unchanged.
        head = frame(BINARY, b"", length=16 * MEBIBYTE)[:-4] + b"\0\0\0\0"
        peers = []
        for _ in range(40):
            peer = Peer(server, "/ws")
            peer.send(head + bytes(15 * MEBIBYTE))
            peers.append(peer)
            peak = max(peak, server.resident_bytes())
        time.sleep(0.5)
        peak = max(peak, server.resident_bytes())
        closed = sum(1 for peer in peers if code_of(peer) == 1013)
        grown = peak - before
        say(f"40 clients with 15 MiB each: grew by {grown / MEBIBYTE:.0f} MiB, {closed} closed with 1013")
        for peer in peers:
            peer.connection.close()
        if grown > 300 * MEBIBYTE:
            return f"grew by {grown >> 20} MiB"
        return None if 25 <= closed < 40 else f"{closed} closed with 1013"


def code_of(peer):
    """The close code that has already arrived, or None."""
    peer.connection.settimeout(0.05)
    peer.timeout = 0.05
    try:
        while True:
            read = peer.read()
            if read[2] == CLOSE:
                return int.from_bytes(read[3][:2], "big")
    except (TimeoutError, EOFError, ConnectionResetError):
        return None


def slow_message():
    """A message that stalls is closed with 1008 after its grace period."""
    with Server() as server, Peer(server, "/ws", timeout=40) as peer:
        peer.send(frame(TEXT, b"x", fin=False))
        started = time.monotonic()
        while (read := peer.read())[2] != CLOSE:
            pass
        took, code = time.monotonic() - started, int.from_bytes(read[3][:2], "big")
        return None if code == 1008 and 15 < took < 30 else f"closed with {code} after {took:.1f} s"


def echo_latencies(server, path, fields, stop):
    """Round trips of small messages until `stop` is set."""
    latencies = []
    with Peer(server, path, *fields, timeout=30) as peer:
        while not stop.is_set() or len(latencies) < 20:
            started = time.monotonic()
            peer.send(frame(TEXT, b"how long does it take"))
            peer.message()
            latencies.append(time.monotonic() - started)
            time.sleep(0.001)
    return sorted(latencies)


def attack(path, name, attackers, bound, plain, victim="/ws", victim_fields=()):
    """The latency of other clients' small messages while 200 messages of 1 KB inflate to 1 MiB each."""
    message = frame(BINARY, compressed(plain), rsv=4)

    def attacker(server, count):
        with Peer(server, path, DEFLATE, timeout=60) as peer:
            reader = threading.Thread(target=drain, args=(peer, count), daemon=True)
            reader.start()
            for _ in range(count):
                if not peer.send(message):
                    break
            reader.join(60)

    def check():
        with Server("--threads", "1") as server:
            stop, latencies = threading.Event(), []
            watcher = threading.Thread(target=lambda: latencies.extend(echo_latencies(server, victim, victim_fields, stop)))
            watcher.start()
            time.sleep(0.2)
            started = time.monotonic()
            threads = [threading.Thread(target=attacker, args=(server, 200 // attackers)) for _ in range(attackers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(90)
            took = time.monotonic() - started
            stop.set()
            watcher.join(30)
            if not latencies:
                return "no echo"
            p99, worst = latencies[int(len(latencies) * 0.99)], latencies[-1]
            say(f"{name}: {took:.1f} s, {len(latencies)} echoes of another client, p99 {p99 * 1000:.0f} ms, longest {worst * 1000:.0f} ms")
            return f"another client waited {worst * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms" if p99 > bound or worst > 4 * bound else None
    return check


def drain(peer, count):
    try:
        for _ in range(count):
            peer.read()
    except (EOFError, OSError):
        pass


def checks():
    zeros, part = compressed(bytes(MEBIBYTE)), 1000
    for path in ("/wsd", "/wsdd"):
        yield f"{path}: 1 KB of a compressed message that inflates to 1 MiB", begun(
            path, f"{path}, one frame", frame(BINARY, zeros, rsv=4, length=len(zeros) + 100), 16 * MEBIBYTE, (DEFLATE,))
        yield f"{path}: 1 KB of it as a fragment", begun(
            path, f"{path}, a fragment", frame(BINARY, zeros[:part], rsv=4, fin=False), 16 * MEBIBYTE, (DEFLATE,))
    yield "1 KB of a plain message of 1 MiB", begun("/ws", "/ws", frame(BINARY, bytes(1024), length=MEBIBYTE), 8 * MEBIBYTE)
    yield "the memory of unfinished messages is bounded", memory_budget
    yield "a message that stalls is closed", slow_message
    zeros = bytes(MEBIBYTE)
    words = (b" ".join(b"%d" % number for number in range(1000)) * 300)[:MEBIBYTE]
    for path in ("/wsd", "/wsdd", "/wshd"):
        yield f"{path}: 200 messages of 1 MiB in 1 KB from one client", attack(path, f"{path}, 1 client", 1, 0.1, zeros)
    yield "/wsd: the same from 50 clients", attack("/wsd", "/wsd, 50 clients", 50, 0.1, zeros)
    yield "/wsd: 200 messages of words", attack("/wsd", "/wsd, words", 1, 0.1, words)
    yield "/wsd: 200 messages from 20 clients, another compresses too", attack(
        "/wsd", "/wsd, 20 clients, compressed echoes", 20, 0.1, zeros, "/wsd", (DEFLATE,))


if __name__ == "__main__":
    from tally import Tally

    tally = Tally("ws-budgets")
    for name, body in checks():
        tally.run(name, body)
    tally.finish()
