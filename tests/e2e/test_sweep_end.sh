#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the end of a sweep says: equal points, one prompt, scores and hypervolumes beyond all numbers, a finished directory.
# processors: 1
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

# A scorer: the score of every response is $1, $2, ... in turn.
cat >"$work/score.sh" <<'SH'
n=$#
i=0
while IFS= read -r line; do
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  i=$((i % n + 1))
  eval "score=\${$i}"
  printf '{"id": %s, "score": %s}\n' "$id" "$score"
done
SH

# sweep NAME SCORES-OF-A SCORES-OF-B MORE [ADAPTERS-OF]: of another sweep, else tuned
sweep() {
  local a= b=
  [ $# -lt 5 ] || a="adapter = \"$work/$5/experts/a-s1\";" b="adapter = \"$work/$5/experts/b-s1\";"
  cat >"$work/$1.cfg" <<CFG
name = "$1"; seed = 5; model = "$counsel/model"; results = "$work/$1"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 4; lora = { r = 2; }; };
objectives = ( { name = "a"; type = "command"; command = "sh $work/score.sh $2"; $a },
               { name = "b"; type = "command"; command = "sh $work/score.sh $3"; $b } );
search = { type = "grid"; divisions = 3; };
$4
CFG
}
json() { python3 -c "import json, sys; m = json.load(open('$work/$1')); print($2)"; }
want() { [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"; }

# Policies that all score the same are all on the front, whoever evaluated them.
sweep equal 0.5 0.25 'evaluate = { prompts = 3; max_new_tokens = 4; };'
expect 0 "$paretorank" run "$work/equal.cfg" --quiet
want "equal points" "$(tail -n +2 "$work/equal/front.csv" | wc -l)" 4
want "equal points" "$(json equal/front.json 'len(m["points"])')" 4
expect 0 mpirun -q -n 3 "$paretorank" run "$work/equal.cfg" --quiet --set "results=$work/equal3"
same_file "$work/equal/front.csv" "$work/equal3/front.csv"
same_file "$work/equal/cells.csv" "$work/equal3/cells.csv"

# A finished directory: nothing is computed, and the indicators are those that are kept.
before=$(ls -i "$work/equal/indicators.json")
cp "$work/equal/metrics.json" "$work/metrics.before"
expect 0 "$paretorank" run "$work/equal" --quiet
want "kept indicators" "$(ls -i "$work/equal/indicators.json")" "$before"
want "indicators" "$(json equal/metrics.json 'm["indicators"]')" "$(json metrics.before 'm["indicators"]')"

# One prompt.
sweep one 0.5 0.25 'evaluate = { prompts = 1; max_new_tokens = 4; };'
expect 0 "$paretorank" run "$work/one.cfg" --quiet
grep -q '0.500 ± –' "$work/out" || fail "one prompt: $(cat "$work/out")"
grep -q '± 0' "$work/out" && fail "one prompt has a standard error: $(cat "$work/out")"
want "se of one prompt" "$(sed -n 2p "$work/one/cells.csv" | cut -d, -f8,9)" ","
want "interval of one prompt" "$(json one/metrics.json '"low" in m["indicators"][0]["hypervolume"]')" False
expect 0 "$paretorank" front "$work/one"
grep -q '0.500 ± –' "$work/out" || fail "front of one prompt: $(cat "$work/out")"
cp "$work/one/cells.csv" "$work/cells.before"
expect 0 "$paretorank" run "$work/one" --quiet
same_file "$work/cells.before" "$work/one/cells.csv"

# Finite scores of any size have a mean; what of them is not a number is null, and the user is told.
sweep huge '1e200 -1e200' '1.7e308 1.6e308 1.7e308' \
  'evaluate = { prompts = 4; max_new_tokens = 4; }; reference = [-1e30, -1e30];' equal
expect 0 "$paretorank" run "$work/huge.cfg" --quiet
want "mean of huge scores" "$(sed -n 2p "$work/huge/cells.csv" | cut -d, -f6)" 0
want "hypervolume" "$(json huge/metrics.json 'm["all"]["hypervolume"]')" None
grep -q 'hypervolume is above the range of numbers' "$work/err" || fail "an infinite hypervolume is not told: $(cat "$work/err")"
expect 0 "$paretorank" run "$work/huge" --quiet
expect 0 "$paretorank" status "$work/huge"
grep -q finished "$work/out" || fail "the sweep of huge scores: $(cat "$work/out")"

# Sixteen objectives, where the exact hypervolume has no end: an estimate, named, with its error.
python3 - >"$work/points" <<'PY'
import math
steps = [math.sqrt(p) % 1 for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)]
for i in range(1, 137):
    v = [(i * s) % 1 + 1e-9 for s in steps]
    norm = math.sqrt(sum(x * x for x in v))
    print(*(x / norm for x in v))
PY
zero="0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
expect 0 "$paretorank" indicators "$work/points" --maximize all --reference "$zero" --json
cp "$work/out" "$work/first"
want "method" "$(json first 'm["sets"][0]["hypervolume_method"]')" "estimate from boxes"
want "error" "$(json first '0 < m["sets"][0]["hypervolume_error"] < 0.01 * m["sets"][0]["hypervolume"]')" True
expect 0 "$paretorank" indicators "$work/points" --maximize all --reference "$zero" --json
same_file "$work/first" "$work/out"
head -12 "$work/points" >"$work/few"
expect 0 "$paretorank" indicators "$work/few" --maximize all --reference "$zero" --json --exact
cp "$work/out" "$work/exact"
expect 0 "$paretorank" indicators "$work/few" --maximize all --reference "$zero" --json --error 0.003
cp "$work/out" "$work/estimate"
want "method" "$(json exact 'm["sets"][0]["hypervolume_method"]')" exact
python3 - "$work/exact" "$work/estimate" <<'PY' || fail "the estimate is not within its error"
import json, sys
exact, estimate = (json.load(open(name))["sets"][0] for name in sys.argv[1:])
off = abs(exact["hypervolume"] - estimate["hypervolume"])
sys.exit(not (0 < off <= estimate["hypervolume_error"] <= 0.003 * exact["hypervolume"] * 1.01))
PY
expect 2 "$paretorank" indicators "$work/few" --exact --error 0.01
