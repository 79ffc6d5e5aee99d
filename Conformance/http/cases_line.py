"""The request line: RFC 9112 §3, methods and versions of RFC 9110."""

from table import NO_RESPONSE, as_bytes, bad, either, get, good, request

HELLO = "Hello, World!"


def line(text):
    """A request with this first line."""
    return as_bytes(text) + b"\r\nHost: a.example\r\n\r\n"


def allows(*methods):
    def check(responses):
        allow = {item.strip() for item in ",".join(responses[0].all("allow")).split(",")}
        missing = set(methods) - allow
        return f"Allow is {sorted(allow)}, lacks {sorted(missing)}" if missing else None
    return check


def targets():
    yield good("9112 §3.2.1", "origin form", get(), body=HELLO)
    yield good("9112 §3.2.1", "origin form with a query", get("/plaintext?a=b&c"), body=HELLO)
    yield good("9112 §3.2.1", "empty query", get("/plaintext?"), body=HELLO)
    yield good("9110 §4.2.3", "percent-encoded unreserved byte equals the byte", get("/plain%74ext"), body=HELLO)
    yield good("9110 §4.2.3", "decoded once only", get("/plain%2574ext"), 404)
    yield good("3986 §2.2", "an encoded slash does not split a segment", get("/params/a%2Fb/c"),
               body='{"id":"a/b","name":"c"}')
    yield good("3986 §2.5", "UTF-8 in percent-encoding", get("/params/%C3%A9/c"), body='{"id":"é","name":"c"}'.encode())
    yield good("3986 §3.4", "question mark inside of a query", get("/query?a=b?c"), body='[["a","b?c"]]')
    yield good("9112 §3.2.1", "unknown path", get("/no/such/path"), 404)
    yield good("9112 §3.2.1", "path of one slash", get("/"), (200, 404))
    yield good("9112 §3.2.2", "absolute form", get("http://a.example/plaintext"), body=HELLO)
    yield good("9110 §4.2.3", "absolute form, scheme and host in capitals", get("HTTP://A.EXAMPLE/plaintext"), body=HELLO)
    yield good("9112 §3.2.2", "absolute form with a port",
               get("http://a.example:8080/plaintext", host=b"Host: a.example:8080\r\n"), body=HELLO)
    yield good("9112 §3.2.2", "absolute form with a query", get("http://a.example/query?a=1"), body='[["a","1"]]')
    yield good("9110 §4.2.3", "absolute form, empty path is /", get("http://a.example"), (200, 404))
    yield good("9110 §4.2.3", "absolute form, empty path with a query", get("http://a.example?x=/plaintext"), (200, 404))
    yield either("9110 §4.2.3", "absolute form, default port against none", get("http://a.example:80/plaintext"), (200, 400))
    yield either("9110 §7.4", "absolute form of https on a plain port", get("https://a.example/plaintext"), (200, 400, 421))
    yield either("9110 §7.4", "absolute form of another scheme", get("ftp://a.example/plaintext"), (400, 404, 421))
    yield bad("9112 §3.2.2", "absolute form disagrees with Host", get("http://b.example/plaintext"))
    yield bad("9112 §3.2.2", "absolute form disagrees with Host's port", get("http://a.example:81/plaintext"))
    yield bad("9110 §4.2.4", "absolute form with userinfo", get("http://user@a.example/plaintext"))
    yield bad("9110 §4.2.4", "absolute form with a password", get("http://u:p@a.example/plaintext"))
    yield bad("9110 §4.2.1", "absolute form with an empty host", get("http:///plaintext"))
    yield bad("9112 §3.2.2", "absolute form with a bad port", get("http://a.example:8x/plaintext"))
    yield bad("9112 §3.2.3", "authority form for GET", get("a.example:80"))
    yield either("9112 §3.2.3", "CONNECT in authority form", request("CONNECT", "a.example:80"), (400, 405, 501))
    yield either("9112 §3.2.3", "CONNECT in origin form", request("CONNECT", "/plaintext"), (400, 405, 501))
    yield good("9112 §3.2.4", "OPTIONS in asterisk form", request("OPTIONS", "*"), (200, 204))
    yield bad("9112 §3.2.4", "asterisk form for GET", get("*"))
    yield either("9112 §3.2.4", "asterisk with more", request("OPTIONS", "*x"), 400)
    yield bad("9112 §3.2", "fragment", get("/plaintext#top"))
    yield bad("9112 §3.2", "fragment in absolute form", get("http://a.example/plaintext#top"))
    yield bad("9112 §3.2", "no leading slash", get("plaintext"))
    yield bad("9112 §3.2", "a query alone", get("?a=b"))
    yield bad("9112 §3.2", "backslash first", get("\\plaintext"))
    for name, target in [("one percent sign", "/%"), ("one hex digit", "/%4"), ("no hex digits", "/%zz"), ("sign as digit", "/%+1")]:
        yield either("3986 §2.1", f"broken percent-encoding: {name}", get(target), (400, 404))
    yield either("3986 §2.1", "percent-encoded NUL", get("/params/%00/c"), (400, 404))
    yield either("3986 §2.5", "percent-encoding of invalid UTF-8", get("/params/%FF/c"), (200, 400, 404))
    yield good("URL §5.1", "broken percent-encoding in a query stays, and costs no other item",
               get("/query?a=%zz&b=100%&c=1"), body='[["a","%zz"],["b","100%"],["c","1"]]')
    yield good("URL §5.1", "bytes of a query that are not UTF-8", get("/query?a=%ff&b=1"), body='[["a","\N{REPLACEMENT CHARACTER}"],["b","1"]]'.encode())
    for target in ["/a/../plaintext", "/./plaintext", "/plaintext/.", "/..", "/%2e%2e/plaintext", "//plaintext"]:
        yield either("3986 §5.2.4", f"dot segments or empty ones: {target}", get(target), (200, 301, 308, 400, 404))
    for byte in [*range(0x01, 0x09), 0x0b, 0x0c, *range(0x0e, 0x20), 0x7f]:
        yield bad("9112 §3.2", f"control character {byte:#04x} in the target", get(b"/plain" + bytes([byte]) + b"text"))
    yield bad("9112 §3.2", "NUL in the target", get(b"/plain\0text"))
    for byte in [0x80, 0xc3, 0xff]:
        yield bad("9112 §3.2", f"byte {byte:#04x} in the target", get(b"/plain" + bytes([byte]) + b"text"))
    for character in "\"<>\\^`{|}":
        yield either("9112 §3.2", f"{character} in the path", get(f"/a{character}b"), (400, 404))
    yield good("9112 §3", "a target of 8,000 bytes", get("/plaintext?" + "a" * 7989), body=HELLO)
    yield bad("9110 §15.5.15", "a target over 64 KiB", get("/plaintext?" + "a" * 66000), (414,))
    yield bad("9110 §15.5.15", "a target over 64 KiB that never ends", b"GET /" + b"a" * 70000, (414,))


