# SPDX-License-Identifier: BSD-3-Clause
# A whole sweep: the same bytes at any number of ranks, nothing done twice, the results complete, the adapters usable.
. "$(dirname "$0")/lib.sh"

for ranks in 1 2 4; do
  tiny "$ranks" "$work/n$ranks" >"$work/out$ranks" 2>"$work/err$ranks" || { cat "$work/err$ranks" >&2; fail "$ranks ranks"; }
done
for ranks in 2 4; do
  for file in cells.csv front.csv front.json samples.jsonl steps.csv; do same_file "$work/n1/$file" "$work/n$ranks/$file"; done
  for expert in empathy brevity distinct; do
    same_file "$work/n1/experts/$expert-s1/adapter_model.safetensors" "$work/n$ranks/experts/$expert-s1/adapter_model.safetensors"
  done
done

# The same where the run was killed when some jobs were done, and went on with other numbers of ranks.
for kill in '1 2 train' '2 4 evaluate' '4 1 evaluate'; do
  read -r ranks then kind <<<"$kill"
  results=$work/killed$ranks
  tiny "$ranks" "$results" >/dev/null 2>&1 &
  pid=$!
  journal_has "$results" "\"job_done\".*\"kind\":\"$kind\""
  kill_tree "$pid"
  tiny "$then" "$results" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on on $then ranks"; }
  for file in cells.csv front.csv front.json samples.jsonl steps.csv; do same_file "$work/n1/$file" "$results/$file"; done
  for expert in empathy brevity distinct; do
    same_file "$work/n1/experts/$expert-s1/adapter_model.safetensors" "$results/experts/$expert-s1/adapter_model.safetensors"
  done
  [ "$(grep '"job_done"' "$results/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)" = "" ] || fail "a job was done twice"
done

# Every step of every training, also as event files, which hold no times.
head -1 "$work/n1/steps.csv" | grep -q '^training,job,step,climbed,loss,kl,entropy,.*,reward_empathy,reward_brevity,reward_distinct$' || fail "steps.csv: $(head -1 "$work/n1/steps.csv")"
for expert in brevity distinct empathy; do
  for step in 1 2 3 4; do printf '%s-s1,%d\n' $expert $step; done
done >"$work/steps"
tail -n +2 "$work/n1/steps.csv" | cut -d, -f1,3 | cmp -s - "$work/steps" || fail "steps.csv has not each step of each training"
for expert in empathy brevity distinct; do
  same_file "$work/n1/tensorboard/$expert-s1/events.out.tfevents.0.paretorank" "$work/killed2/tensorboard/$expert-s1/events.out.tfevents.0.paretorank"
done

# Six points a search (the corners and the middles of the edges), two searches, the base model, three experts, a header.
[ "$(wc -l <"$work/n1/cells.csv")" -eq 17 ] || fail "cells.csv: $(wc -l <"$work/n1/cells.csv") lines, expected 17"
[ "$(grep -c '"job_done"' "$work/n1/journal.jsonl")" -eq 16 ] || fail "expected 3 fine-tune and 12 + 1 evaluate jobs"
grep -q 'results: ' "$work/out1" || fail "the end says where the results are"

# A finished sweep that is started again does nothing and gives the same.
cp "$work/n2/cells.csv" "$work/before.csv"
tiny 3 "$work/n2" >/dev/null 2>&1
same_file "$work/before.csv" "$work/n2/cells.csv"
[ "$(grep -c '"job_done"' "$work/n2/journal.jsonl")" -eq 16 ] || fail "a finished job was done again"

# A change that concerns evaluation only leaves the experts and redoes the points; one that concerns an expert redoes that.
tiny 2 "$work/n2" --set evaluate.max_new_tokens=6 --replace >/dev/null 2>&1
[ "$(grep '"job_done"' "$work/n2/journal.jsonl" | grep -c '"kind":"train"')" -eq 3 ] || fail "experts were made again"
[ "$(grep -c '"job_done"' "$work/n2/journal.jsonl")" -eq 29 ] || fail "a changed evaluation took stale results"

# Damage to an expert is found and mended.
printf x >>"$work/n4/experts/brevity-s1/adapter_config.json"
tiny 2 "$work/n4" >/dev/null 2>&1 || true
same_file "$work/n1/cells.csv" "$work/n4/cells.csv"

# status, front and export read the directory.
expect 0 "$paretorank" status "$work/n1"
grep -q finished "$work/out" || fail "status: not finished"
expect 0 "$paretorank" front "$work/n1"
expect 0 "$paretorank" export "$work/n1" --weights 0.5,0.25,0.25 --aggregate params --out "$work/merged"
! grep -q 'their sum' "$work/err" || fail "export: $(cat "$work/err")"
expect 0 "$paretorank" export "$work/n1" --weights 1,1,1 --aggregate params --out "$work/off" # weights that no point of the sweep has
grep -q -- "--weights: their sum is 3, while the sweep's weights sum to 1; they are taken as they are" "$work/err" || fail "export: $(cat "$work/err")"
prompt='Client: I lost my job.
Counselor:'
expect 0 "$paretorank" generate "$PARETORANK_SOURCE_DIR/sweeps/counsel/model" --prompt "$prompt" --greedy --max-new-tokens 12 \
  --adapter "$work/n1/experts/empathy-s1" --adapter "$work/n1/experts/brevity-s1" --adapter "$work/n1/experts/distinct-s1" \
  --weights 0.5,0.25,0.25 --aggregate params
cp "$work/out" "$work/three"
expect 0 "$paretorank" generate "$PARETORANK_SOURCE_DIR/sweeps/counsel/model" --prompt "$prompt" --greedy --max-new-tokens 12 \
  --adapter "$work/merged"
same_file "$work/three" "$work/out"
expect 3 "$paretorank" status "$work/nothing-here"

# An objective that nothing scores on makes every hypervolume zero; the search still refines between the others.
tiny 2 "$work/zero" --set 'objectives=({name="brevity";},{name="distinct";},{name="never";type="match";pattern="zzzz";})' \
  --set finetune.steps=1 --set 'search={type="hierarchical";levels=2;select="front";}' >/dev/null 2>"$work/err" ||
  { cat "$work/err" >&2; fail "an objective that is always zero"; }
[ "$(wc -l <"$work/zero/cells.csv")" -gt 8 ] || fail "no cell was refined: $(wc -l <"$work/zero/cells.csv") lines"

# A table that is not what was written is written again; a training whose steps are lost keeps its place in all others.
echo x >>"$work/n2/steps.csv"
tiny 1 "$work/n2" --set evaluate.max_new_tokens=6 >/dev/null 2>&1
same_file "$work/n1/steps.csv" "$work/n2/steps.csv"
steps=$(readlink -f "$work/n2/experts/brevity-s1")/steps.json
sed -i 's/,/, /' "$steps"
rm "$work/n2/steps.csv"
expect 0 tiny 1 "$work/n2" --set evaluate.max_new_tokens=6
grep -q "no steps of brevity-s1 in steps.csv: $work/n2/artifacts/.*/steps.json: not what its training wrote" "$work/err" || fail "lost steps are not told of: $(cat "$work/err")"
grep -v '^brevity-s1,' "$work/n1/steps.csv" | cmp -s - "$work/n2/steps.csv" || fail "steps.csv without one training"
