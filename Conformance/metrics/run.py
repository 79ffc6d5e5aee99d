"""The metrics of the example Operations, read by Prometheus' own parser, beside what clients have done."""

import json
import os
import shlex
import socket
import time
import urllib.request

import tls
from prometheus_client.parser import text_string_to_metric_families
from server import ROOT, Server
from tally import Tally
from wire import connect, read_response, read_until_closed


def family(server, name):
    """The samples of a metric: [(labels, value)] by sample name."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as response:
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", response.headers
        text = response.read().decode()
    found = {}
    for one in text_string_to_metric_families(text):
        for sample in one.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found.get(name, [])


def value(server, name, **labels):
    return sum(number for found, number in family(server, name) if all(found.get(key) == text for key, text in labels.items()))


def requests(server):
    for number in range(7):
        urllib.request.urlopen(f"{server.url}/hello/{number}").read()
    count = value(server, "http_server_request_duration_seconds_count", http_route="/hello/{name}", http_response_status_code="200",
                  http_request_method="GET")
    buckets = [(float(labels["le"]), number) for labels, number in family(server, "http_server_request_duration_seconds_bucket")
               if labels.get("http_route") == "/hello/{name}"]
    assert count == 7, f"{count} of 7 requests"
    assert buckets == sorted(buckets, key=lambda one: one[0]) and [number for _, number in buckets] == sorted(number for _, number in buckets)
    assert buckets[-1] == (float("inf"), 7.0), buckets[-1]
    return None


def connections(server):
    held = [connect(server.address) for _ in range(12)]
    try:
        time.sleep(0.3)
        count = value(server, "http_server_open_connections")
        return None if count >= 12 else f"{count} connections"
    finally:
        for connection in held:
            connection.close()


def messages(server):
    with connect(server.address) as connection:
        connection.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        for _ in range(5):
            connection.sendall(bytes([0x81, 0x81, 0, 0, 0, 0]) + b"x")
            assert connection.recv(100) == b"\x81\x01x"
        received = value(server, "websocket_server_messages_total", network_io_direction="receive")
        sent = value(server, "websocket_server_messages_total", network_io_direction="transmit")
        sockets = value(server, "websocket_server_open_sockets")
        return None if (received, sent, sockets) == (5, 5, 1) else f"{received} received, {sent} sent, {sockets} sockets"


def refused(server):
    with connect(server.address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n")
        read_until_closed(connection)
    count = value(server, "http_server_refused_requests_total", http_response_status_code="400")
    return None if count == 1 else f"{count} refused"


def health(server):
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as response:
        return None if json.load(response)["status"] == "pass" else "not ready"


def drain_delay():
    """Not ready from the signal on, and still served for the delay."""
    with program("--drain-delay", "2", "--drain", "1") as server:
        server.terminate()
        time.sleep(0.5)
        with connect(server.address) as connection:
            connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
            ready, _ = read_response(connection)
        with connect(server.address) as connection:
            connection.sendall(b"GET /hello/ann HTTP/1.1\r\nHost: a\r\n\r\n")
            page, _ = read_response(connection)
        assert (ready.status, page.body) == (503, b"Hello, ann!"), f"{ready.status} {page.body!r}"
        start = time.monotonic()
        code = server.wait(20)
        return None if code == 0 and time.monotonic() - start > 1 else f"{code} after {time.monotonic() - start:.1f} s"


def program(*flags):
    os.environ["TEST_SERVER"] = os.environ.get("OPERATIONS") or shlex.quote(os.path.join(ROOT, ".build", "release", "Operations"))
    return Server(*flags)


def main():
    assert not tls.IS_TLS
    tally = Tally("metrics")
    with program() as server:
        tally.run("requests by route, and their histogram", requests, server)
        tally.run("open connections", connections, server)
        tally.run("messages and sockets", messages, server)
        tally.run("refused requests", refused, server)
        tally.run("health", health, server)
    tally.run("--drain-delay", drain_delay)
    tally.finish()


if __name__ == "__main__":
    main()
