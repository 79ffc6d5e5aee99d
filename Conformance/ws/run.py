"""WebSocket over raw sockets: handshakes, violations, limits, floods and shutdown."""

import concurrent.futures

import tls
import budgets
import handshakes
import pressure
import violations
from frames import Peer, echoes
from server import Server
from tally import Tally

WORKERS = 16


def own_server(body):
    def check():
        with Server() as server:
            return body(server)
    return check


def main():
    tally = Tally("ws" + tls.SUFFIX)
    with Server() as server, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        pending = [pool.submit(tally.run, name, body, server) for module in (handshakes, violations) for name, body in module.checks()]
        for future in pending:
            future.result()
        tally.run("the server is alive after all of it", alive, server)
    # Checks that measure memory run one after the other, each with its own server.
    slow = ("SIGTERM with clients", "a client that never replies")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(tally.run, name, body) for name, body in pressure.checks() if name.startswith(slow)]
        for name, body in violations.own_server_checks():
            tally.run(name, own_server(body))
        for name, body in pressure.checks():
            if not name.startswith(slow):
                tally.run(name, body)
        for name, body in budgets.checks():
            tally.run(name, body)
        for future in waiting:
            future.result()
    tally.finish()


def alive(server):
    with Peer(server) as peer:
        return echoes(peer)


if __name__ == "__main__":
    main()
