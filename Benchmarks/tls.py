#!/usr/bin/env python3
"""TLS and HTTP/2: what a request, a message, a handshake and an idle connection cost the server, beside the same without TLS.

    Benchmarks/tls.py [--repeats 5] [--seconds 2] [--servers oneport,hummingbird,go,nginx] [--only TEXT] [--no-build]

h2load (Debian's nghttp2-client) sends the requests, and this program the messages and the handshakes. The figure is the
processor time of the server, user and kernel, for each of them. Server and client are pinned to a core each. The servers
take turns within each repeat; the medians are shown. The memory of a connection is the growth of the resident memory over
1,000 connections, divided by their number. The report is Benchmarks/.build/results/tls.md.
"""

import argparse
import asyncio
import os
import re
import shutil
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time

import servers

RESULTS = os.path.join(servers.BUILD, "results")
CERTIFICATE, KEY = (os.path.join(servers.BUILD, "tls", name) for name in ("certificate.pem", "key.pem"))

#: The name, TLS or not, the flags of h2load, the path.
REQUESTS = [
    ("plaintext, HTTP/1.1 without TLS", False, ["--h1", "-c", "64"], "/plaintext"),
    ("plaintext, HTTP/1.1 over TLS", True, ["--h1", "-c", "64"], "/plaintext"),
    ("plaintext, HTTP/2 over TLS, 64 connections, 1 stream each", True, ["-c", "64", "-m", "1"], "/plaintext"),
    ("plaintext, HTTP/2 over TLS, 8 connections, 10 streams each", True, ["-c", "8", "-m", "10"], "/plaintext"),
    ("file of 100 KB, HTTP/1.1 without TLS", False, ["--h1", "-c", "8"], "/static/100k.bin"),
    ("file of 100 KB, HTTP/1.1 over TLS", True, ["--h1", "-c", "8"], "/static/100k.bin"),
    ("file of 100 KB, HTTP/2 over TLS, 10 streams each", True, ["-c", "8", "-m", "10"], "/static/100k.bin"),
]
ECHO = [("echo of 20 bytes, ws", False), ("echo of 20 bytes, wss", True)]
HANDSHAKE = "TLS 1.3 handshake and one request, ECDSA P-256"
#: The name, TLS or not, whether the handshake is completed.
IDLE = [("idle connection without TLS", False, True), ("idle connection with TLS", True, True),
        ("connection whose TLS handshake is not complete", True, False)]
CONNECTIONS = 1000

NGINX_TLS = "ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;"


def make_certificate():
    os.makedirs(os.path.dirname(KEY), exist_ok=True)
    if not os.path.exists(CERTIFICATE):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", KEY, "-out", CERTIFICATE, "-days", "365", "-subj", "/CN=localhost"], check=True, capture_output=True)


