#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Messages say what was found and what was meant: models, files in another format, directories that are not there, empty
# texts, lengths that do not fit, odd options, names of searches; help of any name, at any width.
# processors: 1
. "$(dirname "$0")/cli_lib.sh"
counsel=$source_dir/sweeps/counsel
cfg=$counsel/sweep.cfg
cd "$work" || exit 1

# A model that is no directory, whoever reads it.
model="no such directory; a model is a local directory with config.json, tokenizer.json and model.safetensors, such as"
expect 3 "$counsel/meta/llama: $model" plan "$cfg" --set model=meta/llama
expect 3 "$counsel/meta/llama: $model" run "$cfg" --set model=meta/llama --set "results=\"$work/r\""
[ ! -e "$work/r" ] || fail "a run without a model left a directory"
expect 3 "meta/llama: $model" generate meta/llama --prompt x
expect 3 "meta/llama: $model" logits meta/llama --prompt x
expect 3 "meta/llama: $model" score meta/llama --text x
expect 3 "meta/llama: $model" tokenize meta/llama </dev/null
: >"$work/f"
expect 3 "$work/f: not a directory; a model is" logits "$work/f" --prompt x

# Files in another format, and a key that is there twice.
echo '{"model": "m"}' >sweep.json
expect 2 "sweep.json:1: found '{', as JSON begins; expected libconfig's syntax: key = value;" plan sweep.json
printf 'model: m\nprompts:\n  eval: e.jsonl\n' >sweep.yaml
expect 2 "found what looks like YAML, expected libconfig's syntax: key = value;" run sweep.yaml
sed 's/^  steps = 40;/  steps = 40; lr = 1e-3;\n  steps = 30;/' "$cfg" >twice.cfg
expect 2 "twice.cfg:$(grep -n 'steps = 30' twice.cfg | cut -d: -f1): found 'steps' a second time in its group" plan twice.cfg

# Directories that are not there.
for verb in front status clean "export --weights 1,0 --out $work/o"; do
  expect 3 "$work/typo: no such directory" $verb "$work/typo"
done

# Which option is empty.
expect 2 "DIR: found an empty text, expected DIR" front ""
expect 2 "DIR: found an empty text, expected DIR" generate "" --prompt x
expect 2 "--set: found an empty text, expected KEY=VALUE" plan "$cfg" --set ""
expect 2 "--out: found an empty text, expected OUT" export "$work" --weights 1,0 --out ""
expect 2 "--stop: expected a text that is not empty" generate "$counsel/model" --prompt x --stop ""
for verb in "generate --prompt" "logits --prompt" "score --text"; do
  expect 3 "${verb#* }: found an empty text, of which the tokenizer makes no token" $verb "" -- "$counsel/model"
done

# --stop as a shell hands it on, and ids as they were.
printf '{"prompt": "Client: I am sad. Counselor:", "id": 5}\n{"prompt": "x"}\n{"prompt": "y", "id": "5"}\n' >p.jsonl
expect 0 "" generate "$counsel/model" --prompts p.jsonl --json --greedy --max-new-tokens 40 --stop $'\n'
cp "$work/out" real
expect 0 "" generate "$counsel/model" --prompts p.jsonl --json --greedy --max-new-tokens 40 --stop '\n'
cp "$work/out" escaped
expect 0 "" generate "$counsel/model" --prompts p.jsonl --json --greedy --max-new-tokens 40 --stop '\\n'
python3 - real escaped "$work/out" <<'P' || fail "--stop and ids"
import json, sys
real, escaped, backslash = ([json.loads(l) for l in open(f)] for f in sys.argv[1:])
assert [m["id"] for m in real] == [5, 1, "5"], real
said = lambda all: [(m["text"], m["finish"]) for m in all]
assert said(real) == said(escaped) != said(backslash), (real, escaped, backslash)
assert any(m["finish"] == "stop" for m in real) and not any("\n" in m["text"] for m in real)
P

# The largest max_new_tokens that fits is one that does, and the largest.
expect 3 "the largest max_new_tokens that fits all prompts of the file is 484" plan "$cfg" --set evaluate.max_new_tokens=500
expect 0 "" plan "$cfg" --set evaluate.max_new_tokens=484
expect 3 "the largest max_new_tokens that fits all prompts of the file is 484" plan "$cfg" --set evaluate.max_new_tokens=485
expect 3 "the largest max_new_tokens that fits all prompts of the file is 483" run "$cfg" --set finetune.max_new_tokens=5000 --set "results=\"$work/r\""

