"""Exchanges in which the time or the order of reading and writing matters."""

import socket
import time

from server import Server, StartError
from table import HOST, PROBE, get, post, request
from wire import connect, read_response, read_until_closed

#: How long to wait before concluding that the server sends nothing.
QUIET = 0.4
#: A stalled head gets 408 or a close after 10 s, a stalled body after 20 s, plus some seconds for a busy machine.
HEAD_TIMEOUT = 10 + 5
BODY_TIMEOUT = 20 + 8


def silent(connection, seconds=QUIET):
    """None if the server sends nothing for a while, otherwise a problem."""
    connection.settimeout(seconds)
    try:
        data = connection.recv(1000)
    except TimeoutError:
        return None
    return f"expected to wait, got {data[:100]!r}"


def continue_is_sent(server):
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Content-Length: 5", "Expect: 100-continue"))
        interim, rest = read_response(connection)
        if interim.status != 100:
            return f"expected 100, got {interim.status}"
        connection.sendall(b"hello" + PROBE)
        response, rest = read_response(connection, data=rest)
        following, _ = read_response(connection, data=rest)
        if (response.status, response.body, following.status) != (200, b"5", 200):
            return f"{response.status} {response.body!r}, then {following.status}"
    return None


def continue_is_sent_for_chunked(server):
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Transfer-Encoding: chunked", "Expect: 100-continue"))
        interim, rest = read_response(connection)
        if interim.status != 100:
            return f"expected 100, got {interim.status}"
        connection.sendall(b"5\r\nhello\r\n0\r\n\r\n")
        response, _ = read_response(connection, data=rest)
        return None if response.body == b"5" else f"{response.status} {response.body!r}"


def no_continue(statuses, raw):
    def body(server):
        with connect(server.address) as connection:
            connection.sendall(raw)
            response, _ = read_response(connection, method=raw.split(b" ")[0].decode())
            return None if response.status in statuses else f"expected {statuses} at once, got {response.status}"
    return body


def no_continue_in_1_0(server):
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Content-Length: 5", "Expect: 100-continue", version="HTTP/1.0"))
        if problem := silent(connection):
            return problem
        connection.sendall(b"hello")
        response, _ = read_response(connection)
        return None if response.body == b"5" else f"{response.status}"


def waits(raw):
    """An incomplete message gets no response."""
    def body(server):
        with connect(server.address) as connection:
            connection.sendall(raw)
            return silent(connection)
    return body


def ends(raw, statuses, within):
    """A stalled message gets one of the statuses, or a close, in time."""
    def body(server):
        with connect(server.address) as connection:
            started = time.monotonic()
            connection.sendall(raw)
            data, ended = read_until_closed(connection, within)
            took = time.monotonic() - started
            if not ended:
                return f"still open after {took:.0f} s"
            if took < 1:
                return f"closed too early, after {took:.2f} s"
            if data and int(data[9:12]) not in statuses:
                return f"answered {data[:40]!r}"
            return None
    return body


def head_drips(server):
    """Sending one byte per second does not extend the timeout of a head."""
    with connect(server.address) as connection:
        connection.sendall(b"GET /plaintext HTTP/1.1\r\n")
        started = time.monotonic()
        connection.settimeout(1)
        while time.monotonic() - started < HEAD_TIMEOUT:
            try:
                connection.sendall(b"X")
                data = connection.recv(1000)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return None
            return None if not data or data.startswith(b"HTTP/1.1 408") else f"answered {data[:40]!r}"
        return f"still open after {HEAD_TIMEOUT} s"


def responds_after_half_close(server):
    with connect(server.address) as connection:
        connection.sendall(get("/slow/200"))
        connection.shutdown(socket.SHUT_WR)
        data, ended = read_until_closed(connection)
        return None if ended and data.endswith(b"done") else f"{data[:80]!r} ended={ended}"


def closes_after_half_close_inside(raw):
    def body(server):
        with connect(server.address) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            data, ended = read_until_closed(connection, 5)
            if not ended:
                return "still open after the client closed its side"
            return None if not data or data[9:12] in (b"400", b"408") else f"answered {data[:60]!r}"
    return body


