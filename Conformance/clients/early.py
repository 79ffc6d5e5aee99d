"""Requests with a large body that get a response before the body is read. No client may lose it (RFC 9112 §9.6).

If a server closes while a client is still sending, the connection is reset, and the reset discards the response.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
#: How many requests of each kind.
COUNT = 10 if os.environ.get("CONFORMANCE_MODE") == "light" else 100
TIMEOUT = 300
#: The limit of TestServer is 16 MiB.
CASES = [(404, "/no/such/path", 5), (404, "/no/such/path", 17), (404, "/no/such/path", 64), (405, "/plaintext", 5), (405, "/plaintext", 17),
         (405, "/plaintext", 64), (413, "/echo", 17), (413, "/echo", 64), (413, "/collect", 17), (413, "/collect", 64)]


def node(client):
    def ends(url, size):
        finished = subprocess.run(["node", os.path.join(HERE, "early.js"), url, client, str(size), str(COUNT)], capture_output=True, timeout=TIMEOUT)
        assert finished.returncode == 0, finished.stderr.decode(errors="replace")[-300:]
        return json.loads(finished.stdout)
    return ends


def urllib_ends(url, size):
    body, ends = b"a" * size, {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(COUNT):
        try:
            with opener.open(urllib.request.Request(url, data=body, method="POST"), timeout=30) as response:
                end = response.status
        except urllib.error.HTTPError as error:
            end = error.code
        except Exception as error:
            end = f"{error}"
        ends[str(end)] = ends.get(str(end), 0) + 1
    return ends


def check(client, status, path, size):
    def body(server):
        ends = client(server.url + path, size << 20)
        return None if ends == {str(status): COUNT} else f"{ends}, expected {status} {COUNT} times"
    return body


def checks():
    for name, client in (("node fetch", node("fetch")), ("node http", node("http")), ("urllib", urllib_ends)):
        for status, path, size in CASES:
            yield f"{name}: {status} for {size} MiB to {path}", check(client, status, path, size)
