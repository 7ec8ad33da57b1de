#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank plan: what a sweep would run, and every input that is wrong.
. "$(dirname "$0")/cli_lib.sh"
cfg=$source_dir/sweeps/counsel/sweep.cfg

cd "$work" || exit 1
expect 0 "" plan "$cfg" --ranks 3
holds "3 experts"
holds "512 for fine-tuning"
holds " on 3 ranks, were each as fast as this one is now ("
holds "reference   the declared worst values"
[ -e "$work/results" ] && fail "plan wrote something"
expect 0 "" plan "$cfg" --ranks 4 --json --set 'seeds=[1,2]' --set 'search={type="grid";divisions=5;}'
python3 - "$work/out" <<'P' || fail "plan --json"
import json, sys
p = json.load(open(sys.argv[1]))
assert p["finetune"] == {"jobs": 6, "tokens": 6 * 40 * 16 * 4 * 40, "rounds": 2}, p["finetune"]
assert [s["points"] for s in p["searches"]] == [21, 21], p["searches"]
assert p["evaluate"] == {"points": 84, "base": 1 + 2 * 3, "tokens": (84 + 7) * 128 * 40}, p["evaluate"]
assert [s["prompts"] for s in p["searches"]] == [21 * 128] * 2, p["searches"]
assert p["model"]["parameters"] == 3148224 and p["workers"] == 3
assert [o["name"] for o in p["objectives"]] == ["reflection", "empathy", "brevity"]
assert 4 * 3148224 < p["memory_per_rank"] < 2 ** 30
t = p["time"]
assert 0 < t["seconds_least"] < t["seconds_most"] and t["new_tokens_per_second"] > 0 and t["learnt_tokens_per_second"] > 0, t
# By these rates: two rounds of trainings on three workers, and the evaluations of 42 points by `states` and by `params`, which
# run three experts and one, and of 7 rows beside them.
train = 40 * 16 * 4 * (40 / t["new_tokens_per_second"] + (19.8 + 40) * 4 / 3 / t["learnt_tokens_per_second"])
evaluate = 128 * 40 / t["new_tokens_per_second"] * (42 * 3 + 42 + 7)
assert abs(t["seconds_most"] / (2 * train + evaluate / 3) - 1) < 0.01, (t, train, evaluate)
assert p["changes"] == []
P
# Points in doubt go on to more prompts: the budget is of prompts, and all of it may go to new points.
more='search={budget=24;fidelity=[32,128];recheck=0.5;}'
expect 0 "" plan "$cfg" --set 'aggregate=["states"]' --set "$more"
holds "at most 96 points, on at most 3072 prompts in all"
expect 0 "" plan "$cfg" --json --set 'aggregate=["states"]' --set "$more"
python3 - "$work/out" <<'P' || fail "plan --json of recheck"
import json, sys
p = json.load(open(sys.argv[1]))
assert [(s["points"], s["prompts"]) for s in p["searches"]] == [(96, 24 * 128)], p["searches"]
assert p["evaluate"] == {"points": 96, "base": 4, "tokens": (24 + 4) * 128 * 40}, p["evaluate"]
P
expect 2 "recheck: found 0.5 and 0 numbers of fidelity, expected two or more" plan "$cfg" --set 'search={budget=24;recheck=0.5;}'
expect 0 "" plan "$cfg" --set objectives.[1].minimize=true
[ "$(grep -c "minimized, an empty response has the best value" "$work/out")" = 1 ] || fail "what minimize makes of an empty response"
# What merging by Gram matrices takes where evaluation takes most: 3 experts' of all maps, one layer's sum, and the merged
# adapter; with fewer maps adapted, less.
memory() {
  "$bin" plan "$cfg" --json --set "$1" --set "$2" --set "${3:-seed=1}" --set "${4:-seed=1}" | python3 -c 'import json, sys; print(json.load(sys.stdin)["memory_per_rank"])'
}
layer=$((8 * (3 * 192 * 192 + 512 * 512)))
little=finetune.prompts_per_step=1 less=finetune.samples=2
more=$(($(memory 'aggregate="regmean"' seed=1 $little $less) - $(memory 'aggregate="params"' seed=1 $little $less)))
[ "$more" -eq $((3 * 6 * layer + layer + 3 * 4 * 162816)) ] || fail "memory of regmean: $more more"
lora='finetune.lora.targets=("q_proj")'
more=$(($(memory 'aggregate=("params","regmean")' "$lora" $little $less) - $(memory 'aggregate="params"' "$lora" $little $less)))
[ "$more" -eq $((3 * 6 * 8 * 192 * 192 + layer + 3 * 4 * 18432)) ] || fail "memory of regmean on q_proj: $more more"
# states at layer 0 is params, and so is what it takes; at a layer in between the layers behind it have all adapters.
[ "$(memory 'aggregate="states"' layer=0 $little $less)" = "$(memory 'aggregate="params"' seed=1 $little $less)" ] || fail "memory of states at layer 0"
expect 0 "" plan "$cfg" --load
[ "$(grep -c '^            scores    reflection [0-9.]*, empathy [0-9.]*, brevity [0-9.]*$' "$work/out")" = 2 ] || fail "plan --load: not two samples: $(cat "$work/out")"