def over_the_limit_is_rejected_while_it_arrives(server):
    """A chunked body over the limit is rejected before all of it is read."""
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        sent = 0
        try:
            while sent < 64 << 20:
                connection.sendall(chunk)
                sent += 0x10000
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        data, _ = read_until_closed(connection, 5)
        if sent >= 64 << 20 and not data.startswith(b"HTTP/1.1 413"):
            return f"accepted 64 MiB, then {data[:40]!r}"
        return None if not data or data.startswith(b"HTTP/1.1 413") else f"answered {data[:40]!r}"


def echo_streams(server):
    """The first bytes of the echo arrive before the last bytes of the body are sent."""
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Transfer-Encoding: chunked", "Content-Type: text/plain", target="/echo") + b"5\r\nhello\r\n")
        data = b""
        connection.settimeout(5)
        while b"hello" not in data:
            data += connection.recv(1000)
        connection.sendall(b"5\r\nworld\r\n0\r\n\r\n")
        response, _ = read_response(connection, data=data)
        if response.get("content-type") != "text/plain":
            return f"Content-Type is {response.get('content-type')}"
        return None if response.body == b"helloworld" else f"{response.body!r}"


def a_bad_chunk_ends_an_echo(server):
    """A stream that fails in the middle closes without the last chunk (RFC 9112 §8)."""
    with connect(server.address) as connection:
        connection.sendall(post(b"", "Transfer-Encoding: chunked", target="/echo") + b"5\r\nhello\r\n")
        time.sleep(0.1)
        connection.sendall(b"x\r\n" + PROBE)
        data, ended = read_until_closed(connection, 5)
        if not ended:
            return "still open"
        if data.startswith(b"HTTP/1.1 400"):
            return None
        if data.count(b"HTTP/1.1") != 1:
            return "the rest was parsed as a request"
        return "looks complete" if data.endswith(b"0\r\n\r\n") else None


def many_unread_responses_cost_little(server):
    """A client that sends requests and never reads gets backpressure."""
    before = server.resident_bytes()
    with connect(server.address) as connection:
        connection.setblocking(False)
        burst = get("/stream") * 200
        sent, deadline = 0, time.monotonic() + 3
        while sent < 64 << 20 and time.monotonic() < deadline:
            try:
                sent += connection.send(burst)
            except BlockingIOError:
                time.sleep(0.01)
            except (BrokenPipeError, ConnectionResetError):
                break
        grown = server.resident_bytes() - before
        return f"grew by {grown >> 20} MiB after {sent >> 20} MiB of requests" if grown > 16 << 20 else None


def checks():
    yield "RFC 9110 §10.1.1 100 before the body is sent", continue_is_sent
    yield "RFC 9110 §10.1.1 100 before a chunked body is sent", continue_is_sent_for_chunked
    yield "RFC 9110 §10.1.1 no 100 to HTTP/1.0", no_continue_in_1_0
    large = f"Content-Length: {(16 << 20) + 1}"
    yield "RFC 9110 §15.5.14 413 without a 100", no_continue((413,), post(b"", large, "Expect: 100-continue", target="/echo"))
    yield "RFC 9110 §10.1.1 404 without a 100", no_continue((404,), post(b"", "Content-Length: 5", "Expect: 100-continue", target="/no/such"))
    yield "RFC 9110 §10.1.1 405 without a 100", no_continue((405,), post(b"", "Content-Length: 5", "Expect: 100-continue", target="/plaintext"))
    yield "RFC 9110 §10.1.1 417 before the body is sent", no_continue((417,), post(b"", "Content-Length: 5", "Expect: x"))
    yield "RFC 9112 §6.3 waits for the rest of a body", waits(post(b"hell", "Content-Length: 5"))
    yield "RFC 9112 §7.1 waits for the last chunk", waits(post(b"5\r\nhello\r\n", "Transfer-Encoding: chunked"))
    yield "RFC 9112 §7.1 waits for the end of the trailers", waits(post(b"5\r\nhello\r\n0\r\n", "Transfer-Encoding: chunked"))
    yield "RFC 9112 §2.1 waits for the end of the head", waits(b"GET /plaintext HTTP/1.1\r\n" + HOST)
    yield "RFC 9112 §2.2 waits after CR", waits(b"GET /plaintext HTTP/1.1\r\n" + HOST + b"\r")
    yield "RFC 9112 §8 end of stream inside a line", closes_after_half_close_inside(b"GET /pla")
    yield "RFC 9112 §8 end of stream inside a head", closes_after_half_close_inside(b"GET /plaintext HTTP/1.1\r\n" + HOST)
    yield "RFC 9112 §8 end of stream inside a body", closes_after_half_close_inside(post(b"hell", "Content-Length: 5"))
    yield "RFC 9112 §8 end of stream inside a chunk", closes_after_half_close_inside(post(b"5\r\nhel", "Transfer-Encoding: chunked"))
    yield "RFC 9112 §8 end of stream before a request", closes_after_half_close_inside(b"")
    yield "RFC 9112 §9.6 responds to a client that has closed its side", responds_after_half_close
    yield "RFC 9110 §15.5.14 a chunked body over the limit", over_the_limit_is_rejected_while_it_arrives
    yield "RFC 9112 §7.1 /echo streams", echo_streams
    yield "RFC 9112 §8 a bad chunk ends an echo", a_bad_chunk_ends_an_echo
    yield "RFC 9110 §15.5.9 a head that stalls", ends(b"GET /plaintext HTTP/1.1\r\n", (408,), HEAD_TIMEOUT)
    yield "RFC 9110 §15.5.9 a silent connection", ends(b"", (408,), HEAD_TIMEOUT)
    yield "RFC 9110 §15.5.9 a head that drips", head_drips
    yield "RFC 9110 §15.5.9 a body that stalls", ends(post(b"hell", "Content-Length: 5"), (408,), BODY_TIMEOUT)
    yield "RFC 9110 §15.5.9 a chunked body that stalls", ends(post(b"5\r\nhel", "Transfer-Encoding: chunked"), (408,), BODY_TIMEOUT)


