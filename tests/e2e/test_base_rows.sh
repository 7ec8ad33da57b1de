#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The base model and the experts alone: rows beside the points, one evaluation more than without, the same bytes at any
# number of ranks and after a kill, warnings, and the scale of objectives that declare no range.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
tables="cells.csv front.csv front.json samples.jsonl"
want() { [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"; }
json() { python3 -c "import json, sys; m = json.load(open('$work/$1')); print($2)"; }
evaluated() { grep '"job_done"' "$work/$1/journal.jsonl" | grep -c '"kind":"evaluate"'; }

# A scorer without a range: the length of the response and of what stands around it.
cat >"$work/length.sh" <<'SC'
while IFS= read -r line; do
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  response=${line#*\"response\":}
  printf '{"id": %s, "score": %s}\n' "$id" "${#response}"
done
SC
cat >"$work/sweep.cfg" <<C
name = "rows"; seed = 5; model = "$counsel/model"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 2; prompts_per_step = 2; samples = 2; max_new_tokens = 8; lora = { r = 2; }; };
evaluate = { prompts = 5; max_new_tokens = 8; };
objectives = ( { name = "short"; type = "command"; command = "sh $work/length.sh"; minimize = true; }, { name = "empathy"; } );
search = { type = "hierarchical"; levels = 2; select = "front"; budget = 4; };
C
sweep() { # ranks, results, more
  local ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/sweep.cfg" --set "results=\"$work/$results\"" "$@" >"$work/out" 2>"$work/err" || {
    cat "$work/err" >&2
    fail "$results on $ranks ranks"
  }
}

sweep 1 one
want "evaluations" "$(evaluated one)" "$(($(grep -vc '^base,' "$work/one/cells.csv") - 1 + 1))"
want "points within the budget" "$(grep -c '^states,' "$work/one/cells.csv")" 4
want "rows" "$(grep -c '^base,1,0,' "$work/one/cells.csv")" 3
want "the base model" "$(grep -c '^base,1,0,0,0,' "$work/one/cells.csv")" 1
grep -q '^base' "$work/one/front.csv" && fail "the base model in front.csv"
want "rows of front.json" "$(json one/front.json 'len(m["base"])')" 3
want "samples" "$(grep -c '"search":"base"' "$work/one/samples.jsonl")" 9
want "base of metrics.json" "$(json one/metrics.json 'sorted(m["base"])')" "['experts', 'model', 'warnings']"
first=$(grep '"job_start"' "$work/one/journal.jsonl" | grep '"kind":"evaluate"' | head -1)
case $first in *'"label":"states (0,0)"'*) ;; *) fail "the first evaluation is not the base model's: $first" ;; esac
expect 0 "$paretorank" front "$work/one" --rows 1
grep -q '^ *base  *0.000 0.000' "$work/out" || fail "front shows no base model: $(cat "$work/out")"

# The same bytes on other numbers of ranks, and after a kill, once and again.
sweep 3 three
for file in $tables; do same_file "$work/one/$file" "$work/three/$file"; done
for point in '1 2' '4 3' '6 1'; do
  read -r count ranks <<<"$point"
  hold_at journal:job_done "$count"
  "$paretorank" run "$work/sweep.cfg" --set "results=\"$work/killed$count\"" >/dev/null 2>"$work/err" &
  pid=$!
  held "$pid"
  kill_tree "$pid"
  sweep "$ranks" "killed$count"
  for file in $tables; do same_file "$work/one/$file" "$work/killed$count/$file"; done
  want "what is done again" "$(evaluated "killed$count")" "$(evaluated one)"
done

# Results without these rows get them, and nothing else is done.
sweep 2 older --set base=false
grep -q '^base' "$work/older/cells.csv" && fail "base = false has rows"
grep -q '"event":"base"' "$work/older/journal.jsonl" && fail "base = false has a scale of the base model"
before=$(evaluated older)
[ "$(evaluated older)" -ge 4 ] || fail "older: $(evaluated older) evaluations"
sweep 2 older
[ "$(evaluated older)" -gt "$before" ] || fail "no base model was evaluated"

# What is undeclared is measured from what 5 % of the base model's responses stay below.
want "lines of the scale" "$(grep -c '"event":"base"' "$work/one/journal.jsonl")" 1
python3 - "$work/one" <<'P' || fail "the reference point"
import json, sys
line = next(l for l in map(json.loads, open(sys.argv[1] + "/journal.jsonl")) if l["event"] == "base")
m = json.load(open(sys.argv[1] + "/metrics.json"))
assert m["reference_point"]["short"] == -line["low"][0] > 0, (m["reference_point"], line)
assert m["reference_point"]["empathy"] == 0, m["reference_point"]
assert line["low"][0] <= -m["base"]["model"]["mean"]["short"] <= line["high"][0]
P

# Policies that all score the same: the base model is on the front, which is told at the end, by status and in metrics.json.
sed 's/"${#response}"/7/' "$work/length.sh" >"$work/same.sh"
sweep 2 same --set "objectives=( { name=\"short\"; type=\"command\"; command=\"sh $work/same.sh\"; }, { name=\"long\"; type=\"command\"; command=\"sh $work/same.sh\"; minimize=true; } )"
grep -q 'the base model is on the front: short 7 ± 0, long 7 ± 0; of the front.s [0-9]* points none is better' "$work/err" ||
  fail "no warning: $(cat "$work/err")"
want "warnings" "$(json same/metrics.json 'len(m["base"]["warnings"])')" 1
expect 0 "$paretorank" status "$work/same"
grep -q '^warning  *the base model is on the front' "$work/out" || fail "status: $(cat "$work/out")"
want "status --json" "$("$paretorank" status "$work/same" --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["warnings"]))')" 1

# A search of that name could not be told from them.
expect 2 "$paretorank" plan "$work/sweep.cfg" --set 'search={ name="base"; type="grid"; divisions=1; }'
grep -q 'search name: found "base"' "$work/err" || fail "a search called base: $(cat "$work/err")"
expect 0 "$paretorank" plan "$work/sweep.cfg" --set 'search={ name="base"; type="grid"; divisions=1; }' --set base=false
