#!/bin/sh
# Runs the micro-benchmarks and counts allocations. The arguments are passed to MicroBench.
#
#   micro.sh                                  nanoseconds and allocations of every workload
#   micro.sh --only decode-browser
#   micro.sh --check Benchmarks/allocations.json    fails if one allocates more than the file allows
#
# MICROBENCH names a binary that is already built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/.build/peers"
cc -O2 -Wall -Wextra -shared -fPIC -o "$here/.build/peers/allocations.so" "$here/Load/allocations.c"
if [ -z "${MICROBENCH:-}" ]; then
    swift build --package-path "$here/.." -c release --product MicroBench
    MICROBENCH="$here/../.build/release/MicroBench"
fi
LD_PRELOAD="$here/.build/peers/allocations.so" exec "$MICROBENCH" "$@"
