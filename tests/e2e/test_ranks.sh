# Processes: a rank 0 that waits costs nothing, a signal to any rank stops all in order, a rank that dies ends all.
. "$(dirname "$0")/lib.sh"
sweep=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg

# start RANKS RESULTS MORE...: in the background, as $mpirun; returns when the first step is in the journal.
start() {
  local ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$sweep" --set "results=\"$results\"" "$@" >"$work/out" 2>"$work/err" &
  mpirun=$!
  journal_has "$results" '"step"'
}
# The process of a rank.
rank_pid() {
  local pid
  for pid in $(cat "/proc/$mpirun/task/"*/children); do
    tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && printf %s "$pid"
  done
  return 0
}
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; } # user and system time, 1/100 s

# A rank 0 with one long job under way, and a worker without any.
start 3 "$work/idle" --set finetune.steps=100000 --set 'objectives=({name="brevity";})'
first=$(rank_pid 0)
before=$(ticks "$first")
sleep 3
used=$(($(ticks "$first") - before))
[ "$used" -le 15 ] || fail "rank 0 used $used of 300 ticks while it waited" # 5 %
idle=0
for rank in 1 2; do
  pid=$(rank_pid $rank)
  before=$(ticks "$pid")
  sleep 1
  [ $(($(ticks "$pid") - before)) -le 5 ] && idle=$rank
done
[ "$idle" -gt 0 ] || fail "no worker is idle, or an idle one burns a core"

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
  kill -USR1 "$(rank_pid $rank)"
  code=0
  wait "$mpirun" || code=$?
  [ "$code" -eq 1 ] || fail "a signal to rank $rank: exit code $code: $(cat "$work/err")"
  tiny 2 "$work/signal$rank" >/dev/null 2>&1 || fail "going on after a signal to rank $rank"
  same_file "$work/reference/cells.csv" "$work/signal$rank/cells.csv"
done

# kill -9 of one rank: mpirun ends the others; the sweep goes on where it was.
for rank in 0 2; do
  start 3 "$work/dead$rank"
  others=$(cat "/proc/$mpirun/task/"*/children)
  kill -KILL "$(rank_pid $rank)"
  code=0
  wait "$mpirun" || code=$?
  [ "$code" -ne 0 ] || fail "a dead rank $rank was not noticed"
  for pid in $others; do gone "$pid"; done
  expect 0 "$paretorank" status "$work/dead$rank"
  grep -q '^state  *stopped' "$work/out" || fail "rank $rank died: $(cat "$work/out")"
  grep -q '^killed  *the run was killed (no end in the journal' "$work/out" || fail "rank $rank died: $(cat "$work/out")"
  [ "$rank" -eq 0 ] || grep -q "^no end of .*-s1 (rank $rank on " "$work/out" || fail "the dead rank is not named: $(cat "$work/out")"
  tiny 3 "$work/dead$rank" >/dev/null 2>"$work/err" || fail "going on after the death of rank $rank"
  grep -q 'the last run was killed' "$work/err" || fail "the next run does not tell of it: $(cat "$work/err")"
  same_file "$work/reference/cells.csv" "$work/dead$rank/cells.csv"
done

# Many signals at once, whatever library they find at work: a kernel that uses the stack pointer for something else must
# not have its memory written over.
for round in 1 2 3 4; do
  results=$work/burst$round
  "$paretorank" run "$sweep" --set "results=\"$results\"" --set finetune.prompts_per_step=64 >"$work/out" 2>"$work/err" &
  pid=$!
  journal_has "$results" '"step"'
  for _ in $(seq 300); do kill -USR1 "$pid" 2>/dev/null || break; done
  code=0
  wait "$pid" || code=$?
  [ "$code" -le 1 ] || fail "many signals: exit code $code: $(cat "$work/err")"
done
