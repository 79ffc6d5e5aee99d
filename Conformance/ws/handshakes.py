"""The opening handshake (RFC 6455 §4.2) and the negotiation of deflate (RFC 7692 §7.1)."""

import base64
import os
import re
import time
import zlib

from frames import TEXT, Peer, accept_of, echoes, frame, upgrade
import tls
from wire import connect, read_response

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def refused(statuses, request_of, also=None):
    """The request gets an ordinary HTTP response."""
    def check(server):
        with connect(server.address) as connection:
            raw = request_of(server)
            connection.sendall(raw)
            response, _ = read_response(connection, method=raw.split(b" ")[0].decode())
            if response.status not in statuses:
                return f"answered {response.status}, expected {statuses}"
            return also(response) if also else None
    return check


def accepted(request_of, also=None):
    def check(server):
        with connect(server.address) as connection:
            connection.sendall(request_of(server) + frame(TEXT, b"hello"))
            response, rest = read_response(connection)
            if response.status != 101:
                return f"answered {response.status}"
            while len(rest) < 7:
                piece = connection.recv(100)
                if not piece:
                    return "closed"
                rest += piece
            if rest != b"\x81\x05hello":
                return f"got {rest!r}"
            return also(response) if also else None
    return check


def names_version(response):
    return None if "13" in (response.get("sec-websocket-version") or "") else "no Sec-WebSocket-Version: 13 (RFC 6455 §4.4)"


def request(*fields, path="/ws", **more):
    return lambda server: upgrade(server.authority, path, *fields, **more)


def refusals():
    for version in ("0", "7", "8", "12", "14", "99", "256", "x"):
        yield f"§4.4 version {version}", refused((400, 426) if version in ("x", "256") else (426,), request(version=version),
                                                names_version if version not in ("x", "256") else None)
    yield "§4.2.1 no version", refused((400, 426), request(drop=("Sec-WebSocket-Version",)))
    yield "§4.2.1 two versions", refused((400, 426), request("Sec-WebSocket-Version: 8"))
    yield "§4.2.1 no key", refused((400,), request(drop=("Sec-WebSocket-Key",)))
    for name, key in [("an empty key", ""), ("15 bytes", base64.b64encode(os.urandom(15)).decode()), ("17 bytes", base64.b64encode(os.urandom(17)).decode()),
                      ("no base64", "!!!!!!!!!!!!!!!!!!!!!!=="), ("base64 without padding", KEY[:-2]), ("a list", f"{KEY}, {KEY}")]:
        yield f"§4.2.1 key: {name}", refused((400,), request(key=key))
    yield "§4.2.1 two keys", refused((400,), request(f"Sec-WebSocket-Key: {KEY}"))
    yield "§4.2.1 POST", refused((400, 404, 405, 426), request("Content-Length: 0", method="POST"))
    yield "§4.2.1 HEAD", refused((400, 404, 405, 426), request(method="HEAD"))
    yield "§4.2.1 HTTP/1.0", refused((400, 426, 505), request(http="HTTP/1.0"))
    yield "§4.2.1 no Host", refused((400,), request(drop=("Host",)))
    yield "§4.2.1 no Upgrade", refused((400, 404, 426), request(drop=("Upgrade",)))
    yield "§4.2.1 no Connection", refused((400, 404, 426), request(drop=("Connection",)))
    yield "§4.2.1 Connection: keep-alive", refused((400, 404, 426), request("Connection: keep-alive", drop=("Connection",)))
    yield "§4.2.1 Upgrade to something else", refused((400, 404, 426), request("Upgrade: h2c", drop=("Upgrade",)))
    yield "an ordinary GET", refused((400, 404, 426), request(drop=("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")))
    yield "an upgrade of an unknown path", refused((404,), request(path="/no/such/socket"))
    old = ("Sec-WebSocket-Key", "Sec-WebSocket-Version")
    yield "draft 76", refused((400, 426), request("Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00", drop=old))
    yield "draft 76 with its eight bytes of body", refused(
        (400, 426), lambda server: upgrade(server.authority, "/ws", "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
                                           "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00", drop=old) + b"^n:ds[4U")
    for origin in ("http://evil.example", "null", "https://localhost.evil.example", "file://", "http://", "x", "http://127.0.0.1:1"):
        yield f"§10.2 Origin {origin}", refused((403,), request(f"Origin: {origin}"))
    yield "§10.2 Origin: the host with another port", refused((403,), lambda server: upgrade(server.authority, "/ws", f"Origin: http://{server.host}:{server.port + 1}"))
    yield "§10.2 Origin: the host as a prefix", refused((403,), lambda server: upgrade(server.authority, "/ws", f"Origin: http://{server.authority}.evil.example"))
    yield "§10.2 Origin: the host as userinfo", refused((403,), lambda server: upgrade(server.authority, "/ws", f"Origin: http://{server.authority}@evil.example"))
    yield "/wsauth without the token", refused((401,), request(path="/wsauth"))
    yield "/wsauth with another token", refused((401,), request(path="/wsauth?token=x"))


