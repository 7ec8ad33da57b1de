#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a user does with a sweep's points: finds one with `front`, speaks with it, and takes it home in every form.
# processors: 1
. "$(dirname "$0")/lib.sh"
export OPENBLAS_NUM_THREADS=1
model=$PARETORANK_SOURCE_DIR/sweeps/counsel/model
dir=$work/sweep
# Experts that differ, under every mix; a budget of 4: the corners and the middle.
expect 0 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$dir\"" --set finetune.lr=0.01 \
  --set finetune.kl=0.05 --set finetune.steps=8 --set 'aggregate=["states","params","probs","logits","regmean"]' \
  --set 'search={budget=4;}' --quiet
point() { # SEARCH W_EMPATHY: the id of its point
  awk -F, -v search="$1" -v w="$2" '$1 == search && substr($4, 1, 3) == w { print $(NF - 1) }' "$dir/cells.csv"
}
middle() { point "$1" 0.3; }
ids=42,316,258,77,5

# ---- a point speaks as it was evaluated, by its own mix ----
head -3 "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-eval.jsonl" >"$work/prompts.jsonl"
cat >"$work/speak.py" <<'P'
import json, subprocess, sys
program, dir, prompts = sys.argv[1:]
front = json.load(open(dir + "/front.json"))
samples = [json.loads(line) for line in open(dir + "/samples.jsonl")]
spoken, texts = 0, set()
for p in front["points"] + front["base"]:
    said = [s["response"] for s in samples if s["search"] == p["search"] and s["weights"] == p["weights"]][:3]
    out = subprocess.run([program, "generate", dir, "--point", p["point"], "--prompts", prompts, "--json"], capture_output=True, text=True)
    assert out.returncode == 0 and not out.stderr, out.stderr
    got = [json.loads(line)["text"] for line in out.stdout.splitlines()]
    assert said and got[: len(said)] == said, (p["search"], p["weights"], got, said)
    spoken += 1
    texts.add(tuple(got))
