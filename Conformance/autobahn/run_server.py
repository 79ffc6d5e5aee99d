"""Autobahn's fuzzing client against the WebSocket routes of TestServer.

With BRIDGE=h2 the sockets are streams of HTTP/2 over TLS (RFC 8441), through harness/bridge.py.
"""

import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import report
import tls
from server import ROOT, Server
from tally import Tally

ENDPOINTS = ["ws", "wsd", "wsdd"]
#: How many seconds one endpoint may take before the run counts as hung.
TIMEOUT = {"light": 600, "full": 3000}
#: Autobahn is one busy process per endpoint, so a machine with two cores runs two at a time.
AT_ONCE = 2


def run_endpoint(authority, name, mode, folder):
    """Runs all cases. Returns the announced cases, and a problem or None."""
    outdir = os.path.join(folder, name)
    shutil.rmtree(outdir, ignore_errors=True)
    os.makedirs(outdir)
    cases, at_least = report.spec_cases(mode)
    spec = {
        "outdir": outdir,
        "options": {"failByDrop": False},
        "servers": [{"agent": name, "url": f"ws://{authority}/{name}"}],
        **cases,
    }
    spec_path, log_path = os.path.join(folder, f"{name}.json"), os.path.join(folder, f"{name}.log")
    with open(spec_path, "w") as file:
        json.dump(spec, file, indent=2)
    started = time.monotonic()
    with open(log_path, "w") as log:
        process = subprocess.Popen([os.environ["WSTEST"], "-m", "fuzzingclient", "-s", spec_path],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = process.wait(TIMEOUT[mode])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return outdir, [], f"not done after {TIMEOUT[mode]} s, see {log_path}"
    with open(log_path, errors="replace") as log:
        announced = report.announced_cases(log.read())
    print(f"{name}: {len(announced)} cases in {time.monotonic() - started:.0f} s", flush=True)
    if code != 0:
        return outdir, announced, f"wstest ended with {code}, see {log_path}"
    if len(announced) < at_least:
        return outdir, announced, f"{len(announced)} cases announced, expected {at_least}"
    return outdir, announced, None


@contextlib.contextmanager
def bridged(server):
    """The authority under which the server is reached over RFC 8441."""
    script = os.path.join(ROOT, "Conformance", "harness", "bridge.py")
    # A process for itself, so that it has a processor of its own.
    process = subprocess.Popen([sys.executable, script, str(server.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    is_bridged = os.environ.get("BRIDGE") == "h2"
    suite = "autobahn-h2" if is_bridged else "autobahn-server"
    tally = Tally(suite)
    mode = os.environ.get("CONFORMANCE_MODE", "full")
    folder = os.path.join(ROOT, ".cache", "conformance", suite)
    os.makedirs(folder, exist_ok=True)
    # The cases with compression take three minutes more, and say little more about the carrier.
    names = sys.argv[1:] or (ENDPOINTS[:1] if is_bridged and mode == "light" else ENDPOINTS)
    with Server(*(tls.flags() if is_bridged else [])) as server, \
            bridged(server) if is_bridged else contextlib.nullcontext(server.authority) as authority, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [(name, pool.submit(run_endpoint, authority, name, mode, folder)) for name in names]
        for name, run in runs:
            outdir, announced, problem = run.result()
            tally.check(f"{name}: the suite ran", problem)
            if announced:
                report.compare(tally, name, outdir, announced)
        tally.check("the server is alive after all of it", None if server.alive() else server.tail())
    tally.only = ""
    tally.finish()


if __name__ == "__main__":
    main()
