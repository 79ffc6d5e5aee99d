#!/bin/sh
# A server's CPU time by library and by function, from samples of perf.
#
#   profile.sh                                   plaintext, keep-alive
#   profile.sh http --path /plaintext --pipeline 16
#   profile.sh ws --path /ws --size 20
#
# The arguments are those of the load client. SERVER names a TestServer that is already built. The server is pinned to
# core 0 and the client to core 1. Requires Linux and perf.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
[ $# -gt 0 ] || set -- http --path /plaintext
if [ -z "${SERVER:-}" ]; then
    swift build --package-path "$root" -c release --product TestServer
    SERVER="$root/.build/release/TestServer"
fi
python3 -c "import sys; sys.path.insert(0, '$here'); import servers; servers.build_c()"
folder=$(mktemp -d)
port=$((20000 + $$ % 20000))

taskset -c 0 "$SERVER" --port "$port" --threads 1 --static "$folder" >"$folder/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$folder"' EXIT
until grep -q listening "$folder/server.log"; do kill -0 "$server" && sleep 0.1; done

taskset -c 1 "$here/.build/peers/load" "$@" --port "$port" --pid "$server" --connections 64 --seconds 5 \
    >"$folder/load.json" &
load=$!
sleep 1
perf record --quiet --event cpu-clock --freq 4000 --pid "$server" --output "$folder/perf" -- sleep 3
wait "$load"

echo "## CPU time per request, from the load client"
cat "$folder/load.json"
echo "## By library"
perf report --input "$folder/perf" --sort dso --stdio 2>/dev/null | grep -v '^#' | grep -v '^$' | head -10
echo "## By function"
perf report --input "$folder/perf" --sort dso,symbol --stdio 2>/dev/null | grep -v '^#' | grep -v '^$' |
    head -"${LINES_SHOWN:-40}" | swift demangle --simplified | cut -c1-150
