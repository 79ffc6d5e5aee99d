"""Every route answers over HTTP/2 as it does over HTTP/1.1."""

import json

import httpx

# Fields that belong to the connection, and those that differ from one response to the next.
OWN = {"connection", "upgrade", "keep-alive", "transfer-encoding", "date", "etag", "last-modified"}

FORM = b"a=1&b=two&a=3"
PARTS = (b"--x\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nvalue\r\n"
         b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--x--\r\n")

REQUESTS = [
    ("GET", "/plaintext", {}, None), ("HEAD", "/plaintext", {}, None), ("GET", "/json", {}, None),
    ("OPTIONS", "/plaintext", {}, None), ("DELETE", "/plaintext", {}, None), ("BREW", "/plaintext", {}, None),
    ("POST", "/echo", {"content-type": "text/x"}, b"hello"), ("POST", "/echo", {}, b""), ("POST", "/echo", {}, b"x" * 3_000_000),
    ("POST", "/collect", {}, b"y" * 1_000_000), ("POST", "/collect", {}, b"y" * (17 << 20)),
    ("GET", "/params/7/a%20b", {}, None), ("GET", "/query?a=1&b=%C3%A9&a=2&c", {}, None), ("GET", "/stream", {}, None),
    ("HEAD", "/stream", {}, None), ("GET", "/sse", {}, None), ("GET", "/block", {}, None), ("GET", "/throw", {}, None),
    ("POST", "/form", {"content-type": "application/x-www-form-urlencoded"}, FORM),
    ("POST", "/form", {"content-type": "multipart/form-data; boundary=x"}, PARTS),
    ("POST", "/form", {"content-type": "text/plain"}, b"a"),
    ("GET", "/cookies", {"cookie": "a=1; b=2"}, None), ("GET", "/reflect-header?v=hello", {}, None),
    ("GET", "/reflect-header?v=a%0Ab", {}, None), ("GET", "/ws", {}, None), ("GET", "/nothing", {}, None),
    ("GET", "/nothing", {"accept": "application/json"}, None), ("GET", "/static/", {}, None), ("GET", "/static", {}, None),
    ("GET", "/static/big.bin", {}, None), ("GET", "/static/big.bin", {"range": "bytes=5-9"}, None),
    ("GET", "/static/big.bin", {"range": "bytes=99999999-"}, None), ("HEAD", "/static/big.bin", {}, None),
    ("GET", "/static/big.bin", {"range": "bytes=0-1,5-6"}, None),
    ("GET", "/static/text.txt", {"if-none-match": "*"}, None), ("GET", "/static/%2e%2e/secret", {}, None),
    ("POST", "/static/text.txt", {}, b"x"), ("GET", "/slow/200", {}, None), ("GET", "/error/409", {"accept": "application/json"}, None),
    ("GET", "/render?name=%3Cb%3E", {}, None), ("GET", "/" + "a" * 8000, {}, None), ("GET", "/" + "a" * 20_000, {}, None),
    ("GET", "/plaintext", {f"x-{n}": "v" for n in range(80)}, None), ("GET", "/plaintext", {f"x-{n}": "v" for n in range(1100)}, None),
    ("GET", "/plaintext", {"x-large": "v" * 70_000}, None), ("POST", "/collect", {"expect": "tea"}, b"x"),
] + [("GET", f"/status/{code}", {}, None) for code in (200, 204, 205, 304, 404, 418, 500, 599)]


def shown(response):
    fields = sorted((name, value) for name, value in response.headers.multi_items() if name not in OWN)
    content = response.content
    if response.headers.get("content-type", "").startswith("multipart/byteranges"):
        # The boundary is another one each time.
        boundary = response.headers["content-type"].split("boundary=")[1]
        content = content.replace(boundary.encode(), b"B")
        fields = [(name, value.replace(boundary, "B")) for name, value in fields if name != "content-length"]
    return response.status_code, fields, content


def differs(server, request):
    method, target, fields, content = request
    both = []
    for version in (False, True):
        with httpx.Client(http1=not version, http2=version, timeout=30, verify=False) as client:
            response = client.request(method, server.url + target, headers=fields, content=content)
            expected = "HTTP/2" if version else "HTTP/1.1"
            if response.http_version != expected:
                return f"spoke {response.http_version}"
            both.append(shown(response))
    for part, one, two in zip(("status", "fields", "content"), *both):
        if one != two:
            return f"{part}: HTTP/1.1 {str(one)[:300]}, HTTP/2 {str(two)[:300]}"
    return None


def who(server):
    with httpx.Client(http1=False, http2=True, timeout=30, verify=False) as client:
        seen = [json.loads(client.get(server.url + "/who").content) for _ in range(3)]
    if len({one["connection"] for one in seen}) != 1:
        return f"not one connection: {seen}"
    return None if seen[0]["version"] == "HTTP/2" and seen[0]["authority"] == server.authority else seen[0]


def checks():
    for request in REQUESTS:
        named = f"{request[0]} {request[1][:40]}" + (f" {dict(list(request[2].items())[:1])}"[:60] if request[2] else "") + (
            f" with {len(request[3])} bytes" if request[3] is not None else "")
        yield f"as over HTTP/1.1: {named}", differs, request
    yield "/who: the version, and one connection for all", lambda server, _: who(server), None
