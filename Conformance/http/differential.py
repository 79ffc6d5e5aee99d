"""Differential test against h11, an independent strict parser.

Generated messages and mutations of them are parsed by h11 and sent to the server. The server must not accept a
message that h11 rejects: request smuggling relies on two parsers that disagree. Exceptions are in ALLOWED with
their reason. Messages that h11 accepts and the server rejects are counted and shown, because the server may be
stricter.

COUNT sets the number of messages (light: 10,000; full: 40,000), SEED the random sequence.
"""

import concurrent.futures
import json
import os
import random
import re
import sys

import h11

from server import ROOT, Server
from tally import Tally
from wire import WireError, connect, parse_all, read_until_closed, send

WORKERS = 16
PROBE = b"GET /plaintext?probe HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
SHOWN = 12

#: What the server may accept although h11 rejects it: (a pattern for h11's reason, a pattern for the bytes, why the
#: server is right). Both patterns are searched for.
ALLOWED = [
    (r"Only Transfer-Encoding|Content-Length", rb"(?is)\r\n0+(;[^\r\n]*)?\r\n([^\r\n]+\r\n)*(transfer-encoding|content-length):",
     "RFC 9110 §6.5.1: a framing field in the trailers frames nothing and is dropped; h11 parses it as if it were in the head"),
    (r"illegal chunk header", rb"\r\n[0-9A-Fa-f]+[ \t]+;", "RFC 9112 §7.1.1: white space before the semicolon of a chunk extension is allowed"),
    (r"no request line|illegal request line", rb"^(\r\n)+[^\r\n]", "RFC 9112 §2.2: a server ignores at least one empty line before the request line"),
]

#: What h11 accepts and the server is right to reject, for the summary: (pattern in the bytes, why).
STRICTER = [
    (rb"(?<!\r)\n", "bare LF (RFC 9112 §2.2)"),
    (rb"\r\n[ \t]", "obs-fold (RFC 9112 §5.2)"),
    (rb"(?i)content-length:[ \t]*\d+[ \t]*(,|\r\ncontent-length)", "Content-Length more than once (RFC 9110 §8.6)"),
    (rb"(?is)transfer-encoding.*content-length|content-length.*transfer-encoding", "Content-Length with Transfer-Encoding (RFC 9112 §6.3)"),
    (rb"(?is)HTTP/1\.0\r\n.*transfer-encoding", "Transfer-Encoding in 1.0 (RFC 9112 §6.1)"),
    (rb"^[^\r\n]*[\x80-\xff]", "bytes over 0x7f in the request line (RFC 3986 §2)"),
    (rb"^\S+ [^/\s*h]", "a target in none of the four forms (RFC 9112 §3.2)"),
    (rb"^\S+ \S*#", "a fragment in the target (RFC 9112 §3.2)"),
    (rb"HTTP/[02-9]\.", "another major version (RFC 9110 §15.6.6)"),
    (rb"(?i)\nhost:([^\r\n]*[^\w.:\[\]\r\n \t-]|[ \t]*[^\s]+[ \t]+[^\s])", "an invalid Host (RFC 9110 §7.2)"),
    (rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "control characters (RFC 9110 §5.5)"),
]

METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"FOO"]
TARGETS = [b"/plaintext", b"/collect", b"/headers", b"/plaintext?a=b", b"/params/1/2", b"http://a.example/plaintext", b"*", b"/%20", b"/a/b/c"]
FIELDS = [b"X-A: b", b"Accept: */*", b"X-Empty:", b"User-Agent: t/1 (x; y)", b"X-Tab:\ta\tb", b"Connection: keep-alive", b"Connection: x",
          b"Cookie: a=1; b=2", b"TE: trailers", b"X-High: \xe9", b"Accept-Encoding: gzip, br", b"Upgrade: x", b"Expect: 100-continue"]
