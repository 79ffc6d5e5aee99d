"""Raw sockets and a strict parser of HTTP/1.1 responses."""

import dataclasses
import re
import socket
import time

import tls

TIMEOUT = 10.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [^\x00-\x08\x0a-\x1f\x7f]*\Z")
FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*\Z", re.S)


class WireError(Exception):
    """The server sent something that is not a response."""


@dataclasses.dataclass
class Response:
    status: int
    fields: list
    body: bytes = b""
    complete: bool = True

    def all(self, name):
        return [value for field, value in self.fields if field == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


def connect(address, timeout=TIMEOUT, protocol="http/1.1"):
    connection = socket.create_connection(address, timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.Connection(connection, tls.client_context([protocol])) if tls.IS_TLS else connection


def send(connection, pieces, pause=0.002):
    """Sends each piece as its own segment. False if the server closed before it had received everything."""
    try:
        for index, piece in enumerate(pieces):
            if index:
                time.sleep(pause)
            connection.sendall(piece)
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def read_until_closed(connection, timeout=TIMEOUT):
    """All data until the end of the stream, and whether the stream ended within the timeout."""
    data = bytearray()
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return bytes(data), True
        except TimeoutError:
            break
        if not piece:
            return bytes(data), True
        data += piece
    return bytes(data), False


def read_response(connection, method="GET", timeout=TIMEOUT, data=b""):
    """One complete response and the bytes after it. Does not wait for the connection to close."""
    data = bytearray(data)
    deadline = time.monotonic() + timeout
    ended = False
    while True:
        try:
            response, used = parse_response(bytes(data), method, ended)
        except NeedMore:
            if ended:
                raise WireError(f"closed within a response: {bytes(data[:200])!r}") from None
        else:
            return response, bytes(data[used:])
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        piece = connection.recv(65536)
        ended = not piece
        data += piece


class NeedMore(Exception):
    pass


def parse_response(data, method, ended):
    """The first response in `data` and its size."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if not b"HTTP/1.1 ".startswith(data[:9]):
            raise WireError(f"not a response: {data[:80]!r}")
        raise NeedMore
    first, *lines = data[:end].split(b"\r\n")
    if not (match := STATUS_LINE.match(first)):
        raise WireError(f"bad status line {first!r} (RFC 9112 §4)")
    fields = []
    for line in lines:
        if not (field := FIELD_LINE.match(line)) or re.search(rb"[\x00\r\n]", field.group(2)):
            raise WireError(f"bad field line {line!r} (RFC 9112 §5)")
        fields.append((field.group(1).decode().lower(), field.group(2).decode("latin-1")))
    response = Response(int(match.group(1)), fields)
    start = end + 4
    response.body, used = parse_body(response, data[start:], method, ended)
    return response, start + used


def parse_body(response, rest, method, ended):
    lengths, codings = response.all("content-length"), response.all("transfer-encoding")
    bodiless = response.status < 200 or response.status in (204, 304)
    if response.status < 200 or response.status == 204:
        if lengths or codings:
            raise WireError(f"{response.status} with a framing field (RFC 9110 §8.6, RFC 9112 §6.1)")
    if len(lengths) > 1 or (lengths and codings):
        raise WireError(f"ambiguous framing: {lengths} {codings} (RFC 9112 §6.3)")
    if method == "HEAD" or bodiless:
        return b"", 0
    if codings:
        if codings != ["chunked"]:
            raise WireError(f"Transfer-Encoding {codings}")
        return parse_chunks(rest)
    if lengths:
        if not lengths[0].isdigit():
            raise WireError(f"Content-Length {lengths[0]!r}")
        length = int(lengths[0])
        if len(rest) < length:
            raise NeedMore
        return rest[:length], length
    if not ended:
        raise NeedMore
    return rest, len(rest)


def parse_chunks(rest):
    body, position = bytearray(), 0
    while True:
        end = rest.find(b"\r\n", position)
        if end < 0:
            raise NeedMore
        line = rest[position:end]
        if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
            raise WireError(f"bad chunk size {line!r} (RFC 9112 §7.1)")
        size, position = int(line, 16), end + 2
        if size == 0:
            end = rest.find(b"\r\n", position)
            while end > position:
                position = end + 2
                end = rest.find(b"\r\n", position)
            if end < 0:
                raise NeedMore
            return bytes(body), end + 2
        if len(rest) < position + size + 2:
            raise NeedMore
        body += rest[position:position + size]
        position += size
        if rest[position:position + 2] != b"\r\n":
            raise WireError("chunk data not followed by CRLF")
        position += 2


def parse_all(data, methods, ended=True):
    """All responses in `data`: the informational ones, and the final ones. `methods` are those of the requests."""
    informational, final = [], []
    position = 0
    while position < len(data):
        method = methods[min(len(final), len(methods) - 1)] if methods else "GET"
        try:
            response, used = parse_response(data[position:], method, ended)
        except NeedMore:
            raise WireError(f"an incomplete response at the end: {data[position:position + 120]!r}") from None
        position += used
        (informational if response.status < 200 else final).append(response)
    return informational, final
