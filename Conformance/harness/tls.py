"""Connections of the suites over TLS, so that they ask over TLS what they ask without it.

CARRIER=tls has every server speak TLS and every connection of wire.py begin with a handshake. Everything else in the
suites stays the same: half-closing sends close_notify, and closing does not.
"""

import atexit
import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

CARRIER = os.environ.get("CARRIER", "plain")
assert CARRIER in ("plain", "tls"), f"CARRIER is {CARRIER}, neither plain nor tls"
IS_TLS = CARRIER == "tls"
SCHEME = "https" if IS_TLS else "http"
#: Stands behind the name of a suite.
SUFFIX = "-tls" if IS_TLS else ""

_folder = None


def certificate(name="localhost", *, subject="localhost", days=30, folder=None):
    """The files of a self-signed certificate and its key."""
    folder = folder or shared_folder()
    files = [os.path.join(folder, f"{name}.{kind}") for kind in ("pem", "key")]
    if not os.path.exists(files[0]):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", files[1], "-out", files[0], "-days", str(days), "-subj", f"/CN={subject}",
             "-addext", f"subjectAltName=DNS:{subject},IP:127.0.0.1"],
            check=True, capture_output=True)
    return files


def shared_folder():
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="oneport-tls-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def flags():
    """The flags of a server that speaks TLS."""
    files = certificate()
    return ["--tls-certificate", files[0], "--tls-key", files[1]]


@functools.lru_cache
def _client_context(protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def client_context(protocols=("http/1.1",)):
    """A context that trusts everybody and offers these protocols."""
    return _client_context(tuple(protocols))


class Connection:
    """A TLS connection with the methods of a socket that the suites use."""

    def __init__(self, connection, context=None, name="localhost", session=None):
        context = context or client_context()
        self.socket = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        #: Whether the server has ended with close_notify; None while it has not ended.
        self.ended_in_order = None
        # A suite may read on one thread and write on another. Who writes waits for the peer without the state's lock.
        self._state, self._writing = threading.Lock(), threading.Lock()
        self._retry(self.tls.do_handshake)

    def _retry(self, operation):
        while True:
            with self._state:
                try:
                    result = operation()
                    wants_data = False
                except ssl.SSLWantReadError:
                    wants_data = True
            # Whoever holds the lock sends what is left.
            if self.outgoing.pending and self._writing.acquire(blocking=False):
                try:
                    self._flush()
                finally:
                    self._writing.release()
            if not wants_data:
                return result
            data = self.socket.recv(65536)
            with self._state:
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def _flush(self):
        while data := self.outgoing.read():
            self.socket.sendall(data)

    def sendall(self, data):
        for start in range(0, len(data), 1 << 16):
            with self._writing:
                with self._state:
                    self.tls.write(bytes(data[start:start + (1 << 16)]))
                self._flush()

    def send(self, data):
        self.sendall(data)
        return len(data)

    def recv(self, size):
        if self.ended_in_order is not None:
            return b""
        try:
            data = self._retry(lambda: self.tls.read(size))
        except ssl.SSLZeroReturnError:
            data = b""
        except (ssl.SSLEOFError, ssl.SSLSyscallError):
            self.ended_in_order = False
            return b""
        if not data:
            self.ended_in_order = True
        return data

    def shutdown(self, how):
        if how in (socket.SHUT_WR, socket.SHUT_RDWR):
            with self._writing:
                with self._state:
                    try:
                        self.tls.unwrap()
                    except ssl.SSLError:
                        pass
                self._flush()
        self.socket.shutdown(how)

    def close(self):
        self.socket.close()

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
