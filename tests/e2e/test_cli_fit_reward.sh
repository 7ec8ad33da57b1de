#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank fit-reward: heads from pairs and labels, their files, what cannot be fitted; and a sweep that takes one.
. "$(dirname "$0")/cli_lib.sh"
model=$source_dir/sweeps/counsel/model

python3 - "$work" <<'P'
import json, random, sys
random.seed(3)
kind = ["That sounds hard. I am here for you.", "I hear you, and I care.", "It makes sense that you feel this way."]
other = ["You should just get over it.", "Stop complaining.", "That is your fault."]
with open(sys.argv[1] + "/pairs.jsonl", "w") as pairs, open(sys.argv[1] + "/labels.jsonl", "w") as labels, \
     open(sys.argv[1] + "/numbers.jsonl", "w") as numbers:
    for i in range(200):
        prompt = f"Client: My week {i} was {random.choice(['bad', 'long', 'hard'])}.\nCounselor:"
        a, b = random.choice(kind), random.choice(other)
        good = random.random() < 0.5
        pairs.write(json.dumps({"prompt": prompt, "chosen": " " + a, "rejected": " " + b}) + "\n")
        labels.write(json.dumps({"prompt": prompt, "response": " " + (a if good else b), "label": good}) + "\n")
        numbers.write(json.dumps({"text": prompt + " " + (a if good else b), "label": 3 * good - 1.5}) + "\n")
P

expect 0 "" fit-reward "$model" "$work/pairs.jsonl" --out "$work/pairs.safetensors"
holds "200 pairs:"
holds "accuracy"
expect 0 "" fit-reward "$model" "$work/pairs.jsonl" --out "$work/pairs.safetensors" --json --ridge 0.01 --holdout 0.2
cp "$work/out" "$work/pairs.json"
cp "$work/pairs.safetensors" "$work/first.safetensors"
expect 0 "" fit-reward "$model" "$work/pairs.jsonl" --out "$work/pairs.safetensors" --ridge 0.01 --holdout 0.2
cmp -s "$work/first.safetensors" "$work/pairs.safetensors" || fail "the same fit made another file"
expect 0 "" fit-reward "$model" "$work/labels.jsonl" --out "$work/labels.safetensors" --json --template "{prompt}{response}" --max-tokens 40
cp "$work/out" "$work/labels.json"
expect 0 "" fit-reward "$model" "$work/numbers.jsonl" --out "$work/numbers.safetensors" --json --holdout 0
cp "$work/out" "$work/numbers.json"

python3 - "$work" <<'P' || fail "figures or files"
import json, struct, sys
work = sys.argv[1]
def head(name):
    data = open(f"{work}/{name}.safetensors", "rb").read()
    n, = struct.unpack("<Q", data[:8])
    h = json.loads(data[8:8 + n])
    assert h["weight"]["shape"] == [1, 192] and h["weight"]["dtype"] == "F32" and h["bias"]["shape"] == [1], h
    w = struct.unpack("<193f", data[8 + n:])
    assert any(w[:192])
    return h["__metadata__"], w
p, l, n = (json.load(open(f"{work}/{x}.json")) for x in ("pairs", "labels", "numbers"))
assert p["kind"] == "pairs" and p["samples"] == 200 and p["fitted"] + p["held_out"] == 200 and 20 < p["held_out"] < 70
assert p["ridge"] == 0.01 and p["held_out_accuracy"] > 0.9 and 0 < p["train_loss"] < 0.3 and p["steps"] > 2
assert 0 < p["held_out_loss"] < 0.5 and "held_out_r2" not in p and p["tokens"] > 5000
assert l["kind"] == "labels" and l["held_out_accuracy"] > 0.9 and l["held_out_r2"] > 0.5 and l["rcond"] < 1e-3
assert n["held_out"] == 0 and n["held_out_rmse"] is None and "held_out_accuracy" not in n and n["fitted"] == 200
m, w = head("pairs")
assert w[192] == 0 and m["template"] == "{prompt}{response}" and m["max_tokens"] == "0" and m["format"] == "pt"
about = json.loads(m["about"])
assert about["held_out_accuracy"] == p["held_out_accuracy"] or abs(about["held_out_accuracy"] - p["held_out_accuracy"]) < 1e-8
assert len(about["model"]) == 32 and len(about["data"]) == 32
m, w = head("labels")
assert w[192] != 0 and m["max_tokens"] == "40"
P

expect 1 "set ridge to" fit-reward "$model" "$work/pairs.jsonl" --out "$work/none" --ridge 0
[ -e "$work/none" ] && fail "a fit that failed left a file"
expect 3 "No such file" fit-reward "$model" "$work/nowhere.jsonl" --out "$work/none"
printf '{"text": "a", "label": 1}\n{"text": "b"}\n' >"$work/bad.jsonl"
expect 3 "bad.jsonl:2: found neither a pair nor a label" fit-reward "$model" "$work/bad.jsonl" --out "$work/none"
expect 2 "--out" fit-reward "$model" "$work/pairs.jsonl"
expect 2 "no {response}" fit-reward "$model" "$work/pairs.jsonl" --out "$work/none" --template "{prompt}"
expect 2 "--ridge" fit-reward "$model" "$work/pairs.jsonl" --out "$work/none" --ridge -1
expect 4 "no/such/folder" fit-reward "$model" "$work/pairs.jsonl" --out "$work/no/such/folder/head"
[ -e "$work/none" ] && fail "a wrong usage left a file"

# plan: what a sweep will fit, and what is wrong with it.
cfg=$source_dir/sweeps/counsel/sweep.cfg
cd "$work" || exit 1
fitted='objectives=({name="kind";type="linear_head";data="'$work'/pairs.jsonl";},{name="brevity";})'
expect 0 "" plan "$cfg" --set "$fitted"
holds "kind: a head on 200 pairs"
expect 0 "" plan "$cfg" --set "$fitted" --json
python3 - "$work/out" <<'P' || fail "plan --json"
import json, sys
fit, = json.load(open(sys.argv[1]))["fit_reward"]
assert fit["objective"] == "kind" and fit["kind"] == "pairs" and fit["samples"] == 200 and 5 < fit["held_out"] < 40
P
expect 3 "bad.jsonl:2" plan "$cfg" --set "${fitted/pairs/bad}"
given='objectives=({name="kind";type="linear_head";head="'$work'/pairs.safetensors";},{name="brevity";})'
expect 0 "" plan "$cfg" --set "$given" --load
expect 3 "hidden states have 48 numbers" plan "$cfg" --set "$given" --set "model=$fixtures/llama"
finish
