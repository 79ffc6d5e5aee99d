"""Fields: RFC 9112 §5, RFC 9110 §5 and §7.2 (Host)."""

import json

from table import HOST, as_bytes, bad, either, get, good, request

HELLO = "Hello, World!"


def with_host(value, version="HTTP/1.1"):
    return get(host=b"Host:" + as_bytes(value) + b"\r\n", version=version)


def raw(fields):
    """A request with this field section."""
    return b"GET /headers HTTP/1.1\r\n" + as_bytes(fields) + b"\r\n"


def sees(*expected):
    """Checks that the server sees these fields, in this order."""
    def check(responses):
        pairs = [(name.lower(), value) for name, value in json.loads(responses[0].body)]
        position = 0
        for pair in expected:
            if pair not in pairs[position:]:
                return f"{pair} is not among {pairs} from {position}"
            position = pairs.index(pair, position) + 1
        return None
    return check


def host():
    yield bad("9112 §3.2", "no Host in 1.1", get(host=b""))
    yield good("9112 §3.2", "no Host in 1.0", get(host=b"", version="HTTP/1.0"), body=HELLO, closes=True)
    yield bad("9112 §3.2", "no Host in 1.1, absolute form", get("http://a.example/plaintext", host=b""))
    yield bad("9112 §3.2", "two Hosts", get(host=HOST + b"Host: b.example\r\n"))
    yield bad("9112 §3.2", "two equal Hosts", get(host=HOST * 2))
    yield bad("9112 §3.2", "two Hosts apart", get("/plaintext", "X: y", "Host: b.example"))
    yield bad("9110 §9.3.2", "two Hosts with HEAD: rejected without content", request("HEAD", host=HOST * 2))
    yield bad("9110 §9.3.2", "no Host with HEAD: rejected without content", request("HEAD", host=b""))
    yield bad("9112 §3.2", "two Hosts in 1.0", get(host=HOST * 2, version="HTTP/1.0"))
    for value in ["a.example", "A.EXAMPLE", "a_b.example", "localhost", "127.0.0.1", "127.0.0.1:80", "a.example:8080",
                  "[::1]", "[::1]:8080", "xn--bcher-kva.example", "a-b.example."]:
        yield good("9110 §7.2", f"Host {value}", with_host(" " + value), body=HELLO)
    yield good("9110 §5.5", "Host without a space", with_host("a.example"), body=HELLO)
    yield good("9110 §5.5", "Host with white space around", with_host(" \t a.example \t "), body=HELLO)
    yield good("9110 §5.1", "hOsT in mixed case", get(host=b"hOsT: a.example\r\n"), body=HELLO)
    yield either("9110 §7.2", "an empty Host", with_host(" "), (200, 400))
    yield either("3986 §3.2.3", "an empty port", with_host(" a.example:"), (200, 400))
    for value in ["a.example, b.example", "a b.example", "a\tb", "user@a.example", "a.example/x", "a.example?x", "a.example#x",
                  "http://a.example", "a.example:80:80", "a.example:x", "a.example:-1", "a.example:8 0", "[::1", "::1]", "[::1]x",
                  "[::g]", "a\\b", "\"a\"", "<a>", "a{b}", "a|b", "a^b", "a`b", "a%", "a%zz"]:
        yield bad("9110 §7.2", f"Host {value!r}", with_host(" " + value))
    yield bad("9110 §7.2", "Host with an byte over 0x7f", with_host(b" a\xe9.example"))
    yield bad("9110 §7.2", "Host with NUL", with_host(b" a\0b"))
    yield either("3986 §3.2.2", "a semicolon is a sub-delimiter", with_host(" a.example;x"), (200, 400))
    yield either("3986 §3.2.3", "a port over 65535", with_host(" a.example:65536"), (200, 400))


def names():
    yield bad("9112 §5.1", "a space before the colon", get("/plaintext", "X : y"))
    yield bad("9112 §5.1", "a tab before the colon", get("/plaintext", "X\t: y"))
    yield bad("9112 §5.1", "a space before Host's colon", get(host=b"Host : a.example\r\n"))
    yield bad("9112 §5", "no colon", get("/plaintext", "X"))
    yield bad("9112 §5", "no colon, with a space", get("/plaintext", "X y"))
    yield bad("9112 §5", "an empty name", get("/plaintext", ": y"))
    yield bad("9112 §5", "a colon alone", get("/plaintext", ":"))
    for byte in [*range(0x01, 0x0a), 0x0b, 0x0c, *range(0x0e, 0x21), *b"\"(),/;<=>?@[\\]{}", 0x7f, 0x80, 0xc3, 0xff]:
        yield bad("9110 §5.6.2", f"byte {byte:#04x} in a name", get("/plaintext", b"X" + bytes([byte]) + b"Y: z"))
    yield bad("9110 §5.6.2", "NUL in a name", get("/plaintext", b"X\0Y: z"))
    yield good("9110 §5.6.2", "every token character in a name", get("/headers", "!#$%&'*+-.^_`|~09azAZ: v"),
               also=sees(("!#$%&'*+-.^_`|~09azaz", "v")))


