"""WebSocket over HTTP/2 (RFC 8441), by wsproto on the streams of the h2 library."""

import json
import time
import urllib.request

import h2.config
import h2.connection
import h2.events
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

import tls
from wire import connect


class Carrier:
    """One connection with many sockets."""

    def __init__(self, server):
        self.socket = connect(server.address, 20, protocol="h2")
        self.authority = server.authority
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.heads, self.data, self.ended, self.resets = {}, {}, set(), {}
        self.flush()
        self.until(lambda: self.http.remote_settings.enable_connect_protocol or None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.http.data_to_send())

    def until(self, ready, timeout=20):
        end = time.monotonic() + timeout
        while not ready():
            assert time.monotonic() < end, "nothing came"
            received = self.socket.recv(65536)
            assert received, "the connection closed"
            for event in self.http.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    self.heads[event.stream_id] = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.data.setdefault(event.stream_id, bytearray()).extend(event.data)
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.resets[event.stream_id] = event.error_code
            self.flush()

    def connect(self, path, fields=(), version="13", protocol="websocket"):
        stream = self.http.get_next_available_stream_id()
        head = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", tls.SCHEME), (":path", path), (":authority", self.authority)]
        if version:
            head.append(("sec-websocket-version", version))
        self.http.send_headers(stream, head + list(fields))
        self.flush()
        self.until(lambda: stream in self.heads or stream in self.resets)
        return stream, self.heads.get(stream, {})

    def send(self, stream, payload):
        while payload:
            room = min(self.http.local_flow_control_window(stream), 16_384, len(payload))
            if room == 0:
                before = self.http.local_flow_control_window(stream)
                self.until(lambda: self.http.local_flow_control_window(stream) > before)
                continue
            self.http.send_data(stream, payload[:room])
            payload = payload[room:]
            self.flush()


class WebSocket:
    def __init__(self, carrier, path, deflate=False, fields=()):
        self.carrier = carrier
        offer = PerMessageDeflate() if deflate else None
        more = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")] if deflate else []
        self.stream, self.head = carrier.connect(path, list(fields) + more)
        assert self.head.get(":status") == "200", self.head
        if offer:
            offer.finalize(self.head["sec-websocket-extensions"])
        self.protocol = Connection(ConnectionType.CLIENT, [offer] if offer else [])
        self.taken = 0

    def send(self, event):
        self.carrier.send(self.stream, self.protocol.send(event))

    def next(self):
        whole = b""
        while True:
            for event in self.protocol.events():
                if isinstance(event, (TextMessage, BytesMessage)):
                    whole += event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
                    if event.message_finished:
                        return whole
                else:
                    return event
            have = self.carrier.data.setdefault(self.stream, bytearray())
            self.carrier.until(lambda: len(have) > self.taken or self.stream in self.carrier.ended)
            if len(have) == self.taken:
                return None
            self.protocol.receive_data(bytes(have[self.taken:]))
            self.taken = len(have)


def echoes(server, path, deflate=False):
    with Carrier(server) as carrier:
        socket = WebSocket(carrier, path, deflate)
        for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
            text = ("héllo " * (size // 6 + 1))[:size]
            socket.send(TextMessage(text))
            if socket.next() != text.encode():
                return f"{size} characters"
            socket.send(BytesMessage(bytes(range(256)) * (size // 256 + 1)))
            if socket.next() != bytes(range(256)) * (size // 256 + 1):
                return f"{size} bytes"
        socket.send(Ping(b"are you there"))
        pong = socket.next()
        if not isinstance(pong, Pong) or bytes(pong.payload) != b"are you there":
            return f"{pong}"
        socket.send(CloseConnection(1000, "bye"))
        close = socket.next()
        carrier.until(lambda: socket.stream in carrier.ended)
        return None if isinstance(close, CloseConnection) and close.code == 1000 else f"{close}"


def together(server):
    """Twenty sockets and a page share one connection."""
    with Carrier(server) as carrier:
        open = [WebSocket(carrier, path, path == "/wsd") for path in ("/ws", "/wsd", "/wsh", "/wsdd") for _ in range(5)]
        for number, socket in enumerate(open):
            socket.send(TextMessage(f"message {number}"))
        for number, socket in enumerate(open):
            if socket.next() != f"message {number}".encode():
                return f"socket {number}"
        stats = json.loads(urllib.request.urlopen(f"{server.url}/stats", context=tls.client_context()).read())
        # The other connection is the one that asks.
        return None if (stats["sockets"], stats["connections"]) == (20, 2) else f"{stats}"


def rooms(server):
    """A topic reaches sockets of both carriers."""
    from websockets.sync.client import connect
    scheme, options = ("wss", {"ssl": tls.client_context()}) if tls.IS_TLS else ("ws", {})
    with Carrier(server) as carrier, connect(f"{scheme}://{server.authority}/sub", **options) as other:
        socket = WebSocket(carrier, "/sub")
        urllib.request.urlopen(f"{server.url}/bcast", context=tls.client_context()).read()
        first, second = socket.next(), other.recv(timeout=20)
        return None if first == second.encode() and len(first) == 100 else f"{first} {second}"


def rejected(server, path, status, **how):
    with Carrier(server) as carrier:
        _, head = carrier.connect(path, **how)
        return None if head.get(":status") == status else f"{head}"


def reset(server):
    """A reset of the client ends the socket, and only it."""
    with Carrier(server) as carrier:
        one, two = WebSocket(carrier, "/ws"), WebSocket(carrier, "/ws")
        carrier.http.reset_stream(one.stream, 8)
        carrier.flush()
        two.send(TextMessage("still here"))
        return None if two.next() == b"still here" else "the other socket ended"


def violation(server):
    """A frame that is not masked closes the socket with 1002."""
    with Carrier(server) as carrier:
        socket = WebSocket(carrier, "/ws")
        carrier.send(socket.stream, b"\x81\x02hi")
        close = socket.next()
        carrier.until(lambda: socket.stream in carrier.ended or socket.stream in carrier.resets)
        return None if isinstance(close, CloseConnection) and close.code == 1002 else f"{close}"


def checks():
    for path in ("/ws", "/wsh"):
        yield f"RFC 8441 {path}: messages of all sizes", lambda server, path=path: echoes(server, path)
    for path in ("/wsd", "/wsdd"):
        yield f"RFC 8441 {path}: messages of all sizes, compressed", lambda server, path=path: echoes(server, path, True)
    yield "RFC 8441 a topic reaches sockets of both carriers", rooms
    yield "RFC 8441 a reset ends one socket", reset
    yield "RFC 8441 a violation closes with 1002", violation
    yield "RFC 8441 a foreign origin", lambda server: rejected(server, "/ws", "403", fields=[("origin", "http://evil.example")])
    yield "RFC 8441 another version", lambda server: rejected(server, "/ws", "426", version="12")
    yield "RFC 8441 no such path", lambda server: rejected(server, "/nothing", "404")
    yield "RFC 8441 refused by the application", lambda server: rejected(server, "/wsauth", "401")
    yield "RFC 8441 another protocol", lambda server: rejected(server, "/ws", "501", protocol="connect-udp")
