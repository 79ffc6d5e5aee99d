#!/usr/bin/env python3
"""Compares OnePort with other servers: CPU time per request, rate, latency, memory.

One server runs at a time, pinned to one core, with the load client pinned to another. The servers take turns in
every scenario, and everything is repeated. Writes a Markdown report and JSON.

  run.py                                               all scenarios, three times
  run.py --only plaintext,echo20 --servers rawnio,oneport --seconds 3 --repeats 3
  run.py --no-build --servers before=/path/TestServer,after=/path/TestServer
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import report
from scenarios import SCENARIOS
from servers import BUILD, PEERS, Running, all_servers

LOAD = os.path.join(PEERS, "load")
FLOOR_RATE_UNKNOWN = 40000.0


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="scenarios, by name, separated by commas")
    parser.add_argument("--servers", default="", help="servers, by name or name=/path/to/TestServer, separated by commas")
    parser.add_argument("--seconds", type=float, default=3, help="measured time of one run (default 3)")
    parser.add_argument("--repeats", type=int, default=3, help="default 3")
    parser.add_argument("--connections", type=int, default=64, help="default 64")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--no-build", action="store_true", help="do not build the servers")
    parser.add_argument("--allocations", action="store_true",
                        help="also count the server's allocations; then its times are not comparable")
    parser.add_argument("--output", default=os.path.join(BUILD, "results", "bench"),
                        help="the report's path without its extension")
    parser.add_argument("--list", action="store_true", help="print the scenarios and stop")
    return parser.parse_args()


def load(settings, server, running, arguments, pinned=True):
    """Runs the load client against a running server and returns its JSON."""
    command = ["taskset", "-c", str(settings.load_core)] if pinned else []
    command += [LOAD, *arguments, "--port", str(running.port), "--pid", str(running.pid)]
    if "--connections" not in arguments:
        command += ["--connections", str(settings.connections)]
    if "--seconds" not in arguments:
        command += ["--seconds", str(settings.seconds)]
    if settings.allocations:
        command += ["--allocations", counters(server)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:])
    result = json.loads(done.stdout)
    if result["errors"] or result.get("wanted", 0) > result.get("deliveries", 0):
        raise RuntimeError(f"errors: {result['errors']}; {done.stderr.strip()[-160:] or done.stdout.strip()}")
    return result


def counters(server):
    return os.path.join(PEERS, server.name + ".counters") if server else ""


def measure(settings, scenario, server, floor_rate):
    """Measures one value: starts the server, loads it and stops it."""
    start = lambda threads=1, pinned=True: Running(
        server, threads, settings.server_core if pinned else None,
        counters(server) if settings.allocations else None)
    if scenario.kind == "loops":
        figures = []
        for threads in (1, 2):
            with start(threads, pinned=False) as running:
                figures.append(load(settings, server, running, scenario.load, pinned=False))
        one, two = figures
        return {**two, "value": two["cpu_us"], "rate_ratio": two["rate"] / one["rate"],
                "cpu_ratio": two["cpu_us"] / one["cpu_us"]}
    with start() as running:
        if scenario.kind == "half":
            limit = load(settings, server, running, [*scenario.load, "--seconds", "1"])["rate"]
            rate = min((floor_rate or FLOOR_RATE_UNKNOWN) / 2, 0.75 * limit)
            result = load(settings, server, running, [*scenario.load, "--rate", f"{rate:.0f}"])
        else:
            result = load(settings, server, running, scenario.load)
    result["value"] = result["anonymous_bytes"] if scenario.kind == "idle" else result["cpu_us"]
    return result


def machine(settings):
    model = ""
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        pass
    return {
        "date": time.strftime("%Y-%m-%d"), "processor": model, "cores": os.cpu_count(),
        "kernel": platform.release(), "seconds": settings.seconds, "repeats": settings.repeats,
        "connections": settings.connections, "load_before": list(os.getloadavg()),
        "allocations": settings.allocations,
    }


def main():
    settings = options()
    if settings.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:10} {scenario.title}")
        return
    wanted = [name for name in settings.only.split(",") if name]
    unknown = set(wanted) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        raise SystemExit("no scenario " + ", ".join(sorted(unknown)))
    scenarios = [s for s in SCENARIOS if not wanted or s.name in wanted]
    servers = all_servers([name for name in settings.servers.split(",") if name], not settings.no_build)
    present = [server for server in servers if not server.missing]
    os.makedirs(os.path.dirname(os.path.abspath(settings.output)), exist_ok=True)
    results = {
        "machine": machine(settings),
        "servers": [{"name": s.name, "title": s.title, "missing": s.missing, "tested": "oneport" in s.features}
                    for s in servers],
        "runs": {},
    }
    for server in servers:
        if server.missing:
            print(f"missing: {server.name}: {server.missing}", file=sys.stderr)
    for repeat in range(settings.repeats):
        for number, scenario in enumerate(scenarios):
            able = [s for s in present if scenario.feature in s.features]
            turn = (repeat + number) % len(able) if able else 0
            for server in able[turn:] + able[:turn]:
                run_one(settings, results, scenario, server, repeat)
        with open(settings.output + ".json", "w") as file:
            json.dump(results, file, indent=1)
    text = report.markdown(results, scenarios)
    with open(settings.output + ".md", "w") as file:
        file.write(text)
    print(text)
    print(f"written to {settings.output}.md and .json", file=sys.stderr)


def run_one(settings, results, scenario, server, repeat):
    runs = results["runs"].setdefault(scenario.name, {}).setdefault(server.name, [])
    plain = results["runs"].get("plaintext", {}).get("rawnio", [])
    rates = [run["rate"] for run in plain if "rate" in run]
    try:
        result = measure(settings, scenario, server, statistics.median(rates) if rates else None)
        note = f"{result['value']:.2f} {scenario.unit}"
    except (RuntimeError, OSError, subprocess.TimeoutExpired, ValueError) as error:
        result, note = {"failed": str(error)}, f"failed: {error}"
    runs.append(result)
    print(f"[{repeat + 1}] {scenario.name:10} {server.name:14} {note}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
