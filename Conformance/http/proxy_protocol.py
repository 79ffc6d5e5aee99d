"""A listener that requires the PROXY protocol (HAProxy's specification, versions 1 and 2)."""

import functools
import json
import socket
import struct

from server import Server, StartError
from table import get
from wire import connect, parse_all, read_response, read_until_closed, send

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FIELDS = ("X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https")


def block(command, family, rest=b"", version=2):
    return SIGNATURE + struct.pack("!BBH", version << 4 | command, family, len(rest)) + rest


def ipv4(source, destination="192.0.2.2", ports=(56324, 443)):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", *ports)


def ipv6(source, destination="2001:db8::2", ports=(56324, 443)):
    pack = functools.partial(socket.inet_pton, socket.AF_INET6)
    return pack(source) + pack(destination) + struct.pack("!HH", *ports)


NOOP = b"\x04\0\x03abc"

#: Name, header, fields of the request, and the client's address and the scheme that /who must name.
GOOD = [
    ("v1 TCP4", b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", (), "192.0.2.1", "http"),
    ("v1 TCP4, fields of the client", b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", FIELDS, "192.0.2.1", "http"),
    ("v1 TCP4, behind another trusted proxy", b"PROXY TCP4 127.0.0.2 192.0.2.2 1 2\r\n", FIELDS, "198.51.100.7", "https"),
    ("v1 TCP6", b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", (), "2001:db8::1", "http"),
    ("v1 UNKNOWN", b"PROXY UNKNOWN\r\n", FIELDS, "unknown", "http"),
    ("v1 UNKNOWN with 107 bytes", b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", (), "unknown", "http"),
    ("v2 TCP over IPv4", block(1, 0x11, ipv4("192.0.2.1")), FIELDS, "192.0.2.1", "http"),
    ("v2 TCP over IPv4 with vectors", block(1, 0x11, ipv4("192.0.2.1") + NOOP * 9), (), "192.0.2.1", "http"),
    ("v2 TCP over IPv6", block(1, 0x21, ipv6("2001:db8::1")), (), "2001:db8::1", "http"),
    ("v2 TCP over IPv6 with vectors", block(1, 0x21, ipv6("2001:db8::1") + NOOP), (), "2001:db8::1", "http"),
    ("v2 AF_UNSPEC", block(1, 0), FIELDS, "unknown", "http"),
    ("v2 AF_UNIX", block(1, 0x31, bytes(216)), FIELDS, "unknown", "http"),
    ("v2 LOCAL", block(0, 0), (), "127.0.0.1", "http"),
    ("v2 LOCAL with a family and vectors", block(0, 0x11, ipv4("192.0.2.1") + NOOP), FIELDS, "127.0.0.1", "http"),
]

#: What closes the connection without a response.
BAD = [
    ("no header", b""),
    ("no header but an empty line", b"\r\n"),
    ("v1 with LF only", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"),
    ("v1 with a leading zero", b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n"),
    ("v1 with a port above 65535", b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"),
    ("v1 with an address of the other family", b"PROXY TCP4 ::1 ::1 1 2\r\n"),
    ("v1 with two spaces", b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"),
    ("v1 with 108 bytes", b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n"),
    ("v1 in lower case", b"proxy UNKNOWN\r\n"),
    ("v2 of version 1", block(1, 0x11, ipv4("192.0.2.1"), version=1)),
    ("v2 with an unknown command", block(2, 0x11, ipv4("192.0.2.1"))),
    ("v2 with an unknown family", block(1, 0x41, ipv4("192.0.2.1"))),
    ("v2 with an unknown transport", block(1, 0x13, ipv4("192.0.2.1"))),
    ("v2 shorter than its addresses", block(1, 0x11, ipv4("192.0.2.1")[:-1])),
    ("v2 longer than any", block(1, 0x11, ipv4("192.0.2.1") + bytes(65535 - 12))),
]


def names_the_client(server, header, fields, address, scheme):
    request = get("/who", *fields)
    pieces = [
        [header + request + request],
        [header, request + request],
        [header[:7], header[7:] + request, request],
        [header[:-1], header[-1:] + request[:5], request[5:] + request],
    ]
    if len(header) < 60:
        pieces.append([bytes([byte]) for byte in header + request] + [request])
    for sent in pieces:
        with connect(server.address) as connection:
            send(connection, sent)
            rest = b""
            for _ in range(2):
                response, rest = read_response(connection, data=rest)
                who = json.loads(response.body)
                if (who["address"], who["scheme"]) != (address, scheme):
                    return f"{who['address']} by {who['scheme']} instead of {address} by {scheme}"
    return None


def is_closed(address, octets):
    with connect(address) as connection:
        send(connection, [octets])
        data, ended = read_until_closed(connection, 5)
        return None if ended and not data else f"{data[:80]!r}, {'closed' if ended else 'still open'}"


def silence_is_closed(server):
    """The header counts within --header-timeout, from the connection on."""
    for begin in (b"", b"PROXY TCP4 192.0.2.1", block(1, 0x11, ipv4("192.0.2.1"))[:-1]):
        if problem := is_closed(server.address, begin):
            return f"after {begin!r}: {problem}"
    return None


def half_close(server):
    with connect(server.address) as connection:
        send(connection, [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get("/who")])
        connection.shutdown(socket.SHUT_WR)
        data, ended = read_until_closed(connection)
        _, answers = parse_all(data, ["GET"])
        if not ended or [answer.status for answer in answers] != [200]:
            return f"behind the header: {data[:80]!r}"
    with connect(server.address) as connection:
        send(connection, [b"PROXY "])
        connection.shutdown(socket.SHUT_WR)
        data, ended = read_until_closed(connection, 1)
        return None if ended and not data else "open after a half-close inside of the header"


def closes_others():
    with Server("--proxy-protocol", "required", "--trusted-proxies", "10.0.0.0/8") as server:
        return is_closed(server.address, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get("/who"))


def needs_proxies():
    try:
        with Server("--proxy-protocol", "required", start_timeout=10):
            return "it starts without --trusted-proxies"
    except StartError as error:
        return None if "--trusted-proxies" in str(error) and "with 0:" not in str(error) else str(error)


def is_off_by_default():
    """Without the setting a header is a malformed request."""
    with Server("--trusted-proxies", "127.0.0.0/8") as server, connect(server.address) as connection:
        send(connection, [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get("/who")])
        data, _ = read_until_closed(connection)
        return None if data.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 ")) else f"{data[:80]!r}"


def drains():
    with Server("--proxy-protocol", "required", "--trusted-proxies", "127.0.0.0/8") as server:
        with connect(server.address) as waiting, connect(server.address) as busy:
            send(waiting, [b"PROXY "])
            send(busy, [block(0, 0) + get("/slow/1000")])
            time_to_arrive = 0.3
            waiting.settimeout(time_to_arrive)
            try:
                waiting.recv(1)
            except TimeoutError:
                pass
            server.terminate()
            data, ended = read_until_closed(waiting, 5)
            if data or not ended:
                return "a connection inside of its header stays open"
            data, _ = read_until_closed(busy, 10)
            if b"done" not in data:
                return f"the request in flight was answered {data[:80]!r}"
        return None if server.wait(10) == 0 else "it did not end with 0"


def checks(tally):
    """Runs all of them; the tables have one server."""
    with Server("--proxy-protocol", "required", "--trusted-proxies", "127.0.0.0/8", "--header-timeout", "2") as server:
        for name, header, fields, address, scheme in GOOD:
            tally.run(f"PROXY protocol §2 {name}", names_the_client, server, header, fields, address, scheme)
        for name, header in BAD:
            tally.run(f"PROXY protocol §2 {name}", is_closed, server.address, header + get("/who"))
        tally.run("PROXY protocol §2 a header that stalls", silence_is_closed, server)
        tally.run("PROXY protocol §2 half-closed connections", half_close, server)
    tally.run("PROXY protocol §2 connections of others", closes_others)
    tally.run("PROXY protocol §2 it needs trusted proxies", needs_proxies)
    tally.run("PROXY protocol §2 it is off by default", is_off_by_default)
    tally.run("PROXY protocol §2 SIGTERM", drains)