#: Bytes that have caused bugs in parsers.
SPLICES = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b":", b"::", b",", b";", b"\r\n ", b"\r\n\t",
           b"0", b"0x", b"+", b"-", b"chunked", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
           b"Transfer-Encoding: x\r\n", b"Host: b\r\n", b"HTTP/1.0", b"HTTP/1.1", b"\"", b"#", b"%", b"(", b"\\", b"A", b"_"]


def generate(random_):
    """A request, which is valid most of the time."""
    method = random_.choice(METHODS[:2] if random_.random() < 0.7 else METHODS)
    target = b"/collect" if method == b"POST" else random_.choice(TARGETS)
    version = b"HTTP/1.1" if random_.random() < 0.93 else b"HTTP/1.0"
    fields = [b"Host: a.example", *random_.sample(FIELDS, random_.randrange(0, 4))]
    body = b""
    if method in (b"POST", b"PUT") or random_.random() < 0.1:
        data = bytes(random_.choices(b"abcdefgh0123456789\r\n", k=random_.randrange(0, 40)))
        if random_.random() < 0.5 and version == b"HTTP/1.1":
            fields.append(b"Transfer-Encoding: chunked")
            body = chunks(random_, data)
        else:
            fields.append(b"Content-Length: %d" % len(data))
            body = data
    random_.shuffle(fields)
    return b" ".join([method, target, version]) + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def chunks(random_, data):
    pieces = b""
    while data:
        size = random_.randrange(1, len(data) + 1)
        extension = random_.choice([b"", b"", b"", b";a", b";a=b", b';a="b c"'])
        pieces += (b"%x" if random_.random() < 0.5 else b"%X") % size + extension + b"\r\n" + data[:size] + b"\r\n"
        data = data[size:]
    trailer = random_.choice([b"", b"", b"", b"X-T: 1\r\n"])
    return pieces + b"0\r\n" + trailer + b"\r\n"


def mutate(random_, message):
    """One to three small changes."""
    message = bytearray(message)
    for _ in range(random_.randrange(1, 4)):
        place = random_.randrange(len(message) + 1)
        kind = random_.random()
        if kind < 0.35:
            message[place:place] = random_.choice(SPLICES)
        elif kind < 0.55:
            del message[place:place + random_.choice([1, 1, 1, 2, 5])]
        elif kind < 0.75:
            message[place:place + 1] = bytes([random_.randrange(256)])
        elif kind < 0.85 and message:
            message[place:place] = message[place:place + random_.randrange(1, 20)]
        else:
            # At the start of a line, which may repeat whole fields.
            starts = [match.end() for match in re.finditer(rb"\r\n", bytes(message))] or [0]
            place = random_.choice(starts)
            message[place:place] = random_.choice(SPLICES)
    return bytes(message)


def read_by_h11(raw):
    """How many messages h11 parses, and how it ends: ("end" | "waiting" | "rejected", reason, whether the head of
    the rejected message was valid)."""
    read = 0
    # h11 rejects an empty line before a request line, which a server should ignore (RFC 9112 §2.2).
    while raw := raw.removeprefix(b"\r\n"):
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        head = False
        try:
            parser.receive_data(raw)
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    return read, "waiting", None, head
                head = head or isinstance(event, h11.Request)
        except h11.RemoteProtocolError as error:
            return read, "rejected", str(error), head
        read += 1
        raw = parser.trailing_data[0]
    return read, "end", None, False


def read_by_server(address, raw):
    """The statuses of all responses to the bytes and the probe after them, and the text of the first one."""
    with connect(address) as connection:
        send(connection, [raw + PROBE])
        data, ended = read_until_closed(connection, 4)
    method = raw.lstrip(b"\r\n").split(b" ", 1)[0].decode("latin-1")
    try:
        _, responses = parse_all(data, [method, "GET"], ended)
    except WireError:
        # If the request line is malformed, the server cannot know whether the method is HEAD.
        _, responses = parse_all(data, ["GET" if method == "HEAD" else "HEAD", "GET"], ended)
    said = responses[0].body.decode("latin-1").strip()[:80] if responses else ""
    return [response.status for response in responses], said


