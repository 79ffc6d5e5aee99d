#!/bin/sh
# Instructions per operation of the micro-benchmarks, counted by valgrind's callgrind: the same on
# every run and on a busy machine too. Arguments are names of workloads; without any, all of them.
#
# Each workload is run with two numbers of operations; the difference leaves the start-up out.
# MICROBENCH names a binary that is built already.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${MICROBENCH:-}" ]; then
    swift build --package-path "$here/.." -c release --product MicroBench
    MICROBENCH="$here/../.build/release/MicroBench"
fi

# valgrind 3.19 gives up on the debug information of a Swift binary.
mkdir -p "$here/.build/peers"
stripped="$here/.build/peers/MicroBench"
strip --strip-debug -o "$stripped" "$MICROBENCH"

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$stripped" --only "$1" --operations "$2" 2>&1 |
        sed -n 's/.*Collected *: *//p'
}

few=100
many=1100
echo "| workload | instructions per operation |"
echo "| --- | --- |"
for workload in ${*:-$("$MICROBENCH" --list)}; do
    first=$(count "$workload" $few)
    last=$(count "$workload" $many)
    echo "| $workload | $(((last - first) / (many - few))) |"
done
