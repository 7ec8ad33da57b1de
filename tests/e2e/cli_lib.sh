# SPDX-License-Identifier: BSD-3-Clause
# For the tests of the command: sourced, not run. PARETORANK_BIN is the program, PARETORANK_SOURCE_DIR the source tree.
set -uo pipefail
bin=${PARETORANK_BIN:?}
source_dir=${PARETORANK_SOURCE_DIR:?}
fixtures=$source_dir/tests/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
  printf 'FAIL: %s\n' "$*" >&2
  failures=$((failures + 1))
}

# expect CODE TEXT ARGUMENTS...: the program returns CODE, and its stderr holds TEXT ("" : is empty). Leaves $work/out and $work/err.
expect() {
  local code=$1 text=$2 got
  shift 2
  "$bin" "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  [ "$got" -eq "$code" ] || fail "paretorank $*: exit code $got, expected $code; stderr: $(head -c 300 "$work/err")"
  if [ -z "$text" ]; then
    [ -s "$work/err" ] && fail "paretorank $*: stderr is not empty: $(head -c 300 "$work/err")"
  else
    grep -qF -- "$text" "$work/err" || fail "paretorank $*: stderr holds '$(head -c 300 "$work/err")', expected '$text'"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "paretorank $*: more than one line on stderr"
  fi
}

# holds TEXT: the last output holds it.
holds() {
  grep -qF -- "$1" "$work/out" || fail "stdout lacks '$1': $(head -c 300 "$work/out")"
}

finish() {
  [ "$failures" -eq 0 ] || { printf '%d failure(s)\n' "$failures" >&2; exit 1; }
}