class Running:
    """A server on a free port, pinned to a core."""

    def __init__(self, server, secure, core):
        self.port = servers.free_port()
        command = server.command(self.port, 1)
        if secure and server.name == "nginx":
            secure_nginx(command[-1])
        elif secure:
            command = command + ["--tls-certificate", CERTIFICATE, "--tls-key", KEY]
        self.process = subprocess.Popen(["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, **server.environment})
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{server.name} does not start: {command}")
                time.sleep(0.05)

    def cpu(self):
        """Nanoseconds of processor time so far, as clock_getcpuclockid(3) reads them."""
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def secure_nginx(configuration):
    with open(configuration) as file:
        text = file.read()
    text = text.replace("backlog=4096;", "ssl http2 backlog=4096; " + NGINX_TLS.format(certificate=CERTIFICATE, key=KEY))
    with open(configuration, "w") as file:
        file.write(text)


def requests(running, secure, flags, path, seconds, core):
    """Microseconds of the server for each request."""
    url = f"{'https' if secure else 'http'}://127.0.0.1:{running.port}{path}"
    command = ["taskset", "-c", str(core), "h2load", *flags, "-t", "1"]
    # One round before, so that everything is loaded. The measured rounds have a fixed number of requests, and no other
    # request falls between the two looks at the clock.
    rate = count_of(subprocess.run([*command, "-n", "2000", url], capture_output=True, text=True, timeout=60), 2000)
    count = max(500, int(rate * seconds))
    before = running.cpu()
    count_of(subprocess.run([*command, "-n", str(count), url], capture_output=True, text=True, timeout=120), count)
    return (running.cpu() - before) / count / 1000


def count_of(finished, count):
    """Requests a second. Every one must have succeeded."""
    done = re.search(r"(\d+) succeeded, 0 failed, 0 errored, 0 timeout", finished.stdout)
    if not done or int(done.group(1)) != count:
        raise SystemExit(f"not all of {count} requests succeeded: {finished.stdout[-600:]}{finished.stderr[-200:]}")
    return float(re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", finished.stdout).group(1))


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def echo_client(port, context, deadline):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    content = b"x" * 20
    message = bytes([0x82, 0x80 | len(content)]) + struct.pack(">I", 0) + content
    count = 0
    while time.monotonic() < deadline[0]:
        writer.write(message)
        assert await reader.readexactly(22) == bytes([0x82, 20]) + content
        count += 1
    writer.close()
    return count


def echoes(running, secure, seconds):
    """Microseconds of the server for each message, with 16 clients."""
    async def run():
        deadline = [time.monotonic() + seconds]
        return sum(await asyncio.gather(*(echo_client(running.port, client_context() if secure else None, deadline) for _ in range(16))))

    before = running.cpu()
    count = asyncio.run(run())
    return (running.cpu() - before) / count / 1000


def handshakes(running, seconds):
    """Microseconds of the server for each connection with a full handshake, one request and its end."""
    context = client_context()
    request = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    before, count, deadline = running.cpu(), 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", running.port))) as connection:
            connection.sendall(request)
            data = b""
            while piece := connection.recv(4096):
                data += piece
            assert b"Hello, World!" in data
        count += 1
    return (running.cpu() - before) / count / 1000


def memory(running, secure, completes):
    """KB of the server for each connection, behind one request or, if it is not completed, within the handshake."""
    opened = []

    def open_connections(count):
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", running.port))
            opened.append(connection)
            if secure and not completes:
                connection.sendall(client_hello())
                assert connection.recv(65536)[:1] == b"\x16", "no ServerHello"
                continue
            if secure:
                connection = opened[-1] = client_context().wrap_socket(connection)
            connection.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"Hello, World!" in connection.recv(4096)

    def resident():
        time.sleep(0.5)
        with open(f"/proc/{running.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    try:
        open_connections(200)
        before = resident()
        open_connections(CONNECTIONS)
        return (resident() - before) / CONNECTIONS
    finally:
        for connection in opened:
            connection.close()


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_context().wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def measure(options, wanted):
    """The processor time and the memory, by scenario and server."""
    figures, sizes = {}, {}

    def add(scenario, server, value, into=figures, unit="us"):
        into.setdefault(scenario, {}).setdefault(server.name, []).append(value)
        print(f"{scenario}: {server.title} {value:.1f} {unit}", flush=True)

    def wants(scenario):
        return options.only in scenario

    for repeat in range(options.repeats):
        turn = wanted[repeat % len(wanted):] + wanted[:repeat % len(wanted)]
        for name, secure, flags, path in REQUESTS:
            for server in turn if wants(name) else []:
                if ("static" if path.startswith("/static") else "plaintext") in server.features:
                    with Running(server, secure, 0) as running:
                        add(name, server, requests(running, secure, flags, path, options.seconds, 1))
        os.sched_setaffinity(0, {1})
        for server in turn:
            for name, secure in ECHO:
                if "ws" in server.features and wants(name):
                    with Running(server, secure, 0) as running:
                        add(name, server, echoes(running, secure, options.seconds))
            if wants(HANDSHAKE):
                with Running(server, True, 0) as running:
                    add(HANDSHAKE, server, handshakes(running, options.seconds))
            for name, secure, completes in IDLE:
                if wants(name):
                    with Running(server, secure, 0) as running:
                        add(name, server, memory(running, secure, completes), sizes, "KB")
        os.sched_setaffinity(0, {0, 1})
    return figures, sizes


def report(title, figures, wanted):
    lines = [f"| {title} | " + " | ".join(server.title for server in wanted) + " |",
             "| --- |" + " --- |" * len(wanted)]
    for scenario, values in figures.items():
        cells = []
        for server in wanted:
            all_of = values.get(server.name)
            cells.append(f"{statistics.median(all_of):.1f} ({min(all_of):.1f}–{max(all_of):.1f})" if all_of else "–")
        lines.append(f"| {scenario} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--servers", default="oneport,hummingbird,go,nginx")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this text")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if not shutil.which("h2load"):
        raise SystemExit("h2load is missing: it is part of Debian's nghttp2-client")
    make_certificate()
    wanted = servers.all_servers(options.servers.split(","), not options.no_build)
    for server in [server for server in wanted if server.missing]:
        print(f"left out: {server.title}: {server.missing}", file=sys.stderr)
    wanted = [server for server in wanted if not server.missing]
    figures, sizes = measure(options, wanted)
    text = report("microseconds of the server's processor", figures, wanted) + "\n" + report("KB of memory", sizes, wanted)
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, "tls.md"), "w") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
