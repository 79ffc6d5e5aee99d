"""Writes the report of the benchmarks."""

import statistics

from scenarios import TARGETS

FLOOR = "rawnio"


def median(results, scenario, server, field="value"):
    """The median over the repeats, or None if no repeat succeeded."""
    runs = results["runs"].get(scenario, {}).get(server, [])
    values = [run[field] for run in runs if field in run]
    return statistics.median(values) if values else None


def ratio(results, scenario, server, base_scenario, base_server, field="value"):
    """The median of the ratios within each repeat. The machine's speed changes between repeats, but affects both servers
    equally within one."""
    runs = results["runs"].get(scenario, {}).get(server, [])
    bases = results["runs"].get(base_scenario, {}).get(base_server, [])
    pairs = [run[field] / base[field] for run, base in zip(runs, bases) if field in run and base.get(field)]
    return statistics.median(pairs) if pairs else None


def spread(results, scenario, server):
    values = [run["value"] for run in results["runs"][scenario].get(server, []) if "value" in run]
    return f"{number(min(values))}–{number(max(values))}" if values else ""


def number(value):
    if value is None:
        return "—"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(header, rows):
    return [row(header), row(["---"] * len(header)), *[row(cells) for cells in rows], ""]


def markdown(results, scenarios):
    machine = results["machine"]
    names = [s["name"] for s in results["servers"] if not s["missing"]]
    titles = {s["name"]: s["title"] for s in results["servers"]}
    lines = [
        "# Bench", "",
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; "
        f"{machine['connections']} connections, {machine['seconds']:g} s measured, median of "
        f"{machine['repeats']}; server and load pinned to a core each. In brackets: ratio to the floor, the "
        "median of the ratios within each repeat.",
        "",
    ]
    if machine["allocations"]:
        lines += ["Allocations were counted in this run: its times are not comparable with others.", ""]
    for server in results["servers"]:
        if server["missing"]:
            lines += [f"Missing: {server['title']}: {server['missing']}", ""]
    measured = [s for s in scenarios if s.name in results["runs"]]
    summary = [[s.title + ", " + s.unit, *[cell(results, s.name, name) for name in names]] for s in measured]
    lines += table(["scenario", *[titles[name] for name in names]], summary)
    lines += verdicts(results, titles)
    lines += ratios(results, measured, names, titles)
    for scenario in measured:
        lines += details(results, scenario, names, titles)
    return "\n".join(lines)


def cell(results, scenario, name):
    value = median(results, scenario, name)
    if value is None:
        runs = results["runs"].get(scenario, {}).get(name, [])
        return "failed" if runs else "—"
    to_floor = ratio(results, scenario, name, scenario, FLOOR)
    return number(value) + (f" ({to_floor:.2f})" if to_floor and name != FLOOR else "")


def ratios(results, scenarios, names, titles):
    """For every build of OnePort: the ratios to the other servers."""
    lines = []
    for tested in (s["name"] for s in results["servers"] if s["tested"] and not s["missing"]):
        others = [name for name in names if name != tested]
        rows = []
        for scenario in scenarios:
            found = [ratio(results, scenario.name, tested, scenario.name, name) for name in others]
            if any(found):
                rows.append([scenario.title, *[f"{value:.2f}" if value else "—" for value in found]])
        if rows:
            lines += [f"## {titles[tested]} ÷ each other server", ""]
            lines += table(["scenario", *[titles[name] for name in others]], rows)
    return lines


def verdicts(results, titles):
    """A row for each measured target and each build of OnePort."""
    tested = [s["name"] for s in results["servers"] if s["tested"] and not s["missing"]]
    rows = []
    for target in TARGETS:
        for name in tested:
            if target.peer:
                value = ratio(results, target.scenario, name, target.base, target.peer, target.field)
            else:
                value = median(results, target.scenario, name, target.field)
            if value is None:
                continue
            met = value >= target.factor if target.at_least else value <= target.factor
            limit = ("≥ " if target.at_least else "≤ ") + number(target.factor)
            rows.append([target.text, titles[name], limit, number(value), "met" if met else "**not met**"])
    return ["## Targets", "", *table(["target", "server", "limit", "measured", "verdict"], rows)] if rows else []


def details(results, scenario, names, titles):
    lines = [f"## {scenario.title}", ""]
    fields = FIELDS[scenario.kind]
    rows = []
    for name in names:
        runs = results["runs"][scenario.name].get(name)
        if runs is None:
            continue
        if median(results, scenario.name, name) is None:
            rows.append([titles[name], "failed: " + runs[-1].get("failed", "")[:120], *[""] * (len(fields) + 1)])
            continue
        to_floor = ratio(results, scenario.name, name, scenario.name, FLOOR)
        figures = [number(scale(field, median(results, scenario.name, name, field))) for field, _ in fields]
        rows.append([titles[name], number(median(results, scenario.name, name)),
                     spread(results, scenario.name, name), f"{to_floor:.2f}" if to_floor else "—", *figures])
    shown = [heading for _, heading in fields]
    return lines + table(["server", scenario.unit, "range", "× floor", *shown], rows)


def scale(field, value):
    """Converts shares to percent."""
    return value * 100 if value is not None and field.endswith("_share") else value


LATENCY = [("rate", "per second"), ("p50_us", "p50 µs"), ("p99_us", "p99 µs")]
BUSY = [("server_share", "server busy %"), ("client_share", "load client busy %")]
PER = [("user_us", "user"), ("system_us", "kernel")]
FIELDS = {
    "load": [*PER, *LATENCY, *BUSY, ("allocations", "allocations")],
    "half": [*PER, *LATENCY, ("p999_us", "p99.9 µs"), *BUSY],
    "publish": [("rate", "per second"), *BUSY, ("allocations", "allocations")],
    "idle": [("rss_bytes", "RSS"), ("handshake_cpu_us", "CPU µs per handshake")],
    "loops": [("rate_ratio", "rate ÷ one loop"), ("cpu_ratio", "CPU ÷ one loop"), *LATENCY],
}