def lines():
    yield bad("9112 §3", "two spaces before the target", line("GET  /plaintext HTTP/1.1"))
    yield bad("9112 §3", "two spaces before the version", line("GET /plaintext  HTTP/1.1"))
    yield bad("9112 §3", "a space before the method", line(" GET /plaintext HTTP/1.1"))
    yield bad("9112 §3", "a space after the version", line("GET /plaintext HTTP/1.1 "))
    yield bad("9112 §3", "a tab between", line("GET\t/plaintext\tHTTP/1.1"))
    yield bad("9112 §3", "a tab before the version", line("GET /plaintext\tHTTP/1.1"))
    yield bad("9112 §3", "a vertical tab between", line("GET\x0b/plaintext\x0bHTTP/1.1"))
    yield bad("9112 §3", "a space inside of the target", line("GET /plain text HTTP/1.1"))
    yield bad("9112 §3", "an empty target", line("GET  HTTP/1.1"))
    yield bad("9112 §3", "method and version only", line("GET HTTP/1.1"))
    yield bad("9112 §3", "a fourth word", line("GET /plaintext HTTP/1.1 x"))
    yield bad("9112 §3", "one word", line("GET"), (400, 505))
    yield bad("9112 §3", "bare LF ends the line", b"GET /plaintext HTTP/1.1\nHost: a.example\r\n\r\n")
    yield bad("9112 §2.2", "bare LF everywhere", b"GET /plaintext HTTP/1.1\nHost: a.example\n\n")
    yield bad("9112 §2.2", "bare CR ends the line", b"GET /plaintext HTTP/1.1\rHost: a.example\r\n\r\n")
    yield bad("9112 §2.2", "bare CR in the target", get(b"/plain\rtext"))
    yield bad("9112 §2.2", "bare CR in the method", request(b"G\rET"))
    yield bad("9112 §2.2", "CR CR LF", b"GET /plaintext HTTP/1.1\r\r\nHost: a.example\r\n\r\n")
    yield good("9112 §2.2", "an empty line before the request", b"\r\n" + get(), body=HELLO)
    yield either("9112 §2.2", "two empty lines before the request", b"\r\n\r\n" + get(), (200, 400))
    yield either("9112 §2.2", "a bare LF before the request", b"\n" + get(), (200, 400))
    yield bad("9112 §2.2", "white space between line and fields", b"GET /plaintext HTTP/1.1\r\n X: y\r\nHost: a.example\r\n\r\n")


