#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Objectives with role = "report": columns of every table, and nothing else changes, the front and what is trained
# included. One that is added to a finished sweep trains nothing again.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
want() { [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"; }

cat >"$work/length.py" <<'P'
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(json.dumps({"id": r["id"], "score": len(r["response"])}), flush=True)
P
own='{ name = "empathy"; }, { name = "distinct"; n = 2; }'
judges='{ name = "length"; type = "command"; command = ["python3", "length.py"]; role = "report"; minimize = true; }, { name = "empathy"; }, { name = "fluency"; role = "report"; }, { name = "distinct"; n = 2; role = "optimise"; }'
for name in plain judged; do
  [ $name = plain ] && objectives=$own || objectives=$judges
  cat >"$work/$name.cfg" <<C
name = "r"; seed = 5; model = "$counsel/model"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 2; prompts_per_step = 2; samples = 2; max_new_tokens = 8; lr = 1e-2; lora = { r = 2; }; };
evaluate = { prompts = 5; max_new_tokens = 8; };
front_samples = 5;
objectives = ( $objectives );
search = ( { budget = 5; }, { name = "race"; type = "grid"; divisions = 2; fidelity = [2, 5]; } );
C
done
run() { # configuration, results, ranks
  expect 0 mpirun -q -n "$3" "$paretorank" run "$work/$1.cfg" --set "results=\"$work/$2\""
}
# compare PLAIN JUDGED: what both have is the same, and the reported columns are what the policies said.
compare() {
  python3 - "$work/$1" "$work/$2" <<'P' || fail "$1 and $2"
import csv, json, os, sys
plain, judged = sys.argv[1:]
rows = lambda d, f: list(csv.DictReader(open(f"{d}/{f}")))
for f in ("cells.csv", "front.csv"):
    a, b = rows(plain, f), rows(judged, f)
    assert len(a) == len(b) > 0, (f, len(a), len(b))
    new = [k for k in b[0] if k not in a[0]]
    assert new == ["length", "fluency", "se_length", "se_fluency"], new
    own = [k for k in a[0] if k not in ("point", "job")]  # identities of evaluations, of which the scorers are a part
    assert [[r[k] for k in own] for r in a] == [[r[k] for k in own] for r in b], f
m, n = (json.load(open(f"{d}/metrics.json")) for d in (plain, judged))
for key in ("reference_point", "all", "indicators", "base"):
    assert m[key] == n[key], key
assert "length" not in json.dumps(n["indicators"]) and set(n["reference_point"]) == {"empathy", "distinct"}
assert os.listdir(f"{plain}/artifacts") and set(os.listdir(f"{plain}/artifacts")) == set(os.listdir(f"{judged}/artifacts"))
front = json.load(open(f"{judged}/front.json"))
assert front["objectives"] == ["empathy", "distinct"] and front["reported"] == ["length", "fluency"]
samples = [json.loads(l) for l in open(f"{judged}/samples.jsonl")]
for p in front["points"] + front["base"]:
    assert set(p["weights"]) == {"empathy", "distinct"} and set(p["mean"]) == set(p["se"]) == {"empathy", "distinct", "length", "fluency"}
    said = [s for s in samples if (s["search"], s["seed"], s["weights"]) == (p["search"], p["seed"], p["weights"])]
    assert len(said) == (2 if p["search"] == "race" else 5), p  # of the first prompts that it was evaluated on
    for s in said:
        assert s["scores"]["length"] == len(s["response"]) and 0 <= s["scores"]["fluency"] <= 1, s
    for k in p["mean"] if len(said) == 5 else []:
        assert abs(p["mean"][k] - sum(s["scores"][k] for s in said) / 5) < 1e-12, (k, p)
# A point that was evaluated in two pieces has the numbers of the same point in one.
whole = {(r["w_empathy"], r["w_distinct"]): r for r in rows(judged, "cells.csv") if r["search"] in ("states", "base")}
pairs = [(r, whole[w]) for r in rows(judged, "cells.csv") if r["search"] == "race" and r["prompts"] == "5" and (w := (r["w_empathy"], r["w_distinct"])) in whole]
assert pairs
for a, b in pairs:
    for k in ("length", "se_length", "fluency", "se_fluency"):
        assert abs(float(a[k]) - float(b[k])) < 1e-6, (k, a, b)  # fluency is float32, of other batches
P
}

run plain plain 1
run judged judged 1
compare plain judged
run judged three 3
for file in cells.csv front.csv front.json samples.jsonl; do same_file "$work/judged/$file" "$work/three/$file"; done
expect 0 "$paretorank" front "$work/judged"
grep -Eq 'weights +empathy +distinct +\(length\) +\(fluency\)' "$work/out" || fail "front: $(cat "$work/out")"
grep -Eq '^1 +states .* [0-9]+\.[0-9]{3}( ± [0-9.–]+)? +0\.[0-9]{3}' "$work/out" || fail "front: $(cat "$work/out")"
want "who was trained" "$(ls "$work/judged/experts" | tr '\n' ' ')" "distinct-s1 empathy-s1 "
grep -q '"event":"step".*"reward":\[[^],]*,[^],]*\]' "$work/judged/journal.jsonl" || fail "a step tells of other than the two objectives"

# Added later: evaluated again, trained not, and then as if it had been there.
cp -r "$work/plain" "$work/added"
trained() { grep '"job_done"' "$work/$1/journal.jsonl" | grep -c '"kind":"train"'; }
before=$(trained added)
run judged added 2
want "trainings" "$(trained added)" "$before"
for file in cells.csv front.csv front.json samples.jsonl; do same_file "$work/judged/$file" "$work/added/$file"; done
# The resolved configuration keeps the file's order, and is the same one.
expect 0 "$paretorank" plan "$work/added" --dump
cp "$work/out" "$work/dump"
want "order" "$(grep -o '  *name = "[a-z]*"' "$work/dump" | grep -o '"[a-z]*"' | head -4 | tr -d '\n')" '"length""empathy""fluency""distinct"'
want "roles" "$(grep -c 'role = "report"' "$work/dump")" 2
run judged added 1
grep -q 'job_start' <(tail -3 "$work/added/journal.jsonl") && fail "something was done again"

# plan tells it, and refuses what makes no sense.
expect 0 "$paretorank" plan "$work/judged.cfg"
grep -q "^objective   length (command): any number (scaled by the base model's scores), smaller is better; reported, not optimised$" "$work/out" ||
  fail "plan: $(grep '^objective' "$work/out")"
grep -q '^fine-tune   2 experts' "$work/out" || fail "plan: $(grep '^fine-tune' "$work/out")"
expect 0 "$paretorank" plan "$work/judged.cfg" --json
python3 -c 'import json, sys; assert [(o["name"], o["role"], o["finetune"]) for o in json.load(open(sys.argv[1]))["objectives"]] == [("empathy", "optimise", True), ("distinct", "optimise", True), ("length", "report", False), ("fluency", "report", False)]' "$work/out" || fail "plan --json"
expect 2 "$paretorank" plan "$work/judged.cfg" --set 'objectives=({name="brevity";role="report";})'
grep -q 'objectives: found only such with role = "report", expected one or more to optimise' "$work/err" || fail "$(cat "$work/err")"
expect 2 "$paretorank" plan "$work/judged.cfg" --set 'objectives.[0].adapter="x"'
grep -q 'objectives\[0\].adapter: found beside role = "report", which has no expert' "$work/err" || fail "$(cat "$work/err")"
expect 2 "$paretorank" plan "$work/judged.cfg" --set 'objectives.[0].role="judge"'
grep -q 'objectives\[0\].role: found the string "judge", expected one of optimise | report' "$work/err" || fail "$(cat "$work/err")"
expect 2 "$paretorank" plan "$work/judged.cfg" --set 'objectives.[2].name="se_length"'
grep -q 'both would have a column "se_length" in cells.csv' "$work/err" || fail "$(cat "$work/err")"
