#!/bin/sh
# Runs the micro-benchmarks with allocations counted; arguments go to MicroBench.
#
#   micro.sh                                  nanoseconds and allocations of every workload
#   micro.sh --only decode-browser
#   micro.sh --check Benchmarks/allocations.json    fails when one allocates more than is written there
#
# MICROBENCH names a binary that is built already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/.build/peers"
cc -O2 -Wall -Wextra -shared -fPIC -o "$here/.build/peers/allocations.so" "$here/Load/allocations.c"
if [ -z "${MICROBENCH:-}" ]; then
    swift build --package-path "$here/.." -c release --product MicroBench
    MICROBENCH="$here/../.build/release/MicroBench"
fi
LD_PRELOAD="$here/.build/peers/allocations.so" exec "$MICROBENCH" "$@"
