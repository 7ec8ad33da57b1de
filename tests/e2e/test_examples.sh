#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The programs of examples/: what they say is right, plan --load shows it, a sweep runs on them; what fails on its very
# first sample is told before anything is spent.
# processors: 1
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
mkdir "$work/sweeps" && cp -r "$PARETORANK_SOURCE_DIR/examples" "$work/examples"
ln -s "$PARETORANK_SOURCE_DIR/sweeps/counsel" "$work/sweeps/counsel"
cd "$work/examples"

# Line for line.
python3 scorer.py >"$work/out" <<'X'
{"id": 3, "prompt": "p", "response": "Why? I see. When?"}
{"id": 4, "prompt": "p", "response": "???"}
{"id": 5, "prompt": "p", "response": ""}
X
printf '{"id": 3, "score": 1}\n{"id": 4, "score": 1}\n{"id": 5, "score": 0.0}\n' | diff - "$work/out" || fail "scorer.py"
python3 scorer_batch.py >"$work/out" <<'X'
{"id": 7, "samples": [{"prompt": "My dog's gone", "response": "Your dog's gone!"}, {"prompt": "x", "response": ""}]}
{"id": 8, "nothing": []}
X
printf '{"id": 7, "scores": [0.6666666666666666, 0.0]}\n{"id": 8, "error": "KeyError: %s"}\n' "'samples'" | diff - "$work/out" ||
  fail "scorer_batch.py"

# plan --load: two responses of the base model, and what the programs say of them.
expect 0 "$paretorank" plan scorers.cfg --load --json --set evaluate.max_new_tokens=12
python3 - "$work/out" <<'P' || fail "plan --load of the examples"
import json, re, sys
plan = json.load(open(sys.argv[1]))
assert [o["range"] for o in plan["objectives"]] == [[0, 1], [0, 1]], plan["objectives"]
prompts = [json.loads(l)["prompt"] for l in open("../sweeps/counsel/prompts-eval.jsonl")][:2]
assert [s["prompt"] for s in plan["samples"]] == prompts
for s in plan["samples"]:
    words = re.findall("[a-z']+", s["response"].lower())
    known = set(re.findall("[a-z']+", s["prompt"].lower()))
    assert words and abs(s["scores"]["echo"] - sum(w in known for w in words) / len(words)) < 1e-8, s
    assert s["scores"]["asks"] == min(1, s["response"].count("?") / (1 + s["response"].count("."))), s
P
expect 0 "$paretorank" plan scorers.cfg --load
grep -q '^sample      prompt    Client: ' "$work/out" || fail "no sample: $(cat "$work/out")"
grep -q '^            scores    asks [0-9.]*, echo [0-9.]*$' "$work/out" || fail "no scores: $(cat "$work/out")"

# A sweep on them; lines of another length, and other copies, change nothing.
tiny=(--set finetune.steps=1 --set finetune.prompts_per_step=2 --set finetune.samples=2 --set finetune.max_new_tokens=8
  --set evaluate.prompts=5 --set evaluate.max_new_tokens=12 --set 'search={type="grid";divisions=2;}')
expect 0 "$paretorank" run scorers.cfg "${tiny[@]}" --set "results=\"$work/one\""
expect 0 "$paretorank" run scorers.cfg "${tiny[@]}" --set "results=\"$work/two\"" --set 'objectives.[1].batch=2' --set 'objectives.[1].copies=1'
same_file "$work/one/cells.csv" "$work/two/cells.csv"
[ "$(wc -l <"$work/one/cells.csv")" -eq 7 ] || fail "not 3 points and 3 rows: $(cat "$work/one/cells.csv")"

# The classifier, as far as it goes without its packages: what is missing is told, in one line and before the first job.
mkdir "$work/none" "$work/double"
echo 'raise ModuleNotFoundError("No module named %r" % __name__)' >"$work/none/torch.py"
classifier=(--set 'objectives=({name="joy";type="command";command=["python3","scorer_classifier.py","--model","m","--label","joy"];batch=2;})')
expect 1 env PYTHONPATH="$work/none" "$paretorank" plan scorers.cfg --load "${classifier[@]}"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "not one line: $(cat "$work/err")"
grep -q "^paretorank plan: objective 'joy' (command): on its very first sample: python3 exited with status 1; its last line on stderr: 'ModuleNotFoundError: No module named 'torch''$" "$work/err" ||
  fail "a missing package: $(cat "$work/err")"
# With stand-ins for the packages, which print where answers go and know two labels: the logit of the second is a text's length.
cat >"$work/double/torch.py" <<'P'
import contextlib, math
no_grad = contextlib.nullcontext
def set_num_threads(n):
    print("using", n, "threads")
class Tensor(list):
    def float(self):
        return self
    def softmax(self, axis):
        assert axis == -1
        return Tensor([math.exp(x) / sum(map(math.exp, row)) for x in row] for row in self)
    def __getitem__(self, at):
        return Tensor(row[at[1]] for row in self)
    def tolist(self):
        return list(self)
P
cat >"$work/double/transformers.py" <<'P'
from types import SimpleNamespace
import torch
class AutoTokenizer:
    @staticmethod
    def from_pretrained(name):
        return lambda texts, **how: {"texts": texts}
class AutoModelForSequenceClassification:
    @staticmethod
    def from_pretrained(name):
        class Model:
            config = SimpleNamespace(id2label={0: "sad", 1: "joy"})
            def eval(self):
                return self
            def __call__(self, texts):
                return SimpleNamespace(logits=torch.Tensor([0, len(t) / 10] for t in texts))
        return Model()
P
for option in "" ', "--text", "both"'; do
  expect 0 env PYTHONPATH="$work/double" "$paretorank" plan scorers.cfg --load --json "${classifier[@]}" \
    --set "objectives.[0].command=[\"python3\",\"scorer_classifier.py\",\"--model\",\"m\",\"--label\",\"joy\"$option]"
  python3 - "$work/out" "$option" <<'P' || fail "the classifier's scores, with '$option'"
import json, math, sys
for s in json.load(open(sys.argv[1]))["samples"]:
    n = len(s["response"]) + (len(s["prompt"]) if sys.argv[2] else 0)
    assert abs(s["scores"]["joy"] - 1 / (1 + math.exp(-n / 10))) < 1e-8, s
P
done
expect 1 env PYTHONPATH="$work/double" "$paretorank" plan scorers.cfg --load "${classifier[@]}" --set 'objectives.[0].command.[5]="jy"'
grep -q "on its very first sample: python3 exited with status 1; its last line on stderr: '--label: found 'jy', expected one of: sad, joy'" "$work/err" ||
  fail "a wrong label: $(cat "$work/err")"
