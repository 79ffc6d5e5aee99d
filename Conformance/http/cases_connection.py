"""Connections: RFC 9112 §9, responses without a body, the order of responses, Expect (RFC 9110 §10.1.1)."""

from table import chunked, either, get, good, pipeline, post, request

HELLO = "Hello, World!"


def date(responses):
    missing = [response.status for response in responses if len(response.all("date")) != 1]
    return f"no Date in {missing} (RFC 9110 §6.6.1)" if missing else None


def says_close(responses):
    return None if "close" in (responses[-1].get("connection") or "").lower() else "no Connection: close (RFC 9112 §9.6)"


def persistence():
    yield good("9112 §9.3", "1.1 goes on", get(), body=HELLO, also=date)
    for value in ["close", "Close", "CLOSE", "close, x", "x, close", "x,close", " close "]:
        yield good("9112 §9.6", f"Connection: {value}", get("/plaintext", f"Connection: {value}"), body=HELLO, closes=True, also=says_close)
    yield good("9112 §9.6", "close on a second Connection line", get("/plaintext", "Connection: x", "Connection: close"), body=HELLO, closes=True)
    yield good("9112 §9.3", "Connection: keep-alive in 1.1", get("/plaintext", "Connection: keep-alive"), body=HELLO)
    yield good("9110 §7.6.1", "an unknown connection option", get("/plaintext", "Connection: x, y", "X: 1"), body=HELLO)
    yield good("9110 §7.6.1", "closed is not close", get("/plaintext", "Connection: closed"), body=HELLO)
    yield good("9112 §9.3", "close wins over keep-alive", get("/plaintext", "Connection: keep-alive, close"), body=HELLO, closes=True)
    yield either("9112 §9.3", "keep-alive in 1.0", get("/plaintext", "Connection: keep-alive", version="HTTP/1.0"), 200)
    yield good("9112 §9.3", "Connection: x in 1.0", get("/plaintext", "Connection: x", version="HTTP/1.0"), body=HELLO, closes=True)
    yield good("9112 §9.6", "close on POST", post(b"hello", "Content-Length: 5", "Connection: close"), body="5", closes=True)
    yield good("9112 §9.6", "close with chunked", chunked(b"5\r\nhello\r\n0\r\n\r\n", "Connection: close"), body="5", closes=True)
    yield good("9112 §9.6", "close on a 404", get("/no/such/path", "Connection: close"), 404, closes=True)
    yield good("9112 §9.3", "a 404 goes on", get("/no/such/path"), 404, also=date)
    yield good("9112 §9.3", "a handler that throws: 500, and it goes on", get("/throw"), 500)
    yield pipeline("9112 §9.6", "nothing after close is read", get("/plaintext", "Connection: close") + get("/headers"),
                   [200], ["GET"], [HELLO], closes=True)


def pipelines():
    for count in (2, 3, 16, 100):
        raw = b"".join(get(f"/params/{index}/x") for index in range(count))
        yield pipeline("9112 §9.3.2", f"{count} requests at once, in order", raw, [200] * count, ["GET"] * count,
                       [f'{{"id":"{index}","name":"x"}}' for index in range(count)])
    yield pipeline("9112 §9.3.2", "a slow response before a fast one", get("/slow/150") + get("/plaintext"), [200, 200], ["GET"] * 2, ["done", HELLO])
    yield pipeline("9112 §9.3.2", "POST between GETs", get() + post(b"hello", "Content-Length: 5", target="/echo") + get("/params/1/2"),
                   [200] * 3, ["GET", "POST", "GET"], [HELLO, "hello", '{"id":"1","name":"2"}'])
    yield pipeline("9112 §9.3.2", "HEAD between GETs", get() + request("HEAD") + get(), [200] * 3, ["GET", "HEAD", "GET"], [HELLO, b"", HELLO])
    yield pipeline("9112 §9.3.2", "a stream between", get("/stream") + get(), [200] * 2, ["GET"] * 2,
                   ["".join(f"chunk {index}\n" for index in range(10)), HELLO])
    yield pipeline("9112 §9.3.2", "an error between", get() + get("/no/such/path") + get(), [200, 404, 200], ["GET"] * 3)
    yield pipeline("9112 §9.3.2", "a rejected message ends it", get() + get("/plaintext", "X : y") + get(), [200, 400], ["GET"] * 2, closes=True)
    yield pipeline("9112 §9.3.2", "a bad chunk ends it", get() + chunked(b"x\r\n") + get(), [200, 400], ["GET", "POST"], closes=True)
    yield pipeline("9112 §2.2", "an empty line between requests", get() + b"\r\n" + get(), [200, 200], ["GET"] * 2)
    yield pipeline("9112 §9.3.2", "1.0 ends it", get(version="HTTP/1.0") + get(), [200], ["GET"], closes=True)


