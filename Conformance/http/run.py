"""HTTP/1.1 over raw sockets: the tables of this folder, then the exchanges that need timing.

Every case is sent whole, split in two, and (when it is short) octet by octet: what the server says must
not depend on how the octets arrive.
"""

import concurrent.futures
import json
import random
import sys

import cases_connection
import cases_fields
import cases_framing
import cases_line
import exchanges
from server import Server
from table import NO_ANSWER, PROBE, Case
from tally import Tally
from wire import WireError, connect, parse_all, read_until_closed, send

SEED = 9112
WORKERS = 24
#: Longest case that is sent octet by octet.
BYTEWISE_LIMIT = 260


def variants(case: Case, random_):
    """Names and pieces: the same octets in other segments."""
    whole = case.octets + PROBE
    yield "whole", [whole]
    cut = random_.randrange(1, len(case.octets)) if len(case.octets) > 1 else 1
    yield f"split at {cut}", [whole[:cut], whole[cut:]]
    end = len(case.octets)
    yield "probe apart", [case.octets, PROBE]
    if end <= BYTEWISE_LIMIT:
        yield "octet by octet", [whole[index:index + 1] for index in range(len(whole))]


def judge(case: Case, data, ended):
    """What is wrong with what came back, or None."""
    if not ended:
        return f"still open; so far {data[:160]!r}"
    try:
        _, answers = parse_all(data, case.methods + ["GET"])
    except WireError as error:
        return str(error)
    shown = [answer.status for answer in answers]
    expected = len(case.statuses)
    if not answers and NO_ANSWER in case.statuses[0]:
        return None
    if len(answers) < expected:
        return f"answered {shown}, expected {expected} answer(s) of {case.statuses}"
    for answer, allowed, body in zip(answers, case.statuses, case.bodies):
        if answer.status not in allowed:
            return f"answered {shown}, expected {case.statuses}"
        if body is not None and not same_body(answer.body, body):
            return f"body {answer.body[:120]!r}, expected {body[:120]!r}"
    extra = answers[expected:]
    if case.closes is True and extra:
        return f"read on after the message that ends the connection: {shown}"
    if case.closes is False and [answer.status for answer in extra] != [200]:
        return f"did not go on: {shown}"
    if case.closes is None and [answer.status for answer in extra] not in ([], [200]):
        return f"octets of one message were read as another: {shown}"
    return case.also(answers) if case.also else None


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
    tally = Tally("http")
    table = [case for module in (cases_line, cases_fields, cases_framing, cases_connection) for case in module.cases()]
    names = [case.title for case in table]
    if twice := {name for name in names if names.count(name) > 1}:
        sys.exit(f"error: two cases of one name: {sorted(twice)}")
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
        tally.run("the server is alive after all of it", still_answers, server)
    for name, body in exchanges.own_server_checks():
        tally.run(name, body)
    tally.finish()


def still_answers(server):
    if not server.alive():
        return f"it ended: {server.tail()}"
    with connect(server.address) as connection:
        connection.sendall(PROBE)
        data, _ = read_until_closed(connection)
        return None if b"Hello, World!" in data else f"answered {data[:100]!r}"


if __name__ == "__main__":
    main()
