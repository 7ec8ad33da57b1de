# SPDX-License-Identifier: BSD-3-Clause
# Launching: alone without a daemon, under limits of memory and file size, ranks with command lines of their own.
. "$(dirname "$0")/lib.sh"
sweep=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg

one_line() { # text that stderr holds, in its only line that is not a warning
  grep -qF -- "$1" "$work/err" || fail "stderr holds '$(head -c 500 "$work/err")', expected '$1'"
  [ "$(grep -vc 'warning:' "$work/err")" -eq 1 ] || fail "more than one line: $(cat "$work/err")"
}

# Alone, where Open MPI's daemon would not start: its own switch for that, set against us, changes nothing.
export OMPI_MCA_ess_singleton_isolated=0
touch "$work/file"
TMPDIR=$work/file expect 4 "$paretorank" run "$sweep" --quiet --set "results=\"$work/r\""
one_line "$work/file: MPI needs a temporary folder"
TMPDIR=$work/nowhere expect 4 "$paretorank" run "$sweep" --quiet --set "results=\"$work/r\""
one_line "$work/nowhere: MPI needs a temporary folder"
[ ! -e "$work/r" ] || fail "a run that could not start left $work/r"
if unshare -n true 2>/dev/null; then
  expect 0 unshare -n "$paretorank" run "$sweep" --quiet --set "results=\"$work/alone\""
fi
if unshare -u true 2>/dev/null; then
  long=$(printf 'h%.0s' $(seq 63))
  expect 0 unshare -u sh -c "hostname $long; exec \"\$0\" \"\$@\"" "$paretorank" run "$sweep" --quiet --set "results=\"$work/long\""
fi
unset OMPI_MCA_ess_singleton_isolated

# Little address space: an error or a result, never a wait without end, and verbs that need little work.
for kib in 200000 300000 450000; do
  code=0
  (ulimit -v "$kib" && exec "$paretorank" run "$sweep" --quiet --set "results=\"$work/v$kib\"") >"$work/out" 2>"$work/err" || code=$?
  case $code in
    0) ;;
    4) one_line "ulimit -v" ;;
    *) fail "ulimit -v $kib: exit code $code: $(head -c 500 "$work/err")" ;;
  esac
done
(ulimit -v 200000 && exec "$paretorank" --version) >"$work/out" || fail "--version under ulimit -v"
code=0
(ulimit -v 200000 && exec "$paretorank" generate "$PARETORANK_SOURCE_DIR/tests/fixtures/llama" --prompt hi) 2>"$work/err" || code=$?
[ "$code" -eq 4 ] || fail "generate under ulimit -v: exit code $code"
one_line "ulimit -v"

# Programs that we start have the user's environment, not what we begin with.
cat >"$work/scorer.sh" <<'X'
env >"$1"
while read -r line; do printf '{"id": %s, "score": 1}\n' "$(printf %s "$line" | sed 's/.*"id": *\([0-9]*\).*/\1/')"; done
X
expect 0 env -u OPENBLAS_NUM_THREADS "$paretorank" run "$sweep" --quiet --set "results=\"$work/env\"" --set 'finetune.steps=1' \
  --set "objectives=({name=\"c\"; type=\"command\"; command=(\"sh\",\"$work/scorer.sh\",\"$work/seen\");},{name=\"brevity\";})"
[ -s "$work/seen" ] || fail "the scorer was not started"
! grep -q 'OPENBLAS_NUM_THREADS\|PARETORANK_STARTED_AGAIN' "$work/seen" || fail "a scorer has $(grep THREADS "$work/seen")"

# A file that may not grow: an error that names it, and the rest afterwards.
code=0
(ulimit -f 64 && exec "$paretorank" run "$sweep" --quiet --set "results=\"$work/small\"") >"$work/out" 2>"$work/err" || code=$?
[ "$code" -eq 4 ] || fail "ulimit -f: exit code $code: $(head -c 500 "$work/err")"
grep -q 'File too large' "$work/err" || fail "ulimit -f: $(cat "$work/err")"
expect 0 "$paretorank" run "$sweep" --quiet --set "results=\"$work/small\""
expect 0 "$paretorank" run "$sweep" --quiet --set "results=\"$work/reference\""
same_file "$work/reference/cells.csv" "$work/small/cells.csv"

# Too few descriptors for MPI.
expect 4 bash -c "ulimit -n 12 && exec '$paretorank' run '$sweep' --set 'results=\"$work/m\"'"
one_line "ulimit -n"

# One rank alone with a command line that is wrong, or that asks for help: all end, with one line.
expect 2 mpirun -q -n 1 "$paretorank" run "$sweep" --set "results=\"$work/m\"" : -n 1 "$paretorank" run "$sweep" --nonsense
one_line "rank 1 on"
expect 2 mpirun -q -n 1 "$paretorank" run "$sweep" --set "results=\"$work/m\"" : -n 1 "$paretorank" run --help
one_line "rank 1 on"
expect 2 mpirun -q -n 1 "$paretorank" run "$sweep" --nonsense : -n 1 "$paretorank" run "$sweep" --set "results=\"$work/m\""
one_line "--nonsense"
# The same with another verb, a help or a version in the place of a rank; and none of it is a success of rank 0's.
for other in "--version" "--help" "help config" "plan $sweep" "bench pareto" "status $work/m"; do
  # shellcheck disable=SC2086
  expect 2 timeout 300 mpirun -q -n 1 "$paretorank" run "$sweep" --set "results=\"$work/m\"" : -n 1 "$paretorank" $other
  one_line "rank 1 on"
done
for other in "--version" "run --help"; do
  # shellcheck disable=SC2086
  expect 2 timeout 300 mpirun -q -n 1 "$paretorank" $other : -n 1 "$paretorank" run "$sweep" --set "results=\"$work/m\""
  one_line "rank 0 on"
done
expect 0 mpirun -q -n 2 "$paretorank" --version
expect 2 mpirun -q -n 2 "$paretorank" run "$sweep" --nonsense
one_line "--nonsense"
expect 0 mpirun -q -n 2 "$paretorank" run --help
[ "$(grep -c '^usage' "$work/out")" -eq 1 ] || fail "help of $(grep -c '^usage' "$work/out") ranks"
[ ! -e "$work/m" ] || fail "$work/m was made"

# Verbs that work in one process say so, once.
for verb in "fit-reward $PARETORANK_SOURCE_DIR/tests/fixtures/llama nothing --out $work/h" "plan $sweep" "bench pareto"; do
  # shellcheck disable=SC2086
  expect 2 mpirun -q -n 3 "$paretorank" $verb
  one_line "found 3 processes, expected one"
done
