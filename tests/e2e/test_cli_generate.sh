#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank generate against PyTorch's greedy continuations, and what sampling must keep.
. "$(dirname "$0")/cli_lib.sh"

python3 - "$bin" "$fixtures" "$work" <<'P' || fail "cases"
import json, os, shutil, subprocess, sys
bin, fixtures, work = sys.argv[1:]
def run(*args):
    p = subprocess.run([bin, "generate", *map(str, args)], capture_output=True, text=True)
    assert p.returncode == 0, (args, p.stderr)
    return [json.loads(line) for line in p.stdout.splitlines()]
def csv(values): return ",".join(map(str, values))
for name in ("gpt2", "llama", "smollm2", "qwen2"):
    d = f"{fixtures}/{name}"
    e = json.load(open(d + "/expected.json"))
    common = ["--greedy", "--ignore-eos", "--json", "--max-new-tokens"]
    for text, ids, greedy in zip(e["prompts"], e["prompt_ids"], e["greedy_ids"]):
        n = len(greedy) - len(ids)
        for prompt in (["--ids", csv(ids)], ["--prompt", text]):
            got, = run(d, *prompt, *common, n)
            assert got["ids"] == greedy, (name, prompt, got["ids"], greedy)
            assert got["finish"] == "length" and got["prompt_tokens"] == len(ids) and got["tokens_per_second"] > 0
    adapters = [a for k in e["objectives"] for a in ("--adapter", f"{d}/adapters/{k}")]
    for key, sequences in e["aggregate"].items():
        mode, i = key.split(".")
        for ids, want in zip(e["prompt_ids"], sequences):
            got, = run(d, "--ids", csv(ids), *adapters, "--weights", csv(e["weights"][int(i)]), "--aggregate", mode,
                       *common, len(want) - len(ids))
            assert got["ids"] == want, (name, key, got["ids"], want)
    # Many prompts at once give what each gives alone.
    with open(f"{work}/prompts.jsonl", "w") as f:
        for i, text in enumerate(e["prompts"]):
            f.write(json.dumps({"id": f"p{i}", "prompt": text}) + "\n")
    many = run(d, "--prompts", f"{work}/prompts.jsonl", *common, 24)
    assert [m["id"] for m in many] == ["p0", "p1", "p2"] and [m["prompt"] for m in many] == e["prompts"]
    assert [m["ids"] for m in many] == [g[:len(p) + 24] for g, p in zip(e["greedy_ids"], e["prompt_ids"])], name

d = f"{fixtures}/gpt2"
sample = lambda *a: run(d, "--prompt", "The work was", "--json", "--ignore-eos", *a)[0]["ids"]
assert sample("--seed", 1) == sample("--seed=1") == sample()
assert sample("--seed", 1) != sample("--seed", 2)
assert sample("--seed", 1, "--temperature", 0.01) != sample("--seed", 1)
greedy = run(d, "--prompt", "The work was", "--json", "--ignore-eos", "--greedy")[0]["ids"]
assert sample("--top-p", 1e-6) == greedy
# The stop text ends the continuation and is cut off.
text = run(d, "--prompt", "The work was", "--json", "--greedy", "--ignore-eos")[0]["text"]
got = run(d, "--prompt", "The work was", "--json", "--greedy", "--ignore-eos", "--stop", "qqq", "--stop", text[5:9])[0]
assert got["finish"] == "stop" and text[5:9] not in got["text"] and text.startswith(got["text"]), got
# A special token as the stop text, and stop_strings of the model's own; without either it goes on.
hello = ("--prompt", "Hello there friend", "--greedy", "--max-new-tokens", 12, "--json")
assert run(f"{fixtures}/smollm2", *hello)[0]["finish"] == "length"
got = run(f"{fixtures}/smollm2", *hello, "--stop", "<|pad|>")[0]
assert got["finish"] == "stop" and got["ids"][-1] == 1 and got["text"] == "", got
shutil.copytree(f"{fixtures}/smollm2", f"{work}/own")
generation = json.load(open(f"{work}/own/generation_config.json")) if os.path.exists(f"{work}/own/generation_config.json") else {}
json.dump({**generation, "stop_strings": ["<|pad|>"]}, open(f"{work}/own/generation_config.json", "w"))
assert run(f"{work}/own", *hello)[0] | {"tokens_per_second": 0} == got | {"tokens_per_second": 0}
# A continuation keeps its first space in every form of tokenizer.
for name in ("llama", "gpt2", "smollm2", "qwen2"):
    for seed in range(1, 9):
        g = run(f"{fixtures}/{name}", "--prompt", "The work was", "--json", "--ignore-eos", "--seed", seed, "--max-new-tokens", 6)[0]
        whole = subprocess.run([bin, "tokenize", f"{fixtures}/{name}", "--decode", "--json"], input=json.dumps(g["ids"]).encode(), capture_output=True)
        whole = json.loads(whole.stdout)["text"]
        assert whole == "The work was" + g["text"], (name, whole, g["text"])
P
# A stop text that the tokenizer cannot write is refused.
cp -r "$fixtures/gpt2" "$work/lower"
python3 -c 'import json, sys; p = sys.argv[1]; t = json.load(open(p)); t["normalizer"] = {"type": "Lowercase"}; json.dump(t, open(p, "w"))' "$work/lower/tokenizer.json"
expect 2 "stop: found \"Stop\", which this tokenizer cannot write" generate "$work/lower" --prompt x --stop Stop
expect 0 "" generate "$work/lower" --prompt x --stop stop --max-new-tokens 2

expect 0 "" generate "$fixtures/gpt2" --prompt "I feel tired and" --greedy --max-new-tokens 3
[ "$(cat "$work/out")" = " He He He" ] || fail "text output: $(cat "$work/out")"
expect 2 "2 adapters: expected --weights with one number each" generate "$fixtures/gpt2" --prompt x --adapter "$fixtures/gpt2/adapters/alpha" --adapter "$fixtures/gpt2/adapters/beta"
expect 2 "--weights: found 2 numbers, expected 1" generate "$fixtures/gpt2" --prompt x --adapter "$fixtures/gpt2/adapters/alpha" --weights 1,2
expect 2 "--weights: found 1 numbers, expected 0" generate "$fixtures/gpt2" --prompt x --weights 1
expect 2 "layer" generate "$fixtures/gpt2" --prompt x --adapter "$fixtures/gpt2/adapters/alpha" --layer 9
expect 3 "token 1: found the id 600, expected 0 to 599" generate "$fixtures/gpt2" --ids 1,600
expect 3 "--prompt: found an empty text, of which the tokenizer makes no token" generate "$fixtures/gpt2" --prompt ""
expect 3 "adapter" generate "$fixtures/gpt2" --prompt x --adapter "$work"
expect 3 "adapters/alpha" generate "$fixtures/llama" --prompt x --adapter "$fixtures/gpt2/adapters/alpha"
printf '{"prompt": "a"}\n{"prompt": 3}\n' >"$work/bad.jsonl"
expect 3 "bad.jsonl:2: key 'prompt': found an integer" generate "$fixtures/gpt2" --prompts "$work/bad.jsonl"
finish