def drains_on_sigterm():
    """A request in flight finishes, an idle connection closes, new connections are not served, the exit code is 0."""
    with Server() as server, connect(server.address) as busy, connect(server.address) as idle:
        idle.sendall(get())
        read_response(idle)
        busy.sendall(get("/slow/1000"))
        time.sleep(0.3)
        server.terminate()
        started = time.monotonic()
        rest, ended = read_until_closed(idle, 5)
        if rest or not ended:
            return f"the idle connection got {rest[:60]!r}, ended={ended}"
        try:
            with connect(server.address, 1) as late:
                late.sendall(PROBE)
                data, _ = read_until_closed(late, 1)
                if data.startswith(b"HTTP/1.1 200"):
                    return "a new connection was served"
        except OSError:
            pass
        response, _ = read_response(busy)
        if response.body != b"done":
            return f"the request in flight got {response.status}"
        code = server.wait(10)
        took = time.monotonic() - started
        return None if code == 0 else f"exit code {code} after {took:.1f} s"


def drains_when_idle():
    with Server() as server:
        server.terminate()
        code = server.wait(10)
        return None if code == 0 else f"exit code {code}"


def port_in_use():
    with Server() as first:
        try:
            with Server(port=first.port, start_timeout=10):
                return "two servers listen on one port"
        except StartError as error:
            text = str(error).lower()
            if "ended with 0:" in text:
                return "exit code 0"
            return None if "use" in text or str(first.port) in text else f"the error does not say why: {error}"


def unread_responses():
    with Server() as server:
        return many_unread_responses_cost_little(server)


def body_limit_flag():
    with Server("--max-body", "10") as server, connect(server.address) as connection:
        connection.sendall(request("POST", "/echo", "Content-Length: 10", body=b"0123456789"))
        response, rest = read_response(connection)
        if response.body != b"0123456789":
            return f"10 bytes: {response.status}"
        connection.sendall(request("POST", "/echo", "Content-Length: 11", body=b"0123456789A"))
        response, _ = read_response(connection, data=rest)
        return None if response.status == 413 else f"11 bytes: {response.status}"


def own_server_checks():
    """Checks that stop their server or measure its memory. Each has its own server."""
    yield "SIGTERM: requests in flight finish, idle connections close, exit 0", drains_on_sigterm
    yield "SIGTERM without a connection: exit 0", drains_when_idle
    yield "a port in use ends the server with an error", port_in_use
    yield "--max-body", body_limit_flag
    yield "a client that never reads its responses", unread_responses
