# SPDX-License-Identifier: BSD-3-Clause
# The README's sweep of ten lines runs as it stands there, and its pages point at files that exist.
. "$(dirname "$0")/lib.sh"

block() { # FILE KEY...: the fenced block behind the line that holds all of the keys' marker
  awk -v mark="<!-- $2 -->" 'index($0, mark) { on = 1; next } on && /^```/ { n++; if (n == 2) exit; next } on && n == 1' "$1"
}

readme=$PARETORANK_SOURCE_DIR/README.md
mkdir "$work/sweep"
cd "$work/sweep"
block "$readme" mine.cfg >mine.cfg
lines=$(grep -c . mine.cfg)
[ "$lines" -ge 5 ] && [ "$lines" -le 10 ] || fail "the README's mine.cfg has $lines lines, expected 5 to 10"
ln -s "$PARETORANK_SOURCE_DIR/sweeps/counsel/model" model
ln -s "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-train.jsonl" train.jsonl
ln -s "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-eval.jsonl" eval.jsonl
short=(--set finetune.steps=2 --set finetune.prompts_per_step=2 --set finetune.max_new_tokens=8
  --set evaluate.prompts=4 --set evaluate.max_new_tokens=8)
expect 0 "$paretorank" plan mine.cfg
expect 0 mpirun -n 2 "$paretorank" run mine.cfg "${short[@]}"
grep -q '"state":"finished"' results/mine/journal.jsonl || fail "the README's mine.cfg did not finish"
[ "$(wc -l <results/mine/front.csv)" -ge 2 ] || fail "the README's mine.cfg has no front"

# The same with the experts that are there now.
block "$readme" adapters.cfg >adapters.cfg
[ -s adapters.cfg ] || fail "the README has no adapters.cfg"
for name in $(grep -o 'adapter = "[^"]*"' adapters.cfg | cut -d'"' -f2); do
  mkdir -p "$(dirname "$name")"
  ln -s "$work/sweep/results/mine/experts/$(ls results/mine/experts | head -1)" "$name"
done
expect 0 mpirun -n 2 "$paretorank" run adapters.cfg --set evaluate.prompts=4 --set evaluate.max_new_tokens=8
! grep -q '"kind":"train"' results/adapters/journal.jsonl || fail "adapters.cfg fine-tuned something"

# Links of the pages lead somewhere.
for page in README.md HACKING.md CHANGELOG.md CONTRIBUTING.md docs/cluster.md docs/design.md docs/faq.md docs/indicators.md docs/tutorial.md docs/methods.md docs/searches.md sweeps/counsel/README.md sweeps/counsel/model/README.md; do
  for link in $(grep -oE '\]\([^)#]+' "$PARETORANK_SOURCE_DIR/$page" | cut -c3- | grep -v '://'); do
    [ -e "$(dirname "$PARETORANK_SOURCE_DIR/$page")/$link" ] || fail "$page: $link does not exist"
  done
done