def acceptances():
    yield "§4.2.2 a plain handshake", accepted(request())
    yield "§1.3 the example's key", accepted(request(key=KEY), lambda response: None if response.get("sec-websocket-accept") == accept_of(KEY) else "wrong accept")
    yield "§4.2.1 Upgrade: WebSocket", accepted(request("Upgrade: WebSocket", drop=("Upgrade",)))
    yield "§4.2.1 Connection: keep-alive, Upgrade", accepted(request("Connection: keep-alive, Upgrade", drop=("Connection",)))
    yield "§4.2.1 Connection: UPGRADE", accepted(request("Connection: UPGRADE", drop=("Connection",)))
    yield "§4.2.1 Connection on two lines", accepted(request("Connection: keep-alive", "Connection: upgrade", drop=("Connection",)))
    yield "§10.2 the same Origin", accepted(lambda server: upgrade(server.authority, "/ws", f"Origin: {tls.SCHEME}://{server.authority}"))
    yield "§4.2.2 with a query", accepted(request(path="/ws?a=b"))
    yield "/wsauth with the token", accepted(request(path="/wsauth?token=letmein"))
    yield "/wsh", accepted(request(path="/wsh"))
    yield "RFC 7692 /ws offers no extension", accepted(
        request("Sec-WebSocket-Extensions: permessage-deflate"), lambda response: "an extension" if response.get("sec-websocket-extensions") else None)
    for asked, chosen in [(["echo.v1"], "echo.v1"), (["echo.v2"], "echo.v2"), (["x, echo.v2"], "echo.v2"), (["x"], None), (["x", "echo.v1"], "echo.v1"),
                          (["ECHO.V1"], None)]:
        yield f"§4.2.2 subprotocols {asked}", accepted(
            request(*(f"Sec-WebSocket-Protocol: {value}" for value in asked)),
            lambda response, chosen=chosen: None if response.get("sec-websocket-protocol") == chosen else f"chose {response.get('sec-websocket-protocol')}")


def after_requests(request_of, methods, pause):
    """The upgrade is a later request on the connection."""
    def check(server):
        with connect(server.address) as connection:
            data = b""
            if not pause:
                connection.sendall(request_of(server) + upgrade(server.authority, key=KEY) + frame(TEXT, b"hello"))
            else:
                connection.sendall(request_of(server))
            for method in methods:
                response, data = read_response(connection, method=method, data=data)
                if response.status != 200:
                    return f"answered {response.status} before the upgrade"
            if pause:
                connection.sendall(upgrade(server.authority, key=KEY) + frame(TEXT, b"hello"))
            response, data = read_response(connection, data=data)
            if response.status != 101:
                return f"the upgrade was answered {response.status}"
            while len(data) < 7:
                piece = connection.recv(100)
                if not piece:
                    return "closed"
                data += piece
            return None if data == b"\x81\x05hello" else f"got {data!r}"
    return check


def plain(count):
    return lambda server: f"GET /plaintext HTTP/1.1\r\nHost: {server.authority}\r\n\r\n".encode() * count


