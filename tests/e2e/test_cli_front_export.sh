#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank front and export on results directories made by hand.
. "$(dirname "$0")/cli_lib.sh"
dir=$work/results
mkdir -p "$dir"

# The directories here are made by hand: no journal says what should be in them, which is told in a line of its own, and
# the rest is as `expect` has it.
unchecked() {
  local code=$1 text=$2 got
  shift 2
  "$bin" "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  [ "$got" -eq "$code" ] || fail "paretorank $*: exit code $got, expected $code; stderr: $(head -c 300 "$work/err")"
  grep -q "no journal" "$work/err" || fail "paretorank $*: it is not told that there is no journal"
  sed -i '/no journal/d' "$work/err"
  [ "$(wc -l <"$work/err")" -eq "$([ -z "$text" ] && echo 0 || echo 1)" ] || fail "paretorank $*: stderr: $(cat "$work/err")"
  grep -qF -- "$text" "$work/err" || [ -z "$text" ] || fail "paretorank $*: stderr lacks '$text': $(cat "$work/err")"
}

expect 3 "not there" front "$dir"
cat >"$dir/front.json" <<'J'
{"objectives": ["kind", "short"], "points": [
 {"search": "states", "seed": 1, "level": 0, "weights": {"kind": 1.0, "short": 0.0}, "mean": {"kind": 0.91, "short": 0.12},
  "se": {"kind": 0.01, "short": 0.02}, "prompts": 8, "tokens": 100, "point": "p1", "job": "j1"},
 {"search": "states", "seed": 1, "level": 1, "weights": {"kind": 0.5, "short": 0.5}, "mean": {"kind": 0.53, "short": 0.64},
  "se": {"kind": 0.03, "short": 0.04}, "prompts": 8, "tokens": 100, "point": "p2", "job": "j2"}]}
J
printf 'search,seed\nstates,1\n' >"$dir/front.csv"
unchecked 0 "" front "$dir"
holds "0.91"
holds "0.64"
cat >"$dir/samples.jsonl" <<'J'
{"search": "states", "seed": 1, "weights": {"kind": 0.5, "short": 0.5}, "prompt": "q", "response": "Said in the middle.", "scores": {"kind": 1, "short": 1}}
{"search": "states", "seed": 1, "weights": {"kind": 0.5, "short": 0.5}, "prompt": "q", "response": "A second one.", "scores": {"kind": 1, "short": 1}}
{"search": "states", "seed": 1, "weights": {"kind": 1.0, "short": 0.0}, "prompt": "q", "response": "Said at\u001b[31m the corner.", "scores": {"kind": 1, "short": 1}}
J
unchecked 0 "" front "$dir"
grep -q "0.53.*Said in the middle." "$work/out" || fail "the sample of the second point: $(cat "$work/out")"
grep -q "0.91.*Said at" "$work/out" || fail "the sample of the first point: $(cat "$work/out")"
grep -q "A second one" "$work/out" && fail "more than one sample a point"
grep -q $'\033' "$work/out" && fail "a control character reached the terminal"
unchecked 0 "" front "$dir" --rows 1
holds "1 more"
unchecked 0 "" front "$dir" --json
cmp -s "$work/out" "$dir/front.json" || fail "front --json"
unchecked 0 "" front "$dir" --csv
cmp -s "$work/out" "$dir/front.csv" || fail "front --csv"
expect 2 "not both" front "$dir" --json --csv
sed '/0\.53/,$d' "$dir/front.json" >"$dir/front-so-far.json" # while it runs
printf '  "se": {"kind": 0.01, "short": 0.02}, "prompts": 8, "tokens": 100, "point": "p1", "job": "j1"}]}' >"$dir/rest"
sed -i '$d' "$dir/front-so-far.json" && cat "$dir/rest" >>"$dir/front-so-far.json"
expect 0 "the sweep has not ended" front "$dir"
holds "0.91"
grep -q "0.64" "$work/out" && fail "the front so far is not the one that is shown"
rm "$dir/front-so-far.json" "$dir/rest"
echo nonsense >>"$dir/samples.jsonl"
unchecked 3 "samples.jsonl:4" front "$dir"
for bad in '[]' '{"objectives": [], "points": []}' '{"objectives": [3], "points": []}' '{"objectives": ["a"]}' \
  '{"objectives": ["a"], "points": [3]}' '{"objectives": ["a"], "points": [{"weights": {"a": "x"}}]}' '{"objectives": ["a"'; do
  printf '%s' "$bad" >"$dir/front.json"
  unchecked 3 "front.json" front "$dir"
