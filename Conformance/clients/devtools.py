"""A headless Chromium, driven through its DevTools protocol over one WebSocket."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from websockets.sync.client import connect

NAMES = ["chromium", "chromium-browser", "google-chrome"]
START_TIMEOUT = 60
CALL_TIMEOUT = 60
STOP_TIMEOUT = 10
#: No first-run dialog, no updates, no audio device, and sound without a click.
FLAGS = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
         "--disable-sync", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-timer-throttling",
         "--disable-renderer-backgrounding", "--no-proxy-server", "--mute-audio",
         "--autoplay-policy=no-user-gesture-required", "--lang=en-US"]


class Browser:
    """Starts with its first tab, so that a run without Chromium checks costs nothing. `with` stops it."""

    def __init__(self):
        self.process = self.socket = None
        self.events = []
        self._numbers = itertools.count(1)

    def _start(self):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        assert program, "no chromium in PATH: on Debian and Ubuntu it is the package chromium"
        self._folder = tempfile.mkdtemp(prefix="oneport-chromium-")
        self._log = open(os.path.join(self._folder, "log"), "wb")
        # Its own session, so that its child processes can be stopped with it.
        self.process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={self._folder}/profile", "about:blank"], stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
                                        env={**os.environ, "TMPDIR": self._folder, "LC_ALL": "C.UTF-8"})
        self.socket = connect(self._address(), max_size=None, compression=None, proxy=None, ping_interval=None)

    def _address(self):
        path, deadline = os.path.join(self._folder, "profile", "DevToolsActivePort"), time.monotonic() + START_TIMEOUT
        while True:
            try:
                with open(path) as file:
                    port, target = file.read().split("\n")
                return f"ws://127.0.0.1:{int(port)}{target}"
            except (OSError, ValueError):
                assert self.process.poll() is None, f"chromium ended with {self.process.returncode}: {self._tail()}"
                assert time.monotonic() < deadline, f"chromium did not listen within {START_TIMEOUT} s: {self._tail()}"
                time.sleep(0.05)

    def _tail(self):
        with open(self._log.name, errors="replace") as file:
            return file.read()[-300:]

    def call(self, method, session=None, timeout=CALL_TIMEOUT, **parameters):
        """The result of a command. Events before it are stored."""
        number, deadline = next(self._numbers), time.monotonic() + timeout
        message = {"id": number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            response = self._next(deadline, method)
            if response.get("id") == number:
                assert "error" not in response, f"{method}: {response['error']['message']}"
                return response["result"]

    def wait(self, session, found, what, timeout=CALL_TIMEOUT):
        """Waits until `found(events of the session)` returns a value, and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            if result := found([event for event in self.events if event.get("sessionId") == session]):
                return result
            self._next(deadline, what)

    def _next(self, deadline, what):
        """The next message. Events are stored."""
        try:
            message = json.loads(self.socket.recv(max(0, deadline - time.monotonic())))
        except TimeoutError:
            raise AssertionError(f"{what}: not within its time") from None
        if "method" in message:
            self.events.append(message)
        return message

    def tab(self):
        """A tab that shares nothing with the others, not even the cache."""
        if not self.socket:
            self.close()
            self._start()
        return Tab(self)

    def close(self):
        if self.socket:
            try:
                self.call("Browser.close", timeout=STOP_TIMEOUT)
            except Exception:
                pass  # It is killed below.
            self.socket.close()
            self.socket = None
        if self.process:
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None
            self._log.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Exchange:
    """A request of a page and its response as they were on the wire. So a 304 is visible here, although not to the page."""

    def __init__(self, url):
        self.url, self.sent, self.status, self.received, self.encoded_size, self.failure = url, {}, None, {}, None, None

    def __repr__(self):
        return f"{self.url}: {self.status}"


class Tab:
    def __init__(self, browser):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Network.enable")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def load(self, url):
        """Opens a page, and forgets the exchanges of the previous one."""
        self.browser.events.clear()
        response = self.call("Page.navigate", url=url)
        assert not response.get("errorText"), f"{url}: {response.get('errorText')}"
        self.browser.wait(self.session, lambda events: any(event["method"] == "Page.loadEventFired" for event in events), f"{url} is loaded")

    def evaluate(self, expression, timeout=CALL_TIMEOUT):
        """The value of an expression, awaited if it is a promise."""
        response = self.browser.call("Runtime.evaluate", self.session, timeout, expression=expression, awaitPromise=True, returnByValue=True)
        if thrown := response.get("exceptionDetails"):
            raise AssertionError((thrown.get("exception") or {}).get("description") or thrown["text"])
        return response["result"].get("value")

    def exchanges(self, url):
        """The exchanges for a URL since the page was opened, in order."""
        found = {}
        for event in self.browser.events:
            if event.get("sessionId") != self.session or "requestId" not in event["params"]:
                continue
            method, more = event["method"], event["params"]
            # Events about the wire may arrive before the other events of the same request.
            exchange = found.setdefault(more["requestId"], Exchange(None))
            if method == "Network.requestWillBeSent":
                exchange.url = more["request"]["url"]
                exchange.sent = lowered(more["request"]["headers"]) | exchange.sent
            elif method == "Network.requestWillBeSentExtraInfo":
                exchange.sent = exchange.sent | lowered(more["headers"])
            elif method == "Network.responseReceivedExtraInfo":
                exchange.status, exchange.received = more["statusCode"], lowered(more["headers"])
            elif method == "Network.responseReceived" and exchange.status is None:
                exchange.status, exchange.received = more["response"]["status"], lowered(more["response"]["headers"])
            elif method == "Network.loadingFinished":
                exchange.encoded_size = more["encodedDataLength"]
            elif method == "Network.loadingFailed":
                exchange.failure = more["errorText"]
        return [exchange for exchange in found.values() if exchange.url == url]

    def settled(self, url):
        """Waits for the end of the only exchange for a URL, and returns it."""
        def done(_):
            exchanges = self.exchanges(url)
            return exchanges if exchanges and all(each.encoded_size is not None or each.failure for each in exchanges) else None
        exchanges = self.browser.wait(self.session, done, f"the end of {url}")
        assert len(exchanges) == 1, f"{exchanges}"
        return exchanges[0]

    def close(self):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def lowered(fields):
    return {name.lower(): value for name, value in fields.items()}
