# SPDX-License-Identifier: Apache-2.0
# Shared by the set-up scripts: where things go, messages, locks and stamps. Source it; it runs nothing by itself.
#
# Everything that the set-up makes outside the checkout lies under $BRAID_CACHE:
#   venv/    Python environment          deps/     C++ libraries built from source
#   stamps/  what was installed already  models/, cases/  test data    logs/  output of the builds

set -euo pipefail

SETUP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$SETUP_DIR/../.." && pwd)
export BRAID_CACHE=${BRAID_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/braid}
VENV=$BRAID_CACHE/venv
DEPS=$BRAID_CACHE/deps
STAMPS=$BRAID_CACHE/stamps
LOGS=$BRAID_CACHE/logs
mkdir -p "$STAMPS" "$LOGS"

say() { printf '[set-up] %s\n' "$*"; }

die() {
  printf '[set-up] error: %s\n' "$*" >&2
  exit 1
}

# lock NAME: waits until no other set-up does the step NAME; held until this process ends.
lock() {
  exec {LOCK_FD}>"$BRAID_CACHE/.lock-$1"
  if ! flock -n "$LOCK_FD"; then
    say "waiting for another set-up that is doing '$1'"
    flock "$LOCK_FD"
  fi
}

# stamped NAME CONTENT: whether the step NAME was finished with exactly this content.
stamped() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }

# stamp NAME CONTENT: notes that the step is finished, in one atomic move.
stamp() {
  printf '%s\n' "$2" >"$STAMPS/.$1.$$"
  mv "$STAMPS/.$1.$$" "$STAMPS/$1"
}

# logged NAME COMMAND...: runs the command with its output in a log; shows the end of the log when it fails.
logged() {
  local log=$LOGS/$1.log status=0
  shift
  "$@" >"$log" 2>&1 </dev/null {LOCK_FD}>&- || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    die "'$*' failed with status $status; whole output: $log"
  fi
}

# built NAME FOLDER [TARGET...]: builds with ninja in FOLDER, printing a line at each tenth of the work.
built() {
  local name=$1 folder=$2 log=$LOGS/$1.log status=0
  shift 2
  NINJA_STATUS='[%f/%t] ' ninja -C "$folder" "$@" 2>&1 </dev/null {LOCK_FD}>&- | tee "$log" |
    awk -v name="$name" 'match($0, /^\[[0-9]+\/[0-9]+\]/) {
        split(substr($0, 2, RLENGTH - 2), n, "/")
        tenth = int(10 * n[1] / n[2])
        if (n[2] > 20 && tenth > shown) { shown = tenth; print "[set-up]   " name ": " n[1] " of " n[2]; fflush() }
      }' || status=$?
  if [ "$status" -ne 0 ]; then
    grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60 >&2 || true
    die "building $name failed; whole output: $log"
  fi
}

# ccache, where there is one, makes a repeated build quick.
compiler_launcher() {
  if command -v ccache >/dev/null; then
    printf '%s\n' -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}
