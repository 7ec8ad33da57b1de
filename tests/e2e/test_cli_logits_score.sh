#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank logits and score against PyTorch's numbers.
. "$(dirname "$0")/cli_lib.sh"

python3 - "$bin" "$fixtures" <<'P' || fail "cases"
import json, math, struct, subprocess, sys
bin, fixtures = sys.argv[1:]
def run(*args):
    p = subprocess.run([bin, *map(str, args)], capture_output=True, text=True)
    assert p.returncode == 0, (args, p.stderr)
    return json.loads(p.stdout)
def csv(values): return ",".join(map(str, values))
class Tensors:
    def __init__(self, path):
        self.bytes = open(path, "rb").read()
        n, = struct.unpack("<Q", self.bytes[:8])
        self.header, self.at = json.loads(self.bytes[8:8 + n]), 8 + n
    def __getitem__(self, name):
        h = self.header[name]
        b, e = h["data_offsets"]
        flat = struct.unpack(f"<{(e - b) // (8 if h['dtype'] == 'I64' else 4)}{'q' if h['dtype'] == 'I64' else 'f'}",
                             self.bytes[self.at + b:self.at + e])
        for size in h["shape"][:0:-1]:
            flat = [flat[i:i + size] for i in range(0, len(flat), size)]
        return flat
def logp(row):
    top = max(row)
    norm = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - norm for x in row]
def close(a, b, tolerance):
    scale = max(map(abs, b))
    worst = max(abs(x - y) for x, y in zip(a, b, strict=True))
    assert worst <= tolerance * scale, (worst, scale)
tolerance = 1e-4
for name in ("gpt2", "llama", "smollm2", "qwen2"):
    d, t = f"{fixtures}/{name}", Tensors(f"{fixtures}/{name}/expected.safetensors")
    e = json.load(open(d + "/expected.json"))
    ids = t["input_ids"]
    for i in range(2):
        want = t["logits"][i]
        got = run("logits", d, "--ids", csv(ids[i]), "--all", "--json")["logits"]
        assert len(got) == len(ids[i])
        for a, b in zip(got, want):
            close(a, b, tolerance)
        close(run("logits", d, "--ids", csv(ids[i]), "--json")["logits"], want[-1], tolerance)
        s = run("score", d, "--ids", csv(ids[i]), "--json")
        lp = [logp(row)[token] for row, token in zip(want, ids[i][1:])]
        close(s["logprobs"], lp, tolerance)
        assert s["ids"] == list(ids[i]) and abs(s["sum"] - sum(lp)) < tolerance * abs(sum(lp))
        assert abs(s["perplexity"] - math.exp(-sum(lp) / len(lp))) < 10 * tolerance * s["perplexity"]
        alpha = ["--adapter", f"{d}/adapters/alpha"]
        close(run("logits", d, "--ids", csv(ids[i]), *alpha, "--json")["logits"], t["alpha.logits"][i][-1], tolerance)
        lp = [logp(row)[token] for row, token in zip(t["alpha.logits"][i], ids[i][1:])]
        close(run("score", d, "--ids", csv(ids[i]), *alpha, "--json")["logprobs"], lp, tolerance)
        adapters = [a for k in e["objectives"] for a in ("--adapter", f"{d}/adapters/{k}")]
        for w, weights in enumerate(e["weights"]):
            for mode in ("states", "logits", "probs", "params"):
                got = run("logits", d, "--ids", csv(ids[i]), *adapters, "--weights", csv(weights), "--aggregate", mode,
                          "--json")["logits"]
                close(got, t[f"agg.{mode}.{w}.logits"][i], tolerance)
        mixed = ["logits", d, "--ids", csv(ids[i]), *adapters, "--weights", "1/2,3/10,1/5", "--json"]
        last = run(*mixed)["logits"]
        for other in (["--norm", "before"], ["--layer", "1"]):
            got = run(*mixed, *other)["logits"]
            assert max(abs(x - y) for x, y in zip(logp(got), logp(last))) > 1e-3, (name, other)
for name in ("reward-gpt2", "reward-llama"):
    d = f"{fixtures}/{name}"
    e = json.load(open(d + "/expected.json"))
    for text, ids, scores in zip(e["texts"], e["ids"], e["scores"]):
        for what in (["--text", text], ["--ids", csv(ids)]):
            got = run("score", d, *what, "--json")
            assert got["ids"] == ids
            close(got["scores"], scores, 1e-4)
