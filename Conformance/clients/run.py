"""Real clients against TestServer: curl, httpx, aiohttp, websockets, Node's fetch and ws, REDbot, Chromium."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import aiohttp
import httpx
import websockets
from websockets.sync.client import connect

import chromium
import early
from devtools import Browser
from server import Server
from tally import Tally

HERE = os.path.dirname(os.path.abspath(__file__))
HELLO = "Hello, World!"
BIG = os.urandom(3 << 20)


def run(*arguments, data=None, timeout=60):
    """The standard output of a program that must exit with 0."""
    finished = subprocess.run(arguments, input=data if data is not None else b"", capture_output=True, timeout=timeout)
    assert finished.returncode == 0, f"{arguments[0]} ended with {finished.returncode}: {finished.stderr.decode(errors='replace')[-300:]}"
    return finished.stdout


def curl(*arguments, **more):
    return run("curl", "--silent", "--show-error", "--max-time", "30", *arguments, **more)


def equal(actual, expected):
    return None if actual == expected else f"{str(actual)[:200]!r}, expected {str(expected)[:200]!r}"


# curl

def curl_http_1_0(server):
    return equal(curl("--http1.0", f"{server.url}/plaintext").decode(), HELLO)


def curl_head(server):
    head = curl("--head", f"{server.url}/plaintext").decode().lower()
    return None if "200" in head.split("\r\n")[0] and "content-length: 13" in head else head


def curl_range(server):
    return equal(curl("--range", "2-4", f"{server.url}/static/text.txt"), b"234")


def curl_resume(server):
    with tempfile.NamedTemporaryFile() as partial:
        with open(partial.name, "wb") as file:
            file.write(b"01234")
        curl("--continue-at", "-", "--output", partial.name, f"{server.url}/static/text.txt")
        with open(partial.name, "rb") as file:
            return equal(file.read(), b"0123456789" * 100)


def curl_expect(server):
    return equal(curl("--header", "Expect: 100-continue", "--data-binary", "@-", f"{server.url}/collect", data=BIG), str(len(BIG)).encode())


def curl_chunked_upload(server):
    echoed = curl("--header", "Transfer-Encoding: chunked", "--data-binary", "@-", f"{server.url}/echo", data=BIG)
    return equal(hashlib.sha256(echoed).hexdigest(), hashlib.sha256(BIG).hexdigest())


def curl_reuses(server):
    url = f"{server.url}/plaintext"
    out = curl("--write-out", "%{num_connects} ", url, "--next", "--silent", "--write-out", "%{num_connects} ", url,
               "--next", "--silent", "--write-out", "%{num_connects} ", f"{server.url}/json").decode()
    return equal(out, f'{HELLO}1 {HELLO}0 {{"message":"Hello, World!"}}0 ')


def curl_form(server):
    out = json.loads(curl("--form", "a=1", "--form", "file=@-;filename=x.bin;type=application/x-y", f"{server.url}/form", data=b"bytes"))
    text = json.dumps(out)
    wanted = ["x.bin", "application/x-y", hashlib.sha256(b"bytes").hexdigest()]
    missing = [item for item in wanted if item not in text]
    return f"{missing} not in {text}" if missing else None


def curl_urlencoded(server):
    text = curl("--data-urlencode", "näme=a b&c", "--data", "x=1", f"{server.url}/form").decode()
    return None if "a b&c" in text else text


def curl_stream(server):
    return equal(curl("--no-buffer", f"{server.url}/stream").decode(), "".join(f"chunk {index}\n" for index in range(10)))


def curl_events(server):
    text = curl("--no-buffer", f"{server.url}/sse").decode()
    return None if text.count("\ndata:") + text.startswith("data:") >= 5 and text.count("id:") >= 5 else text


def curl_conditional(server):
    url, target = f"{server.url}/static/text.txt", ["--output", "/dev/null", "--write-out", "%{http_code}"]
    head = curl("--head", url).decode()
    etag = re.search(r"(?im)^etag: (.*?)\r?$", head).group(1)
    return equal(curl(*target, "--header", f"If-None-Match: {etag}", url).decode(), "304")


def curl_compressed(server):
    return equal(curl("--compressed", f"{server.url}/static/app.js"), b"x" * 2000)


def curl_too_large(server):
    # The limit is 16 MiB.
    finished = subprocess.run(["curl", "--silent", "--max-time", "30", "--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary", "@-", f"{server.url}/echo"],
                              input=bytes((16 << 20) + 1), capture_output=True, timeout=60)
    return equal(finished.stdout.decode(), "413")


def curl_cookies(server):
    head = curl("--include", "--cookie", "b=2; c=3", f"{server.url}/cookies").decode()
    return None if re.search(r"(?im)^set-cookie: a=1; Path=/; HttpOnly; SameSite=Lax\r?$", head) and '"b"' in head else head


# httpx, aiohttp

def httpx_all(server):
    with httpx.Client(base_url=server.url) as client:
        for _ in range(20):
            assert client.get("/plaintext").text == HELLO
        assert client.get("/json").json() == {"message": HELLO}
        assert client.post("/echo", content=BIG, headers={"content-type": "application/x-big"}).content == BIG
        assert client.post("/collect", content=(BIG[index:index + 65536] for index in range(0, len(BIG), 65536))).text == str(len(BIG))
        assert client.get("/query", params=[("a", "1 2"), ("ü", "é&=")]).json() == [["a", "1 2"], ["ü", "é&="]]
        assert client.get("/params/a b/%25").json() == {"id": "a b", "name": "%"}, client.get("/params/a b/%25").text
        assert client.head("/plaintext").headers["content-length"] == "13"
        assert client.get("/nope").status_code == 404
        assert client.get("/throw").status_code == 500
        assert client.get("/status/204").content == b""
        with client.stream("GET", "/stream") as response:
            assert "".join(response.iter_text()).count("chunk") == 10
    return None


def httpx_many(server):
    async def go():
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30) as client:
            responses = await asyncio.gather(*(client.get(f"/params/{index}/x") for index in range(400)))
            return equal([response.json()["id"] for response in responses], [str(index) for index in range(400)])
    return asyncio.run(go())


def aiohttp_all(server):
    async def go():
        async with aiohttp.ClientSession(server.url) as session:
            async def pieces():
                for index in range(0, len(BIG), 100_000):
                    yield BIG[index:index + 100_000]
            async with session.get("/plaintext") as response:
                assert await response.text() == HELLO
            async with session.post("/echo", data=pieces()) as response:
                assert await response.read() == BIG
            async with session.post("/collect", data=BIG, expect100=True) as response:
                assert await response.text() == str(len(BIG))
            form = aiohttp.FormData()
            form.add_field("a", "1")
            form.add_field("file", b"bytes", filename="x.bin", content_type="application/x-y")
            async with session.post("/form", data=form) as response:
                assert hashlib.sha256(b"bytes").hexdigest() in await response.text()
            for path, compress in (("/ws", 0), ("/wsd", 15), ("/wsdd", 15)):
                async with session.ws_connect(path, compress=compress, protocols=["echo.v2"], max_msg_size=0) as socket:
                    assert socket.protocol == "echo.v2"
                    for message in ("text ü", "x" * 100_000):
                        await socket.send_str(message)
                        assert await socket.receive_str() == message
                    await socket.send_bytes(BIG)
                    assert await socket.receive_bytes() == BIG
                    await socket.close(code=1000)
                    assert socket.close_code == 1000
    asyncio.run(go())
    return None


# websockets

def websocket_basics(path):
    def check(server):
        with connect(f"ws://{server.authority}{path}", compression="deflate" if path in ("/wsd", "/wsdd") else None,
                     subprotocols=["other", "echo.v1"], max_size=None, proxy=None) as socket:
            assert socket.subprotocol == "echo.v1", socket.subprotocol
            assert bool(socket.protocol.extensions) == (path in ("/wsd", "/wsdd"))
            for message in ("", "text", "ü日本🦊" * 1000, b"", b"\0\xff", BIG, "x" * 65536):
                socket.send(message)
                assert socket.recv(30) == message
            socket.send(iter(["a ", "fragmented ", "", "text"]))
            assert socket.recv(10) == "a fragmented text"
            socket.send(iter([b"a", b"b" * 70000]))
            assert socket.recv(10) == b"a" + b"b" * 70000
            assert socket.ping(b"p").wait(10)
            socket.close(4321, "bye")
            assert socket.protocol.close_rcvd.code == 4321, socket.protocol.close_rcvd
        return None
    return check


def websocket_limit(server):
    with connect(f"ws://{server.authority}/ws", compression=None, max_size=None, proxy=None) as socket:
        try:
            socket.send(bytes((16 << 20) + 1))
            socket.recv(30)
        except websockets.ConnectionClosed as closed:
            return equal(closed.rcvd and closed.rcvd.code, 1009)
        return "a message over 16 MiB came back"


def websocket_refused(server):
    try:
        connect(f"ws://{server.authority}/wsauth", proxy=None).close()
    except websockets.InvalidStatus as refused:
        return equal(refused.response.status_code, 401)
    return "was let in"


def websocket_topic(server):
    with connect(f"ws://{server.authority}/sub", proxy=None) as socket:
        assert httpx.get(f"{server.url}/bcast").text == "ok"
        got = [socket.recv(10) for _ in range(500)]
        assert all(isinstance(message, str) and len(message) == 100 for message in got)
    stats = httpx.get(f"{server.url}/stats").json()
    return None if isinstance(stats, dict) and stats else f"{stats}"


# Node

def node(server):
    out = run("node", os.path.join(HERE, "node.js"), server.url, timeout=60).decode()
    return equal(out.strip().splitlines()[-1], "ok")


# REDbot

def redbot(path):
    def check(server):
        program = os.path.join(os.path.dirname(sys.executable), "redbot")
        entries = json.loads(run(program, "-o", "har", f"{server.url}{path}"))["log"]["entries"]
        assert entries and entries[0]["response"]["status"] == 200, f"{len(entries)} responses"
        bad = [note["summary"] for entry in entries for note in entry["_red_messages"] if note["level"] == "BAD"]
        return "; ".join(bad) or None
    return check


def checks():
    for name, body in [("HTTP/1.0", curl_http_1_0), ("HEAD", curl_head), ("a range", curl_range), ("a resumed download", curl_resume),
                       ("Expect: 100-continue with 3 MiB", curl_expect), ("a chunked upload of 3 MiB", curl_chunked_upload),
                       ("three requests on one connection", curl_reuses), ("a multipart form", curl_form), ("a urlencoded form", curl_urlencoded),
                       ("a stream", curl_stream), ("server-sent events", curl_events), ("If-None-Match", curl_conditional),
                       ("a precompressed file", curl_compressed), ("a body over the limit", curl_too_large), ("cookies", curl_cookies)]:
        yield f"curl: {name}", body
    yield "httpx: one after the other", httpx_all
    yield "httpx: 400 at once", httpx_many
    yield "aiohttp: HTTP and WebSocket", aiohttp_all
    for path in ("/ws", "/wsd", "/wsdd", "/wsh"):
        yield f"websockets: {path}", websocket_basics(path)
    yield "websockets: over the limit", websocket_limit
    yield "websockets: a refusal", websocket_refused
    yield "websockets: a topic", websocket_topic
    yield "node: fetch and ws", node
    for path in ("/static/text.txt", "/static/page.html", "/static/app.js", "/static/dir/"):
        yield f"redbot: {path}", redbot(path)


def make_folder(root):
    os.mkdir(os.path.join(root, "dir"))
    for name, data in [("text.txt", b"0123456789" * 100), ("page.html", b"<!doctype html><title>t</title>"),
                       ("app.js", b"x" * 2000), ("dir/index.html", b"<!doctype html><title>index</title>")]:
        with open(os.path.join(root, name), "wb") as file:
            file.write(data)
    run("gzip", "--keep", "--no-name", os.path.join(root, "app.js"))
    chromium.make_folder(root)


def main():
    tally = Tally("clients")
    root = tempfile.mkdtemp(prefix="oneport-clients-")
    try:
        make_folder(root)
        with Server("--static", root) as server, Browser() as browser:
            for name, body in [*checks(), *early.checks(), *chromium.checks(browser, root)]:
                tally.run(name, body, server)
            tally.check("the server is alive after all of it", None if server.alive() else server.tail())
    finally:
        shutil.rmtree(root)
    tally.finish()


if __name__ == "__main__":
    main()