assert spoken > 10 and len(texts) > 4, (spoken, texts)
P
python3 "$work/speak.py" "$paretorank" "$dir" "$work/prompts.jsonl" || fail "a point does not speak as its samples say"
states=$(middle states) params=$(middle params) probs=$(middle probs) regmean=$(middle regmean)
[ ${#states} = 32 ] && [ ${#params} = 32 ] && [ ${#probs} = 32 ] && [ ${#regmean} = 32 ] || fail "the middle points are not there"
# What was not asked for is as the sweep evaluates, what was is not.
expect 0 "$paretorank" generate "$dir" --point "${params:0:6}" --prompt "What do you" --max-new-tokens 3 --json
[ "$(python3 -c 'import json, sys; v = json.load(sys.stdin); print(len(v["ids"]) - v["prompt_tokens"])' <"$work/out")" = 3 ] || fail "--max-new-tokens"
expect 0 "$paretorank" generate "$dir" --weights 1/3,1/3,1/3 --search probs --prompt "I feel tired"
cp "$work/out" "$work/one"
expect 0 "$paretorank" generate "$dir" --point "$probs" --prompt "I feel tired"
same_file "$work/out" "$work/one"
mv "$work/one" "$work/said.probs"

# ---- which point is meant ----
says() { grep -qF -- "$1" "$work/err" || fail "stderr lacks '$1': $(cat "$work/err")"; }
expect 3 "$paretorank" generate "$dir" --point xyz --prompt x
says 'found "xyz", expected an id of a point'
expect 2 "$paretorank" generate "$dir" --point "" --prompt x
says "--point: found an empty text, expected ID"
expect 2 "$paretorank" generate "$dir" --prompt x
says "expected --point ID or --weights"
expect 2 "$paretorank" generate "$dir" --point "$states" --weights 1,0,0 --prompt x
says "--weights: found beside --point"
expect 2 "$paretorank" generate "$model" --point "$states" --prompt x
says "--point goes with a sweep's results directory"
expect 2 "$paretorank" export "$dir" --weights 1/3,1/3,1/3 --out "$work/o"
says "5 points are there"
says "${states:0:8} (states)"
expect 2 "$paretorank" export "$dir" --weights 0.3,0.3,0.4 --out "$work/o"
says "the nearest is ${states:0:8} (search \"states\""
expect 0 "$paretorank" export "$dir" --weights 0.3,0.3,0.4 --search params --out "$work/off"
says "no point of the sweep is exactly there"
says "the nearest is ${params:0:8} (search \"params\""
expect 2 "$paretorank" export "$dir" --out "$work/o"
expect 2 "$paretorank" export "$dir" --point "$states" --search states --out "$work/o"
[ ! -e "$work/o" ] || fail "a refused export left something"
[ -z "$(ls -d "$work"/*.tmp-* 2>/dev/null)" ] || fail "a temporary directory stays"

# ---- forms: what our own logits say of each is what they say of the point ----
logits() { # OUT ARGUMENTS...
  local out=$1
  shift
  expect 0 "$paretorank" logits "$@" --ids "$ids" --json
  cp "$work/out" "$out"
}
near() { # A B MOST LEAST-OF-OTHER OTHER: log-probabilities differ by at most MOST, and from OTHER's by at least LEAST
  python3 - "$@" <<'P' || fail "logits of $1 and $2"
import json, math, sys
def row(name):
    x = json.load(open(name))["logits"]
    top = max(x)
    total = top + math.log(sum(math.exp(v - top) for v in x))
    return [v - total for v in x]
def distance(a, b):
    return max(abs(x - y) for x, y in zip(a, b))
a, b, other = row(sys.argv[1]), row(sys.argv[2]), row(sys.argv[5])
assert len(a) > 500 and distance(a, b) <= float(sys.argv[3]), distance(a, b)
assert distance(a, other) >= float(sys.argv[4]), distance(a, other)
P
}
logits "$work/base.json" "$model"
for mix in params regmean; do
  id=$(middle $mix)
  expect 0 "$paretorank" export "$dir" --point "${id:0:10}" --out "$work/$mix"
  says "3 adapters of mix $mix"
  logits "$work/$mix.point" "$dir" --point "$id"
  logits "$work/$mix.lora" "$model" --adapter "$work/$mix"
  near "$work/$mix.point" "$work/$mix.lora" 1e-3 0.5 "$work/base.json"
  # The counselling model is BF16, to which the merged weights are rounded.
  expect 0 "$paretorank" export "$dir" --point "$id" --out "$work/$mix-model" --as model
  logits "$work/$mix.model" "$work/$mix-model"
  near "$work/$mix.point" "$work/$mix.model" 0.5 0.5 "$work/base.json"
done
near "$work/params.point" "$work/params.lora" 1e-3 0.5 "$work/regmean.lora"
python3 - "$model" "$work/params-model" "$params" <<'P' || fail "the merged model's files"
import json, os, struct, sys
def read(name):
    data = open(name, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + n]), data[8 + n :]
base, merged, point = sys.argv[1:]
assert sorted(set(os.listdir(base)) | {"README.md", "mergekit.yml"}) == sorted(os.listdir(merged)), os.listdir(merged)
for name in ("config.json", "generation_config.json", "tokenizer.json"):
    assert open(f"{base}/{name}", "rb").read() == open(f"{merged}/{name}", "rb").read(), name
a, x = read(base + "/model.safetensors")
b, y = read(merged + "/model.safetensors")
about = b.pop("__metadata__")
a.pop("__metadata__", None)
assert about["format"] == "pt" and about["paretorank.point"] == point and about["paretorank.mix"] == "params", about
assert set(a) == set(b)
changed = 0
for name in a:
    assert (a[name]["dtype"], a[name]["shape"]) == (b[name]["dtype"], b[name]["shape"]), name
    (i, j), (k, l) = a[name]["data_offsets"], b[name]["data_offsets"]
    if x[i:j] != y[k:l]:
        assert "_proj" in name, name
        changed += 1
assert changed > 20, changed
P
for mix in states probs logits; do
  id=$(middle $mix)
  expect 2 "$paretorank" export "$dir" --point "$id" --out "$work/o" --as lora
  says "--as lora: this policy is not one adapter: its mix, $mix, runs each of its adapters"
  expect 2 "$paretorank" export "$dir" --point "$id" --out "$work/o" --as model
  [ ! -e "$work/o" ] || fail "a refused export left something"
  expect 0 "$paretorank" export "$dir" --point "$id" --out "$work/$mix"
  says "which is not one adapter"
  grep -q "This policy is not one adapter" "$work/$mix/README.md" || fail "$mix: the card does not say why"
  [ "$(wc -l <"$work/$mix/logits_processor.py")" -lt 30 ] || fail "$mix: a long logits processor"
  # The command that the card names, in the directory.
  command=$(grep '^paretorank generate BASE' "$work/$mix/README.md" | sed 's/^paretorank generate BASE//; s/ --prompt PROMPT//')
  [ -n "$command" ] || fail "$mix: the card has no command"
  (cd "$work/$mix" && eval "\"\$paretorank\" logits \"\$model\" $command --ids $ids --json" >"$work/$mix.parts") || fail "$mix: $command"
  logits "$work/$mix.point" "$dir" --point "$id"
  near "$work/$mix.point" "$work/$mix.parts" 1e-4 0.5 "$work/base.json"
done
near "$work/states.point" "$work/states.parts" 1e-4 0.5 "$work/probs.parts"
# The logits processor's last line, on what our own logits say of each part, in place of torch: a list per part.
cat >"$work/processor.py" <<'P'
import json, math, subprocess, sys
name, program, model, ids, point = sys.argv[1:]
text = open(name + "/logits_processor.py").read()
compile(text, name, "exec")
policy = json.load(open(name + "/policy.json"))
assert policy["format"] == 1 and len(policy["parts"]) == 3 and policy["from"]["point"] and policy["from"]["mean"]["empathy"] > 0
assert abs(sum(p["coefficient"] for p in policy["parts"]) - 1) < 1e-12
class T:  # [n][v], v = 1 of weights
    def __init__(self, x): self.x = x
    def __getitem__(self, at): return self
    def both(self, o, f): return T([[f(a[i % len(a)], b[i % len(b)]) for i in range(max(len(a), len(b)))] for a, b in zip(self.x, o.x * (len(self.x) // len(o.x)))])
    def __mul__(self, o): return self.both(o, lambda a, b: a * b)
    def __add__(self, o): return self.both(o, lambda a, b: a + b)
    def __truediv__(self, o): return self.both(o, lambda a, b: a / b)
    def log(self): return T([[math.log(a) for a in row] for row in self.x])
    def sum(self, dim=None): return T([[sum(c) for c in zip(*self.x)]])
class torch:
    @staticmethod
    def logsumexp(t, dim): return T([[math.log(sum(math.exp(a) for a in c)) for c in zip(*t.x)]])
def normal(x):
    total = math.log(sum(math.exp(v - max(x)) for v in x)) + max(x)
    return [v - total for v in x]
def row(*a): return normal(json.loads(subprocess.run([program, "logits", *a, "--ids", ids, "--json"], capture_output=True, check=True).stdout)["logits"])
w = T([[p["coefficient"]] for p in policy["parts"]])
p = T([row(model, "--adapter", name + "/" + q["adapter"]) for q in policy["parts"]])
want = json.load(open(point))["logits"]
got = normal(eval(text.strip().splitlines()[-1].replace("return", "", 1).strip()).x[0])
assert max(abs(a - b) for a, b in zip(got, normal(want))) < 1e-4
P
for mix in states probs logits; do
  python3 "$work/processor.py" "$work/$mix" "$paretorank" "$model" "$ids" "$work/$mix.point" || fail "$mix: processor"
done
# What no logits processor can compute says so.
expect 0 "$paretorank" export "$dir" --weights 1/3,1/3,1/3 --aggregate "states; layer=2" --out "$work/early"
says "no logits processor can compute it"
[ ! -e "$work/early/logits_processor.py" ] || fail "a logits processor of states that are combined early"
# An expert alone is itself under any mix; the base model is no adapter.
corner=$(point states 1)
expect 0 "$paretorank" export "$dir" --point "$corner" --out "$work/corner"
cmp -s "$work/corner/adapter_model.safetensors" "$dir/experts/empathy-s1/adapter_model.safetensors" && fail "no provenance in it"
logits "$work/corner.lora" "$model" --adapter "$work/corner"
logits "$work/corner.expert" "$model" --adapter "$dir/experts/empathy-s1"
near "$work/corner.lora" "$work/corner.expert" 1e-6 0.5 "$work/base.json"
base=$(awk -F, '$1 == "base" && $4 + $5 + $6 == 0 { print $(NF - 1) }' "$dir/cells.csv")
expect 2 "$paretorank" export "$dir" --point "$base" --out "$work/o"
says "this policy is the base model"
expect 0 "$paretorank" export "$dir" --point "$base" --out "$work/base-model" --as model
logits "$work/base.again" "$work/base-model"
same_file "$work/base.json" "$work/base.again"

# ---- where it comes from ----
for word in "\"base_model\"" "point ${params:0:8}" "| empathy | 0.333333 |" "- search: params" "- seed: 1" "- method: experts" "- mix: params" \
  "- part 3: distinct-s1, coefficient 0.3333333333333333, job" "- evaluated_by: "; do
  grep -qF -- "${word//\"/}" "$work/params/README.md" || fail "the card lacks '$word': $(cat "$work/params/README.md")"
done
grep -aqF '"paretorank.weights":"{\"empathy\":0.33333333333333331' "$work/params/adapter_model.safetensors" || fail "the adapter's metadata"
grep -q "so no scores are known" "$work/off/README.md" || fail "the card of weights that are no point"
# Forms do not lie among each other; --force is for the same one.
expect 2 "$paretorank" export "$dir" --point "$params" --out "$work/params"
says "holds an adapter; --force overwrites it"
expect 2 "$paretorank" export "$dir" --point "$params" --out "$work/params" --as model --force
says "holds an adapter, among whose files this would lie"
echo mine >"$work/params/notes"
expect 0 "$paretorank" export "$dir" --point "$regmean" --out "$work/params" --force
same_file "$work/params/adapter_model.safetensors" "$work/regmean/adapter_model.safetensors"
[ "$(cat "$work/params/notes")" = mine ] || fail "--force takes away what it did not write"

# ---- a damaged expert is refused; a journal that says nothing of policies is read by identity ----
cp -r "$dir" "$work/damaged"
for a in "$work"/damaged/artifacts/*/adapter_model.safetensors; do printf x | dd of="$a" bs=1 seek=5000 conv=notrunc 2>/dev/null; done
expect 3 "$paretorank" generate "$work/damaged" --point "$params" --prompt x
says "not what its train job wrote"
expect 3 "$paretorank" export "$work/damaged" --point "$params" --out "$work/o"
[ ! -e "$work/o" ] || fail "a failed export left something"
cp -r "$dir" "$work/cleaned"
expect 0 "$paretorank" clean "$work/cleaned" --evaluations
expect 0 "$paretorank" generate "$work/cleaned" --point "$probs" --prompt "I feel tired"
same_file "$work/out" "$work/said.probs"
cp -r "$dir" "$work/before"
cat >"$work/before.py" <<'P'
import json, sys, zlib
lines = []
for line in open(sys.argv[1]):
    v = json.loads(line)
    v.pop("crc")
    v.get("result", {}).pop("policy", None)
    text = json.dumps(v, separators=(",", ":"))
    lines.append(text[:-1] + ',"crc":"%08x"}\n' % zlib.crc32(text.encode()))
open(sys.argv[1], "w").writelines(lines)
P
python3 "$work/before.py" "$work/before/journal.jsonl"
! grep -q '"policy"' "$work/before/journal.jsonl" || fail "the journal still says policies"
for id in "$params" "$probs"; do
  logits "$work/one" "$work/before" --point "$id"
  logits "$work/two" "$dir" --point "$id"
  same_file "$work/one" "$work/two"
done
expect 3 "$paretorank" generate "$work/before" --point "$params" --prompt x --set 'stop=["!"]'
says "the journal does not say what the policy of point $params is"

# ---- front: which points ----
expect 0 "$paretorank" front "$dir" --where 'empathy >= 0.5' --sort brevity --ids
python3 - "$dir/front.json" "$work/out" <<'P' || fail "front --where --sort --ids"
import json, sys
points = [p for p in json.load(open(sys.argv[1]))["points"] if p["mean"]["empathy"] >= 0.5]
points.sort(key=lambda p: -p["mean"]["brevity"])
got = open(sys.argv[2]).read().split()
assert 2 < len(got) < len(json.load(open(sys.argv[1]))["points"]) and got == [p["point"] for p in points], got
P
first=$(head -1 "$work/out")
expect 0 "$paretorank" front "$dir" --where 'empathy >= 0.5' --sort brevity
grep -q "${first:0:8}" "$work/out" || fail "the table names no point"
! grep -q '^base' "$work/out" || fail "rows beside the front are among the chosen"
expect 0 "$paretorank" front "$dir" --where 'search != states' --where 'w_empathy<1' --csv
[ "$(head -1 "$work/out")" = "$(head -1 "$dir/front.csv")" ] || fail "front --csv has no names"
[ "$(tail -n +2 "$work/out")" = "$(awk -F, 'NR > 1 && $1 != "states" && $4 < 1' "$dir/front.csv")" ] || fail "front --where --csv"
expect 0 "$paretorank" front "$dir" --knee --json
knee=$(python3 -c 'import json, sys; v = json.load(sys.stdin); print(v["points"][0]["point"], len(v["points"]), len(v["base"]))' <"$work/out")
says "the knee: "
expect 0 "$paretorank" front "$dir" --knee --ids
[ "$knee" = "$(cat "$work/out") 1 0" ] || fail "front --knee: $knee"
expect 0 "$paretorank" generate "$dir" --point "$(cat "$work/out")" --prompt x
expect 0 "$paretorank" front "$dir" --where 'empathy > 5' --ids
says "no point of the front fulfils --where"
for bad in 'empathy' 'empathy >= ' 'empathy >= x' 'nothing > 1' 'search > a' '>= 0.5'; do
  expect 2 "$paretorank" front "$dir" --where "$bad"
  says "--where: found"
done
expect 2 "$paretorank" front "$dir" --sort nothing
says '--sort: found "nothing", expected a column of the front: empathy'
