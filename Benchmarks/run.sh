#!/bin/sh
# The bench, as `make bench` calls it; see docs/benchmarks.md and `run.sh --help`.
exec python3 "$(dirname "$0")/run.py" "$@"
