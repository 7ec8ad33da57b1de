# SPDX-License-Identifier: BSD-3-Clause
# What the end-to-end tests share: where things are, a folder of their own, checks that say what went wrong.
set -euo pipefail
: "${PARETORANK_BIN:?the path of the paretorank binary}" "${PARETORANK_SOURCE_DIR:?the root of the source tree}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
paretorank=$PARETORANK_BIN
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# A process and all that it started, by their numbers.
tree_of() {
  local child
  printf '%s\n' "$1"
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree_of "$child"; done
}

# kill -9 of a process and all that it started; returns when none of them is left.
kill_tree() {
  local pids pid
  pids=$(tree_of "$1")
  for pid in $pids; do kill -STOP "$pid" 2>/dev/null || true; done
  for pid in $pids $(tree_of "$1"); do kill -KILL "$pid" 2>/dev/null || true; done
  wait "$1" 2>/dev/null || true
  for pid in $pids; do gone "$pid"; done
}

# Is a process not there any more (a zombie counts as gone)?
is_gone() {
  [ -e "/proc/$1/stat" ] || return 0
  case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in Z* | X* | '') return 0 ;; esac
  return 1
}
# Waits until it is.
gone() {
  local i
  for i in $(seq 6000); do
    is_gone "$1" && return 0
    sleep 0.05
  done
  fail "process $1 does not end"
}

# Moments (src/base/hold.h). hold_at POINT COUNT: the sweep that is started next will wait there. held PID: waits until
# it does; PID is what was started. holder: the process that waits. let_go: it goes on.
hold=$work/hold
hold_at() {
  rm -f "$hold" "$hold.go"
  export PARETORANK_TEST_HOLD="$1 $2 $hold"
}
held() {
  unset PARETORANK_TEST_HOLD
  while [ ! -e "$hold" ]; do
    is_gone "$1" && [ ! -e "$hold" ] && { tail -5 "$work/err" >&2 || true; fail "it ended before it came to the moment"; }
    sleep 0.02
  done
}
holder() { cat "$hold"; }
let_go() { : >"$hold.go"; }

# Waits until a line of a sweep's journal matches.
journal_has() { # results, pattern
  local i
  for i in $(seq 15000); do
    grep -qs -- "$2" "$1/journal.jsonl" && return 0
    sleep 0.02
  done
  tail -5 "$work/err" >&2 || true
  fail "no $2 comes in $1/journal.jsonl"
}

same_file() { cmp -s "$1" "$2" || { diff "$1" "$2" | head -5 >&2; fail "$1 and $2 differ"; }; }

# expect CODE COMMAND...: runs it, output to $work/out and $work/err.
expect() {
  local want=$1 got=0
  shift
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" -eq "$want" ] || { tail -5 "$work/err" >&2; fail "exit code $got, expected $want: $*"; }
}

tiny() { # ranks, results, more arguments
  local ranks=$1 results=$2
  shift 2
  mpirun -n "$ranks" "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$results\"" "$@"
}
