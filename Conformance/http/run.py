"""HTTP/1.1 over raw sockets: the tables of this folder, then the exchanges that need timing.

Every case is sent whole, split in two, and (if it is short) byte by byte. The response must not depend on how
the bytes arrive.
"""

import concurrent.futures
import json
import random
import sys

import tls
import cases_connection
import cases_fields
import cases_framing
import cases_line
import exchanges
import proxy_protocol
from server import Server
from table import NO_RESPONSE, PROBE, Case
from tally import Tally
from wire import WireError, connect, parse_all, read_until_closed, send

SEED = 9112
WORKERS = 24
#: The longest case that is sent byte by byte.
BYTEWISE_LIMIT = 260


def variants(case: Case, random_):
    """Names and pieces: the same bytes in different segments."""
    whole = case.raw + PROBE
    yield "whole", [whole]
    cut = random_.randrange(1, len(case.raw)) if len(case.raw) > 1 else 1
    yield f"split at {cut}", [whole[:cut], whole[cut:]]
    end = len(case.raw)
    yield "probe apart", [case.raw, PROBE]
    if end <= BYTEWISE_LIMIT:
        yield "byte by byte", [whole[index:index + 1] for index in range(len(whole))]


def judge(case: Case, data, ended):
    """What is wrong with the response, or None."""
    if not ended:
        return f"still open; so far {data[:160]!r}"
    try:
        _, responses = parse_all(data, case.methods + ["GET"])
    except WireError as error:
        return str(error)
    shown = [response.status for response in responses]
    expected = len(case.statuses)
    if not responses and NO_RESPONSE in case.statuses[0]:
        return None
    if len(responses) < expected:
        return f"got {shown}, expected {expected} response(s) with {case.statuses}"
    for response, allowed, body in zip(responses, case.statuses, case.bodies):
        if response.status not in allowed:
            return f"got {shown}, expected {case.statuses}"
        if body is not None and not same_body(response.body, body):
            return f"body {response.body[:120]!r}, expected {body[:120]!r}"
    extra = responses[expected:]
    if case.closes is True and extra:
        return f"parsed a request after the message that ends the connection: {shown}"
    if case.closes is False and [response.status for response in extra] != [200]:
        return f"the connection was not kept: {shown}"
    if case.closes is None and [response.status for response in extra] not in ([], [200]):
        return f"bytes of one message were parsed as another: {shown}"
    return case.also(responses) if case.also else None


def same_body(actual, expected):
    if expected[:1] in (b"{", b"["):
        try:
            return json.loads(actual) == json.loads(expected)
        except ValueError:
            return False
    return actual == expected


def exchange(address, case, pieces):
    with connect(address) as connection:
        send(connection, pieces, pause=0.0005 if len(pieces) > 2 else 0.005)
        data, ended = read_until_closed(connection)
        return judge(case, data, ended)


def main():
    tally = Tally("http" + tls.SUFFIX)
    table = [case for module in (cases_line, cases_fields, cases_framing, cases_connection) for case in module.cases()]
    names = [case.title for case in table]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"error: two cases with the same name: {sorted(twice)}")
    print(f"{len(table)} cases in the tables")
    random_ = random.Random(SEED)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        pending = [
            (f"{case.title} [{variant}]", pool.submit(tally.run, f"{case.title} [{variant}]", exchange, server.address, case, pieces))
            for case in table for variant, pieces in variants(case, random_)
        ]
        for name, body in exchanges.checks():
            pending.append((name, pool.submit(tally.run, name, body, server)))
        for _, future in pending:
            future.result()
        tally.run("the server is alive after all of it", still_responds, server)
    for name, body in exchanges.own_server_checks():
        tally.run(name, body)
    # A PROXY header comes before the handshake, which is not what the connections of this harness do.
    if not tls.IS_TLS:
        proxy_protocol.checks(tally)
    tally.finish()


def still_responds(server):
    if not server.alive():
        return f"it ended: {server.tail()}"
    with connect(server.address) as connection:
        connection.sendall(PROBE)
        data, _ = read_until_closed(connection)
        return None if b"Hello, World!" in data else f"got {data[:100]!r}"


if __name__ == "__main__":
    main()