# The ranges that the options give, not all that the type could have.
ranges='objectives=({name="a";type="command";command="cat";lo=-2.0;hi=3.0;},{name="b";type="command";command="cat";lo=0.0;},{name="c";type="command";command="cat";})'
expect 0 "" plan "$cfg" --set "$ranges"
holds "objective   a (command): [-2, 3], maximized"
holds "objective   b (command): 0 or more (scaled by the base model's scores), maximized"
holds "objective   c (command): any number (scaled by the base model's scores), maximized"
expect 0 "" plan "$cfg" --json --set "$ranges"
python3 -c 'import json, sys; assert [o["range"] for o in json.load(open(sys.argv[1]))["objectives"]] == [[-2, 3], [0, None], [None, None]]' "$work/out" || fail "ranges of plan --json"
# A scorer that cannot answer is told before anything is spent, in one line.
expect 1 "objective 'a' (command): on its very first sample: answered 'what', expected a line of JSON" plan "$cfg" --load --set 'objectives=({name="a";type="command";command="read x; echo what";})'
cat >"$work/seven.sh" <<'S'
while IFS= read -r x; do
  x=${x#*:}
  echo "{\"id\": ${x%%,*}, \"score\": 7}"
done
S
expect 1 "objective 'a' (command): on its very first sample: sample 0: score 7 is outside the declared range [0, 1]" plan "$cfg" --load --set "objectives=({name=\"a\";type=\"command\";command=[\"sh\",\"$work/seven.sh\"];lo=0.0;hi=1.0;})"

# Teams: how many, who is left over, and what a rank's share of the model takes.
expect 0 "" plan "$cfg" --ranks 6 --set finetune.team.rows=2 --set finetune.team.cols=2 --set evaluate.team.cols=3
holds "fine-tuning: 1 of 2 x 2 ranks; 1 rank fits none and stays idle"
holds "evaluation: 1 of 1 x 3 ranks; 2 ranks fit none and stay idle"
holds "3 experts"
expect 0 "" plan "$cfg" --json --set finetune.team.cols=2 --set evaluate.team.cols=2
python3 - "$work/out" <<'P' || fail "plan --json of teams"
import json, sys
p = json.load(open(sys.argv[1]))
assert p["ranks"] == 3 and p["workers"] == 2
assert p["teams"] == [{"phase": "all", "rows": 1, "cols": 2, "teams": 1, "idle_ranks": 0}], p["teams"]
P
two='finetune.team.cols=2'
half=$(memory "$two" evaluate.team.cols=2) whole=$(memory seed=1 seed=1)
[ $((100 * half)) -gt $((50 * whole)) ] && [ $((100 * half)) -lt $((68 * whole)) ] || fail "memory of two columns: $half of $whole"
expect 2 "finetune.team: found 4 ranks, expected 5 or more" plan "$cfg" --ranks 4 --set finetune.team.rows=4
expect 2 "finetune.team.cols" plan "$cfg" --set finetune.team.cols=7

# The resolved configuration, from elsewhere, is the same configuration.
expect 0 "" plan "$cfg" --dump --set finetune.steps=7
cp "$work/out" "$work/resolved.cfg"
holds "steps = 7;"
expect 0 "" plan "$work/resolved.cfg" --dump
cmp -s "$work/out" "$work/resolved.cfg" || fail "the resolved configuration does not read back"
expect 0 "" plan "$work/resolved.cfg"
mkdir "$work/made" && cp "$work/resolved.cfg" "$work/made/sweep.cfg"
expect 0 "" plan "$work/made" --dump
cmp -s "$work/out" "$work/resolved.cfg" || fail "plan of a folder with a sweep.cfg"
touch "$work/made/journal.jsonl" # now it is a results directory, and worked in
expect 0 "" plan "$work/made" --dump
grep -q "^results = \"$(realpath "$work/made")\"" "$work/out" || fail "the results are not in the directory: $(grep "^results" "$work/out")"

# What is wrong is found before anything runs.
expect 3 "No such file" plan "$work/nothing.cfg"
expect 2 "unknown key 'finetune.step'; the nearest known one is 'finetune.steps'" plan "$cfg" --set finetune.step=3
expect 2 "finetune.steps: found the integer 0, expected an integer 1 to 2147483647" plan "$cfg" --set finetune.steps=0
expect 2 "finetune.lora" plan "$cfg" --set 'finetune.lora.targets=("nonsense")'
expect 2 "evaluate.prompts: found 129" plan "$cfg" --set evaluate.prompts=129
expect 2 "search 'states': layer: found 7, expected -1 (the last) to 6" plan "$cfg" --set layer=7
expect 2 "brevity" plan "$cfg" --set objectives.[2].nonsense=3
expect 2 "brevty" plan "$cfg" --set objectives.[2].type=brevty
expect 3 "nowhere" plan "$cfg" --set model=nowhere
expect 3 "classification model" plan "$cfg" --set "model=$fixtures/reward-gpt2"
expect 3 "nowhere.jsonl" plan "$cfg" --set prompts.eval=nowhere.jsonl
expect 3 "expected 1 to" plan "$cfg" --set finetune.max_new_tokens=500
expect 3 "objective 'empathy'" plan "$cfg" --set "objectives.[1].adapter=$work"
printf '{"prompt": "x"}\nnonsense\n' >"$work/p.jsonl"
expect 3 "p.jsonl:2" plan "$cfg" --set "prompts.train=$work/p.jsonl"
sed 's/name = "counsel";/name = "counsel"; bogus = 1;/' "$cfg" >"$work/bad.cfg"
expect 2 "bad.cfg:3: unknown key 'bogus'" plan "$work/bad.cfg"
sed 's/stop = /stop = = /' "$cfg" >"$work/bad.cfg"
expect 2 "bad.cfg:7: syntax error" plan "$work/bad.cfg"
finish