# A classifier's score stands at the last token that is not padding (here 1), as in the objective; no token is the end-of-text one.
for name in ("reward-gpt2", "reward-llama"):
    d = f"{fixtures}/{name}"
    score = lambda ids: run("score", d, "--ids", csv(ids), "--json")["scores"]
    assert score([5, 9, 33, 1, 1]) == score([5, 9, 33]) != score([5, 9, 33, 1, 7])
    assert score([1, 1, 1]) == score([1])
d = f"{fixtures}/reward-gpt2"
got, eos = run("score", d, "--text", "", "--json"), json.load(open(d + "/config.json"))["eos_token_id"]
assert got == {"scores": run("score", d, "--ids", eos, "--json")["scores"], "ids": [eos]}, got
P

# Numbers that are not finite, of weights so large that a product overflows, and a perplexity past the largest number.
python3 - "$fixtures" "$work" <<'P' || fail "models of large weights"
import json, shutil, struct, sys
fixtures, work = sys.argv[1:]
def scaled(name, to, changes):
    """The fixture with tensors, or their first rows, times a factor."""
    shutil.copytree(f"{fixtures}/{name}", f"{work}/{to}")
    path = f"{work}/{to}/model.safetensors"
    data = bytearray(open(path, "rb").read())
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    for tensor, first_row, factor in changes:
        b, e = header[tensor]["data_offsets"]
        if first_row:
            e = b + (e - b) // header[tensor]["shape"][0]
        at, count = 8 + n + b, (e - b) // 4
        struct.pack_into(f"<{count}f", data, at, *(x * factor for x in struct.unpack_from(f"<{count}f", data, at)))
    open(path, "wb").write(data)
scaled("llama", "large", [("lm_head.weight", False, 1e4)])
scaled("llama", "infinite", [("lm_head.weight", False, 3e37), ("model.norm.weight", False, 1e3)])
scaled("extra-reward-gpt2-2label", "label", [("score.weight", True, 1e37), ("transformer.ln_f.weight", False, 1e6)])
P
value='import json, sys; v = json.load(sys.stdin); '
expect 0 "the perplexity is not finite (Infinity)" score "$work/large" --text "Hello there" --json
python3 -c "$value"'assert v["perplexity"] is None and v["mean"] < -1000 and None not in v["logprobs"], v' <"$work/out" ||
  fail "a perplexity past the largest number"
expect 0 "log-probabilities are not finite" score "$work/infinite" --text "Hello there" --json
python3 -c "$value"'assert None in v["logprobs"] and len(v["logprobs"]) == len(v["ids"]) - 1, v' <"$work/out" ||
  fail "log-probabilities that are not finite"
expect 0 "logits are not finite" logits "$work/infinite" --prompt "Hello there" --json
python3 -c "$value"'assert None in v["logits"] and len(v["logits"]) == 620, v' <"$work/out" || fail "logits that are not finite"
expect 1 "the logits are not finite" logits "$work/infinite" --prompt "Hello there"
[ ! -s "$work/out" ] || fail "logits that are not finite: $(cat "$work/out")"
expect 0 "the score of label 0 is not finite" score "$work/label" --text Hello --json
python3 -c "$value"'assert v["scores"][0] is None and v["scores"][1] is not None and len(v["scores"]) == 2, v' <"$work/out" ||
  fail "a label that is not finite"

expect 0 "" logits "$fixtures/gpt2" --prompt "I feel tired and"
[ "$(wc -l <"$work/out")" -eq 10 ] || fail "the likeliest tokens: $(cat "$work/out")"
grep -q '^ *544 .*" He"' <(head -1 "$work/out") || fail "the likeliest token: $(head -1 "$work/out")"
expect 0 "" score "$fixtures/gpt2" --ids 5
expect 2 "expected --ids or --prompt" logits "$fixtures/gpt2"
expect 2 "expected --text or --ids" score "$fixtures/gpt2" --text a --ids 1
expect 2 "has no language-model head" logits "$fixtures/reward-gpt2" --ids 1,2
expect 3 "adapters on a classification model are not supported" score "$fixtures/reward-gpt2" --ids 1,2 --adapter "$fixtures/gpt2/adapters/alpha"
finish
