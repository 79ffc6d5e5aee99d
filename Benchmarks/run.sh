#!/bin/sh
# The benchmarks, as `make bench` runs them; see docs/benchmarks.md and `run.sh --help`.
exec python3 "$(dirname "$0")/run.py" "$@"