def rejected_as_malformed(statuses):
    """Whether the first response rejects the message as malformed, or there is no response."""
    return not statuses or statuses[0] in (400, 408, 413, 414, 417, 431, 501, 505)


def judge(raw, address):
    """(verdict, detail): "agree", "stricter", "allowed", "waiting" or "LAXER"."""
    # h11 sees the probe too, so that a truncated message consumes the same bytes in both parsers.
    read, ending, reason, head = read_by_h11(raw + PROBE)
    statuses, said = read_by_server(address, raw)
    rejected = rejected_as_malformed(statuses)
    if read == 0 and ending == "rejected":
        for pattern, where, _ in ALLOWED:
            if re.search(pattern, reason) and re.search(where, raw):
                return "allowed", None
        if statuses[1:]:
            return "LAXER", f"parsed more: {statuses}; h11: {reason}"
        # A handler that does not read the body may respond before the body turns out to be malformed, as long as
        # nothing is parsed after it. /collect reads its body.
        if rejected or (head and (statuses != [200] or b" /collect " not in raw)):
            return "agree", None
        return "LAXER", f"got {statuses}; h11: {reason}"
    # One response for each message, and one more that rejects a malformed message (a stricter server may reject
    # what h11 still waits for).
    extra = statuses[read:]
    if len(extra) > 1 or (extra and not head and not rejected_as_malformed(extra)):
        return "LAXER", f"{len(statuses)} responses {statuses} to {read} messages"
    if read == 0:
        return "waiting", None
    return ("stricter", said) if rejected and statuses[:1] != [501] else ("agree", None)


def explain(raw, said):
    for pattern, why in STRICTER:
        if re.search(pattern, raw):
            return why
    return f"the server says: {said}" if said else "other"


def main():
    tally = Tally("differential")
    mode = os.environ.get("CONFORMANCE_MODE", "full")
    count = int(os.environ.get("COUNT", 10_000 if mode == "light" else 40_000))
    random_ = random.Random(int(os.environ.get("SEED", 9110)))
    messages = []
    for _ in range(count):
        message = generate(random_)
        messages.append(mutate(random_, message) if random_.random() < 0.85 else message)
    tallies, stricter, shown = {}, {}, 0
    record = os.path.join(ROOT, ".cache", "conformance", "differential.jsonl")
    os.makedirs(os.path.dirname(record), exist_ok=True)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool, open(record, "w") as file:
        results = pool.map(lambda raw: (raw, attempt(raw, server.address)), messages)
        for raw, (verdict, detail) in results:
            tallies[verdict] = tallies.get(verdict, 0) + 1
            if verdict == "stricter":
                stricter.setdefault(explain(raw, detail), []).append(raw)
            if verdict in ("stricter", "LAXER"):
                file.write(json.dumps({"verdict": verdict, "detail": str(detail), "bytes": raw.decode("latin-1")}) + "\n")
            if verdict == "LAXER" and shown < SHOWN:
                shown += 1
                tally.check(f"message {raw!r}", detail)
            elif verdict == "LAXER":
                tally.failures.append(("message", detail))
            elif verdict != "waiting":
                tally.passed += 1
        tally.check("the server is alive after all of it", None if server.alive() else server.tail())
    print(", ".join(f"{number} {verdict}" for verdict, number in sorted(tallies.items())) + f"; each in {os.path.relpath(record, ROOT)}")
    print("stricter than h11, by reason:")
    for reason, examples in sorted(stricter.items(), key=lambda item: -len(item[1])):
        print(f"  {len(examples):5} {reason}" + (f", as {examples[0][:160]!r}" if reason.startswith(("other", "the server")) else ""))
    # Without this check, a generator of invalid messages, or a server that rejects everything, would pass.
    agreed = tallies.get("agree", 0)
    tally.check("h11 and the server agree on most messages", None if agreed > count * 0.4 else f"{agreed} of {count}")
    tally.finish()


def attempt(raw, address):
    try:
        return judge(raw, address)
    except (WireError, OSError) as error:
        return "LAXER", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
