"""The vocabulary of the case tables.

A case is a row: what it is about, the section, the octets, and what must come back. Each is sent
followed by a second request, the probe. A message that is refused must be answered once and the probe
never: what follows a message that could not be framed must not be read as a request (RFC 9112 §2.2,
§6.3, §11.2).
"""

import dataclasses

HOST = b"Host: a.example\r\n"
PROBE = b"GET /plaintext?probe HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

#: In a set of statuses: closing without any answer is right too.
NO_ANSWER = 0


@dataclasses.dataclass
class Case:
    section: str
    name: str
    octets: bytes
    #: For each request in `octets`, the statuses that may answer it.
    statuses: list
    #: True: the connection closes after the last answer, the probe is not read. False: the probe is
    #: answered. None: either, but never anything else.
    closes: bool | None
    methods: list
    #: For each request, the body its answer must have, or None.
    bodies: list
    #: Called with the list of answers; returns a problem or None.
    also: object = None

    @property
    def title(self):
        return f"RFC {self.section} {self.name}"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def request(method="GET", target="/plaintext", *fields, version="HTTP/1.1", host=HOST, body=b""):
    """A request in octets; each field without its CRLF."""
    lines = b"".join(as_bytes(field) + b"\r\n" for field in fields)
    start = b" ".join([as_bytes(method), as_bytes(target), as_bytes(version)]) + b"\r\n"
    return start + host + lines + b"\r\n" + as_bytes(body)


def get(target="/plaintext", *fields, **more):
    return request("GET", target, *fields, **more)


def post(body, *fields, target="/collect", **more):
    """A POST with the body and no framing but what the fields say."""
    return request("POST", target, *fields, body=body, **more)


def chunked(body, *fields, **more):
    return post(body, "Transfer-Encoding: chunked", *fields, **more)


def method_of(octets):
    return octets.lstrip(b"\r\n").split(b" ", 1)[0].decode("latin-1")


def _statuses(status):
    return {status} if isinstance(status, int) else set(status)


def good(section, name, octets, status=200, body=None, methods=None, closes=False, also=None):
    """Answered with `status`, and the connection goes on."""
    body = as_bytes(body) if isinstance(body, str) else body
    return Case(section, name, octets, [_statuses(status)], closes, methods or [method_of(octets)], [body], also)


def bad(section, name, octets, status=400):
    """Answered once with `status`, closed, and nothing behind it is read."""
    return Case(section, name, octets, [_statuses(status)], True, [method_of(octets)], [None])


def either(section, name, octets, status, also=None):
    """The specification leaves it open: one of the statuses, closed or not, but never two readings."""
    return Case(section, name, octets, [_statuses(status)], None, [method_of(octets)], [None], also)


def pipeline(section, name, octets, statuses, methods, bodies=None, closes=False, also=None):
    """Several requests in one stream, answered in their order."""
    return Case(section, name, octets, [_statuses(status) for status in statuses], closes, methods,
                [as_bytes(body) if isinstance(body, str) else body for body in bodies or [None] * len(statuses)],
                also)
