# SPDX-License-Identifier: BSD-3-Clause
# The Python module gives what the tables hold, and says what is wrong with one; every JSON file is as its schema says.
. "$(dirname "$0")/lib.sh"
export PYTHONPATH=$PARETORANK_SOURCE_DIR/python PYTHONDONTWRITEBYTECODE=1
schemas=$PARETORANK_SOURCE_DIR/schemas
cd "$work"

# Two sweeps: one as most are, one with rows of weights per block of layers and a searched option.
expect 0 tiny 2 "$work/plain" --quiet
tiny=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg
{
  sed "/^aggregate\|^search/d; s|\"\.\./counsel|\"$PARETORANK_SOURCE_DIR/sweeps/counsel|g" "$tiny"
  cat <<'CFG'
policies = ( { name = "b"; mix = { type = "params"; blocks = 2; }; }, { name = "l"; mix = { type = "states"; layer = ( 2, 4 ); }; } );
search = ( { policy = "b"; name = "b"; type = "random"; budget = 3; }, { policy = "l"; name = "l"; type = "random"; budget = 3; } );
CFG
} >blocks.cfg
expect 0 mpirun -n 2 "$paretorank" run blocks.cfg --quiet --set "results=\"$work/blocks\""
cat >check.py <<'P'
import csv, json, math, sys
import paretorank

for directory, blocks in (("plain", 1), ("blocks", 2)):
    results = paretorank.load(directory)
    assert results.objectives == ["empathy", "brevity", "distinct"], results.objectives
    rows = list(csv.DictReader(open(directory + "/cells.csv", newline="")))
    cells, base, front = results.cells(), results.base(), results.front()
    assert len(cells) + len(base) == len(rows) and len(base) == 4, (len(cells), len(base), len(rows))
    by_id = {(row["search"], row["point"]): row for row in rows}
    for point in cells + base:
        row = by_id[point["search"], point["point"]]
        for k in results.objectives:
            assert point["mean"][k] == float(row[k]) and point["se"][k] == float(row["se_" + k])
            weights = point["weights"]
            if isinstance(weights, list):
                assert len(weights) == 2 and point["search"] != "l"
                assert [w[k] for w in weights] == [float(row[f"w_{k}.{i}"]) for i in range(2)]
            else:
                assert weights[k] == float(row["w_" + k])
        assert point["front"] == (row["front"] == "1") and point["prompts"] == 6 and point["seed"] == 1
        assert point["params"] == ({"layer": float(row["layer"])} if row.get("layer") else {}), point["params"]
    assert blocks == 1 or {type(p["weights"]) for p in cells} == {list, dict}
    assert blocks == 1 or any(p["params"] for p in cells)
    written = json.load(open(directory + "/front.json"))["points"]
    assert [p["weights"] for p in front] == [p["weights"] for p in written]
    assert [p["mean"] for p in front] == [p["mean"] for p in written] and all(p["front"] for p in front)
    steps = results.steps()
    assert len(steps) == 12 and all(isinstance(s["step"], int) and s["kl"] >= 0 or s["kl"] is not None for s in steps)
    assert sum(c["tokens"] for c in results.costs()) == sum(v for k, v in results.metrics["costs"].items() if k.endswith("_tokens"))
    assert {s["search"] for s in results.samples()} >= {p["search"] for p in front}
    assert results.journal()[-1]["event"] == "sweep_end"
print("good")
P
expect 0 python3 check.py
grep -q good out || fail "the module was not checked"

# What is wrong is named.
wrong() { # words, Python
  python3 -c "import paretorank
results = paretorank.load('broken')
$2" >out 2>err && fail "taken: $2"
  grep -qF -- "$1" err || fail "$2: $(tail -1 err)"
}
cp -r plain broken
wrong 'FileNotFoundError: nowhere: no such directory' 'paretorank.load("nowhere")'
sed -i '3s/,/,,/' broken/cells.csv
wrong 'broken/cells.csv:3: found 19 fields, expected 18' 'results.cells()'
sed -i '2s/states,1,/states,one,/' broken/front.csv
wrong "broken/front.csv:2: invalid literal" 'results.front()'
sed -i '1s/,seed,/,sead,/' broken/front.csv
wrong "found no column 'seed'" 'results.front()'
printf '{\n' >broken/metrics.json
wrong 'broken/metrics.json:2:' 'results.metrics'
rm broken/steps.csv
wrong 'FileNotFoundError' 'results.steps()'
wrong "found table 'points'" 'results.to_pandas("points")'

# Schemas. That they refuse something is checked too: whatever is required is missed.
"$paretorank" status plain --json >status.json
check() { expect 0 python3 "$PARETORANK_SOURCE_DIR/tests/e2e/schema.py" "$schemas/$1.schema.json" "${@:2}"; }
for dir in plain blocks; do
  check front $dir/front.json
  check metrics $dir/metrics.json
  check indicators $dir/indicators.json
  check samples $dir/samples.jsonl
  check journal $dir/journal.jsonl
  check steps $dir/artifacts/*/steps.json
done
check status status.json
sed 's/"seed": 1/"seed": "1"/' plain/front.json >front.json
expect 1 python3 "$PARETORANK_SOURCE_DIR/tests/e2e/schema.py" "$schemas/front.schema.json" front.json
grep -q 'seed: found "1", expected integer' err || fail "a wrong file: $(cat err)"
