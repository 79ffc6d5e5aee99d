"""The static files of TestServer over raw sockets: what must be served, and path traversal of every known kind.

The folder is created for each run, with secrets beside it, above it and behind links. A secret in a response is a
failure.
"""

import email.utils
import os
import shutil
import subprocess
import sys
import tempfile

import tls
from server import Server
from tally import Tally
from wire import connect, parse_all, read_until_closed

SECRET = b"the-secret-bytes"
TEXT = b"0123456789" * 100
STALE = "Thu, 01 Jan 1970 00:00:01 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


def make_folder(base):
    """base/outside.txt and base/static-other/ are secrets. base/static is served."""
    root = os.path.join(base, "static")

    def write(path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    write(os.path.join(base, "outside.txt"), SECRET)
    write(os.path.join(base, "static-other", "file.txt"), SECRET)
    write(os.path.join(root, ".hidden"), SECRET)
    write(os.path.join(root, ".git", "config"), SECRET)
    write(os.path.join(root, "sub", ".env"), SECRET)
    write(os.path.join(root, "text.txt"), TEXT)
    write(os.path.join(root, "page.html"), b"<!doctype html><title>t</title>")
    write(os.path.join(root, "dir", "index.html"), b"<!doctype html><title>index</title>")
    write(os.path.join(root, "dir", "sub", "deep.txt"), b"deep")
    write(os.path.join(root, "bare", "file.txt"), b"bare")
    write(os.path.join(root, "empty.txt"), b"")
    write(os.path.join(root, "a b%c.txt"), b"odd name")
    write(os.path.join(root, "café.txt"), b"accent")
    write(os.path.join(root, "..dots.txt"), SECRET)
    write(os.path.join(root, "large.bin"), os.urandom(3 << 20))
    for name in ("style.css", "app.js", "image.svg", "data.json", "pic.png", "mod.wasm", "unknown.zzz"):
        write(os.path.join(root, name), b"x" * 2000)
    for suffix, tool in ((".gz", ["gzip", "-k", "-n"]), (".br", None), (".zst", None)):
        path = os.path.join(root, "app.js")
        if tool:
            subprocess.run([*tool, path], check=True)
        else:
            write(path + suffix, b"precompressed" + suffix.encode())
    os.symlink(os.path.join(base, "outside.txt"), os.path.join(root, "link-out.txt"))
    os.symlink("../outside.txt", os.path.join(root, "link-out-relative.txt"))
    os.symlink(base, os.path.join(root, "dir-out"))
    os.symlink("/etc", os.path.join(root, "etc"))
    os.symlink("text.txt", os.path.join(root, "link-in.txt"))
    os.symlink("loop", os.path.join(root, "loop"))
    os.mkfifo(os.path.join(root, "fifo"))
    return root


def fetch(server, target, *fields, method="GET"):
    """The response to one request, and the raw bytes."""
    target = target.encode() if isinstance(target, str) else target
    lines = "".join(f"{field}\r\n" for field in ("Host: a.example", "Connection: close", *fields))
    with connect(server.address) as connection:
        connection.sendall(method.encode() + b" " + target + b" HTTP/1.1\r\n" + lines.encode() + b"\r\n")
        data, ended = read_until_closed(connection)
    assert ended, f"still open, got {data[:80]!r}"
    _, responses = parse_all(data, [method])
    assert len(responses) == 1, f"{len(responses)} responses"
    return responses[0], data


def escapes():
    """Targets that lead out of the folder, or to hidden files, if a server decodes them wrongly."""
    ups = ["..", "%2e%2e", "%2E%2e", ".%2e", "%2e.", "%252e%252e", "..%00", "..%20", "...", "..;", "..;x=1",
           "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "..%0a", "..%0d", "..%09", "%2e%2e%2f.."]
    slashes = ["/", "%2f", "%2F", "%252f", "\\", "%5c", "%c0%af", "%u2215", "%ef%bc%8f", "//", "/./", "%2f%2f"]
    for up in ups:
        for slash in slashes:
            yield f"{up}{slash}outside.txt"
            yield f"sub{slash}{up}{slash}{up}{slash}outside.txt"
    for up in ups[:5]:
        for depth in (2, 3, 8):
            yield "/".join([up] * depth) + "/etc/passwd"
    yield from ["../static-other/file.txt", "%2e%2e/static-other/file.txt", "-other/file.txt",
                "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "%2f%2fetc/passwd", "file:///etc/passwd",
                "C:/outside.txt", "c:%5coutside.txt", "text.txt/../../outside.txt", "text.txt%00/../../outside.txt",
                "text.txt%00", "text.txt%00.html", "dir/%00", "%00", "dir/../../outside.txt", "./../outside.txt",
                "link-out.txt", "link-out-relative.txt", "dir-out/outside.txt", "dir-out/static-other/file.txt",
                "etc/passwd", "etc/hostname", "loop", "loop/x", "fifo",
                ".hidden", ".git/config", ".git%2fconfig", "%2ehidden", "%2egit/config", "sub/.env", "sub/%2eenv", "dir/../.hidden",
                "..dots.txt", "%2e.dots.txt", ".", "./", "%2e", "..", "../", "%2e%2e", "dir/..", "dir/../..", ".git", ".git/"]


def refuses(server, target):
    response, data = fetch(server, b"/static/" + target.encode())
    if SECRET in data or b"root:" in data:
        return f"{response.status} with a secret"
    if response.status in (301, 302, 307, 308):
        location = response.get("location", "")
        return None if location.startswith("/") and not location.startswith("//") else f"redirects to {location!r}"
    return None if response.status in (400, 403, 404) else f"answered {response.status} {data[-60:]!r}"


def escape_checks():
    for target in dict.fromkeys(escapes()):
        yield f"refused: /static/{target}", lambda server, target=target: refuses(server, target)
    for target in ["/static/%", "/static/%zz", "/static/" + "a" * 300, "/static/" + "a/" * 2000, "/static/text.txt/", "/static/text.txt/x", "/staticx", "/static-other/file.txt"]:
        yield f"refused: {target[:40]}", lambda server, target=target: status_is(server, target, (301, 308, 400, 403, 404, 414))


def status_is(server, target, statuses, *fields, method="GET"):
    response, data = fetch(server, target, *fields, method=method)
    if SECRET in data:
        return "the secret came out"
    return None if response.status in statuses else f"answered {response.status}, expected {statuses}"


def serves(target, body, media_type=None):
    def check(server):
        response, _ = fetch(server, target)
        if response.status != 200 or response.body != body:
            return f"{response.status}, {len(response.body)} bytes, expected {len(body)}"
        if media_type and not (response.get("content-type") or "").startswith(media_type):
            return f"Content-Type is {response.get('content-type')}"
        for field in ("etag", "last-modified", "content-length"):
            if not response.get(field):
                return f"no {field}"
        return None
    return check


def head_equals_get(server):
    wanted, _ = fetch(server, "/static/text.txt")
    response, _ = fetch(server, "/static/text.txt", method="HEAD")
    names = ("content-length", "content-type", "etag", "last-modified", "accept-ranges")
    different = [name for name in names if response.get(name) != wanted.get(name)]
    return f"different: {different}" if different or response.status != 200 or response.body else None


def ranged(value, status, body=None, content_range=None, *more):
    def check(server):
        response, _ = fetch(server, "/static/text.txt", f"Range: {value}", *more)
        if response.status != status and not (isinstance(status, tuple) and response.status in status):
            return f"answered {response.status}, expected {status}"
        if body is not None and response.status != 416 and response.body != body:
            return f"{len(response.body)} bytes, expected {len(body)}"
        if content_range and response.get("content-range") != content_range:
            return f"Content-Range is {response.get('content-range')}"
        return None
    return check


def condition(field, value, status, method="GET"):
    """`value` may contain {etag}, {weak} and {modified} of the file."""
    def check(server):
        first, _ = fetch(server, "/static/text.txt")
        etag = first.get("etag") or ""
        filled = value.format(etag=etag, weak="W/" + etag.removeprefix("W/"), modified=first.get("last-modified"))
        response, _ = fetch(server, "/static/text.txt", f"{field}: {filled}", method=method)
        if response.status == 304 and not response.get("etag"):
            return "304 without ETag (RFC 9110 §15.4.5)"
        return None if response.status == status else f"{field}: {filled} answered {response.status}, expected {status}"
    return check


def coding(accept, expected):
    def check(server):
        response, _ = fetch(server, "/static/app.js", f"Accept-Encoding: {accept}")
        if response.get("content-encoding") != expected:
            return f"Content-Encoding is {response.get('content-encoding')}, expected {expected}"
        if "accept-encoding" not in (response.get("vary") or "").lower():
            return "no Vary: Accept-Encoding"
        kind = response.get("content-type") or ""
        return None if "javascript" in kind else f"Content-Type is {kind}"
    return check


def codings_have_own_etags(server):
    tags = [fetch(server, "/static/app.js", f"Accept-Encoding: {coding}")[0].get("etag") for coding in ("identity", "gzip", "br")]
    return None if len(set(tags)) == 3 else f"{tags}"


def redirects(server):
    response, _ = fetch(server, "/static/dir?a=b")
    if response.status not in (301, 302, 307, 308):
        return f"answered {response.status}"
    location = response.get("location", "")
    return None if location.split("?")[0].endswith("/static/dir/") else f"Location is {location}"


def redirects_to(server, target, location):
    response, _ = fetch(server, target)
    return None if (response.status, response.get("location")) == (301, location) else f"{response.status} {response.get('location')}"


def changes_are_seen(root):
    def check(server):
        path = os.path.join(root, "text.txt")
        before, _ = fetch(server, "/static/text.txt")
        with open(path, "wb") as file:
            file.write(b"changed")
        os.utime(path, (1, 1))
        after, _ = fetch(server, "/static/text.txt")
        if after.body != b"changed":
            return "the old content"
        if after.get("last-modified"):
            return "Last-Modified of a time that means nothing"
        if before.get("etag") == after.get("etag"):
            return "the ETag did not change"
        for number in range(100):
            with open(path + ".new", "wb") as file:
                file.write(b"%07d" % number)
            os.rename(path + ".new", path)
            response, _ = fetch(server, "/static/text.txt")
            if response.body != b"%07d" % number:
                return f"the old content after replacement {number}"
        return None
    return check


def options_of_a_file(server):
    response, _ = fetch(server, "/static/text.txt", method="OPTIONS")
    if response.status != 204 or "GET" not in (response.get("allow") or ""):
        return f"{response.status}, Allow is {response.get('allow')}"
    return None


def serving_checks(root):
    total = len(TEXT)
    yield "RFC 9110 §9.3.1 a text", serves("/static/text.txt", TEXT, "text/plain")
    yield "an HTML page", serves("/static/page.html", b"<!doctype html><title>t</title>", "text/html")
    yield "an empty file", serves("/static/empty.txt", b"")
    yield "index.html of a folder", serves("/static/dir/", b"<!doctype html><title>index</title>", "text/html")
    yield "a file below folders", serves("/static/dir/sub/deep.txt", b"deep")
    yield "space and percent in a name", serves("/static/a%20b%25c.txt", b"odd name")
    yield "a name outside of ASCII", serves("/static/caf%C3%A9.txt", b"accent")
    yield "a link that stays inside", serves("/static/link-in.txt", TEXT)
    yield "a query is ignored", serves("/static/text.txt?v=1", TEXT)
    with open(os.path.join(root, "large.bin"), "rb") as file:
        yield "3 MiB", serves("/static/large.bin", file.read())
    for name, kind in [("style.css", "text/css"), ("image.svg", "image/svg+xml"), ("data.json", "application/json"),
                       ("pic.png", "image/png"), ("mod.wasm", "application/wasm"), ("unknown.zzz", "application/octet-stream")]:
        yield f"media type of {name}", serves(f"/static/{name}", b"x" * 2000, kind)
    yield "a folder redirects to its slash", redirects
    yield "the mount redirects to its slash", lambda server: redirects_to(server, "/static?a=b", "/static/?a=b")
    yield "no listing", lambda server: status_is(server, "/static/bare/", (403, 404))
    yield "no such file", lambda server: status_is(server, "/static/none.txt", (404,))
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        yield f"RFC 9110 §15.5.6 {method} is 405 with Allow", lambda server, method=method: not_allowed(server, method)
    yield "RFC 9110 §9.3.7 OPTIONS is 204 with Allow", options_of_a_file
    yield "RFC 9110 §9.3.2 HEAD equals GET", head_equals_get
    yield "RFC 9110 §14.1.2 first bytes", ranged("bytes=0-9", 206, TEXT[:10], f"bytes 0-9/{total}")
    yield "RFC 9110 §14.1.2 one byte", ranged("bytes=5-5", 206, b"5", f"bytes 5-5/{total}")
    yield "RFC 9110 §14.1.2 open end", ranged("bytes=990-", 206, TEXT[990:], f"bytes 990-999/{total}")
    yield "RFC 9110 §14.1.2 suffix", ranged("bytes=-7", 206, TEXT[-7:], f"bytes 993-999/{total}")
    yield "RFC 9110 §14.1.2 suffix longer than the file", ranged("bytes=-5000", 206, TEXT, f"bytes 0-999/{total}")
    yield "RFC 9110 §14.1.2 end over the file", ranged("bytes=900-5000", 206, TEXT[900:], f"bytes 900-999/{total}")
    yield "RFC 9110 §15.5.17 start over the file", ranged("bytes=1000-", 416, None, f"bytes */{total}")
    yield "RFC 9110 §15.5.17 empty suffix", ranged("bytes=-0", 416, None, f"bytes */{total}")
    for value in ["bytes=9-0", "bytes=a-b", "bytes=", "bytes=-", "bytes", "lines=0-1", "bytes=0--1", "bytes=+0-1", "bytes=0x0-1",
                  "bytes=99999999999999999999999-", "bytes=0-1;", "0-1"]:
        status = (200, 416) if value.startswith("bytes=9999") else 200
        yield f"RFC 9110 §14.2 {value} is ignored or unsatisfiable", ranged(value, status, TEXT)
    yield "RFC 9110 §14.2 end of many digits", ranged("bytes=0-99999999999999999999999", 206, TEXT)
    yield "RFC 9110 §13.1.5 If-Range of another ETag", ranged("bytes=0-9", 200, TEXT, None, 'If-Range: "x"')
    yield "RFC 9110 §13.1.5 If-Range of another date", ranged("bytes=0-9", 200, TEXT, None, f"If-Range: {STALE}")
    yield "RFC 9110 §14.2 2,000 ranges do not multiply the response", many_ranges
    yield "RFC 9110 §13.1.2 If-None-Match", condition("If-None-Match", "{etag}", 304)
    yield "RFC 9110 §13.1.2 If-None-Match, weak", condition("If-None-Match", "{weak}", 304)
    yield "RFC 9110 §13.1.2 If-None-Match, list", condition("If-None-Match", '"x", {etag}', 304)
    yield "RFC 9110 §13.1.2 If-None-Match *", condition("If-None-Match", "*", 304)
    yield "RFC 9110 §13.1.2 If-None-Match of another", condition("If-None-Match", '"x"', 200)
    yield "RFC 9110 §13.1.2 If-None-Match, HEAD", condition("If-None-Match", "{etag}", 304, "HEAD")
    yield "RFC 9110 §13.1.3 If-Modified-Since, equal", condition("If-Modified-Since", "{modified}", 304)
    yield "RFC 9110 §13.1.3 If-Modified-Since, old", condition("If-Modified-Since", STALE, 200)
    yield "RFC 9110 §13.1.3 If-Modified-Since, no date", condition("If-Modified-Since", "yesterday", 200)
    yield "RFC 9110 §13.1.1 If-Match of another", condition("If-Match", '"x"', 412)
    yield "RFC 9110 §13.1.1 If-Match *", condition("If-Match", "*", 200)
    yield "RFC 9110 §13.1.4 If-Unmodified-Since, old", condition("If-Unmodified-Since", STALE, 412)
    yield "RFC 9110 §13.1.4 If-Unmodified-Since, future", condition("If-Unmodified-Since", FUTURE, 200)
    for accept, expected in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("identity", None), ("", None), ("gzip;q=0", None),
                             ("br;q=0.1, gzip;q=0.9", "gzip"), ("x, gzip", "gzip"), ("GZIP", "gzip"), ("gzip;q=0, br", "br"), ("*;q=0, identity", None)]:
        yield f"RFC 9110 §12.5.3 Accept-Encoding: {accept}", coding(accept, expected)
    yield "RFC 9110 §8.8.3.3 each coding has its own ETag", codings_have_own_etags
    yield "RFC 9110 §8.8.2 Last-Modified is a date", last_modified_is_a_date
    yield "a change is seen by the next request", changes_are_seen(root)


def many_ranges(server):
    response, data = fetch(server, "/static/text.txt", "Range: bytes=" + ",".join("0-" for _ in range(2000)))
    if response.status not in (200, 206, 416):
        return f"answered {response.status}"
    return f"{len(data)} bytes for a file of {len(TEXT)}" if len(data) > 20 * len(TEXT) else None


def not_allowed(server, method):
    response, _ = fetch(server, "/static/text.txt", "Content-Length: 0", method=method)
    if response.status != 405:
        return f"answered {response.status}"
    return None if "GET" in (response.get("allow") or "") else f"Allow is {response.get('allow')}"


def last_modified_is_a_date(server):
    response, _ = fetch(server, "/static/text.txt")
    value = response.get("last-modified", "")
    parsed = email.utils.parsedate_to_datetime(value)
    return None if value.endswith(" GMT") and email.utils.format_datetime(parsed, usegmt=True) == value else value


def main():
    tally = Tally("files" + tls.SUFFIX)
    base = tempfile.mkdtemp(prefix="oneport-files-")
    try:
        root = make_folder(base)
        with Server("--static", root) as server:
            for name, body in [*escape_checks(), *serving_checks(root)]:
                tally.run(name, body, server)
            tally.check("the server is alive after all of it", None if server.alive() else server.tail())
    finally:
        shutil.rmtree(base)
    tally.finish()


if __name__ == "__main__":
    sys.exit(main())