def versions():
    yield good("9112 §2.3", "HTTP/1.0 closes", get(version="HTTP/1.0"), body=HELLO, closes=True)
    for version in ["HTTP/1.2", "HTTP/1.9"]:
        yield good("9110 §2.5", f"{version} is handled as 1.1", get(version=version), body=HELLO)
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/9.9"]:
        yield bad("9110 §15.6.6", f"{version}", get(version=version), (505,))
    for version in ["HTTP/0.9", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11.1", "HTTP/1.10", "HTTP/01.1", "HTTP/1.1.1", "HTTP/1,1",
                    "HTTP/a.b", "HTTP/-1.1", "HTTP/2", "http/1.1", "Http/1.1", "HTPP/1.1", "HTTPS/1.1", "ICY/1.1", "/1.1", "1.1",
                    "HTTP 1.1", "HTTP/ 1.1", "HTTP/1.1\0", "HTTP/1.1;x", "HTTP\\1.1"]:
        statuses = (505,) if version == "HTTP/0.9" else 400
        yield bad("9112 §2.3", f"version {version!r}", get(version=version), statuses)
    yield bad("9112 §2.3", "HTTP/0.9 without a version", b"GET /plaintext\r\n\r\n", (400, 505, NO_RESPONSE))
    yield bad("9112 §2.3", "HTTP/0.9 with a line only", b"GET /plaintext\r\n", (400, 505, NO_RESPONSE))


def methods():
    for method in ["FOO", "BREW", "G", "GETT", "get", "Get", "!#$%&'*+-.^_`|~09az"]:
        yield either("9110 §9.1", f"unknown method {method}", request(method), 501)
    for method in ["DELETE", "PUT", "PATCH", "POST"]:
        yield good("9110 §15.5.6", f"{method} on a GET route", request(method, "/plaintext", "Content-Length: 0"), 405,
                   also=allows("GET", "HEAD"))
    yield good("9110 §15.5.6", "GET on a POST route", get("/collect"), 405, also=allows("POST"))
    yield either("9110 §9.3.8", "TRACE is rejected", request("TRACE"), (405, 501))
    yield good("9110 §9.3.7", "OPTIONS of a route", request("OPTIONS"), (200, 204), also=allows("GET", "HEAD"))
    yield good("9110 §9.3.7", "OPTIONS of an unknown path", request("OPTIONS", "/no/such/path"), (404,))
    yield good("9110 §9.3.2", "HEAD of a known route", request("HEAD"), body=b"",
               also=lambda responses: None if responses[0].get("content-length") in ("13", None) else "Content-Length is not GET's")
    yield good("9110 §9.3.2", "HEAD of an unknown path", request("HEAD", "/no/such/path"), 404)
    yield good("9110 §9.3.2", "HEAD of a POST route", request("HEAD", "/collect"), 405)
    yield good("9110 §9.3.2", "HEAD of a stream", request("HEAD", "/stream"))
    for byte in b"\"(),/:;<=>?@[\\]{}\x01\x7f\x80\xff":
        yield bad("9110 §9.1", f"byte {byte:#04x} in the method", request(b"G" + bytes([byte]) + b"T"), 400)
    yield bad("9110 §9.1", "an empty method", b" /plaintext HTTP/1.1\r\nHost: a.example\r\n\r\n")
    yield either("9110 §9.1", "a method of 1,000 bytes", request("M" * 1000), (400, 414, 431, 501))


def other_protocols():
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(range(1, 190))
    refused = (400, 505, NO_RESPONSE)
    yield bad("9112 §3", "a TLS ClientHello on the plain port", hello, refused)
    yield bad("9113 §3.4", "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), (400, 501, 505, NO_RESPONSE))
    yield bad("9112 §3", "an SSH greeting", b"SSH-2.0-OpenSSH_9.2\r\n", refused)
    yield bad("9112 §3", "SOCKS 5", b"\x05\x01\x00\r\n\r\n", refused)
    yield bad("9112 §3", "a line of zeros", bytes(100) + b"\r\n\r\n", refused)
    yield bad("9112 §3", "an SMTP greeting", b"EHLO a.example\r\n", refused)
    yield bad("9112 §3", "a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (400, 501, 505))


def cases():
    for group in (targets, lines, versions, methods, other_protocols):
        yield from group()