def bodiless():
    for status in (204, 304):
        yield good("9110 §6.4.1", f"{status} has no body", get(f"/status/{status}"), status, body="")
    yield good("9110 §15.3.6", "205 has no content", get("/status/205"), 205, body="")
    for status in (200, 201, 202, 301, 400, 401, 404, 418, 500, 503, 599):
        yield good("9112 §4", f"status {status}", get(f"/status/{status}"), status, body="")
    yield pipeline("9112 §6.3", "HEAD of a stream, then GET", request("HEAD", "/stream") + get(), [200, 200], ["HEAD", "GET"], [b"", HELLO])
    for name, broken in [("a control character", b"\x01"), ("a bare CR", b"\rGET /plaintext HTTP/1.1"), ("an invalid line", b"nothing")]:
        yield pipeline("9112 §6.3", f"HEAD, then {name}: the error response has the body that it announces",
                       request("HEAD") + broken + b"\r\n\r\n", [200, (400, 505)], ["HEAD", "GET"], closes=True)
    yield pipeline("9112 §6.3", "204, then GET", get("/status/204") + get(), [204, 200], ["GET"] * 2, ["", HELLO])
    yield pipeline("9112 §6.3", "304, then GET", get("/status/304") + get(), [304, 200], ["GET"] * 2, ["", HELLO])
    yield good("9112 §6.1", "a stream to 1.0 is not chunked", get("/stream", version="HTTP/1.0"), closes=True,
               body="".join(f"chunk {index}\n" for index in range(10)),
               also=lambda responses: "chunked to 1.0" if responses[0].get("transfer-encoding") else None)


def unread_bodies():
    inner = get("/headers")
    framing = f"Content-Length: {len(inner)}"
    yield either("9112 §9.3", "the body of a 405 is not a request", post(inner, framing, target="/plaintext"), 405)
    yield either("9112 §9.3", "the body of a 404 is not a request", post(inner, framing, target="/no/such/path"), 404)
    yield either("9112 §9.3", "the body of a 501 is not a request", request("FOO", "/plaintext", framing, body=inner), 501)
    yield either("9112 §9.3", "the chunked body of a 404 is not a request",
                 post(b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner), "Transfer-Encoding: chunked", target="/no/such/path"), 404)
    yield either("9112 §9.3", "the body of a GET is not a request", get("/plaintext", framing, body=inner), 200)
    yield either("9112 §9.3", "the body of a handler that throws is not a request", get("/throw", framing, body=inner), 500)
    yield either("9112 §9.3", "a bad chunk after a 404", post(b"x\r\n" + inner, "Transfer-Encoding: chunked", target="/no/such/path"), (400, 404))


def expectations():
    body = b"hello"
    for value in ["100-continue", "100-Continue"]:
        yield good("9110 §10.1.1", f"Expect: {value} with the body at once", post(body, "Content-Length: 5", f"Expect: {value}"), body="5")
    yield good("9110 §10.1.1", "Expect: 100-continue without a body", get("/plaintext", "Expect: 100-continue"), body=HELLO)
    yield either("9110 §10.1.1", "an unknown expectation", post(body, "Content-Length: 5", "Expect: x"), 417)
    yield either("9110 §10.1.1", "one known and one unknown", post(body, "Content-Length: 5", "Expect: 100-continue, x"), 417)
    yield good("9110 §10.1.1", "Expect in 1.0 is ignored", post(body, "Content-Length: 5", "Expect: 100-continue", version="HTTP/1.0"), body="5", closes=True)


def upgrades():
    yield good("9110 §7.8", "an unknown protocol is ignored", get("/plaintext", "Connection: upgrade", "Upgrade: x/1"), body=HELLO)
    yield good("9110 §7.8", "h2c is ignored", get("/plaintext", "Connection: upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), body=HELLO)
    yield good("9110 §7.8", "websocket on another route is ignored",
               get("/plaintext", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), body=HELLO)


def reflection():
    yield good("9110 §5.5", "a value reflected into a field", get("/reflect-header?v=abc"),
               also=lambda responses: None if responses[0].get("x-reflect") == "abc" else "X-Reflect is not there")
    for name, value in [("CR LF", "a%0d%0aX-Injected:%201"), ("LF", "a%0aX-Injected:%201"), ("CR", "a%0dX-Injected:%201"), ("NUL", "a%00b")]:
        yield either("9110 §5.5", f"{name} cannot become a field", get(f"/reflect-header?v={value}"), 400,
                     also=lambda responses: "injected" if responses[0].get("x-injected") else None)


def pages():
    for name, value, shown in [("text", "a%20b", "a b"), ("a tag", "%D8%80%3Cb%3E", "\u0600&lt;b&gt;"),
                               ("quotes that combine", "%22%CC%81%27%CC%81%26", "&quot;\u0301&#39;\u0301&amp;")]:
        yield good("HTML §13.1", f"a template escapes {name}", get(f"/render?name={value}"),
                   body=f'<p title="{shown}">{shown}</p>'.encode())


def cases():
    for group in (persistence, pipelines, bodiless, unread_bodies, expectations, upgrades, reflection, pages):
        yield from group()