def with_body(server):
    return f"POST /collect HTTP/1.1\r\nHost: {server.authority}\r\nContent-Length: 5\r\n\r\nhello".encode()


def later_requests():
    yield "the third request of a connection", after_requests(plain(2), ["GET"] * 2, True)
    yield "pipelined behind two requests", after_requests(plain(2), ["GET"] * 2, False)
    yield "behind a request with a body", after_requests(with_body, ["POST"], True)
    yield "pipelined behind a request with a body", after_requests(with_body, ["POST"], False)
    yield "after a refused upgrade", after_refusal
    yield "many frames in the segment of the handshake", many_frames_at_once
    yield "the handshake byte by byte", byte_by_byte


def after_refusal(server):
    with connect(server.address) as connection:
        connection.sendall(upgrade(server.authority, version="8"))
        response, rest = read_response(connection)
        if response.status != 426:
            return f"answered {response.status}"
        if "close" in (response.get("connection") or "").lower():
            return None
        connection.sendall(upgrade(server.authority))
        response, _ = read_response(connection, data=rest)
        return None if response.status == 101 else f"then {response.status}"


def many_frames_at_once(server):
    behind = b"".join(frame(TEXT, str(index).encode()) for index in range(200))
    with Peer(server, "/ws", behind=behind) as peer:
        for index in range(200):
            if peer.read()[3] != str(index).encode():
                return f"message {index} is not the {index}th"
    return None


def byte_by_byte(server):
    with connect(server.address) as connection:
        for byte in upgrade(server.authority) + frame(TEXT, b"hello"):
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        response, rest = read_response(connection)
        while len(rest) < 7:
            rest += connection.recv(100) or b"closed!"
        return None if response.status == 101 and rest == b"\x81\x05hello" else f"{response.status} {rest!r}"


#: Offers of RFC 7692 §7.1, and whether deflate is negotiated (None: either).
OFFERS = [
    ("permessage-deflate", True),
    ("permessage-deflate; server_no_context_takeover", True),
    ("permessage-deflate; client_no_context_takeover", True),
    ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", True),
    ("permessage-deflate; client_max_window_bits", True),
    ("permessage-deflate; server_max_window_bits=8", None),
    *((f"permessage-deflate; server_max_window_bits={bits}", True) for bits in range(9, 16)),
    *((f"permessage-deflate; client_max_window_bits={bits}", True) for bits in range(9, 16)),
    ("permessage-deflate; client_max_window_bits=8", None),
    ("permessage-deflate; server_max_window_bits=10; client_max_window_bits=12; server_no_context_takeover; client_no_context_takeover", True),
    ('permessage-deflate; server_max_window_bits="10"', True),
    ("permessage-deflate; server_max_window_bits", False),
    *((f"permessage-deflate; server_max_window_bits={value}", False) for value in ("7", "16", "0", "-9", "010", "9.5", "x", "99999999999999999999")),
    *((f"permessage-deflate; client_max_window_bits={value}", False) for value in ("7", "16", "0", "-9", "010", "x")),
    ("permessage-deflate; server_no_context_takeover=1", False),
    ("permessage-deflate; client_no_context_takeover=true", False),
    ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", False),
    ("permessage-deflate; server_max_window_bits=10; server_max_window_bits=11", False),
    ("permessage-deflate; unknown", False),
    ("permessage-deflate; unknown=1", False),
    ("permessage-deflate; unknown, permessage-deflate", True),
    ("permessage-deflate; server_max_window_bits=99, permessage-deflate; client_max_window_bits", True),
    ("permessage-deflate, permessage-deflate", True),
    ("x-webkit-deflate-frame", False),
    ("x-webkit-deflate-frame, permessage-deflate", True),
    ("foo; bar=baz, permessage-deflate", True),
    ("permessage-bzip2", False),
    # Malformed offers are declined (RFC 7692 §5.1), and the next one is considered.
    *((offer + rest, bool(rest)) for rest in ("", ", permessage-deflate") for offer in (
        "permessage-deflate; server_max_window_bits=", "permessage-deflate; server_max_window_bits=1 0",
        "permessage-deflate; client_max_window_bits=", "permessage-deflate; server_no_context_takeover=",
        '"permessage-deflate"', "permessage-deflate;", "permessage-deflate; =1", 'x; a="b, c"', 'x; a="b, permessage-deflate"')),
]


