# SPDX-License-Identifier: BSD-3-Clause
# run --ranks: the command starts mpirun itself, with nothing of it to be seen; a stop reaches the ranks in order.
. "$(dirname "$0")/lib.sh"
unset OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe
unset OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_btl_vader_single_copy_mechanism
sweep=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg
ours() { # every line of stderr is ours
  ! grep -v '^paretorank' "$work/err" >&2 || fail "a line that is not ours on stderr"
}

expect 0 "$paretorank" run "$sweep" --quiet --set "results=\"$work/one\""
expect 0 "$paretorank" run --ranks 3 "$sweep" --set "results=\"$work/three\""
ours
same_file "$work/one/cells.csv" "$work/three/cells.csv"
grep -q 'started: 3 experts to train, at most 12 points; 3 ranks: 1 schedules, 2 work$' "$work/err" || fail "the start: $(cat "$work/err")"
grep -q '"workers": *2' "$work/three/journal.jsonl" || fail "not on 3 ranks"
expect 0 "$paretorank" run "$work/three" --ranks=2
grep -q 'started: nothing is left to do; 2 ranks' "$work/err" || fail "the start of what is finished: $(cat "$work/err")"
if command -v taskset >/dev/null; then
  expect 0 taskset -c "$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')" "$paretorank" run "$work/three" --ranks auto
  grep -q '; 1 rank$' "$work/err" || fail "auto on one core: $(cat "$work/err")"
fi

# What is wrong is said once, by one line, whoever is to blame.
one_line() {
  grep -qF -- "$1" "$work/err" && [ "$(wc -l <"$work/err")" -eq 1 ] || fail "stderr holds '$(cat "$work/err")', expected '$1'"
}
expect 2 "$paretorank" run "$sweep" --ranks many
one_line 'found "many", expected a number 1 to 1000000, or auto'
expect 2 "$paretorank" run "$sweep" --ranks 0
one_line 'found "0"'
expect 2 "$paretorank" run "$sweep" --ranks 3 --set finetune.steps=0
one_line "finetune.steps"
expect 2 "$paretorank" run "$sweep" --ranks 2 --set finetune.team.rows=3
one_line "finetune.team: found 2 ranks, expected 4 or more"
expect 2 env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -q --oversubscribe -n 2 "$paretorank" run "$sweep" --ranks 3
one_line "found 2 processes that were started together"
mkdir "$work/empty"
expect 4 env PATH="$work/empty" "$paretorank" run "$sweep" --ranks 2
one_line "mpirun: not found in PATH"

# Ctrl-C, and what a batch system sends: the work is saved, with our line only; the same command continues by name.
for signal in INT TERM USR1; do
  r=$work/$signal
  hold_at told:step 3
  "$paretorank" run "$sweep" --ranks 3 --set "results=\"$r\"" >"$work/out" 2>"$work/err" &
  pid=$!
  held "$pid"
  kill "-$signal" "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 1 ] || fail "SIG$signal: exit code $code: $(cat "$work/err")"
  ours
  expect 0 "$paretorank" status "$r"
  grep -q '^state  *interrupted' "$work/out" || fail "SIG$signal: $(cat "$work/out")"
  expect 0 "$paretorank" run "$sweep" --ranks 2 --set "results=\"$r\""
  grep -q '[a-z]*-s1 continues at step [0-9]* of 4$' "$work/err" || fail "SIG$signal: does not continue: $(cat "$work/err")"
  same_file "$work/one/cells.csv" "$r/cells.csv"
done
