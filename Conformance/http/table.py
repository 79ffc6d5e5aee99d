"""The functions that build the case tables.

A case is a row: its name, the section, the bytes, and the expected response. Each case is followed by a second
request, the probe. A rejected message must get one response and the probe none: bytes after a message whose end
is unknown must not be parsed as a request (RFC 9112 §2.2, §6.3, §11.2).
"""

import dataclasses

HOST = b"Host: a.example\r\n"
PROBE = b"GET /plaintext?probe HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

#: In a set of statuses: closing without a response is right too.
NO_RESPONSE = 0


@dataclasses.dataclass
class Case:
    section: str
    name: str
    raw: bytes
    #: For each request in `raw`, the allowed statuses.
    statuses: list
    #: True: the connection closes after the last response, without a response to the probe. False: the probe gets
    #: its response. None: either, but nothing else.
    closes: bool | None
    methods: list
    #: For each request, the body of the response, or None for any.
    bodies: list
    #: Called with the list of responses. Returns a problem or None.
    also: object = None

    @property
    def title(self):
        return f"RFC {self.section} {self.name}"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def request(method="GET", target="/plaintext", *fields, version="HTTP/1.1", host=HOST, body=b""):
    """The bytes of a request. The fields have no CRLF."""
    lines = b"".join(as_bytes(field) + b"\r\n" for field in fields)
    start = b" ".join([as_bytes(method), as_bytes(target), as_bytes(version)]) + b"\r\n"
    return start + host + lines + b"\r\n" + as_bytes(body)


def get(target="/plaintext", *fields, **more):
    return request("GET", target, *fields, **more)


def post(body, *fields, target="/collect", **more):
    """A POST with the body. Only the fields frame it."""
    return request("POST", target, *fields, body=body, **more)


def chunked(body, *fields, **more):
    return post(body, "Transfer-Encoding: chunked", *fields, **more)


def method_of(raw):
    return raw.lstrip(b"\r\n").split(b" ", 1)[0].decode("latin-1")


def _statuses(status):
    return {status} if isinstance(status, int) else set(status)


def good(section, name, raw, status=200, body=None, methods=None, closes=False, also=None):
    """Gets `status`, and the connection stays open."""
    body = as_bytes(body) if isinstance(body, str) else body
    return Case(section, name, raw, [_statuses(status)], closes, methods or [method_of(raw)], [body], also)


def bad(section, name, raw, status=400):
    """Gets `status` once, then the connection closes, and nothing after it is parsed."""
    return Case(section, name, raw, [_statuses(status)], True, [method_of(raw)], [None])


def either(section, name, raw, status, also=None):
    """The specification leaves it open: one of the statuses, closed or not, but the bytes must be parsed in one way."""
    return Case(section, name, raw, [_statuses(status)], None, [method_of(raw)], [None], also)


def pipeline(section, name, raw, statuses, methods, bodies=None, closes=False, also=None):
    """Several requests in one stream. The responses come in the same order."""
    return Case(section, name, raw, [_statuses(status) for status in statuses], closes, methods,
                [as_bytes(body) if isinstance(body, str) else body for body in bodies or [None] * len(statuses)],
                also)
