"""Faults that showed only from outside, each as the check that would have found it.

Clients that leave, shutdown under load, hostile headers, proxies, files that change. Every check starts from what a
client sees; nothing here knows how the server is built.
"""

import gzip
import html
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import tls
from server import LISTENING, Server, command, free_port
from tally import Tally
from wire import WireError, connect, read_response, read_until_closed

WEBSOCKET = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def head(target, *fields, method="GET", host="a.example"):
    lines = "".join(f"{field}\r\n" for field in (f"Host: {host}", *fields))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def fetch(server, target, *fields, method="GET", body=b"", timeout=10.0):
    """The response to one request on a connection of its own."""
    with connect(server.address, timeout) as connection:
        connection.sendall(head(target, *fields, method=method) + body)
        return read_response(connection, method, timeout)[0]


def stats(server):
    return json.loads(fetch(server, "/stats").body)


def wait_until(condition, timeout):
    """How many seconds `condition` took to become true; None when it did not."""
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        if condition():
            return time.monotonic() - start
        time.sleep(0.1)
    return None


# Clients that leave


def open_and_leave(server, target, count):
    """Opens `count` requests, waits until their handlers run, and closes the connections."""
    connections = [connect(server.address) for _ in range(count)]
    for connection in connections:
        connection.sendall(head(target))
    if wait_until(lambda: stats(server)["handlers"] >= count, 5) is None:
        return f"only {stats(server)['handlers']} of {count} handlers run"
    for connection in connections:
        connection.close()
    return None


def gone_clients(server, target, timeout):
    if problem := open_and_leave(server, target, 20):
        return problem
    took = wait_until(lambda: stats(server)["handlers"] == 0, timeout)
    return None if took is not None else f"{stats(server)['handlers']} handlers still run after {timeout} s"


def places_come_back(target, timeout):
    """Visitors that came and left must not use up the places for connections."""
    with Server("--max-connections", "50") as server:
        connections = [connect(server.address) for _ in range(50)]
        for connection in connections:
            connection.sendall(head(target))
        time.sleep(0.5)
        for connection in connections:
            connection.close()

        def is_served():
            try:
                return fetch(server, "/plaintext").status == 200
            except OSError:
                return False

        return None if wait_until(is_served, timeout) is not None else f"no place after {timeout} s"


def half_closed_client(server):
    with connect(server.address) as connection:
        connection.sendall(head("/slow/1500"))
        connection.shutdown(socket.SHUT_WR)
        response, _ = read_response(connection)
    return None if (response.status, response.body) == (200, b"done") else f"{response.status} {response.body!r}"


def head_at_once(server):
    with connect(server.address) as connection:
        connection.sendall(head("/events/3000"))
        connection.settimeout(1)
        try:
            data = connection.recv(65536)
        except TimeoutError:
            return "no head within 1 s"
    return None if data.startswith(b"HTTP/1.1 200 ") and b"text/event-stream" in data else repr(data[:100])


# Shutdown


def drain_ends_streams():
    with Server("--drain", "25") as server, connect(server.address) as connection:
        connection.sendall(head("/events/100"))
        time.sleep(0.5)
        start = time.monotonic()
        server.terminate()
        data, ended = read_until_closed(connection, 10)
        code = server.wait(10)
        took = time.monotonic() - start
    if not ended or not data.endswith(b"0\r\n\r\n"):
        return f"the stream does not end with the last chunk: {data[-40:]!r}"
    return None if code == 0 and took < 8 else f"exit code {code} after {took:.1f} s"


def second_signal(first, second):
    with Server("--drain", "25") as server, connect(server.address) as connection:
        connection.sendall(head("/silent"))
        time.sleep(0.3)
        server.process.send_signal(first)
        time.sleep(0.5)
        if not server.alive():
            return "the first signal did not wait for the request"
        server.process.send_signal(second)
        code = server.wait(3)
    return "still runs 3 s after the second signal" if code is None else None


# Limits


