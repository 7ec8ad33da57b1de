#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Results are never overwritten: a changed configuration is refused with what changed; what only adds goes on; with --replace
# the old tables are moved aside and experts continue from their last step.
. "$(dirname "$0")/lib.sh"
r=$work/r
tables="cells.csv front.csv front.json samples.jsonl costs.csv metrics.json indicators.json sweep.cfg journal.jsonl"
keep() { rm -rf "$work/kept"; mkdir "$work/kept"; for file in $tables; do cp "$r/$file" "$work/kept/"; done; }
untouched() { for file in $tables; do same_file "$r/$file" "$work/kept/$file"; done; }
trained() { grep '"event": *"job_done"' "$r/journal.jsonl" | grep -c '"kind": *"train"' || true; }

tiny 1 "$r" --quiet --set finetune.steps=2 >/dev/null 2>"$work/err" || fail "the sweep: $(cat "$work/err")"
[ "$(trained)" -eq 3 ] || fail "$(trained) experts"
keep

# Refused, all that changed is named, old and new, and nothing is touched.
expect 2 tiny 1 "$r" --quiet --set finetune.steps=3 --set seed=9 --set 'search={type="grid"; divisions=1; name="other";}'
grep -q 'finetune.steps: 2 → 3' "$work/err" && grep -q 'seed: 7 → 9' "$work/err" && grep -q 'search.states: left out' "$work/err" ||
  fail "what changed: $(cat "$work/err")"
untouched
expect 2 tiny 1 "$r" --quiet --set finetune.steps=3
grep -q 'finetune.steps: 2 → 3.*--replace.*continues the experts from their last step' "$work/err" || fail "more steps: $(cat "$work/err")"
untouched
sed -i 's/^seed = .*/seed = 4;/' "$r/sweep.cfg" # the journal has what the results are of
expect 2 "$paretorank" run "$r" --quiet --set finetune.steps=2
grep -q 'seed: 7 → 4' "$work/err" || fail "an edited sweep.cfg: $(cat "$work/err")"
expect 0 "$paretorank" plan "$r"
grep -q '^changed *seed: 7 → 4' "$work/out" || fail "plan does not say what run would refuse: $(cat "$work/out")"
cp "$work/kept/sweep.cfg" "$r/"
untouched

# How, and what is the same said otherwise, goes on; so does what adds.
expect 0 tiny 1 "$r" --quiet --set finetune.steps=2 --set retries=7 --set threads=2 --set finetune.checkpoint_every=1
for file in cells.csv front.csv; do same_file "$r/$file" "$work/kept/$file"; done
expect 0 tiny 1 "$r" --quiet --set finetune.steps=2 --set 'seeds=[1, 2]'
[ "$(trained)" -eq 6 ] || fail "with a second seed: $(trained) experts"
points() { sed 's/.*,//' "$1/cells.csv" | sort; }
[ -z "$(comm -23 <(points "$work/kept") <(points "$r"))" ] || fail "points are lost"
[ ! -e "$r/replaced" ] || fail "tables were moved aside for what only adds"
expect 2 tiny 1 "$r" --quiet --set finetune.steps=2
grep -q 'seeds: \[1,2\] → \[1\]' "$work/err" || fail "a seed less: $(cat "$work/err")"

# --replace: the tables stand aside, whole, and the experts go on from their last step.
keep
expect 0 tiny 1 "$r" --quiet --set finetune.steps=3 --set 'seeds=[1, 2]' --replace
for file in $tables; do [ "$file" = journal.jsonl ] || same_file "$r/replaced/1/$file" "$work/kept/$file"; done
[ "$(trained)" -eq 12 ] || fail "with more steps: $(trained) experts"
steps=$(grep '"event": *"step"' "$r/journal.jsonl" | wc -l)
[ "$steps" -eq 18 ] || fail "$steps steps, expected 2 and one more of each of 6 experts"
expect 0 tiny 1 "$work/whole" --quiet --set finetune.steps=3 --set 'seeds=[1, 2]'
for file in cells.csv front.csv; do same_file "$r/$file" "$work/whole/$file"; done
expect 0 tiny 1 "$r" --quiet --set finetune.steps=3 --set 'seeds=[1, 2]' --replace # there is nothing to replace
[ ! -e "$r/replaced/2" ] || fail "tables were moved aside for nothing"
