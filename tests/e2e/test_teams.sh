# SPDX-License-Identifier: BSD-3-Clause
# Sweeps on teams: the same bytes at any number of teams of one shape, phases of different shapes, ranks that fit no team, kills and
# going on with another grid, and what is refused.
. "$(dirname "$0")/lib.sh"
export OMPI_MCA_mpi_yield_when_idle=1 # more ranks than cores

teams() { # ranks, results, ROWSxCOLS of fine-tuning, of evaluation, more arguments
  local ranks=$1 results=$2 tune=$3 evaluate=$4
  shift 4
  tiny "$ranks" "$results" --set "finetune.team.rows=${tune%x*}" --set "finetune.team.cols=${tune#*x}" \
    --set "evaluate.team.rows=${evaluate%x*}" --set "evaluate.team.cols=${evaluate#*x}" "$@"
}
same_results() { for file in cells.csv front.csv samples.jsonl steps.csv; do same_file "$1/$file" "$2/$file"; done; }
starts() { grep -c '"job_start"' "$1/journal.jsonl"; }

# One team of a shape or two: the same bytes. All objectives are scored once a job, by the leader.
for shape in 1x2 2x1; do
  expect 0 teams 3 "$work/one-$shape" $shape $shape
  expect 0 teams 5 "$work/two-$shape" $shape $shape
  same_results "$work/one-$shape" "$work/two-$shape"
  workers=$(grep -o '"rank":[0-9]*' "$work/two-$shape/journal.jsonl" | sort -u | tr '\n' ' ')
  [ "$workers" = '"rank":1 "rank":3 ' ] || fail "jobs of $shape teams at ranks $workers"
done
jobs=$(starts "$work/one-1x2")

# Phases of different shapes; an odd rank is told of and idle.
expect 0 teams 6 "$work/phases" 2x2 1x2
grep -q 'teams of 2 x 2 ranks: 1 team; 1 rank fits none and stays idle' "$work/err" || fail "the idle rank is not told of"
grep -q 'teams of 1 x 2 ranks: 2 teams; 1 rank fits none and stays idle' "$work/err" || fail "nor in the second phase"
[ "$(starts "$work/phases")" -eq "$jobs" ] || fail "phases: $(starts "$work/phases") jobs, expected $jobs"
last=$(grep -n '"job_done".*"kind":"train"' "$work/phases/journal.jsonl" | tail -1 | cut -d: -f1)
first=$(grep -n '"job_start".*"kind":"evaluate"' "$work/phases/journal.jsonl" | head -1 | cut -d: -f1)
[ "$last" -lt "$first" ] || fail "an evaluation began before fine-tuning was done"

# Killed in the middle and gone on with other grids: no finished job twice, every expert and point there.
results=$work/killed
hold_at told:step 3 # there is a checkpoint of step 2
teams 3 "$results" 2x1 2x1 >/dev/null 2>&1 &
pid=$!
held "$pid"
kill_tree "$pid"
expect 0 teams 4 "$results" 1x3 1x1
grep -q 'continues at step 2 of 4' "$work/err" || fail "going on with another grid began afresh"
twice=$(grep '"job_done"' "$results/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)
[ -z "$twice" ] || fail "done twice: $twice"
[ "$(wc -l <"$results/cells.csv")" -eq "$(wc -l <"$work/one-2x1/cells.csv")" ] || fail "points are missing"
expect 0 teams 3 "$results" 1x2 1x2
[ "$(grep -c '"job_done"' "$results/journal.jsonl")" -eq "$jobs" ] || fail "another grid did something again"

# A signal stops a team in order, and the same teams go on to the same bytes.
results=$work/stopped
hold_at told:step 1
teams 3 "$results" 1x2 1x2 >/dev/null 2>&1 &
pid=$!
held "$pid"
kill -USR1 $(cat /proc/"$pid"/task/*/children) # mpirun itself
wait "$pid" && fail "USR1: exit code 0"
grep -q '"job_interrupted"' "$results/journal.jsonl" || fail "USR1: nothing was interrupted"
expect 0 teams 3 "$results" 1x2 1x2
same_results "$work/one-1x2" "$results"

# A scorer that fails takes its jobs down, not the sweep.
expect 1 teams 3 "$work/scorer" 1x2 2x1 --set retries=0 --set 'objectives=({name="brevity";},{name="bad";type="command";command="exit 3";lo=0.0;hi=1.0;})'
grep -q '"reason":"first-sample"' "$work/scorer/journal.jsonl" || fail "the scorer's failure is not in the journal"

# What cannot be.
expect 2 teams 2 "$work/few" 1x1 2x2
grep -q 'evaluate.team: found 2 ranks, expected 5 or more: 2 x 2 that work together and one that schedules' "$work/err" ||
  fail "too few ranks: $(head -1 "$work/err")"
expect 2 teams 8 "$work/heads" 1x7 1x7
[ "$(grep -c 'team of 7 columns: the model has 6 query heads' "$work/err")" -eq 1 ] || fail "too many columns: $(head -3 "$work/err")"
expect 2 "$paretorank" plan "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set evaluate.team.cols=7
grep -q 'sweep.cfg: evaluate.team.cols: .*expected 1 to 6' "$work/err" || fail "plan: too many columns: $(head -1 "$work/err")"

# bench team: every team computes the same loss, sends something, and holds its share.
shape=(--shape hidden=64,layers=2,heads=4,kv_heads=2,mlp=96,vocab=512 --tokens 256 --length 16 --rounds 1)
expect 0 mpirun -q -n 4 "$paretorank" bench team "${shape[@]}" --grid 2x2 --grid 1x4 --grid 3x1 --json
python3 - "$work/out" <<'P' || fail "bench team: $(cat "$work/out")"
import json, sys
b = json.load(open(sys.argv[1]))
t = b["teams"]
assert [(x["rows"], x["cols"]) for x in t] == [(1, 1), (2, 2), (1, 4), (3, 1)], t
assert b["parameters"] == 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96 + 2 * 64) + 64 + 512 * 64, b["parameters"]
assert all(abs(x["loss"] - t[0]["loss"]) <= 1e-5 for x in t), t
assert t[0]["bytes_sent"] < 1024 < t[3]["bytes_sent"] < t[2]["bytes_sent"], t
assert all(x["step_seconds"] > 0 and x["gflops"] > 0 and x["memory_bytes"] > 1e6 for x in t), t
P
expect 2 mpirun -q -n 2 "$paretorank" bench team "${shape[@]}" --grid 2x2
grep -q -- '--grid: found 2x2, expected a grid of at most 2 ranks' "$work/err" || fail "bench team: $(head -1 "$work/err")"
expect 2 mpirun -q -n 2 "$paretorank" bench team --shape hidden=65
grep -q -- '--shape' "$work/err" || fail "bench team: $(head -1 "$work/err")"
