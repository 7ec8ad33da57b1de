# SPDX-License-Identifier: BSD-3-Clause
# Scorers that crash now and then, always, or hang: the sweep goes on, says what failed and why, and ends once they are mended.
# processors: 1
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

# The scorer: how it behaves is in the file `mood`, so that its identity stays the same.
cat >"$work/scorer.sh" <<'SH'
mood=$(cat mood)
n=0
while IFS= read -r line; do
  n=$((n + 1))
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  response=${line##*\"response\":\"}
  case $mood in
    crash) exit 3 ;;
    hang) sleep 1000 ;;
    sometimes) [ $n -lt 3 ] || [ -e crashed ] || { : >crashed; exit 3; } ;;
    nonsense) printf 'what?\n'; continue ;;
  esac
  printf '{"id": %s, "score": %s}\n' "$id" "${#response}"
done
SH
cat >"$work/sweep.cfg" <<CFG
name = "fails"; seed = 5; model = "$counsel/model"; results = "results"; retries = 1;
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 4; lora = { r = 2; }; };
evaluate = { prompts = 3; max_new_tokens = 4; };
objectives = ( { name = "brevity"; }, { name = "mine"; type = "command"; command = "exec sh scorer.sh"; timeout = "300s"; retries = 0; } );
search = { type = "grid"; divisions = 2; };
CFG
cd "$work"
run() { # ranks, results, more arguments
  local got=0 ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run sweep.cfg --set "results=\"$results\"" "$@" >out 2>err || got=$?
  printf %s "$got"
}

echo well >mood
[ "$(run 2 well)" -eq 0 ] || { cat err >&2; fail "a scorer that works"; }

echo sometimes >mood
code=$(run 1 sometimes)
[ "$code" -eq 0 ] || { cat err >&2; fail "a scorer that crashes once: exit code $code"; }
[ -e crashed ] || fail "it did not crash"
grep -q '"job_failed"' sometimes/journal.jsonl || fail "the crash is not in the journal"
grep -q 'failed (scorer), will be tried again: ' err || fail "the crash was not told of: $(cat err)"
same_file well/cells.csv sometimes/cells.csv

for mood in crash hang nonsense; do
  echo $mood >mood
  limit=() # only the one that never answers must not be waited for
  [ $mood != hang ] || limit=(--set 'objectives.[1].timeout="1s"')
  for ranks in 1 3; do
    results=$mood$ranks
    code=$(run $ranks $results "${limit[@]}")
    [ "$code" -eq 1 ] || { cat err >&2; fail "$mood on $ranks ranks: exit code $code, expected 1"; }
    [ "$(grep -c '^paretorank run: ' err)" -eq 1 ] || fail "$mood: not one line at the end: $(cat err)"
    grep -q "mine" err || fail "$mood: the objective is not named: $(cat err)"
    grep -q '"reason":"first-sample"' $results/journal.jsonl || fail "$mood: no reason \"first-sample\" in the journal"
    grep -q '"retry":true' $results/journal.jsonl && fail "$mood: tried again, though it never scored a sample"
    "$paretorank" status $results >status
    grep -q '^state  *incomplete' status || fail "$mood: $(cat status)"
    grep -q '^failed   ' status || fail "$mood: status shows no failure"
    "$paretorank" status $results --json | grep -q '"failures": \[{' || fail "$mood: status --json shows no failure"
  done
done

# Mended, the same command does the rest.
echo well >mood
for results in crash1 hang3 nonsense3; do
  code=$(run 2 $results)
  [ "$code" -eq 0 ] || { cat err >&2; fail "going on with $results: exit code $code"; }
  same_file well/cells.csv $results/cells.csv
  "$paretorank" status $results | grep -q '^state  *finished' || fail "$results is not finished"
done

# A scorer that fails in the middle of the evaluation: the experts stay, the points that it scored stay.
cp -r well late
grep -v '"kind":"evaluate"' well/journal.jsonl >late/journal.jsonl
echo crash >mood
[ "$(run 3 late)" -eq 1 ] || fail "late: not incomplete"
[ "$(grep -c '"job_done"' late/journal.jsonl)" -eq 2 ] || fail "late: experts were made again"
[ "$(grep '"job_failed"' late/journal.jsonl | grep -c '"retry":false')" -eq 4 ] || fail "late: not each point and the base model was given up"
echo well >mood
[ "$(run 3 late)" -eq 0 ] || fail "late: not mended"
same_file well/cells.csv late/cells.csv
