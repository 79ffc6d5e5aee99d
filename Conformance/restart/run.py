"""A server that is replaced ten times under load: no request is refused, reset or left without its response.

This program holds the listening socket, as systemd does. Clients speak HTTP/1.1 and HTTP/2, with and without TLS, on
connections that they keep and on new ones.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http2"))

import tls
from peer import DATA, GOAWAY, PING, RST, Peer, frame
from server import command
from tally import Tally
from wire import read_response, read_until_closed

RESTARTS = 10
BODY = os.urandom(10_000)


class Program:
    """A server on a socket that it was given."""

    def __init__(self, arguments, **options):
        self.process = subprocess.Popen(
            command() + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        self.output = bytearray()
        self.listening = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.output += line
            if b"listening on" in line:
                self.listening.set()

    def wait_until_listening(self):
        assert self.listening.wait(20), f"it does not listen: {self.output.decode(errors='replace')}"

    def end(self):
        """SIGTERM. Returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Load:
    """Clients that go on until they are stopped, and count."""

    def __init__(self, address, secure):
        self.address, self.secure = address, secure
        self.stopped = threading.Event()
        self.done, self.connections, self.failures = 0, 0, []
        self.lock = threading.Lock()
        clients = [self.kept, self.kept, self.new, self.new, self.http2, self.http2]
        self.threads = [threading.Thread(target=self.guard, args=(client,)) for client in clients]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def guard(self, client):
        while not self.stopped.is_set():
            try:
                client()
            except Exception as error:
                with self.lock:
                    self.failures.append(f"{client.__name__}: {type(error).__name__} {error}")

    def count(self):
        with self.lock:
            self.done += 1

    def connect(self, protocol="http/1.1"):
        connection = socket.create_connection(self.address, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
        return tls.Connection(connection, tls.client_context([protocol])) if self.secure else connection

    def requests(self):
        yield "GET", b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", b"Hello, World!"
        yield "POST", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY, BODY
        yield "GET", b"GET /slow/50 HTTP/1.1\r\nHost: a\r\n\r\n", b"done"

    def exchange(self, connection, method, request, expected):
        connection.sendall(request)
        response, rest = read_response(connection, method, 60)
        assert response.status == 200 and response.body == expected and not rest, f"{response.status} {response.body[:40]!r}"
        self.count()
        return response.get("connection") == "close"

    def kept(self):
        """One connection until the server says that it closes."""
        with self.connect() as connection:
            while not self.stopped.is_set():
                for request in self.requests():
                    if self.exchange(connection, *request):
                        return

    def new(self):
        """A connection for each request."""
        for request in self.requests():
            with self.connect() as connection:
                self.exchange(connection, *request)

    def http2(self):
        """One connection until GOAWAY, with three requests at a time."""
        with self.connect("h2") as connection:
            peer = Peer(None, connection=connection)
            stream, goes = 1, False
            while not goes and not self.stopped.is_set():
                waiting = {}
                for path, expected in (("/plaintext", b"Hello, World!"), ("/slow/50", b"done"), ("/stream", None)):
                    peer.get(stream, path)
                    waiting[stream] = (bytearray(), expected)
                    stream += 2
                while waiting:
                    found = peer.read(60)
                    if found.type == PING and not found.flags & 1:
                        peer.send(frame(PING, 1, 0, found.payload))
                    elif found.type == GOAWAY:
                        last = int.from_bytes(found.payload[:4], "big")
                        assert found.code == 0 and all(one <= last for one in waiting), f"GOAWAY {found.code}, last {last}, waiting {list(waiting)}"
                        goes = True
                    assert found.type != RST, f"stream reset with {found.code}"
                    if found.stream not in waiting:
                        continue
                    if found.type == DATA:
                        waiting[found.stream][0].extend(found.payload)
                    if found.ends:
                        content, expected = waiting.pop(found.stream)
                        assert expected is None or content == expected, f"{bytes(content[:40])!r}"
                        self.count()


def restarted(secure, overlapping):
    """Replaces the server ten times: the new one begins before the old one ends, or behind its end."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        os.set_inheritable(listener.fileno(), True)
        flags = ["--drain", "20", "--listen", f"{'tls:' if secure else ''}fd:{listener.fileno()}", *(tls.flags() if secure else ["--h2c"])]

        def start():
            program = Program(flags, pass_fds=[listener.fileno()])
            program.wait_until_listening()
            return program

        current = start()
        load = Load(listener.getsockname(), secure)
        codes, gaps = [], []
        try:
            time.sleep(0.5)
            for _ in range(RESTARTS):
                old = current
                if overlapping:
                    current = start()
                    time.sleep(0.2)
                begin = time.monotonic()
                codes.append(old.end())
                gaps.append(time.monotonic() - begin)
                if not overlapping:
                    current = start()
                time.sleep(0.3)
        finally:
            load.stop()
            codes.append(current.end())
        print(f"{'TLS' if secure else 'plain'}, {'overlapping' if overlapping else 'one after the other'}: "
              f"{load.done} requests on {load.connections} connections, {len(load.failures)} lost, the old server ended after {max(gaps):.1f} s at most")
        assert not load.failures, f"{len(load.failures)} of {load.done} lost: {load.failures[:3]}"
        assert codes == [0] * (RESTARTS + 1), f"exit codes {codes}"
        assert load.done > 500, f"only {load.done} requests"
        return None


def activated():
    """systemd's environment: the descriptor 3, its name, and the notifications."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        path = os.path.join(folder, "notify")
        notices.bind(path)
        notices.settimeout(20)
        script = f"exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=tls exec \"$@\""
        arguments = command() + [*tls.flags(), "--drain", "2"]
        program = subprocess.Popen(
            ["bash", "-c", script, "bash", *arguments], pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        try:
            assert notices.recv(100) == b"READY=1"
            with tls.Connection(socket.create_connection(listener.getsockname(), 10)) as connection:
                connection.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert read_response(connection)[0].body == b"Hello, World!"
                read_until_closed(connection)
            for _ in range(3):
                assert notices.recv(100) == b"WATCHDOG=1"
        finally:
            program.terminate()
        seen = notices.recv(100)
        while seen == b"WATCHDOG=1":
            seen = notices.recv(100)
        assert seen == b"STOPPING=1", f"{seen!r}"
        code = program.wait(20)
        return None if code == 0 else f"it ended with {code}"


def main():
    tally = Tally("restart")
    for secure in (False, True):
        name = "TLS" if secure else "plain"
        tally.run(f"{name}: the new server begins before the old one ends", restarted, secure, True)
        tally.run(f"{name}: the new server begins when the old one has ended", restarted, secure, False)
    tally.run("systemd: LISTEN_FDS, READY, WATCHDOG, STOPPING", activated)
    tally.finish()


if __name__ == "__main__":
    main()
