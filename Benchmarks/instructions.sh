#!/bin/sh
# Instructions per operation of the micro-benchmarks, counted by valgrind's callgrind. They are the same in
# every run, even on a busy machine. The arguments are names of workloads; the default is all of them.
#
# Each workload runs with two numbers of operations, and the difference excludes startup.
# MICROBENCH names a binary that is already built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${MICROBENCH:-}" ]; then
    swift build --package-path "$here/.." -c release --product MicroBench
    MICROBENCH="$here/../.build/release/MicroBench"
fi

# valgrind 3.19 cannot read the debug information of a Swift binary.
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