def body_timeout():
    """The time for the first byte of a body is the body timeout, whatever the minimum rate is."""
    with Server("--body-timeout", "13") as server, connect(server.address) as connection:
        connection.sendall(head("/collect", "Content-Length: 10", method="POST"))
        start = time.monotonic()
        data, _ = read_until_closed(connection, 20)
        took = time.monotonic() - start
    if took < 12:
        return f"{data[:30]!r} after {took:.1f} s"
    return None if took < 17 and (not data or b" 408 " in data[:15]) else f"{data[:30]!r} after {took:.1f} s"


def announced_chunk(server, target, size):
    with connect(server.address) as connection:
        connection.sendall(head(target, "Transfer-Encoding: chunked", method="POST") + size + b"\r\n")
        start = time.monotonic()
        response, _ = read_response(connection, "POST", 5)
        took = time.monotonic() - start
    return None if response.status == 413 and took < 2 else f"{response.status} after {took:.1f} s"


# Hostile text


MARKS = ("\u0301", "\u0600", "\u200d", "\ufe0f", "\u0903", "\U000e0041", "\u1160")


def escaped(server, mark, character):
    """A mark before or behind a character makes one grapheme cluster of both, which must not hide the character."""
    for text in (mark + character, character + mark, "a" + mark + character + mark + "script"):
        if problem := escaped_text(server, text):
            return f"{ascii(text)}: {problem}"
    return None


def escaped_text(server, text):
    response = fetch(server, "/render?name=" + urllib.parse.quote(text))
    page = response.body.decode()
    match = re.fullmatch(r'\s*<p title="([^"<>]*)">([^<>"]*)</p>\s*', page)
    if response.status != 200 or not match:
        return f"{response.status} {page!r}"
    return None if html.unescape(match[1]) == text and html.unescape(match[2]) == text else repr(page)


def cpu_seconds(server):
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def linear_header(server, name, start, pattern, target, method):
    """A header of 31 KB must cost next to nothing; a quadratic parser took 0.3 to 0.7 s for one."""
    value = (start + pattern * 31_000)[:31_001]
    before = cpu_seconds(server)
    fields = (*WEBSOCKET, f"{name}: {value}") if target == "/wsd" else (f"{name}: {value}", "Content-Length: 0")
    for _ in range(3):
        try:
            fetch(server, target, *fields, method=method, timeout=5)
        except WireError:
            pass
    took = cpu_seconds(server) - before
    return None if took < 0.3 else f"three requests took {took:.2f} s of CPU time"


def linear_body(server, kind, body):
    start = cpu_seconds(server)
    fetch(server, "/form", f"Content-Type: {kind}", f"Content-Length: {len(body)}", method="POST", body=body)
    took = cpu_seconds(server) - start
    return None if took < 0.5 else f"{len(body)} bytes took {took:.2f} s of CPU time"


def query_items(server, query, expected):
    response = fetch(server, f"/query?{query}")
    if response.status != 200:
        return f"{response.status} {response.body!r}"
    found = json.loads(response.body)
    return None if found == expected else f"{found}"


def multipart(server, disposition, expected):
    body = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--b--\r\n".encode()
    response = fetch(
        server, "/form", "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}",
        method="POST", body=body)
    if response.status != 200:
        return f"{response.status} {response.body!r}"
    answer = json.loads(response.body)
    return None if [file["filename"] for file in answer["files"]] == [expected] else f"{answer}"


def boundary(server, text):
    body = f'--{text}\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--{text}--\r\n'.encode()
    response = fetch(
        server, "/form", f"Content-Type: multipart/form-data; boundary={text}", f"Content-Length: {len(body)}",
        method="POST", body=body)
    good = response.status == 200 and json.loads(response.body)["fields"] == [["a", "x"]]
    return None if good else f"{response.status} {response.body!r}"


# Proxies and hosts


def who(server, fields, expected):
    found = json.loads(fetch(server, "/who", *fields).body)
    wrong = {key: found.get(key) for key, value in expected.items() if found.get(key) != value}
    return f"{wrong} of {found}" if wrong else None


def never_the_proxy(server, fields):
    found = json.loads(fetch(server, "/who", *fields).body)
    address = str(found.get("address"))
    return f"the client is {address}" if "127.0.0.1" in address or "::1" in address else None


