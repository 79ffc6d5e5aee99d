"""Autobahn's fuzzing server against WSKit's client.

The client is a program started as `AUTOBAHN_CLIENT URL AGENT MODE`, MODE one of plain, deflate and
takeover. It asks URL/getCaseCount, echoes the messages of URL/runCase?case=N&agent=AGENT for every N from
1 on, ends with URL/updateReports?agent=AGENT and exits 0.
"""

import concurrent.futures
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

import report
from server import ROOT, free_port
from tally import Tally

MODES = ["plain", "deflate", "takeover"]
TIMEOUT = {"light": 600, "full": 3000}
#: The fuzzing server is one busy process, so a machine with two cores runs two at a time.
AT_ONCE = 2


def start_fuzzing_server(folder, mode):
    port = free_port()
    outdir = os.path.join(folder, "report")
    shutil.rmtree(outdir, ignore_errors=True)
    os.makedirs(outdir)
    cases, at_least = report.spec_cases(mode)
    spec = {"url": f"ws://127.0.0.1:{port}", "outdir": outdir, "options": {"failByDrop": False}, **cases}
    spec_path, log_path = os.path.join(folder, "spec.json"), os.path.join(folder, "wstest.log")
    with open(spec_path, "w") as file:
        json.dump(spec, file, indent=2)
    with open(log_path, "w") as log:
        process = subprocess.Popen([os.environ["WSTEST"], "-m", "fuzzingserver", "-s", spec_path, "--webport", "0"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                sys.exit(f"error: the fuzzing server did not start, see {log_path}")
            time.sleep(0.1)
    with open(log_path, errors="replace") as log:
        announced = report.announced_cases(log.read())
    return process, spec["url"], outdir, announced, at_least


def run_client(command, url, mode, limit, log_path):
    """A problem, or None."""
    with open(log_path, "w") as log:
        client = subprocess.Popen([*command, url, f"client-{mode}", mode],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = client.wait(limit)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()
            return f"not done after {limit} s, see {log_path}"
    return None if code == 0 else f"the client ended with {code}, see {log_path}"


def run_mode(command, client_mode, mode, folder):
    """Runs a client against its own fuzzing server."""
    folder = os.path.join(folder, client_mode)
    os.makedirs(folder, exist_ok=True)
    process, url, outdir, announced, at_least = start_fuzzing_server(folder, mode)
    try:
        started = time.monotonic()
        problem = run_client(command, url, client_mode, TIMEOUT[mode], os.path.join(folder, "client.log"))
        print(f"client-{client_mode}: {len(announced)} cases in {time.monotonic() - started:.0f} s", flush=True)
    finally:
        process.kill()
        process.wait()
    if not problem and len(announced) < at_least:
        problem = f"{len(announced)} cases announced, expected {at_least}"
    return outdir, announced, problem


def main():
    tally = Tally("autobahn-client")
    mode = os.environ.get("CONFORMANCE_MODE", "full")
    command = shlex.split(os.environ.get("AUTOBAHN_CLIENT", ""))
    if not command:
        sys.exit("error: AUTOBAHN_CLIENT does not name the client to test")
    folder = os.path.join(ROOT, ".cache", "conformance", "autobahn-client")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [(name, pool.submit(run_mode, command, name, mode, folder)) for name in sys.argv[1:] or MODES]
        for name, run in runs:
            outdir, announced, problem = run.result()
            tally.check(f"client-{name}: the client ran", problem)
            report.compare(tally, f"client-{name}", outdir, announced)
    tally.finish()


if __name__ == "__main__":
    main()
