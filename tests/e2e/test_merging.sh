# SPDX-License-Identifier: BSD-3-Clause
# Mixes that merge experts into other weights: a sweep over one, the same bytes at any number of ranks, teams that split the
# maps, a point taken home in every form, and what cannot be.
. "$(dirname "$0")/lib.sh"
export OPENBLAS_NUM_THREADS=1
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
cat >"$work/sweep.cfg" <<CFG
name = "merging"; seed = 5; model = "$counsel/model"; results = "$work/one"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 6; prompts_per_step = 4; samples = 2; max_new_tokens = 8; lr = 0.02; lora = { r = 2; }; };
evaluate = { prompts = 4; max_new_tokens = 8; };
objectives = ( { name = "brevity"; }, { name = "distinct"; n = 2; } );
policies = ( { name = "sum"; mix = "params"; },
             { name = "ties"; mix = { type = "ties"; density = [ 0.2, 0.9 ]; lambda = ( 1.0, 2.0 ); }; },
             { name = "dare"; mix = { type = "dare_linear"; density = 0.5; blocks = 2; }; },
             { name = "core"; mix = { type = "ties"; density = 0.5; space = "core"; }; },
             { name = "mean"; mix = "multislerp"; } );
search = ( { policy = "sum"; budget = 3; }, { policy = "ties"; name = "t"; type = "random"; points = 4; },
           { policy = "dare"; name = "d"; type = "random"; points = 3; }, { policy = "core"; budget = 3; },
           { policy = "mean"; budget = 3; } );
CFG
run() { # ranks, results, more arguments
  local ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/sweep.cfg" --set "results=\"$results\"" "$@" >"$work/out" 2>"$work/err" || {
    cat "$work/err" >&2
    fail "the sweep on $ranks ranks $*"
  }
}
says() { grep -qF -- "$1" "$work/err" || fail "stderr lacks '$1': $(cat "$work/err")"; }

# ---- the same bytes ----
expect 0 "$paretorank" plan "$work/sweep.cfg"
says 'search "core" refines between points, but mix ties jumps where a weight becomes 0'
[ "$(grep -c jumps "$work/err")" -eq 1 ] || fail "other searches are warned of: $(cat "$work/err")"
run 1 "$work/one"
run 3 "$work/two"
for file in cells.csv front.csv samples.jsonl; do same_file "$work/one/$file" "$work/two/$file"; done
# Columns of a team make the same whole maps and each take their part of them; what is greedy may flip by rounding.
team='evaluate.team={rows=1;cols=2;}'
run 3 "$work/three" --set "$team"
run 5 "$work/five" --set "$team"
same_file "$work/three/cells.csv" "$work/five/cells.csv"
cells() { cut -d, -f1-7 "$1/cells.csv"; } # weights, parameters and the first scores
[ "$(cells "$work/three" | wc -l)" -eq "$(cells "$work/one" | wc -l)" ] || fail "a team's points"

# ---- a point speaks as it was evaluated, and goes home ----
point() { python3 - "$work/one" "$1" <<'P'
import csv, sys
rows = [r for r in csv.DictReader(open(sys.argv[1] + "/cells.csv")) if r["search"] == sys.argv[2]]
inner = [r for r in rows if all(0 < float(r[k]) < 1 for k in r if k.startswith("w_") and r[k])]
print(inner[0]["point"])
P
}
ids=42,316,258,77,5
logits() { "$paretorank" logits "$@" --ids "$ids" --json; }
near() { # file, file, tolerance
  python3 - "$@" <<'P'
import json, sys
a, b = (json.load(open(f))["logits"] for f in sys.argv[1:3])
off = (sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b)) ** 0.5
sys.exit(off > float(sys.argv[3]))
P
}
for search in t d; do
  id=$(point $search)
  logits "$work/one" --point "$id" >"$work/point"
  "$paretorank" export "$work/one" --point "$id" --out "$work/$search-model" >"$work/out" 2>"$work/err" || fail "export $search: $(cat "$work/err")"
  says "merged into its weights"
  logits "$work/$search-model" >"$work/model"
  near "$work/model" "$work/point" 1e-2 || fail "$search: the model does not speak as the point" # bf16 weights
  expect 2 "$paretorank" export "$work/one" --point "$id" --out "$work/o" --as lora
  says "expected --rank R, or --as model"
  expect 2 "$paretorank" export "$work/one" --point "$id" --out "$work/o" --as parts
  says "merges its parts into other weights"
  for rank in 2 400; do
    expect 0 "$paretorank" export "$work/one" --point "$id" --out "$work/$search-$rank" --as lora --rank $rank
    says "relative error of all maps together"
    grep -q '^| `.*` | [0-9.e-]* |$' "$work/$search-$rank/README.md" || fail "the card has no errors"
    logits "$counsel/model" --adapter "$work/$search-$rank" --mix params >"$work/lora"
    near "$work/lora" "$work/point" 1e-3 && exact=yes || exact=no
    [ $rank = 400 ] && [ $exact = no ] && fail "$search: all ranks are not the point"
    [ $rank = 2 ] && [ $exact = yes ] && fail "$search: two ranks are the point"
  done
