"""Counts passed and failed checks, and ends the suite.

A suite that ran no check fails, so that a filter without a match or an empty table cannot look like a success.
"""

import os
import sys
import time
import traceback


class Tally:
    def __init__(self, suite):
        self.suite = suite
        self.passed = 0
        self.failures = []
        self.started = time.monotonic()
        self.only = os.environ.get("ONLY", "")

    def wants(self, name):
        """Whether the filter ONLY (a part of a name) selects the check."""
        return self.only in name

    def check(self, name, problem):
        """Records a check. `problem` is None or empty if it passed, otherwise the reason."""
        if problem:
            self.failures.append((name, str(problem)))
            # One write, so that checks on several threads do not mix their lines.
            sys.stdout.write(f"FAILED {name}: {problem}\n")
            sys.stdout.flush()
        else:
            self.passed += 1

    def run(self, name, body, *arguments):
        """Runs a check that returns a problem or None. An exception is a problem too."""
        if not self.wants(name):
            return
        try:
            problem = body(*arguments)
        except AssertionError as error:
            problem = str(error) or traceback.format_exc(limit=-1)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"
        self.check(name, problem)

    def finish(self):
        """Prints the counts and exits, with 0 only if at least one check ran and all passed."""
        seconds = time.monotonic() - self.started
        if self.passed + len(self.failures) == 0:
            print(f"{self.suite}: nothing was run" + (f" (ONLY={self.only})" if self.only else ""))
            sys.exit(1)
        print(f"-- {self.suite} took {seconds:.1f} s")
        print(f"{self.suite}: {self.passed} passed, {len(self.failures)} failed", flush=True)
        sys.exit(1 if self.failures else 0)