def misdirected(hosts, host, expected):
    with Server("--hosts", hosts) as server, connect(server.address) as connection:
        connection.sendall(head("/plaintext", host=host))
        status = read_response(connection)[0].status
    return None if status == expected else f"{status}"


def host_of_the_shell():
    """Shells set HOST to things that are no address to listen on."""
    port = free_port()
    environment = dict(os.environ, HOST="x86_64-pc-linux-gnu")
    process = subprocess.Popen(
        command() + ["--port", str(port)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            line = process.stdout.readline()
            if not line:
                return f"ended with {process.wait()}"
            if LISTENING.search(line):
                return None
        return "no line 'listening on'"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def localhost():
    port = free_port()
    process = subprocess.Popen(
        command() + ["--host", "localhost", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        def answers(family, address):
            try:
                with socket.socket(family) as probe:
                    probe.settimeout(2)
                    probe.connect((address, port))
                    return True
            except OSError:
                return False

        if wait_until(lambda: answers(socket.AF_INET, "127.0.0.1"), 10) is None:
            return "127.0.0.1 does not answer"
        if os.path.exists("/proc/net/if_inet6") and os.path.getsize("/proc/net/if_inet6") > 0:
            if wait_until(lambda: answers(socket.AF_INET6, "::1"), 2) is None:
                return "::1 does not answer"
        return None
    finally:
        process.terminate()
        process.wait(40)
        process.stdout.close()


# Files


def never_stale(server, folder):
    """A change that is finished before the request is seen by it, however often it is asked for."""
    path = os.path.join(folder, "changing.txt")
    tags = {}
    for number in range(300):
        content = f"{number:08}".encode()
        if number % 3 == 0:
            with open(path, "wb") as file:
                file.write(content)
        else:
            # A new file in its place, as editors and deployments do.
            with open(path + ".new", "wb") as file:
                file.write(content)
            os.replace(path + ".new", path)
        response = fetch(server, "/static/changing.txt")
        if response.body != content:
            return f"change {number}: {response.body!r}"
        tag = response.get("etag")
        if tag and not tag.startswith("W/") and tags.setdefault(tag, content) != content:
            return f"the strong tag {tag} names two contents"
    return None


def times_without_meaning(server, folder, mtime):
    path = os.path.join(folder, f"epoch-{mtime}.txt")
    seen = {}
    for content in (b"first", b"other"):
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (mtime, mtime))
        response = fetch(server, f"/static/{os.path.basename(path)}")
        if response.body != content:
            return f"{response.body!r} instead of {content!r}"
        if response.get("last-modified"):
            return f"Last-Modified: {response.get('last-modified')}"
        tag = response.get("etag")
        if tag and seen.setdefault(tag, content) != content:
            return f"the tag {tag} names two contents"
    return None


def options_of_file(server):
    response = fetch(server, "/static/a.txt", method="OPTIONS")
    allow = set(re.split(r"\s*,\s*", response.get("allow", "")))
    return None if response.status in (200, 204) and {"GET", "HEAD"} <= allow else f"{response.status} {allow}"


# Sockets


def offer(server, text):
    """A malformed offer is declined; the handshake goes on without it (RFC 7692 §5.1)."""
    with connect(server.address) as connection:
        connection.sendall(head("/wsd", *WEBSOCKET, f"Sec-WebSocket-Extensions: {text}"))
        data = b""
        while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
            data += piece
    if not data.startswith(b"HTTP/1.1 101 "):
        return repr(data[:60])
    return None


# nginx in front


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream application {{ server unix:{folder}/app.sock; keepalive 4; }}
    map $http_upgrade $connection_field {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://application;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_field;
        }}
    }}
}}
"""


def behind_nginx():
    """nginx passes requests on over a Unix socket: the client is known, sockets are let in, uploads go through."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with open(os.path.join(folder, "nginx.conf"), "w") as file:
            file.write(NGINX.format(folder=folder, port=port))
        with Server("--listen", f"unix:{folder}/app.sock,mode=600", "--trusted-proxies", "unix"):
            nginx = subprocess.Popen(
                ["/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else "nginx", "-e", f"{folder}/error.log", "-p", folder, "-c", f"{folder}/nginx.conf"], stdin=subprocess.DEVNULL)
            try:
                return through_nginx(port)
            finally:
                nginx.terminate()
                nginx.wait(10)


def through_nginx(port):
    address, authority = ("127.0.0.1", port), f"127.0.0.1:{port}"

    def open_connection():
        return socket.create_connection(address, 10)

    def can_connect():
        try:
            open_connection().close()
            return True
        except OSError:
            return False

    assert wait_until(can_connect, 10) is not None, "nginx does not start"
    for _ in range(3):
        with open_connection() as connection:
            connection.sendall(head("/who", host=authority))
            found = json.loads(read_response(connection)[0].body)
        expected = {"address": "127.0.0.1", "scheme": "http", "authority": authority, "path": "/who"}
        assert expected.items() <= found.items(), f"{found}"
    body = os.urandom(3 << 20)
    with open_connection() as connection:
        connection.sendall(head("/collect", f"Content-Length: {len(body)}", method="POST", host=authority) + body)
        assert read_response(connection, "POST", 30)[0].body == str(len(body)).encode(), "the upload did not come whole"
    for origin, status in ((f"http://{authority}", b"101"), ("http://evil.example", b"403")):
        with open_connection() as connection:
            connection.sendall(head("/ws", *WEBSOCKET, f"Origin: {origin}", host=authority))
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 " + status), f"{origin}: {answer[:60]!r}"
            if status == b"101":
                connection.sendall(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
                assert connection.recv(100) == b"\x81\x02hi"
    return None


def main():
    tally = Tally("faults" + tls.SUFFIX)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "a.txt"), "wb") as file:
            file.write(b"text " * 100)
        with open(os.path.join(folder, "a.txt.gz"), "wb") as file:
            file.write(gzip.compress(b"text " * 100))
        with Server("--static", folder) as server:
            tally.run("event streams of clients that left end within 5 s", gone_clients, server, "/events/100000", 6)
            tally.run("handlers of clients that left end", gone_clients, server, "/silent", 15)
            tally.run("a half-closed client gets its response", half_closed_client, server)
            tally.run("an event stream's head goes out at once", head_at_once, server)
            for target in ("/echo", "/collect"):
                for size in (b"100000001", b"FFFFFFFFFFFFFFF", b"1000001"):
                    tally.run(f"{target}: chunk size {size.decode()} is 413", announced_chunk, server, target, size)
            for mark in MARKS:
                for character in "<>&\"'":
                    tally.run(f"escape {character} beside {ascii(mark)}", escaped, server, mark, character)
            for name, start in (
                    ("Accept-Encoding", ""), ("Accept", "a/b;q="), ("Cookie", "a="), ("Range", "bytes="),
                    ("If-None-Match", ""), ("If-Match", ""), ("Forwarded", "for="), ("X-Forwarded-For", ""),
                    ("Connection", ""), ("Origin", "https://"), ("Sec-WebSocket-Extensions", "a;b="),
                    ("Content-Type", "multipart/form-data;boundary="), ("Content-Type", "")):
                for pattern in ('"', '"\\', '\\"', ",", ';"', '",', "="):
                    check = f"linear {name}: {start}{pattern}…"
                    tally.run(check, linear_header, server, name, start, pattern, "/static/a.txt", "GET")
                    tally.run(check + " (POST /form)", linear_header, server, name, start, pattern, "/form", "POST")
                    tally.run(check + " (GET /wsd)", linear_header, server, name, start, pattern, "/wsd", "GET")
            for kind, body in (
                    ("application/x-www-form-urlencoded", b"%" * 200_000),
                    ("application/x-www-form-urlencoded", b"&" * 200_000),
                    ("multipart/form-data; boundary=b", b"--b\r\n" * 40_000),
                    ("multipart/form-data; boundary=b", b"\r\n--" * 50_000),
                    ("multipart/form-data; boundary=" + "-" * 60, b"-" * 200_000)):
                tally.run(f"linear {kind} {body[:5]!r}", linear_body, server, kind, body)
            for query, expected in (
                    ("a=%zz&b=2", [["a", "%zz"], ["b", "2"]]), ("a=%&b=%4", [["a", "%"], ["b", "%4"]]),
                    ("a=1+2&&b", [["a", "1 2"], ["b", ""]]), ("%41=%42", [["A", "B"]])):
                tally.run(f"query {query}", query_items, server, query, expected)
            for disposition, expected in (
                    ("form-data; name=\"f\"; filename*=UTF-8''%C3%BCber.txt", "\u00fcber.txt"),
                    ("form-data; name=\"f\"; filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt", "\u00fc.txt"),
                    ("form-data; name=\"f\"; filename=\"u.txt\"", "u.txt")):
                tally.run(f"multipart {disposition}", multipart, server, disposition, expected)
            for text in ("a/b", "a=b", "a:b", "a=b/c:d"):
                tally.run(f"unquoted boundary {text}", boundary, server, text)
            tally.run("OPTIONS of a file", options_of_file, server)
            tally.run("a changed file is never stale", never_stale, server, folder)
            for mtime in (0, 1):
                tally.run(f"a file of time {mtime}", times_without_meaning, server, folder, mtime)
            for text in (
                    "permessage-deflate; server_max_window_bits=", "permessage-deflate; server_max_window_bits=1 0",
                    "permessage-deflate; client_max_window_bits=", "permessage-deflate; server_no_context_takeover=",
                    '"permessage-deflate"', 'x-unknown; a="b, c"'):
                tally.run(f"offer {text}", offer, server, text)
    tally.run("gone visitors give their places back (event streams)", places_come_back, "/events/100000", 8)
    tally.run("gone visitors give their places back (long polls)", places_come_back, "/silent", 15)
    tally.run("event streams end when the drain begins", drain_ends_streams)
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)):
        tally.run(f"{second.name} behind {first.name} ends at once", second_signal, first, second)
    tally.run("the first byte of a body may take as long as --body-timeout", body_timeout)
    with Server("--trusted-proxies", "127.0.0.1,10.0.0.0/8") as server:
        by_default = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
        tally.run("X-Forwarded-For counts by default", who, server, by_default,
            {"address": "192.0.2.1", "scheme": "https"})
        tally.run(
            "Forwarded of the client's own is ignored", who, server, (*by_default, "Forwarded: for=198.51.100.9;proto=http"),
            {"address": "192.0.2.1", "scheme": "https"})
        tally.run(
            "X-Forwarded-Host", who, server, (*by_default, "X-Forwarded-Host: chat.example"), {"authority": "chat.example"})
        tally.run(
            "the rightmost untrusted address", who, server, ("X-Forwarded-For: 192.0.2.66, 192.0.2.1, 10.1.1.1",),
            {"address": "192.0.2.1"})
        for text in ("unknown", "_hidden", "garbage", "", "192.0.2.1, nonsense"):
            tally.run(f"X-Forwarded-For: {text} is never the proxy", never_the_proxy, server, (f"X-Forwarded-For: {text}",))
    with Server("--trusted-proxies", "127.0.0.1", "--forwarded-fields", "forwarded") as server:
        tally.run(
            "Forwarded by choice", who, server,
            ("Forwarded: for=192.0.2.1;proto=https;host=chat.example", "X-Forwarded-For: 198.51.100.9"),
            {"address": "192.0.2.1", "scheme": "https", "authority": "chat.example"})
    with Server() as server:
        tally.run(
            "nobody else is believed", who, server,
            ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"),
            {"address": "127.0.0.1", "scheme": tls.SCHEME, "authority": "a.example"})
    for host, expected in (("a.example", 200), ("b.example", 421), ("a.example.evil", 421), ("A.example:80", 200)):
        tally.run(f"--hosts a.example: {host}", misdirected, "a.example", host, expected)
    if not tls.IS_TLS:
        tally.run("nginx in front, over a Unix socket", behind_nginx)
    tally.run("HOST of the shell is not read", host_of_the_shell)
    tally.run("--host localhost listens on IPv4 and IPv6", localhost)
    tally.finish()


main()
