# SPDX-License-Identifier: BSD-3-Clause
# A contextual bandit over experts: prompts of two kinds that want different experts, and prompts that are alike.
. "$(dirname "$0")/lib.sh"

# Two kinds of prompts; what is wanted of a reply depends on the kind: a question after one, none after the other.
cat >"$work/reward" <<'X'
#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    x = json.loads(line)
    asks, wants = "?" in x["response"], "feel" in x["prompt"]
    print(json.dumps({"id": x["id"], "score": 1.0 if asks == wants else 0.0}), flush=True)
X
chmod +x "$work/reward"
cat >"$work/sweep.cfg" <<X
name = "bandit"; seed = 7; model = "$PARETORANK_SOURCE_DIR/sweeps/counsel/model";
prompts = { train = "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-train.jsonl"; eval = "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-eval.jsonl"; };
stop = ( "\n" );
objectives = ( { name = "ask"; type = "match"; pattern = "[?]"; unit = "response"; }, { name = "reflection"; } );
finetune = { steps = 10; prompts_per_step = 8; samples = 4; max_new_tokens = 16; lora = { r = 4; alpha = 16.0; }; };
evaluate = { prompts = 24; max_new_tokens = 16; };
policies = (
  { name = "soup"; method = "experts"; mix = "logits"; },
  { name = "route"; method = "bandit"; mix = "logits"; divisions = 2; prompts = 40; anyway = true; }
);
search = { type = "grid"; divisions = 2; };
X
run_it() { # ranks results [more]
  local ranks=$1 results=$2
  shift 2
  mpirun -n "$ranks" "$paretorank" run "$work/sweep.cfg" --set "results=\"$results\"" "$@"
}
run_it 1 "$work/n1" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "the sweep"; }
[ "$(grep -c '^route,' "$work/n1/cells.csv")" = 3 ] || fail "expected 3 points of the bandit"
[ "$(grep '"job_done"' "$work/n1/journal.jsonl" | grep -c '"kind":"train"')" = 2 ] || fail "the bandit's experts are the soup's"
grep '"job_done"' "$work/n1/journal.jsonl" | grep '"kind":"fit_route"' | grep -q '"points":3,"prompts":40' || fail "no route over 3 points"
[ -f "$work/n1/routes/route-s1.safetensors" ] || [ -f "$work/n1/routes/route-route-s1.safetensors" ] || fail "no link to the route: $(ls "$work/n1/routes")"

# The same on other ranks, on teams, and after a kill while it is fitted.
run_it 3 "$work/n3" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "3 ranks"; }
run_it 2 "$work/killed" >/dev/null 2>&1 &
pid=$!
journal_has "$work/killed" '"job_done".*"label":"reflection-s1"'
kill_tree "$pid"
run_it 1 "$work/killed" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on"; }
for file in cells.csv front.csv samples.jsonl ledger.csv; do
  same_file "$work/n1/$file" "$work/n3/$file"
  same_file "$work/n1/$file" "$work/killed/$file"
done
for team in 'rows=2' 'cols=2'; do
  run_it 3 "$work/$team" --set "finetune.team.$team" --set "evaluate.team.$team" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "team.$team"; }
  [ "$(wc -l <"$work/$team/cells.csv")" = "$(wc -l <"$work/n1/cells.csv")" ] || fail "team.$team: another number of points"
done

# What prompts want differs, and a choice by prompt gains on those that it was not fitted on.
sed "s|{ name = \"reflection\"; }|{ name = \"wanted\"; type = \"command\"; command = [\"$work/reward\"]; lo = 0.0; hi = 1.0; }|" "$work/sweep.cfg" >"$work/wanted.cfg"
mpirun -n 2 "$paretorank" run "$work/wanted.cfg" --set "results=\"$work/wanted\"" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "what prompts want"; }
best() { grep "^$1,1,[^,]*,0,1," "$work/wanted/cells.csv" | cut -d, -f7; } # in what is wanted, at its weight alone
static=$(grep '^soup,' "$work/wanted/cells.csv" | cut -d, -f7 | sort -g | tail -1)
awk -v a="$(best route)" -v b="$static" 'BEGIN { exit !(a > b + 0.1) }' || fail "by prompt $(best route), the best fixed mix $static"

# By one point per prompt at a time it is found, too, for less; the same on teams.
for run in 'n2 2' 'n1 1' 'rows 3 finetune.team.rows=2 evaluate.team.rows=2'; do
  read -r name ranks more <<<"$run"
  set -- --set 'policies.[1].learner="linucb"' --set 'policies.[1].passes=6' --set 'policies.[1].confidence=0.3' --set "results=\"$work/online-$name\""
  for key in $more; do set -- "$@" --set "$key"; done
  mpirun -n "$ranks" "$paretorank" run "$work/wanted.cfg" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "linucb, $run"; }
done
same_file "$work/online-n1/cells.csv" "$work/online-n2/cells.csv"
found=$(grep '^route,1,[^,]*,0,1,' "$work/online-n1/cells.csv" | cut -d, -f7)
awk -v a="$found" -v b="$static" 'BEGIN { exit !(a > b + 0.1) }' || fail "linucb $found, the best fixed mix $static"
grep '"kind":"fit_route"' "$work/online-n1/journal.jsonl" | grep -q '"utility":\[0\.[0-9]*,' || fail "no utility of each pass"

# Where no preference has headroom, it says so and makes nothing; other searches go on.
expect 2 mpirun -n 2 "$paretorank" run "$work/sweep.cfg" --set "results=\"$work/none\"" --set 'policies.[1].anyway=false' \
  --set 'objectives=({name="a";type="match";pattern="zzzz";},{name="b";type="match";pattern="yyyy";})' --set finetune.steps=1
grep -q 'no preference has headroom on 40 prompts: 0.0000 with a standard error of 0.0000 at most' "$work/err" && ! grep -q 'will be tried again' "$work/err" || fail "headroom is not told of: $(cat "$work/err")"
[ "$(grep -c '^soup,' "$work/none/cells.csv")" = 3 ] && ! grep -q '^route,' "$work/none/cells.csv" || fail "the soup's points without the bandit's"

# It is no adapter, and is told so; plan counts it; what does not fit is refused.
point=$(grep '^route,1,[^,]*,0.5,0.5,' "$work/n1/cells.csv" | head -1 | tr , '\n' | grep -E '^[0-9a-f]{32}$' | head -1)
expect 3 "$paretorank" export "$work/n1" --point "$point" --out "$work/no"
grep -q "weights are each prompt's own" "$work/err" || fail "export: $(cat "$work/err")"
expect 0 "$paretorank" plan "$work/sweep.cfg"
grep -q 'fit routes  route: 1 (1 per seed), 2 divisions of mixing weights' "$work/out" || fail "plan: $(cat "$work/out")"
expect 2 "$paretorank" plan "$work/sweep.cfg" --set 'policies.[1].mix="regmean"'
grep -q 'found mix "regmean", which merges the experts' "$work/err" || fail "regmean: $(cat "$work/err")"
expect 2 "$paretorank" plan "$work/sweep.cfg" --set 'policies.[1].divisions=0'