done
for mix in core mean; do # one adapter, exactly
  id=$(point "$mix")
  logits "$work/one" --point "$id" >"$work/point"
  expect 0 "$paretorank" export "$work/one" --point "$id" --out "$work/$mix"
  logits "$counsel/model" --adapter "$work/$mix" --mix params >"$work/lora"
  near "$work/lora" "$work/point" 1e-4 || fail "$mix: the adapter is not the point"
done

# ---- a mix of one's own ----
experts=(--adapter "$work/one/experts/brevity-s1" --adapter "$work/one/experts/distinct-s1")
expect 0 "$paretorank" export "$work/one" --weights "0.7,-0.2;0.4,0.6" --mix "params; blocks=2; lambda=1.5" --out "$work/own"
logits "$counsel/model" "${experts[@]}" --mix "params; blocks=2; lambda=1.5" --weights "0.7,-0.2;0.4,0.6" >"$work/point"
logits "$counsel/model" --adapter "$work/own" --mix params >"$work/lora"
near "$work/lora" "$work/point" 1e-4 || fail "own mix: the adapter is not the policy"
expect 2 "$paretorank" export "$work/one" --weights "0.7,0.3" --mix "params; blocks=2" --out "$work/o"
says "--weights: found 1 row, expected 2, one per block (blocks = 2)"
expect 2 "$paretorank" export "$work/one" --weights "1,-1" --mix linear --out "$work/o"
says "the weights' sum is 0"
expect 2 "$paretorank" generate "$counsel/model" "${experts[@]}" --weights "1,-1" --mix ties --prompt x
says "normalize"
sed 's/density = \[ 0.2, 0.9 \]/density = [ 0.2, 1.9 ]/' "$work/sweep.cfg" >"$work/wrong.cfg"
expect 2 "$paretorank" plan "$work/wrong.cfg"
says "density: found the number 1.9"
sed 's/n = 2; } );/n = 2; }, { name = "empathy"; } );/; s/"multislerp"/"nuslerp"/' "$work/sweep.cfg" >"$work/three.cfg"
expect 2 "$paretorank" plan "$work/three.cfg"
says "nuslerp takes two experts, found 3"

# ---- what mergekit is asked for the same ----
expect 0 "$paretorank" export "$work/one" --weights "0.7,0.3;0.4,0.6" --mix "ties; blocks=2; density=0.5" --out "$work/recipe" --as model
base=$(realpath "$counsel/model")
layers=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["num_hidden_layers"])' "$base/config.json")
source_of() { # model, first and last layer, weight
  printf '      - model: "%s"\n        layer_range: [%s, %s]\n' "$1" "$2" "$3"
  [ $# = 3 ] || printf '        parameters:\n          weight: %s\n          density: 0.5\n' "$4"
}
experts_at=$(realpath "$work/one/experts")
one=$base+$(realpath "$experts_at/brevity-s1") two=$base+$(realpath "$experts_at/distinct-s1") half=$((layers / 2))
{
  printf 'merge_method: "ties"\nbase_model: "%s"\ndtype: "float32"\nparameters:\n  normalize: true\n  lambda: 1.0\nslices:\n' "$base"
  printf '  - sources:\n'
  source_of "$base" 0 $half && source_of "$one" 0 $half 0.7 && source_of "$two" 0 $half 0.3
  printf '  - sources:\n'
  source_of "$base" $half "$layers" && source_of "$one" $half "$layers" 0.4 && source_of "$two" $half "$layers" 0.6
} >"$work/expected.yml"
grep -v '^#' "$work/recipe/mergekit.yml" >"$work/found.yml"
same_file "$work/found.yml" "$work/expected.yml"
expect 0 "$paretorank" export "$work/one" --weights "0.7,0.3" --mix "ram; epsilon=1e-5" --out "$work/ram" --as model
grep -qx '  epsilon: 1.0e-05' "$work/ram/mergekit.yml" || fail "YAML 1.1 takes $(grep epsilon "$work/ram/mergekit.yml") for a text"
expect 0 "$paretorank" export "$work/one" --weights "0.7,0.3" --mix "dare_ties; density=0.5" --out "$work/dare" --as model
[ ! -e "$work/dare/mergekit.yml" ] || fail "mergekit has other masks"

# ---- what a point costs ----
expect 0 "$paretorank" bench merge --layers 1 --mix "ties; density=0.5" --json
python3 - "$work/out" <<'P' || fail "bench merge: $(cat "$work/out")"
import json, sys
v = json.load(open(sys.argv[1]))
assert v["mix"] == "ties; density=0.5" and v["seconds"] > 0, v
assert v["result_bytes"] == 4 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 576 * 1536), v
assert v["work_bytes"] < v["result_bytes"], v
P
expect 2 "$paretorank" bench merge --layers 1 --mix states
says "found a mix that runs its parts"