# A length whose width lets no words at all score.
odd='objectives=({name="short";type="length_target";words=5;width=15.0;},{name="brevity";})'
warning="objective 'short' (length_target): width = 15 is more than words = 5, so that a response without any word scores 0.667"
"$bin" plan "$cfg" --set "$odd" >"$work/out" 2>"$work/err" || fail "plan of an odd length"
[ "$(grep -cF "$warning" "$work/err")" = 1 ] || fail "plan does not warn once: $(cat "$work/err")"
expect 0 "" plan "$cfg" --set "${odd/15.0/5.0}"
grep -q "is more than words" "$work/err" && fail "a warning of a width that is not larger"
tiny=(--set finetune.steps=1 --set finetune.prompts_per_step=1 --set finetune.samples=2 --set evaluate.prompts=2 --set 'search={type="grid";divisions=1;}' --set 'aggregate="params"')
"$bin" run "$cfg" --set "$odd" "${tiny[@]}" --set "results=\"$work/odd\"" >"$work/out" 2>"$work/err" || fail "run of an odd length"
[ "$(grep -cF "$warning" "$work/err")" = 1 ] || fail "run does not warn once: $(cat "$work/err")"

# Searches without names.
expect 0 "" plan "$cfg" --set 'search=({type="grid";},{type="random";points=4;})'
for name in states-grid params-grid states-random params-random; do holds "search      $name: "; done
expect 0 "" plan "$cfg" --set 'search=({type="grid";},{type="random";points=4;name="mine";})' --set 'aggregate="params"'
holds "search      params: grid"
holds "search      mine: random"

# A plan of adapters that are there trains nothing, and does not say how much of nothing.
ln -s odd/experts/short-s1 one
ln -s odd/experts/brevity-s1 two
expect 0 "" plan "$cfg" --set "objectives=({name=\"empathy\";adapter=\"$work/one\";},{name=\"brevity\";adapter=\"$work/two\";})"
grep -Eq '^fine-tune|0 experts|at most 0 tokens|rounds' "$work/out" && fail "a plan without trainings: $(cat "$work/out")"
holds "before them the base model and 2 experts alone"

# Help of any name.
expect 0 "" help brevity
holds "brevity (objective)"
holds "    words (integer; 1 to 1000000; default 30)"
for pair in "steps:finetune.steps (integer" "finetune.lora.r:finetune.lora.r (integer" "objectives.role:objectives[].role (string" "experts:experts (method)" \
  "states:states (mix)" "grid:grid (search)" "hypervolume:hypervolume (indicator)" "igd_plus:igd_plus (indicator)"; do
  expect 0 "" help "${pair%%:*}"
  holds "${pair#*:}"
done
expect 0 "" help states # a mix only, not what merely speaks of it
[ "$(grep -c '^[a-z].*(' "$work/out")" = 1 ] || fail "help states: $(cat "$work/out")"
expect 0 "" help glossary
holds "expected_utility"
expect 2 "unknown topic 'hypervolum'; the nearest known one is 'hypervolume'" help hypervolum
expect 2 "unknown topic 'brevty'; the nearest known one is 'brevity'" help brevty
expect 2 "unknown topic 'zebra' (see: paretorank help)" help zebra # "state", "regmean" are not near
# Every name that metrics.json and `indicators` have is explained.
printf '1 2\n2 1\n' >points
expect 0 "" indicators points --front points --json
for name in $(python3 -c 'import json, sys; print(*[k for k in json.load(open(sys.argv[1]))["sets"][0] if not k.startswith(("points", "hypervolume_"))])' "$work/out"); do
  expect 0 "" help "$name"
  holds "$name (indicator)"
done

# Folded at any width: no word is lost, and no line is longer but where a word is.
for verb in "" config objectives front generate brevity glossary; do
  for columns in 20 40 57 80 100 200; do
    COLUMNS=$columns "$bin" help $verb >folded || fail "help $verb"
    [ $columns -ge 40 ] && [ $columns -le 100 ] && most=$columns || most=$((columns < 40 ? 40 : 100))
    python3 - folded "$most" <<'P' || fail "help $verb at $columns columns"
import sys
lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
long = [l for l in lines if len(l) > int(sys.argv[2]) and " " in l.strip()]
assert not long, long[:3]
P
    tr -s ' \n' '\n\n' <folded >words
    [ -e first ] && { cmp -s first words || fail "help $verb at $columns columns has other words"; } || cp words first
  done
  rm -f first
done
finish
