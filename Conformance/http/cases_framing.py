"""Message framing: RFC 9112 §6 and §7, which prevents request smuggling (§11.2)."""

from table import as_bytes, bad, chunked, either, get, good, pipeline, post

FIVE = b"5\r\nhello\r\n0\r\n\r\n"
REFUSED = (400, 501)


def lengths():
    yield good("9112 §6.2", "Content-Length", post(b"hello", "Content-Length: 5"), body="5")
    yield good("9112 §6.2", "Content-Length 0", post(b"", "Content-Length: 0"), body="0")
    yield good("9112 §6.3", "no framing field is no body", post(b""), body="0")
    yield good("9112 §5", "white space around Content-Length", post(b"hello", "Content-Length: \t5 \t"), body="5")
    yield good("9110 §5.1", "cONTENT-lENGTH", post(b"hello", "cONTENT-lENGTH: 5"), body="5")
    yield good("9112 §6.2", "the body is a request", post(get("/no/such/path"), f"Content-Length: {len(get('/no/such/path'))}"),
               body=str(len(get("/no/such/path"))))
    yield good("9110 §9.3.1", "GET with a body", get("/plaintext", "Content-Length: 5", body=b"hello"), body="Hello, World!")
    yield either("9110 §8.6", "leading zeros", post(b"hello", "Content-Length: 005"), (200, 400))
    yield bad("9110 §8.6", "Content-Length twice, equal", post(b"hello", "Content-Length: 5", "Content-Length: 5"))
    yield bad("9112 §6.3", "Content-Length twice, different", post(b"hello", "Content-Length: 5", "Content-Length: 6"))
    yield bad("9112 §6.3", "Content-Length twice, zero first", post(b"hello", "Content-Length: 0", "Content-Length: 5"))
    yield bad("9112 §6.3", "Content-Length twice, second invalid", post(b"hello", "Content-Length: 5", "Content-Length: x"))
    for value in ["5, 5", "5, 6", "5,", ",5", "+5", "-5", "-0", "5 5", "0x5", "5.0", "5e0", "1_0", "5;", "\"5\"", "five", "",
                  "5\t5", "5\x0b", "\x0b5", "0 5", "５".encode().decode("latin-1"), "5\x00", "NaN", "%35", "5h", "5,x", "١".encode().decode("latin-1")]:
        yield bad("9110 §8.6", f"Content-Length {value!r}", post(b"hello", b"Content-Length: " + as_bytes(value)))
    for value in [2**31, 2**32 + 5, 2**63 - 1, 2**63, 2**64, 2**64 + 5, 10**30]:
        yield bad("9110 §8.6", f"Content-Length {value}", post(b"hello", f"Content-Length: {value}"), (400, 413))
    yield bad("9112 §5.1", "a space before Content-Length's colon", post(b"hello", "Content-Length : 5"))
    yield bad("9112 §6.3", "an invalid Content-Length on GET", get("/plaintext", "Content-Length: x"))
    yield bad("9112 §6.3", "two Content-Lengths on GET", get("/plaintext", "Content-Length: 0", "Content-Length: 1", body=b"x"))
    yield bad("9112 §6.3", "two Content-Lengths in 1.0", post(b"hello", "Content-Length: 5", "Content-Length: 6", version="HTTP/1.0"))
    yield good("9112 §6.3", "Content-Length in 1.0", post(b"hello", "Content-Length: 5", version="HTTP/1.0"), body="5", closes=True)