def negotiated(path, offer, agreed):
    def check(server):
        with Peer(server, path, f"Sec-WebSocket-Extensions: {offer}") as peer:
            if peer.response.status != 101:
                return f"answered {peer.response.status}: an offer may be declined, not the connection"
            response = ", ".join(peer.response.all("sec-websocket-extensions"))
            if agreed is not None and bool(response) != agreed:
                return f"answered {response!r}"
            if not response:
                return echoes(peer)
            return legal_response(response, offer) or compressed_echo(peer, response)
    return check


def legal_response(response, offer):
    """RFC 7692 §7.1: one extension, each parameter once, nothing that was not offered."""
    name, *parameters = [part.strip() for part in response.split(";")]
    if "," in response or name != "permessage-deflate":
        return f"answered {response!r}"
    names = [parameter.split("=")[0] for parameter in parameters]
    if len(set(names)) != len(names):
        return f"a parameter twice: {response!r}"
    for parameter in parameters:
        if not re.fullmatch(r'(server|client)_no_context_takeover|(server|client)_max_window_bits="?(8|9|1[0-5])"?', parameter):
            return f"illegal parameter {parameter!r}"
    if "client_max_window_bits" in names and "client_max_window_bits" not in offer:
        return "client_max_window_bits was not offered (§7.1.2.2)"
    if offer.count("permessage-deflate") > 1:
        return None
    if "server_no_context_takeover" in offer and "server_no_context_takeover" not in names:
        return "server_no_context_takeover is not confirmed (§7.1.1.1)"
    if asked := re.search(r'server_max_window_bits="?(\d+)', offer):
        given = re.search(r'server_max_window_bits="?(\d+)', response)
        if not given or int(given.group(1)) > int(asked.group(1)):
            return f"server_max_window_bits={asked.group(1)} is not honoured: {response!r} (§7.1.2.1)"
    return None


def compressed_echo(peer, response):
    """Echoes messages with the negotiated parameters, and inflates them with the negotiated window."""
    server_bits = int((re.search(r'server_max_window_bits="?(\d+)', response) or [0, 15])[1])
    client_bits = int((re.search(r'client_max_window_bits="?(\d+)', response) or [0, 15])[1])
    inflater = zlib.decompressobj(-server_bits)
    deflater = zlib.compressobj(6, zlib.DEFLATED, -max(9, client_bits))
    for round_ in range(3):
        text = (f"round {round_} " + "what was said before is said again " * 2000).encode()
        if "client_no_context_takeover" in response:
            deflater = zlib.compressobj(6, zlib.DEFLATED, -max(9, client_bits))
        peer.send(frame(TEXT, (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv=4))
        got, compressed = b"", False
        while True:
            fin, rsv, opcode, payload = peer.read()
            if opcode == 8:
                return f"closed with {payload[:2].hex()}"
            compressed = compressed or rsv == 4
            got += payload
            if fin:
                break
        if "server_no_context_takeover" in response:
            inflater = zlib.decompressobj(-server_bits)
        if compressed:
            got = inflater.decompress(got + b"\0\0\xff\xff")
        elif round_ == 0 and server_bits > 8:
            # zlib cannot compress with a window of 8 bits, so a server on zlib sends long messages uncompressed.
            return "70 KB of repetition came back uncompressed"
        if got != text:
            return f"round {round_}: {len(got)} bytes, expected {len(text)}"
    return None


def checks():
    for group in (refusals, acceptances):
        for name, body in group():
            yield f"handshake RFC 6455 {name}" if name.startswith("§") else f"handshake {name}", body
    for name, body in later_requests():
        yield f"handshake: {name}", body
    for path in ("/wsd", "/wsdd"):
        for offer, agreed in OFFERS:
            yield f"RFC 7692 §7.1 {path} {offer}", negotiated(path, offer, agreed)