done

# A sweep of three experts over the gpt2 fixture.
g=$fixtures/gpt2
for name in alpha beta gamma; do
  mkdir -p "$dir/experts/$name-s7"
  cp "$g/adapters/$name"/* "$dir/experts/$name-s7/"
done
printf '{"prompt": "x"}\n' >"$work/p.jsonl"
cat >"$dir/sweep.cfg" <<C
name = "x"; model = "$g"; prompts = { train = "$work/p.jsonl"; eval = "$work/p.jsonl"; }; seeds = [ 7 ];
objectives = ( { name = "alpha"; type = "brevity"; }, { name = "beta"; type = "brevity"; }, { name = "gamma"; type = "brevity"; } );
C
unchecked 0 "3 adapters of mix params" export "$dir" --weights 0.5,0.3,0.2 --aggregate params --out "$work/merged"
expect 0 "" logits "$g" --ids 42,316,258 --adapter "$work/merged" --json
cp "$work/out" "$work/one.json"
expect 0 "" logits "$g" --ids 42,316,258 --adapter "$g/adapters/alpha" --adapter "$g/adapters/beta" --adapter "$g/adapters/gamma" \
  --weights 0.5,0.3,0.2 --aggregate params --json
python3 - "$work/one.json" "$work/out" <<'P' || fail "the merged adapter is another policy"
import json, sys
a, b = (json.load(open(p))["logits"] for p in sys.argv[1:])
assert len(a) == len(b) == 600 and max(abs(x - y) for x, y in zip(a, b)) < 1e-4
P
unchecked 2 "holds an adapter; --force overwrites it" export "$dir" --weights 1,0,0 --aggregate params --out "$work/merged"
cmp -s "$work/merged/adapter_model.safetensors" "$g/adapters/alpha/adapter_model.safetensors" && fail "overwritten"
unchecked 0 "1 adapter of mix params" export "$dir" --weights 1,0,0 --aggregate params --out "$work/merged" --force --seed 7
expect 0 "" logits "$g" --ids 42,316,258 --adapter "$work/merged" --json
cp "$work/out" "$work/one.json"
expect 0 "" logits "$g" --ids 42,316,258 --adapter "$g/adapters/alpha" --json
python3 - "$work/one.json" "$work/out" <<'P' || fail "the adapter of a corner is not its expert"
import json, sys
a, b = (json.load(open(p))["logits"] for p in sys.argv[1:])
assert max(abs(x - y) for x, y in zip(a, b)) < 1e-4
P
# regmean: what the sweep would evaluate at the point, and what the command makes of the same prompts.
printf '{"prompt": "The work was"}\n{"prompt": "I feel tired and"}\n' >"$work/p.jsonl"
unchecked 0 "3 adapters of mix regmean" export "$dir" --weights 0.5,0.3,0.2 --out "$work/regmean" --aggregate regmean
expect 0 "" logits "$g" --ids 42,316,258 --adapter "$work/regmean" --json
cp "$work/out" "$work/one.json"
three=(--adapter "$g/adapters/alpha" --adapter "$g/adapters/beta" --adapter "$g/adapters/gamma" --weights 5,3,2)
expect 0 "" logits "$g" --ids 42,316,258 "${three[@]}" --aggregate regmean --gram-prompts "$work/p.jsonl" --json
cp "$work/out" "$work/two.json"
expect 0 "" logits "$g" --ids 42,316,258 "${three[@]/5,3,2/0.5,0.3,0.2}" --aggregate params --json
python3 - "$work/one.json" "$work/two.json" "$work/out" <<'P' || fail "regmean: the merged adapter"
import json, sys
a, b, params = (json.load(open(p))["logits"] for p in sys.argv[1:])
assert max(abs(x - y) for x, y in zip(a, b)) < 1e-4
assert max(abs(x - y) for x, y in zip(a, params)) > 1e-2
P
expect 0 "" generate "$g" --prompt "x" "${three[@]}" --aggregate regmean --gram-prompts "$work/p.jsonl" --greedy
expect 0 "" score "$g" --ids 1,2,3 --adapter "$g/adapters/alpha" --aggregate regmean
cp "$work/out" "$work/one.txt"
expect 0 "" score "$g" --ids 1,2,3 --adapter "$g/adapters/alpha" --aggregate params
cmp -s "$work/out" "$work/one.txt" || fail "regmean: one expert is not itself"
expect 2 "--aggregate regmean: expected --gram-prompts FILE" logits "$g" --ids 1 "${three[@]}" --aggregate regmean --json
expect 2 "--gram-prompts goes with --aggregate regmean, found states" logits "$g" --ids 1 "${three[@]}" --gram-prompts "$work/p.jsonl" --json
expect 3 "nothing.jsonl" logits "$g" --ids 1 "${three[@]}" --aggregate regmean --gram-prompts "$work/nothing.jsonl" --json
sed 's/train = "[^"]*";//; s/type = "brevity"/type = "brevity"; adapter = "x"/g' "$dir/sweep.cfg" >"$work/without.cfg"
mkdir -p "$work/without"
sed "s|adapter = \"x\"|adapter = \"$g/adapters/alpha\"|g" "$work/without.cfg" >"$work/without/sweep.cfg"
unchecked 2 "--as lora: this policy is not one adapter" export "$dir" --weights 1,1,0 --out "$work/o" --aggregate states --as lora
expect 3 "the sweep has trained nothing for these weights" export "$dir" --weights 1,1,0 --out "$work/o"
expect 2 "--aggregate: unknown mix 'param'; the nearest known one is 'params'" export "$dir" --weights 1,1,0 --out "$work/o" --aggregate param
expect 2 "prompts.train: missing" export "$work/without" --weights 1,1,0 --out "$work/o" --aggregate regmean
expect 2 "--weights: found 2 numbers, expected 3" export "$dir" --weights 1,0 --out "$work/o"
expect 2 "at least one that is not 0" export "$dir" --weights 0,0,0 --out "$work/o"
expect 2 "--weights: found '1,-1,0'" export "$dir" --weights 1,-1,0 --out "$work/o"
expect 2 "not one of the sweep's seeds" export "$dir" --weights 1,0,0 --out "$work/o" --seed 3
# A whole model, of every architecture and type, in one file or in shards: its logits are those of the unmerged policy, as
# far as the type that its weights are rounded to holds them.
for name in gpt2 llama qwen2 smollm2 extra-gpt2-wide extra-mistral extra-qwen3; do
  m=$fixtures/$name
  mapfile -t adapters < <(ls "$m/adapters" | head -2)
  mkdir -p "$work/given-$name"
  cat >"$work/given-$name/sweep.cfg" <<C
name = "x"; model = "$m"; prompts = { eval = "$work/p.jsonl"; };
objectives = ( { name = "one"; type = "brevity"; adapter = "$m/adapters/${adapters[0]}"; }, { name = "two"; type = "brevity"; adapter = "$m/adapters/${adapters[1]}"; } );
C
  expect 0 "a model" export "$work/given-$name" --weights 0.6,0.4 --aggregate params --out "$work/model-$name" --as model
  expect 0 "" logits "$work/model-$name" --ids 42,100,258 --json
  cp "$work/out" "$work/one.json"
  expect 0 "" logits "$m" --ids 42,100,258 --json
  cp "$work/out" "$work/two.json"
  expect 0 "" logits "$m" --ids 42,100,258 --adapter "$m/adapters/${adapters[0]}" --adapter "$m/adapters/${adapters[1]}" --weights 0.6,0.4 --aggregate params --json
  python3 - "$m" "$work/one.json" "$work/two.json" "$work/out" <<'P' || fail "the merged model of $name"
import glob, json, struct, sys
merged, base, policy = (json.load(open(p))["logits"] for p in sys.argv[2:])
name = sorted(glob.glob(sys.argv[1] + "/model*.safetensors"))[0]
d = open(name, "rb").read()
types = {v["dtype"] for k, v in json.loads(d[8 : 8 + struct.unpack("<Q", d[:8])[0]]).items() if k != "__metadata__"}
most = {"F32": 1e-4, "F16": 0.02, "BF16": 0.15}[max(types, key=lambda t: {"F32": 0, "F16": 1, "BF16": 2}[t])]
far = max(abs(x - y) for x, y in zip(base, policy))
near = max(abs(x - y) for x, y in zip(merged, policy))
assert near < most and near < far / 4, (types, near, far)
P
done
rm "$dir/experts/gamma-s7/adapter_model.safetensors"
unchecked 3 "gamma-s7" export "$dir" --weights 1,0,1 --aggregate params --out "$work/o"
[ -e "$work/o" ] && fail "a failed export left something"
expect 3 "sweep.cfg" export "$work" --weights 1 --out "$work/o"
finish
