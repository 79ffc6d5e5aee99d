"""A client of HTTP/2 that also does what no client should: frames as bytes, on a plain socket."""

import struct
import time

import hpack

import tls
from wire import connect

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4


def frame(type, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([type, flags]) + struct.pack(">I", stream) + payload


class Closed(Exception):
    pass


class Frame:
    def __init__(self, type, flags, stream, payload):
        self.type, self.flags, self.stream, self.payload = type, flags, stream, payload

    @property
    def ends(self):
        return self.type in (DATA, HEADERS) and self.flags & END_STREAM != 0

    @property
    def code(self):
        """The error code of RST_STREAM or GOAWAY."""
        return struct.unpack(">I", self.payload[4:8] if self.type == GOAWAY else self.payload[:4])[0]


class Peer:
    """`with Peer(server) as peer: peer.get(1, "/"); peer.response(1)`."""

    def __init__(self, server, settings=b"", preface=True, window=1 << 24, timeout=15, connection=None):
        self.socket = connection or connect(server.address, timeout, protocol="h2")
        self.authority = server.authority if server else "a.example"
        self.received = bytearray()
        self.frames = []
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        if preface:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
            if window:
                self.send(frame(WINDOW, 0, 0, struct.pack(">I", window)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def block(self, method, path, fields=(), scheme=tls.SCHEME, authority=None):
        head = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority or self.authority)]
        return self.encoder.encode(head + list(fields), huffman=True)

    def get(self, stream, path, fields=()):
        self.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, self.block("GET", path, fields)))

    def post(self, stream, path, fields=()):
        self.send(frame(HEADERS, END_HEADERS, stream, self.block("POST", path, fields)))

    def data(self, stream, data, end=False):
        self.send(frame(DATA, END_STREAM if end else 0, stream, data))

    def window(self, stream, increment):
        self.send(frame(WINDOW, 0, stream, struct.pack(">I", increment)))

    def reset(self, stream, code=8):
        self.send(frame(RST, 0, stream, struct.pack(">I", code)))

    def read(self, timeout=None):
        """The next frame. SETTINGS are acknowledged."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        while True:
            if len(self.received) >= 9:
                length = int.from_bytes(self.received[:3], "big")
                if len(self.received) >= 9 + length:
                    found = Frame(self.received[3], self.received[4],
                                  int.from_bytes(self.received[5:9], "big") & 0x7FFFFFFF, bytes(self.received[9:9 + length]))
                    del self.received[:9 + length]
                    if found.type == HEADERS:
                        found.fields = self.decoder.decode(found.payload)
                    if found.type == SETTINGS and not found.flags & 1:
                        try:
                            self.send(frame(SETTINGS, 1, 0))
                        except OSError:
                            # The server may have closed its side, and what it sent before is still to be read.
                            pass
                    self.frames.append(found)
                    return found
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Closed("reset") from error
            if not more:
                raise Closed("closed")
            self.received += more

    def until(self, wanted, timeout=15):
        """Reads on until a frame that is `wanted`."""
        end = time.monotonic() + timeout
        while True:
            found = self.read(max(0.01, end - time.monotonic()))
            if wanted(found):
                return found

    def response(self, stream, timeout=15):
        """Status, fields and content of a response, to the end of its stream."""
        status, fields, content = None, [], b""
        while True:
            found = self.until(lambda one: one.stream == stream and one.type in (DATA, HEADERS, RST), timeout)
            if found.type == RST:
                raise AssertionError(f"the stream was reset with {found.code}")
            if found.type == HEADERS:
                values = dict(found.fields)
                if ":status" in values and values[":status"][0] != "1":
                    status, fields = int(values[":status"]), found.fields
            else:
                content += found.payload
                if found.payload:
                    self.window(stream, len(found.payload)) if not found.ends else None
            if found.ends:
                return status, fields, content

    def end_code(self, timeout=15):
        """The code of the GOAWAY with which the server ends the connection; None if it goes on."""
        try:
            end = time.monotonic() + timeout
            code = None
            while True:
                found = self.read(max(0.01, end - time.monotonic()))
                if found.type == GOAWAY:
                    code = found.code
        except Closed:
            return code
        except socket.timeout:
            return code if code is not None else None
