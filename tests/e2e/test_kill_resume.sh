# Killed at random moments and started again, a sweep ends with the same bytes and does no finished job twice; signals end it in order.
. "$(dirname "$0")/lib.sh"

reference=$work/reference
tiny 3 "$reference" >/dev/null 2>&1 || fail "the reference sweep"

RANDOM=20 # the moments are the same in every run of this test
for round in 1 2; do
  results=$work/killed$round
  for kill in 1 2 3 4; do
    mpirun -n $((RANDOM % 3 + 1)) "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" \
      --set "results=\"$results\"" >/dev/null 2>&1 &
    pid=$!
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
    kill_tree "$pid"
  done
  # What was torn by hand is skipped too.
  [ -f "$results/journal.jsonl" ] && printf '{"t": 1, "event": "job_do' >>"$results/journal.jsonl"
  tiny 2 "$results" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; fail "going on after kills"; }
  for file in cells.csv front.csv samples.jsonl; do same_file "$reference/$file" "$results/$file"; done
  twice=$(grep '"job_done"' "$results/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)
  [ -z "$twice" ] || fail "done twice: $twice"
  [ -z "$(find "$results" -name '*.tmp-*')" ] || fail "half-written files were left behind"
done

# SIGTERM and SIGUSR1: checkpoint, exit code 1, and the same command goes on exactly.
for signal in TERM USR1; do
  results=$work/signal-$signal
  "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$results\"" >"$work/out" 2>"$work/err" &
  pid=$!
  journal_has "$results" '"step"'
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
tiny 1 "$work/locked" --set finetune.steps=400 >/dev/null 2>&1 &
pid=$!
journal_has "$work/locked" '"step"'
expect 4 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$work/locked\""
grep -q 'process' "$work/err" || fail "the refusal does not say who has the directory"
kill "$pid"
wait "$pid" || true
