"""Starts and stops the server under test.

The command comes from TEST_SERVER (default: the release build of TestServer). A suite that needs other
flags starts its own server. Every server gets a free port and is stopped by its pid.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time

import tls

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
START_TIMEOUT = 20.0
STOP_TIMEOUT = 35.0
LISTENING = re.compile(rb"listening on https?://([^\s:/]+|\[[^\]]+\]):(\d+)")


def command():
    """The server's command line without flags."""
    named = os.environ.get("TEST_SERVER")
    return shlex.split(named) if named else [os.path.join(ROOT, ".build", "release", "TestServer")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class StartError(SystemExit):
    """The server cannot start. It ends the suite unless a check expects it."""

    def __init__(self, reason):
        super().__init__(f"error: {reason}")


class Server:
    """A running server: `with Server("--static", folder) as server: ... server.port`."""

    def __init__(self, *flags, port=None, start_timeout=START_TIMEOUT):
        self.host = "127.0.0.1"
        self.port = port or free_port()
        carrier = tls.flags() if tls.IS_TLS and "--tls-certificate" not in flags else []
        arguments = command() + ["--host", self.host, "--port", str(self.port), *carrier, *flags]
        self.output = bytearray()
        self._listening = threading.Event()
        try:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            raise StartError(f"{arguments[0]} cannot be started: {error}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        deadline = time.monotonic() + start_timeout
        while not self._listening.wait(0.02):
            if self.process.poll() is not None:
                self._reader.join(1)
                raise StartError(f"the server ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"no 'listening on' line within {start_timeout:.0f} s: {self.tail()}")

    def _read(self):
        # The pipe is always drained, so that the server never blocks on its output.
        while line := self.process.stdout.readline():
            if len(self.output) < 1 << 20:
                self.output += line
            if match := LISTENING.search(line):
                self.port = int(match.group(2))
                self._listening.set()

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def url(self):
        return f"{tls.SCHEME}://{self.host}:{self.port}"

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def tail(self):
        return bytes(self.output[-2000:]).decode(errors="replace").strip()

    def alive(self):
        return self.process.poll() is None

    def resident_bytes(self):
        """The memory that the process uses now (VmRSS)."""
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout):
        """The exit code, or None if the process still runs after `timeout` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        """Sends SIGTERM, and SIGKILL if the process does not end. Returns the exit code."""
        if self.alive():
            self.terminate()
        if (code := self.wait(STOP_TIMEOUT)) is None:
            self.kill()
            return None
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
