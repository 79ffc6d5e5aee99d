"""Hand-made WebSocket frames (RFC 6455 §5.2), including those that no library would send."""

import base64
import hashlib
import os
import struct
import zlib

from wire import WireError, connect, read_response

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None, length_size=None):
    """A frame. `length` announces a length other than the payload's, and `length_size` (0, 2 or 8) forces the size
    of the extended length."""
    announced = len(payload) if length is None else length
    if length_size is None:
        length_size = 0 if announced < 126 else 2 if announced < 65536 else 8
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if length_size == 0:
        head = struct.pack("!BB", first, mask_bit | announced)
    elif length_size == 2:
        head = struct.pack("!BBH", first, mask_bit | 126, announced)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, announced)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


def mask(payload, key):
    if not payload:
        return b""
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def upgrade(authority, path="/ws", *fields, key=None, version="13", method="GET", http="HTTP/1.1", drop=()):
    """The bytes of an upgrade request without the fields in `drop`."""
    key = key if key is not None else base64.b64encode(os.urandom(16)).decode()
    standard = {"Host": authority, "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Version": version, "Sec-WebSocket-Key": key}
    lines = [f"{name}: {value}" for name, value in standard.items() if name not in drop]
    return f"{method} {path} {http}\r\n".encode() + "".join(f"{line}\r\n" for line in [*lines, *fields]).encode("latin-1") + b"\r\n"


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


class Peer:
    """A WebSocket client that sends and receives raw frames."""

    def __init__(self, server, path="/ws", *fields, behind=b"", timeout=10):
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection = connect(server.address, timeout)
        self.connection.sendall(upgrade(server.authority, path, *fields, key=key) + behind)
        self.response, self.data = read_response(self.connection, timeout=timeout)
        if self.response.status == 101 and self.response.get("sec-websocket-accept") != accept_of(key):
            raise WireError("wrong Sec-WebSocket-Accept")
        self.timeout = timeout
        self.inflater = zlib.decompressobj(-15)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, raw):
        """False if the server has closed the connection."""
        try:
            self.connection.sendall(raw)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _take(self, count):
        while len(self.data) < count:
            self.connection.settimeout(self.timeout)
            piece = self.connection.recv(1 << 20)
            if not piece:
                raise EOFError("closed")
            self.data += piece
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def read(self):
        """(fin, rsv, opcode, payload) of the next frame. Raises EOFError at the end of the stream."""
        first, second = self._take(2)
        if second & 0x80:
            raise WireError("the server masks (RFC 6455 §5.1)")
        length = second & 0x7f
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return bool(first & 0x80), first >> 4 & 7, first & 15, self._take(length)

    def message(self):
        """The payload of the next message, inflated if it is compressed. Skips control frames."""
        payload, compressed = b"", False
        while True:
            fin, rsv, opcode, piece = self.read()
            if opcode == CLOSE:
                raise WireError(f"closed with {struct.unpack('!H', piece[:2])[0] if len(piece) >= 2 else 1005}")
            if opcode >= CLOSE:
                continue
            compressed = compressed or rsv == 4
            payload += piece
            if fin:
                break
        if not compressed:
            return payload
        if "server_no_context_takeover" in (self.response.get("sec-websocket-extensions") or ""):
            self.inflater = zlib.decompressobj(-15)
        return self.inflater.decompress(payload + b"\0\0\xff\xff")

    def closing(self):
        """Reads to the end. Returns the close code (1005 if the frame has none, 1006 without a frame) and the frames
        before it. Fails if the server keeps the connection open."""
        frames, code = [], 1006
        try:
            while True:
                read = self.read()
                if read[2] == CLOSE and code == 1006:
                    code = struct.unpack("!H", read[3][:2])[0] if len(read[3]) >= 2 else 1005
                    self.send(close(code if code != 1005 else None))
                else:
                    frames.append(read)
        except (EOFError, ConnectionResetError):
            return code, frames
        except TimeoutError:
            raise WireError(f"still open (close frame: {code if code != 1006 else 'none'})") from None


def echoes(peer, *before, text=b"still here"):
    """None if the messages `before` are echoed, and then a new text; otherwise a problem."""
    peer.send(frame(TEXT, text))
    for expected in [*before, text]:
        got = peer.message()
        if got != expected:
            return f"{got[:40]!r} came back, expected {expected[:40]!r}"
    return None