def codings():
    yield good("9112 §7.1", "chunked", chunked(FIVE), body="5")
    yield good("9112 §7.1", "chunked GET", get("/plaintext", "Transfer-Encoding: chunked", body=FIVE), body="Hello, World!")
    yield good("9110 §7.4", "Chunked in another case", post(FIVE, "tRANSFER-eNCODING: cHUNKED"), body="5")
    yield good("9112 §5", "white space around chunked", post(FIVE, "Transfer-Encoding: \tchunked\t "), body="5")
    yield good("9110 §5.1", "Transfer_Encoding is another field", post(b"hello", "Content-Length: 5", "Transfer_Encoding: chunked"), body="5")
    yield good("9110 §10.1.4", "TE does not frame", post(b"hello", "Content-Length: 5", "TE: chunked", "Connection: TE"), body="5")
    yield good("9110 §8.4", "Content-Encoding does not frame", post(b"hello", "Content-Length: 5", "Content-Encoding: chunked"), body="5")
    yield bad("9112 §6.3", "Content-Length, then chunked", post(FIVE, "Content-Length: 15", "Transfer-Encoding: chunked"))
    yield bad("9112 §6.3", "chunked, then Content-Length", post(FIVE, "Transfer-Encoding: chunked", "Content-Length: 15"))
    yield bad("9112 §11.2", "CL.TE: the rest is a request", post(b"0\r\n\r\n" + get("/headers"), "Content-Length: 6", "Transfer-Encoding: chunked"))
    yield bad("9112 §11.2", "TE.CL: the chunk is a request", post(b"3a\r\n" + get("/headers") + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 4"))
    yield bad("9112 §6.3", "Content-Length 0 with chunked", post(FIVE, "Content-Length: 0", "Transfer-Encoding: chunked"))
    yield bad("9112 §6.3", "Content-Length with an unknown coding", post(b"hello", "Content-Length: 5", "Transfer-Encoding: x"), REFUSED)
    yield bad("9112 §6.3", "Content-Length with identity", post(b"hello", "Content-Length: 5", "Transfer-Encoding: identity"), REFUSED)
    for value in ["chunked, chunked", "chunked, gzip", "chunked, identity", "chunked,x"]:
        yield bad("9112 §6.3", f"chunked is not final or twice: {value}", post(FIVE, f"Transfer-Encoding: {value}"), REFUSED)
    yield bad("9112 §6.1", "chunked on two lines", post(FIVE, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), REFUSED)
    yield bad("9112 §6.1", "gzip and chunked on two lines", post(FIVE, "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), REFUSED)
    yield bad("9112 §6.1", "chunked and identity on two lines", post(FIVE, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"), REFUSED)
    for value in ["gzip, chunked", "gzip", "identity", "x", "xchunked", "chunkedx", "chunke", "chun ked", "\"chunked\"", "'chunked'",
                  "chunked;q=1", "chunked;a", "chunked chunked", "\x0bchunked", "chunked\x0b", "\x0cchunked", "chunked\x00",
                  "chunkeD\x80", "cow", "", "identity, chunked", "chunked\x1f", "=chunked", "chunked=", "chunked/1"]:
        yield bad("9112 §6.1", f"Transfer-Encoding {value!r}", post(FIVE, b"Transfer-Encoding: " + as_bytes(value)), REFUSED)
    for value in [",chunked", "chunked,", ", ,chunked"]:
        yield either("9110 §5.6.1", f"empty list members: {value!r}", post(FIVE, f"Transfer-Encoding: {value}"), (200, 400, 501))
    yield bad("9112 §6.1", "chunked in 1.0", post(FIVE, "Transfer-Encoding: chunked", version="HTTP/1.0"), REFUSED)
    yield bad("9112 §6.1", "chunked and Content-Length in 1.0", post(FIVE, "Transfer-Encoding: chunked", "Content-Length: 15", version="HTTP/1.0"), REFUSED)
    yield bad("9112 §5.1", "a space before Transfer-Encoding's colon", post(FIVE, "Transfer-Encoding : chunked"))
    yield bad("9112 §5.1", "a space before the colon, with Content-Length", post(FIVE, "Content-Length: 15", "Transfer-Encoding : chunked"))
    yield bad("9112 §2.2", "Transfer-Encoding behind a bare LF", post(b"hello", "Content-Length: 5", "X: y\nTransfer-Encoding: chunked"))
    yield bad("9112 §5", "Transfer-Encoding with NUL in the name", post(FIVE, b"Transfer\0-Encoding: chunked"))


def chunks():
    for name, body, length in [
        ("hexadecimal in lower case", b"a\r\n0123456789\r\n0\r\n\r\n", 10),
        ("hexadecimal in upper case", b"A\r\n0123456789\r\n0\r\n\r\n", 10),
        ("leading zeros", b"0000000a\r\n0123456789\r\n0\r\n\r\n", 10),
        ("several zeros end it", b"5\r\nhello\r\n000\r\n\r\n", 5),
        ("no data", b"0\r\n\r\n", 0),
        ("many chunks", b"1\r\nx\r\n" * 500 + b"0\r\n\r\n", 500),
        ("data of CRLFs", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", 4),
        ("data like a last chunk", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", 5),
        ("extension name", b"5;a\r\nhello\r\n0\r\n\r\n", 5),
        ("extension value", b"5;a=b\r\nhello\r\n0;c=d\r\n\r\n", 5),
        ("extension in quotes", b'5;a="b c;d"\r\nhello\r\n0\r\n\r\n', 5),
        ("extension with an escape", b'5;a="b\\"c"\r\nhello\r\n0\r\n\r\n', 5),
        ("several extensions", b"5;a;b=c;d=e\r\nhello\r\n0\r\n\r\n", 5),
        ("a trailer field", b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", 5),
        ("two trailer fields", b"5\r\nhello\r\n0\r\nX: y\r\nZ: \xff\r\n\r\n", 5),
    ]:
        yield good("9112 §7.1", f"chunked: {name}", chunked(body), body=str(length))
    for name, trailer in [("Content-Length", b"Content-Length: 3"), ("Transfer-Encoding", b"Transfer-Encoding: chunked"), ("Host", b"Host: b.example")]:
        yield either("9110 §6.5.1", f"forbidden trailer field {name}", chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"), (200, 400))
    for name, line in [("white space before ;", b"5 ;a=b"), ("white space around =", b"5;a = b")]:
        yield good("9112 §7.1.1", f"chunk extension: {name}", chunked(line + b"\r\nhello\r\n0\r\n\r\n"), body="5")
    for name, line in [("no name", b"5;"), ("no name before the value", b"5;=b"), ("no value", b"5;a="), ("two semicolons", b"5;;a"),
                       ("an open quote", b'5;a="b'), ("more behind a quote", b'5;a="b"c'), ("no token", b"5;a[=b"),
                       ("white space at the end", b"5;a "), ("an byte over 0x7f", b"5;\xe9")]:
        yield bad("9112 §7.1.1", f"chunk extension: {name}", chunked(line + b"\r\nhello\r\n0\r\n\r\n"))
    for size in ["", "g", "0x5", "5x", "-5", "+5", " 5", "5 5", "\t5", "5,", "5.0", "{5}", "\"5\"", "\x005", "5\x00", "\x0b5", "5\x0b", "５".encode().decode("latin-1")]:
        yield bad("9112 §7.1", f"chunk size {size!r}", chunked(as_bytes(size) + b"\r\nhello\r\n0\r\n\r\n"))
    # The limit is 16 MiB. A larger chunk is rejected when its size is parsed.
    for size in ["1000001", "100000001", "FFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF", "10000000000000005", "FFFFFFFFFFFFFFFFF", "8000000000000000",
                 "7FFFFFFFFFFFFFFF", "F" * 100]:
        yield bad("9112 §7.1", f"chunk size {size}", chunked(as_bytes(size) + b"\r\nhello\r\n0\r\n\r\n"), (413,))
        yield bad("9112 §7.1", f"chunk size {size}, and nothing behind it", chunked(as_bytes(size) + b"\r\n"), (413,))
    yield bad("9112 §7.1", "a chunk size of 70,000 digits", chunked(b"0" * 70000 + b"5\r\nhello\r\n0\r\n\r\n"), (400, 413, 431))
    for name, body in [
        ("bare LF after the size", b"5\nhello\r\n0\r\n\r\n"),
        ("bare LF after the data", b"5\r\nhello\n0\r\n\r\n"),
        ("bare LF after the last chunk", b"5\r\nhello\r\n0\n\r\n"),
        ("bare LF at the end", b"5\r\nhello\r\n0\r\n\n"),
        ("bare CR after the size", b"5\rhello\r\n0\r\n\r\n"),
        ("bare CR and another byte", b"5\rXhello\r\n0\r\n\r\n"),
        ("CR CR LF after the size", b"5\r\r\nhello\r\n0\r\n\r\n"),
        ("white space after the size", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("no CRLF after the data", b"5\r\nhello0\r\n\r\n"),
        ("more data than the size", b"5\r\nhelloX\r\n0\r\n\r\n"),
        ("less data than the size", b"6\r\nhello\r\n0\r\n\r\n"),
        ("two bytes for CRLF", b"5\r\nhelloXX0\r\n\r\n"),
        ("bare LF in an extension", b"5;a=b\nc\r\nhello\r\n0\r\n\r\n"),
        ("bare CR in an extension", b"5;a=b\rc\r\nhello\r\n0\r\n\r\n"),
        ("NUL in an extension", b"5;a=\0\r\nhello\r\n0\r\n\r\n"),
        ("extension ended by LF (TERM.EXT)", b"5;\nhello\r\n0\r\n\r\n"),
        ("trailer with a space before the colon", b"0\r\nX : y\r\n\r\n"),
        ("trailer with obs-fold", b"0\r\nX: y\r\n z\r\n\r\n"),
        ("trailer without a colon", b"0\r\nX\r\n\r\n"),
        ("trailer with NUL", b"0\r\nX: \0\r\n\r\n"),
        ("trailer with a bare LF", b"0\r\nX: y\nZ: w\r\n\r\n"),
        ("trailer with a bare CR", b"0\r\nX: y\rZ: w\r\n\r\n"),
        ("trailer with an empty name", b"0\r\n: y\r\n\r\n"),
        ("trailer that begins with white space", b"0\r\n X: y\r\n\r\n"),
        ("an empty line before the size", b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    ]:
        yield bad("9112 §7.1", f"chunked: {name}", chunked(body))
    limit = (400, 413, 431)
    yield bad("9112 §7.1.1", "an extension over 64 KiB", chunked(b"5;" + b"a" * 70000 + b"\r\nhello\r\n0\r\n\r\n"), limit)
    yield bad("9112 §7.1.2", "a trailer over 64 KiB", chunked(b"0\r\nX: " + b"y" * 70000 + b"\r\n\r\n"), limit)
    yield bad("9112 §7.1.2", "over 1,000 trailer fields", chunked(b"0\r\n" + b"X: y\r\n" * 1100 + b"\r\n"), limit)


def sizes():
    sixteen = 16 << 20
    yield bad("9110 §15.5.14", "/echo over the limit by Content-Length", post(b"", f"Content-Length: {sixteen + 1}", target="/echo"), 413)
    yield good("9112 §6.2", "1 MiB", post(b"x" * (1 << 20), f"Content-Length: {1 << 20}"), body=str(1 << 20))
    yield pipeline("9112 §6.3", "a body after a body", post(b"hello", "Content-Length: 5") + chunked(FIVE) + post(b"", "Content-Length: 0"),
                   [200, 200, 200], ["POST"] * 3, ["5", "5", "0"])


def cases():
    for group in (lengths, codings, chunks, sizes):
        yield from group()
