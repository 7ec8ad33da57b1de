# SPDX-License-Identifier: BSD-3-Clause
# Killed at many moments and started again, a sweep ends with the same bytes and does no finished job twice; signals end it in order.
. "$(dirname "$0")/lib.sh"

reference=$work/reference
tiny 3 "$reference" >/dev/null 2>&1 || fail "the reference sweep"

# Ranks, and the moment of each kill: of the start, in a job, and of journaling.
kills=(
  '1 journal:sweep_start 1, 3 journal:job_start 2, 2 told:step 3, 1 journal:job_done 2, 3 journal:job_done 4'
  '2 told:step 1, 1 journal:step 3, 3 journal:job_done 1, 2 journal:job_done 3'
)
for round in 0 1; do
  results=$work/killed$round
  while read -r ranks point count; do
    hold_at "$point" "$count"
    tiny "$ranks" "$results" >/dev/null 2>&1 &
    pid=$!
    held "$pid"
    kill_tree "$pid"
  done < <(tr , '\n' <<<"${kills[round]}")
  # What was torn by hand is skipped too.
  printf '{"t": 1, "event": "job_do' >>"$results/journal.jsonl"
  tiny 2 "$results" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; fail "going on after kills"; }
  for file in cells.csv front.csv samples.jsonl steps.csv; do same_file "$reference/$file" "$results/$file"; done
  twice=$(grep '"job_done"' "$results/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)
  [ -z "$twice" ] || fail "done twice: $twice"
  [ -z "$(find "$results" -name '*.tmp-*')" ] || fail "half-written files were left behind"
done

# SIGTERM and SIGUSR1: checkpoint, exit code 1, and the same command goes on exactly.
for signal in TERM USR1; do
  results=$work/signal-$signal
  hold_at told:step 2
  "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$results\"" >"$work/out" 2>"$work/err" &
  pid=$!
  held "$pid"
  kill -$signal "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 1 ] || fail "SIG$signal: exit code $code, expected 1"
  expect 0 "$paretorank" status "$results"
  grep -q interrupted "$work/out" || fail "SIG$signal: status is not interrupted"
  ls "$results"/checkpoints/train-*.ckpt >/dev/null || fail "SIG$signal: no checkpoint"
  tiny 2 "$results" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on after SIG$signal"; }
  same_file "$reference/cells.csv" "$results/cells.csv"
done

# Two at once in one directory: the second is refused and names the first.
hold_at told:step 1
tiny 1 "$work/locked" >/dev/null 2>&1 &
pid=$!
held "$pid"
expect 4 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$work/locked\""
grep -q 'process' "$work/err" || fail "the refusal does not say who has the directory"
let_go
wait "$pid" || fail "the first one: exit code $?"
