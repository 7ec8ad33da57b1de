# SPDX-License-Identifier: BSD-3-Clause
# Processes: a rank 0 that waits costs nothing, a signal to any rank stops all in order, a rank that dies ends all.
. "$(dirname "$0")/lib.sh"
sweep=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg

# start RANKS RESULTS MORE...: in the background, as $mpirun; returns when a rank has told of its first step and waits.
start() {
  local ranks=$1 results=$2
  shift 2
  hold_at told:step 1
  mpirun -q -n "$ranks" "$paretorank" run "$sweep" --set "results=\"$results\"" "$@" >"$work/out" 2>"$work/err" &
  mpirun=$!
  held "$mpirun"
}
# The process of a rank.
rank_pid() {
  local pid
  for pid in $(cat "/proc/$mpirun/task/"*/children); do
    [ "$(rank_of "$pid")" = "$1" ] && printf %s "$pid"
  done
  return 0
}
rank_of() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; } # user and system time, 1/100 s

# A rank 0 with one long job under way, and a worker without any.
start 3 "$work/idle" --set 'objectives=({name="brevity";})'
idle=$((3 - $(rank_of "$(holder)")))
pids="$(rank_pid 0) $(rank_pid $idle)"
before=$(for pid in $pids; do ticks "$pid"; done)
sleep 3
paste <(echo "$before") <(for pid in $pids; do ticks "$pid"; done) | while read -r then now; do
  [ $((now - then)) -le 15 ] || fail "a rank used $((now - then)) of 300 ticks while it waited" # 5 %
done

# A signal to the worker that has nothing to do stops the others too.
kill -TERM "$(rank_pid "$idle")"
code=0
wait "$mpirun" || code=$?
[ "$code" -eq 1 ] || fail "a signal to an idle worker: exit code $code"
expect 0 "$paretorank" status "$work/idle"
grep -q '^state  *interrupted' "$work/out" || fail "a signal to an idle worker: $(cat "$work/out")"
ls "$work/idle/checkpoints/"train-*.ckpt >/dev/null || fail "the running job was not saved"

tiny 2 "$work/reference" >/dev/null 2>&1 || fail "the reference sweep"
# A signal to rank 0, or to a worker that works.
for rank in 0 1; do
  start 3 "$work/signal$rank"
  [ "$rank" -eq 0 ] && pid=$(rank_pid 0) || pid=$(holder)
  kill -USR1 "$pid"
  code=0
  wait "$mpirun" || code=$?
  [ "$code" -eq 1 ] || fail "a signal to rank $rank: exit code $code: $(cat "$work/err")"
  tiny 2 "$work/signal$rank" >/dev/null 2>&1 || fail "going on after a signal to rank $rank"
  same_file "$work/reference/cells.csv" "$work/signal$rank/cells.csv"
done

# kill -9 of one rank: mpirun ends the others; the sweep goes on where it was.
for who in first worker; do
  results=$work/dead-$who
  start 3 "$results"
  others=$(cat "/proc/$mpirun/task/"*/children)
  [ $who = first ] && pid=$(rank_pid 0) || pid=$(holder)
  rank=$(rank_of "$pid")
  kill -KILL "$pid"
  code=0
  wait "$mpirun" || code=$?
  [ "$code" -ne 0 ] || fail "a dead $who was not noticed"
  for pid in $others; do gone "$pid"; done
  expect 0 "$paretorank" status "$results"
  grep -q '^state  *stopped' "$work/out" || fail "the $who died: $(cat "$work/out")"
  grep -q '^killed  *the run was killed (no end in the journal' "$work/out" || fail "the $who died: $(cat "$work/out")"
  [ $who = first ] || grep -q "^no end of .*-s1 (rank $rank on " "$work/out" || fail "the dead rank is not named: $(cat "$work/out")"
  tiny 3 "$results" >/dev/null 2>"$work/err" || fail "going on after the death of the $who"
  grep -q 'the last run was killed' "$work/err" || fail "the next run does not tell of it: $(cat "$work/err")"
  same_file "$work/reference/cells.csv" "$results/cells.csv"
done

# Many signals at once, whatever library they find at work: a kernel that uses the stack pointer for something else must
# not have its memory written over.
for round in 1 2 3 4; do
  results=$work/burst$round
  hold_at told:step 1 # until the first of them
  "$paretorank" run "$sweep" --set "results=\"$results\"" --set finetune.prompts_per_step=64 >"$work/out" 2>"$work/err" &
  pid=$!
  held "$pid"
  for _ in $(seq 300); do kill -USR1 "$pid" 2>/dev/null || break; done
  code=0
  wait "$pid" || code=$?
  [ "$code" -le 1 ] || fail "many signals: exit code $code: $(cat "$work/err")"
done
