"""TLS itself: versions, ciphers, protocols, names, resumption, certificates that change, and clients that stall.

The requests over TLS are those of the other suites, with CARRIER=tls. Python's ssl module, openssl, curl and Node are the
clients.
"""

import concurrent.futures
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import handshakes
import tls
from server import Server, StartError
from tally import Tally
from wire import read_response, read_until_closed

GET = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"


def plain(server, timeout=10):
    return socket.create_connection(server.address, timeout)


def secure(server, timeout=10, **options):
    return tls.Connection(plain(server, timeout), **options)


def shown(server):
    """The names of the certificate that a new connection gets."""
    with secure(server) as connection:
        return connection.tls.getpeercert(binary_form=True)


def served(connection):
    connection.sendall(GET)
    return read_response(connection)[0].body == b"Hello, World!"


# What is not TLS


def no_tls(server):
    for data in (GET + GET, b"\0\1\2\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with plain(server) as connection:
            connection.sendall(data)
            received, ended = read_until_closed(connection)
        statuses = received.count(b"\r\nDate: ")
        assert ended and statuses == 1, f"{data[:20]!r} got {received[:200]!r}"
        assert b"Hello" not in received, "the application responded"
    return None


def garbage_after_the_first_byte(server):
    for data in (b"\x16" * 5, b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"):
        with plain(server, 5) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            received, ended = read_until_closed(connection, 8)
            assert ended, f"{data[:8]!r}: still open"
            assert b"HTTP" not in received
    return None if served(secure(server)) else "not served afterwards"


def redirected():
    with Server(*tls.flags(), "--redirect-http") as server, plain(server) as connection:
        connection.sendall(f"GET /a%20b?c HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode())
        response, _ = read_response(connection)
        location = response.get("location")
        return None if (response.status, location) == (308, f"https://localhost:{server.port}/a%20b?c") else f"{response.status} {location}"


# Ends


def half_closed(server):
    """A client that has said close_notify still gets its response, whole."""
    with secure(server) as connection:
        connection.sendall(b"GET /static/big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        response, _ = read_response(connection)
        rest, ended = read_until_closed(connection)
        assert ended and not rest and len(response.body) == BIG, f"{len(response.body)} bytes, ended {ended}"
        return None if connection.ended_in_order else "no close_notify"


def closed_without_goodbye(server):
    """A client that closes its side of the connection without close_notify still gets its response."""
    with secure(server) as connection:
        connection.sendall(GET)
        connection.socket.shutdown(socket.SHUT_WR)
        return None if read_response(connection)[0].status == 200 else "no response"


def goodbye(server):
    with secure(server) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        read_response(connection)
        rest, ended = read_until_closed(connection)
        return None if ended and not rest and connection.ended_in_order else "no close_notify at the end"


def cut_off():
    """A response whose end only the connection's end marks, and that is cut off, ends without close_notify: nobody takes
    it for whole."""
    with Server(*tls.flags(), "--write-timeout", "1") as server, secure(server, 3) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(b"POST /echo HTTP/1.0\r\nContent-Length: 16000000\r\n\r\n")
        try:
            connection.sendall(bytes(16_000_000))
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        received = 0
        try:
            while data := connection.recv(65536):
                received += len(data)
        except ConnectionResetError:
            connection.ended_in_order = False
        assert 0 < received < 16_000_000, f"{received} bytes came"
        return None if connection.ended_in_order is False else "it ended with close_notify"


def large(server, folder):
    """100 MB come whole, and cost processor time that is shown."""
    path = os.path.join(folder, "large.bin")
    with open(path, "wb") as file:
        for _ in range(100):
            file.write(os.urandom(1_000_000))
    before = processor_time(server)
    subprocess.run(
        ["curl", "-sSk", "-o", path + ".got", f"https://localhost:{server.port}/static/large.bin"], check=True, timeout=120)
    print(f"100 MB by curl: {processor_time(server) - before:.2f} s of processor time")
    same = subprocess.run(["cmp", path, path + ".got"], capture_output=True).returncode == 0
    os.remove(path + ".got")
    return None if same else "the bytes differ"


def processor_time(server):
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Certificates that change


def install(folder, files):
    for file, name in zip(files, ("server.pem", "server.key")):
        shutil.copy(file, os.path.join(folder, name + ".new"))
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def wait_for(condition, timeout):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def renewed(by_signal):
    """New certificates are used from then on; connections go on, and none fails."""
    old, new = tls.certificate("old"), tls.certificate("new")
    with tempfile.TemporaryDirectory() as folder:
        install(folder, old)
        flags = ["--tls-certificate", f"{folder}/server.pem", "--tls-key", f"{folder}/server.key"]
        with Server(*flags) as server, secure(server) as kept, concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert served(kept)
            first, stop, failures, count = shown(server), threading.Event(), [], [0]

            def load():
                while not stop.is_set():
                    try:
                        with secure(server) as connection:
                            assert served(connection)
                            count[0] += 1
                    except Exception as error:
                        failures.append(error)

            workers = [pool.submit(load) for _ in range(4)]
            try:
                install(folder, new)
                if by_signal:
                    os.kill(server.pid, signal.SIGHUP)
                changed = wait_for(lambda: shown(server) != first, 5 if by_signal else 20)
                # Files that do not belong together.
                shutil.copy(old[0], f"{folder}/server.pem")
                os.kill(server.pid, signal.SIGHUP)
                logged = wait_for(lambda: b"certificates stay as they are" in server.output, 10)
                good = shown(server)
            finally:
                stop.set()
            for worker in workers:
                worker.result()
            assert changed, "the old certificate is still used"
            assert logged, "nothing was logged about the pair that does not match"
            assert good != first, "the old certificate came back"
            assert not failures, f"{len(failures)} of {count[0]} connections failed: {failures[0]!r}"
            assert count[0] > 5, f"only {count[0]} connections"
            return None if served(kept) else "the connection from before is not served"


# The start


def refuses(flags, text):
    try:
        with Server(*flags):
            return "it started"
    except StartError as error:
        return None if text in str(error) else f"the error is {error}"


def starts():
    one, other = tls.certificate("one"), tls.certificate("other")
    yield "a key of another certificate", lambda: refuses(
        ["--tls-certificate", one[0], "--tls-key", other[1]], "is not the one of the certificate")
    yield "a file that is missing", lambda: refuses(["--tls-certificate", "/no/such.pem"], "No such file")
    yield "a certificate without a key", lambda: refuses(["--tls-certificate", one[0]], "no valid private key")
    yield "two certificates and one key", lambda: refuses(
        ["--tls-certificate", one[0], "--tls-certificate", other[0], "--tls-key", one[1]], "each certificate needs its key")
    yield "an address with TLS and no certificate", lambda: refuses(["--listen", "tls:127.0.0.1:0"], "needs a certificate")


def warned(files, text, mode=0o600):
    os.chmod(files[1], mode)
    with Server("--tls-certificate", files[0], "--tls-key", files[1]) as server:
        return None if wait_for(lambda: text in server.output, 5) else f"not logged: {server.tail()}"


# Limits


def stalled_handshakes():
    """Handshakes that are not complete in time are closed, whatever comes of them."""
    with Server(*tls.flags(), "--handshake-timeout", "1") as server:
        for first in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
            with plain(server) as connection:
                start = time.monotonic()
                connection.sendall(first)
                received, ended = read_until_closed(connection, 8)
                lasted = time.monotonic() - start
                assert ended and 0.8 < lasted < 4, f"{first!r}: ended {ended} after {lasted:.1f} s"
        with plain(server) as connection:
            start = time.monotonic()
            hello = handshakes.client_hello()
            try:
                for byte in hello:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
                ended = read_until_closed(connection, 1)[1]
            except (BrokenPipeError, ConnectionResetError):
                ended = True
            lasted = time.monotonic() - start
            assert ended and lasted < 6, f"byte by byte: ended {ended} after {lasted:.1f} s"
        with secure(server) as connection:
            time.sleep(2.5)
            return None if served(connection) else "a connection whose handshake is complete was closed"


def many_handshakes():
    """More unfinished handshakes than allowed are closed at once, and later ones are served."""
    with Server(*tls.flags(), "--max-handshakes", "50", "--handshake-timeout", "4") as server:
        stalled = [plain(server) for _ in range(80)]
        try:
            for connection in stalled:
                connection.sendall(b"\x16")
            time.sleep(1)
            closed = sum(is_closed(connection) for connection in stalled)
            assert closed == 30, f"{closed} of 80 were closed"
            start = time.monotonic()
            while True:
                try:
                    with secure(server) as connection:
                        assert served(connection)
                        break
                except OSError:
                    assert time.monotonic() - start < 10, "not served again"
                    time.sleep(0.2)
        finally:
            for connection in stalled:
                connection.close()
        return None


def is_closed(connection):
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def drained():
    """SIGTERM ends idle connections with close_notify, and handshakes at once."""
    with Server(*tls.flags()) as server, secure(server) as idle, plain(server) as stalled:
        assert served(idle)
        stalled.sendall(b"\x16")
        time.sleep(0.3)
        start = time.monotonic()
        server.terminate()
        rest, ended = read_until_closed(idle)
        assert ended and not rest and idle.ended_in_order, f"ended {ended}, in order {idle.ended_in_order}"
        # The server waits for the client to close its side too.
        idle.close()
        assert read_until_closed(stalled)[1]
        code = server.wait(10)
        return None if code == 0 and time.monotonic() - start < 5 else f"ended with {code} after {time.monotonic() - start:.1f} s"


BIG = 3_000_000


def main():
    tally = Tally("tls")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "big.bin"), "wb") as file:
            file.write(os.urandom(BIG))
        with Server(*tls.flags(), "--static", folder) as server:
            for name, body in handshakes.checks():
                tally.run(name, body, server)
            tally.run("what is not TLS gets one response that says so", no_tls, server)
            tally.run("garbage behind the first byte", garbage_after_the_first_byte, server)
            tally.run("a client that has said close_notify", half_closed, server)
            tally.run("a client that closes its side without close_notify", closed_without_goodbye, server)
            tally.run("the server says close_notify", goodbye, server)
            tally.run("a large file", large, server, folder)
            tally.run("the server is alive after all of it", lambda server: None if served(secure(server)) else "not served", server)
    for name, body in handshakes.own_server_checks():
        tally.run(name, body)
    tally.run("a response that is cut off", cut_off)
    tally.run("--redirect-http", redirected)
    tally.run("new certificates, found by themselves", renewed, False)
    tally.run("new certificates, by SIGHUP", renewed, True)
    for name, body in starts():
        tally.run(f"start: {name}", body)
    tally.run("start: a key that everybody may read", warned, tls.certificate("readable"), b"readable by everybody", 0o644)
    tally.run("start: a certificate that expires soon", warned, tls.certificate("short", days=13), b"expires soon")
    tally.run("limits: handshakes that stall", stalled_handshakes)
    tally.run("limits: many handshakes at once", many_handshakes)
    tally.run("SIGTERM", drained)
    tally.finish()


if __name__ == "__main__":
    main()
