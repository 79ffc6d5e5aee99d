"""HTTP/2 with prior knowledge, and WebSocket over it: every route beside HTTP/1.1, violations, attacks, clients."""

import concurrent.futures
import json
import os
import subprocess
import tempfile

import tls
import attacks
import frames
import parity
import sockets
from server import Server
from tally import Tally


CURL = ["--http2", "--insecure"] if tls.IS_TLS else ["--http2-prior-knowledge"]


def command(*arguments, timeout=120):
    finished = subprocess.run(arguments, capture_output=True, timeout=timeout)
    assert finished.returncode == 0, f"{arguments[0]} ended with {finished.returncode}: {finished.stderr.decode(errors='replace')[-300:]}"
    return finished.stdout.decode(errors="replace")


def h2load(server, *flags):
    out = command("h2load", *flags, f"{server.url}/plaintext", f"{server.url}/stream", f"{server.url}/static/big.bin")
    counts = next((line for line in out.splitlines() if line.startswith("requests:")), "")
    codes = next((line for line in out.splitlines() if line.startswith("status codes:")), "")
    good = " 0 failed, 0 errored, 0 timeout" in counts and " 0 3xx, 0 4xx, 0 5xx" in codes
    return None if good else f"{counts} {codes}"


def nghttp(server):
    out = command("nghttp", "--no-dep", "-s", f"{server.url}/plaintext", f"{server.url}/json")
    return None if out.count(" 200 ") == 2 else out[-300:]


def curl(server):
    out = command("curl", "-sS", *CURL, "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}\n",
                  f"{server.url}/static/big.bin")
    return None if out.strip() == f"2 200 {parity_size}" else out


parity_size = 3_000_000


def curl_upload(server, path, status):
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(5 << 20))
        file.flush()
        out = command("curl", "-sS", *CURL, "--data-binary", f"@{file.name}", "-w", "\n%{http_code}", f"{server.url}{path}")
    return None if out.splitlines()[-1] == str(status) else out[-200:]


def node_early(server):
    """Node's uploads get the response that comes before they are read."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "early.js")
    counted = json.loads(command("node", here, server.url, "20"))
    return None if counted == {"ok": 60, "lost": 0} else f"{counted}"


def old_preface():
    """Without --h2c, the preface gets 505."""
    import socket
    with Server() as server, socket.create_connection(server.address, timeout=10) as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        answer = peer.recv(1000)
        return None if answer.startswith(b"HTTP/1.1 505") else f"{answer[:60]!r}"


def main():
    tally = Tally("http2" + tls.SUFFIX)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "big.bin"), "wb") as file:
            file.write(os.urandom(parity_size))
        with open(os.path.join(folder, "text.txt"), "w") as file:
            file.write("0123456789")
        with Server("--h2c", "--static", folder) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
            pending = [pool.submit(tally.run, name, body, server, request) for name, body, request in parity.checks()]
            pending += [pool.submit(tally.run, name, body, server) for module in (frames, sockets) for name, body in module.checks()]
            for future in pending:
                future.result()
            tally.run("h2load: 10 connections, 10 streams each", h2load, server, "-n", "3000", "-c", "10", "-m", "10")
            tally.run("h2load: 100 streams, small windows", h2load, server, "-n", "1000", "-c", "2", "-m", "100", "-w", "14", "-W", "15")
            tally.run("nghttp", nghttp, server)
            tally.run("curl: a file", curl, server)
            for path, status in (("/nothing", 404), ("/plaintext", 405), ("/collect", 200)):
                tally.run(f"curl: an upload of 5 MiB to {path}", curl_upload, server, path, status)
            tally.run("Node: early responses to uploads", node_early, server)
    with Server("--h2c") as server:
        tally.run("RFC 8441 twenty sockets on one connection", sockets.together, server)
    if not tls.IS_TLS:
        tally.run("without --h2c the preface is refused", old_preface)
    tally.run("SIGTERM: GOAWAY, and the request in flight finishes", frames.goaway_at_sigterm, Server)
    for name, body in attacks.checks():
        tally.run(name, body)
    tally.finish()


if __name__ == "__main__":
    main()