def values():
    yield good("9112 §5", "white space around a value is not part of it", get("/headers", "X-A: \t v \t "), also=sees(("x-a", "v")))
    yield good("9112 §5", "no white space", get("/headers", "X-A:v"), also=sees(("x-a", "v")))
    yield good("9110 §5.5", "an empty value", get("/headers", "X-A:"), also=sees(("x-a", "")))
    yield good("9110 §5.5", "white space alone is an empty value", get("/headers", "X-A: \t "), also=sees(("x-a", "")))
    yield good("9110 §5.5", "a tab inside", get("/headers", "X-A: a\tb"), also=sees(("x-a", "a\tb")))
    yield good("9110 §5.5", "colons and quotes inside", get("/headers", 'X-A: a:b "c" (d)'), also=sees(("x-a", 'a:b "c" (d)')))
    yield good("9110 §5.5", "bytes over 0x7f", get("/headers", b"X-A: caf\xc3\xa9"), also=sees(("x-a", "café")))
    yield good("9110 §5.5", "bytes over 0x7f that are not UTF-8", get("/plaintext", b"X-A: \xff\xfe"), body=HELLO)
    yield good("9110 §5.3", "the same name twice, in order", get("/headers", "X-A: 1", "X-B: 2", "X-A: 3"),
               also=sees(("x-a", "1"), ("x-b", "2"), ("x-a", "3")))
    for byte in [*range(0x01, 0x09), 0x0b, 0x0c, *range(0x0e, 0x20), 0x7f]:
        yield bad("9110 §5.5", f"control character {byte:#04x} in a value", get("/plaintext", b"X: a" + bytes([byte]) + b"b"))
    yield bad("9110 §5.5", "NUL in a value", get("/plaintext", b"X: a\0b"))
    yield bad("9110 §5.5", "NUL at the end of a value", get("/plaintext", b"X: a\0"))
    yield bad("9110 §5.5", "bare CR in a value", get("/plaintext", b"X: a\rb"))
    yield bad("9110 §5.5", "bare CR before a field", get("/plaintext", b"X: a\rTransfer-Encoding: chunked"))
    yield bad("9112 §2.2", "bare LF between fields", get("/plaintext", b"X: a\nY: b"))
    yield bad("9112 §2.2", "bare LF at the end of the head", raw("Host: a.example\r\n\n"))
    yield bad("9112 §2.2", "bare LF and then CRLF", raw("Host: a.example\n"))
    yield bad("9112 §2.2", "CR CR LF after a field", get("/plaintext", b"X: a\r"))
    yield bad("9112 §2.2", "CR alone ends the head", raw("Host: a.example\r\n\r"))


def folding():
    yield bad("9112 §5.2", "obs-fold with a space", get("/plaintext", "X: a\r\n b"))
    yield bad("9112 §5.2", "obs-fold with a tab", get("/plaintext", "X: a\r\n\tb"))
    yield bad("9112 §5.2", "obs-fold after an empty value", get("/plaintext", "X:\r\n b"))
    yield bad("9112 §5.2", "obs-fold of white space alone", get("/plaintext", "X: a\r\n "))
    yield bad("9112 §5.2", "obs-fold of Host", get(host=b"Host: a\r\n .example\r\n"))
    yield bad("9112 §5.2", "obs-fold of Content-Length", request("POST", "/collect", "Content-Length: 1\r\n 0", body=b"0123456789"))
    yield bad("9112 §5.2", "obs-fold of Transfer-Encoding", request("POST", "/collect", "Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"))
    yield bad("9112 §2.2", "white space before the first field", raw(" X: y\r\nHost: a.example\r\n"))
    yield bad("9112 §2.2", "a tab before the first field", raw("\tX: y\r\nHost: a.example\r\n"))


def limits():
    yield good("9110 §5.4", "90 fields", get("/plaintext", *(f"X-{index}: y" for index in range(90))), body=HELLO)
    yield good("9110 §5.4", "a field of 8 KiB", get("/plaintext", "X: " + "y" * 8192), body=HELLO)
    yield good("9110 §5.4", "many fields, 8 KiB together", get("/plaintext", *(f"X-{index:02}: " + "y" * 120 for index in range(64))), body=HELLO)
    yield bad("6585 §5", "over 1,000 fields", get("/plaintext", *(f"X-{index}: y" for index in range(1100))), 431)
    yield bad("6585 §5", "a field over 64 KiB", get("/plaintext", "X: " + "y" * 66000), 431)
    yield bad("6585 §5", "a name over 64 KiB", get("/plaintext", "X" * 66000 + ": y"), 431)
    yield bad("6585 §5", "fields over 64 KiB together", get("/plaintext", *(f"X-{index}: " + "y" * 1000 for index in range(70))), 431)
    yield bad("6585 §5", "a field section that never ends", b"GET /plaintext HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 12000, 431)
    yield bad("6585 §5", "a field that never ends", b"GET /plaintext HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 70000, 431)


def cases():
    for group in (host, names, values, folding, limits):
        yield from group()
