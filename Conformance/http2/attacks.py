"""Hostile clients of HTTP/2: each attack is bounded in memory and processor time, and others are served meanwhile."""

import os
import socket
import struct
import threading
import time

from peer import (CONTINUATION, Closed, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH, RST, SETTINGS, WINDOW,
                  Peer, frame)
from server import Server

CALM = 11


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bystander(threading.Thread):
    """Asks for a page again and again, and notes how long each answer takes."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.times, self.failures, self.ends = server, [], [], threading.Event()

    def run(self):
        try:
            with Peer(self.server) as peer:
                stream = 1
                while not self.ends.is_set():
                    began = time.monotonic()
                    peer.get(stream, "/plaintext")
                    status, _, content = peer.response(stream)
                    if (status, content) != (200, b"Hello, World!"):
                        self.failures.append((status, content))
                    self.times.append(time.monotonic() - began)
                    stream += 2
                    time.sleep(0.005)
        except Exception as error:
            self.failures.append(repr(error))

    def result(self):
        self.ends.set()
        self.join(30)
        if self.failures or not self.times:
            return f"others are not served: {self.failures[:2]}"
        worst = sorted(self.times)[int(len(self.times) * 0.99)]
        return None if worst < 1.0 else f"another client waits {worst:.2f} s (p99)"


def bounded(attack, memory=64 << 20):
    """Runs an attack against a server of its own, and looks at what it costs."""
    def check():
        with Server("--h2c", "--threads", "1") as server:
            other = Bystander(server)
            other.start()
            time.sleep(0.3)
            before, busy = server.resident_bytes(), processor_seconds(server.pid)
            problem = attack(server)
            grown, spent = server.resident_bytes() - before, processor_seconds(server.pid) - busy
            problem = problem or other.result()
            if grown > memory:
                problem = problem or f"{grown >> 20} MiB more"
            if spent > 20:
                problem = problem or f"{spent:.1f} s of processor time"
            return problem if server.alive() else f"the server ended: {server.tail()}"
    return check


def flood(frames, count, expected=CALM):
    """Sends `frames(n)` until the server ends the connection."""
    def attack(server):
        with Peer(server) as peer:
            try:
                for number in range(count):
                    peer.send(frames(peer, number))
            except (BrokenPipeError, ConnectionResetError, socket.timeout):
                pass
            try:
                code = peer.end_code(10)
            except (BrokenPipeError, ConnectionResetError):
                return None
            return None if code == expected else f"ended with {code}"
    return attack


def rapid_reset(peer, number):
    stream = 2 * number + 1
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, peer.block("GET", "/slow")) + frame(RST, 0, stream, b"\0\0\0\x08")


def made_you_reset(peer, number):
    stream = 2 * number + 1
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, peer.block("GET", "/slow")) + frame(WINDOW, 0, stream, b"\0\0\0\0")


def endless_block(peer, number):
    if number == 0:
        return frame(HEADERS, END_STREAM, 1, peer.block("GET", "/"))
    return frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100)


def closed_windows(server):
    """Clients that ask for much and let nothing come."""
    settings = struct.pack(">HI", 4, 0)
    peers = [Peer(server, settings, window=0) for _ in range(50)]
    try:
        for peer in peers:
            for stream in range(1, 199, 2):
                peer.get(stream, "/static/big.bin")
        time.sleep(3)
        with Peer(server) as other:
            other.get(1, "/plaintext")
            return None if other.response(1)[0] == 200 else "others are not served"
    finally:
        for peer in peers:
            peer.socket.close()


def unread_answers(server):
    """A client that sends PINGs and reads nothing: the answers do not gather."""
    with Peer(server) as peer:
        peer.socket.settimeout(3)
        try:
            for _ in range(2000):
                peer.send(frame(PING, 0, 0, b"12345678") * 100)
        except (socket.timeout, BrokenPipeError, ConnectionResetError):
            return None
        code = peer.end_code(10)
        return None if code == CALM else f"200,000 PINGs were taken, ended with {code}"


def held_content(server):
    """Contents that nobody reads wait within the windows."""
    with Peer(server) as peer:
        sent = 0
        peer.socket.settimeout(2)
        try:
            for stream in range(1, 199, 2):
                peer.send(frame(HEADERS, END_HEADERS, stream, peer.block("GET", "/silent")))
            for _ in range(64):
                for stream in range(1, 199, 2):
                    peer.data(stream, b"x" * 16_000)
                    sent += 16_000
        except (socket.timeout, BrokenPipeError, ConnectionResetError):
            pass
        code = peer.end_code(2)
        return None if code == 3 else f"sent {sent} bytes, ended with {code}"


def compression_bomb(server):
    """One entry of the table, asked for ten thousand times a request."""
    with Peer(server) as peer:
        entry = b"\x40\x01x\x7f\xbd\x1d" + b"a" * 3900
        for number in range(50):
            stream = 2 * number + 1
            block = peer.block("GET", "/plaintext") + (entry if number == 0 else b"") + b"\xbe" * 10_000
            peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
            status, _, _ = peer.response(stream)
            if status != 431:
                return f"status {status}"


def many_streams(server):
    """More streams than allowed are refused, and the rest is served."""
    with Peer(server) as peer:
        for stream in range(1, 301, 2):
            peer.get(stream, "/slow/500")
        refused, served = 0, 0
        while refused + served < 150:
            found = peer.until(lambda one: one.type in (RST, DATA))
            if found.type == RST:
                refused += found.code == 7
            elif found.ends:
                served += 1
        return None if (refused, served) == (50, 100) else f"{served} served, {refused} refused"


def slow_frames(server):
    """A block that comes byte by byte ends the connection."""
    with Peer(server, timeout=30) as peer:
        whole = frame(HEADERS, END_STREAM | END_HEADERS, 1, peer.block("GET", "/plaintext", [("x-long", "v" * 400)]))
        began = time.monotonic()
        try:
            for byte in whole:
                peer.send(bytes([byte]))
                time.sleep(0.25)
                if time.monotonic() - began > 25:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        took = time.monotonic() - began
        return None if peer.end_code(3) is not None and took < 25 else f"still open after {took:.0f} s"


def checks():
    yield "rapid reset (CVE-2023-44487)", bounded(flood(rapid_reset, 20_000))
    yield "MadeYouReset (CVE-2025-8671)", bounded(flood(made_you_reset, 20_000))
    yield "CONTINUATION without end (CVE-2024-27316)", bounded(flood(endless_block, 20_000))
    yield "PING flood (CVE-2019-9512)", bounded(flood(lambda peer, n: frame(PING, 0, 0, b"12345678") * 10, 5_000))
    yield "SETTINGS flood (CVE-2019-9515)", bounded(flood(lambda peer, n: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, n)) * 10, 5_000))
    yield "empty DATA (CVE-2019-9518)", bounded(flood(
        lambda peer, n: (frame(HEADERS, END_HEADERS, 1, peer.block("POST", "/collect")) if n == 0 else b"") + frame(DATA, 0, 1) * 10, 5_000))
    yield "PRIORITY flood", bounded(flood(lambda peer, n: frame(PRIORITY, 0, 3, b"\0\0\0\0\x10") * 10, 5_000))
    yield "window updates of one byte", bounded(flood(lambda peer, n: frame(WINDOW, 0, 0, b"\0\0\0\x01") * 10, 5_000))
    yield "unknown frames", bounded(flood(lambda peer, n: frame(0xEE, 0, 0, b"x" * 16_000), 20_000))
    yield "windows that stay closed (CVE-2019-9511)", bounded(closed_windows)
    yield "answers that are not read (CVE-2019-9517)", bounded(unread_answers)
    yield "contents that nobody reads", bounded(held_content)
    yield "a large entry again and again", bounded(compression_bomb)
    yield "more streams than allowed", bounded(many_streams)
    yield "a block byte by byte", bounded(slow_frames)
