"""Parses Autobahn's report and compares it with the expected results."""

import collections
import fnmatch
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
#: The number of cases of autobahntestsuite 25.10.1. A report with fewer, except those that the light set leaves
#: out, is incomplete.
ALL_CASES = 517
RESULTS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]


def light_exclusions():
    with open(os.path.join(HERE, "light-leaves-out.txt")) as file:
        return [case for line in file if not line.startswith("#") for case in line.split()]


def spec_cases(mode):
    """The part of a spec that names the cases, and the expected number of cases."""
    only = os.environ.get("ONLY")
    excluded = light_exclusions() if mode == "light" else []
    if only:
        return {"cases": only.split(","), "exclude-cases": [], "exclude-agent-cases": {}}, 1
    return {"cases": ["*"], "exclude-cases": excluded, "exclude-agent-cases": {}}, ALL_CASES - len(excluded)


def announced_cases(output):
    """The cases that wstest says it will run."""
    match = re.search(r"^Cases = \[(.*)\]$", output, re.M)
    return re.findall(r"'([\d.]+)'", match.group(1)) if match else []


def expectations(name):
    with open(os.path.join(HERE, "expected", f"{name}.tsv")) as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 3 or row[1] not in RESULTS or not row[2].strip():
            raise SystemExit(f"error: expected/{name}.tsv: not 'case, result, reason': {row}")
    return rows


def result_of(entry):
    """The result of a case in one word: the worse of its behavior and its close."""
    behavior, closing = entry["behavior"], entry["behaviorClose"]
    if behavior in RESULTS and closing in ("OK", "INFORMATIONAL"):
        return behavior
    if behavior == "UNIMPLEMENTED":
        return behavior
    return "FAILED"


def compare(tally, name, outdir, cases):
    """Checks each case of an agent and prints the counts of the results."""
    path = os.path.join(outdir, "index.json")
    try:
        with open(path) as file:
            report = json.load(file).get(name, {})
    except (OSError, ValueError) as error:
        tally.check(f"{name}: report", f"cannot be read: {error}")
        return
    rows = expectations(name)
    counts = collections.Counter()
    for case in cases:
        if case not in report:
            tally.check(f"{name} {case}", "missing from the report")
            continue
        result = result_of(report[case])
        counts[result] += 1
        allowed = {"OK"} | {row[1] for row in rows if fnmatch.fnmatchcase(case, row[0])}
        problem = None
        if result not in allowed:
            entry = report[case]
            problem = f"{result} (behavior {entry['behavior']}, close {entry['behaviorClose']}), see {outdir}/{entry['reportfile']}"
        tally.check(f"{name} {case}", problem)
    print(f"{name}: " + ", ".join(f"{counts[result]} {result}" for result in RESULTS) + f" of {len(cases)}", flush=True)
