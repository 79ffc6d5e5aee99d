# Shared by the scripts in this folder: strict mode, the root of the checkout, and messages.
# Sourced, never run.

set -euo pipefail

# Nothing may wait for input, because a script may run without a terminal.
exec </dev/null

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="$ROOT/.cache"
cd "$ROOT"

say() { printf '== %s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need COMMAND WHAT-IT-IS-FOR
need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: $2"; }

# The number of jobs a build may run: one per core.
jobs_count() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
