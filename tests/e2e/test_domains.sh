# SPDX-License-Identifier: BSD-3-Clause
# Searches over more than one row of weights: blocks of layers, ranges and values of a mix's options.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

# sweep NAME MIX SEARCH: writes $work/NAME.cfg
sweep() {
  cat >"$work/$1.cfg" <<CFG
name = "$1"; seed = 5; model = "$counsel/model"; results = "$work/$1"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 6; lr = 0.02; lora = { r = 2; }; };
evaluate = { prompts = 4; max_new_tokens = 6; };
objectives = ( { name = "brevity"; }, { name = "distinct"; n = 2; } );
policies = ( { name = "plain"; mix = "params"; }, { name = "p"; mix = $2; } );
search = ( { policy = "plain"; budget = 3; }, { policy = "p"; name = "s"; $3 } );
CFG
}
run() { # ranks, name, more arguments
  local ranks=$1 name=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/$name.cfg" "$@" >"$work/out" 2>"$work/err" || {
    cat "$work/err" >&2
    fail "the sweep $name on $ranks ranks"
  }
}
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "no '$2' in $1"; }; }
column() { # NAME COLUMN: of the rows of search s
  awk -F, -v c="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) at = i; if (!at) exit 9 } NR > 1 && $1 == "s" { print $at }' \
    "$work/$1/cells.csv" || fail "$1: no column $2"
}

# Blocks: a row of weights each, and corners that are the plain ones, evaluated once.
sweep blocks '{ type = "params"; blocks = 2; }' 'budget = 8;'
"$paretorank" plan "$work/blocks.cfg" >"$work/plan"
has "$work/plan" "auto params over 2 simplexes (one per block of layers), at most 8 points"
run 1 blocks
for b in 0 1; do
  column blocks "w_brevity.$b" >"$work/a"
  column blocks "w_distinct.$b" >"$work/b"
  paste -d' ' "$work/a" "$work/b" | awk '{ if ($1 + $2 < 1 - 1e-12 || $1 + $2 > 1 + 1e-12) exit 1; n++ } END { exit n != 8 }' ||
    fail "blocks: weights of block $b"
done
column blocks w_brevity | grep -q . && fail "blocks: a point of two rows has weights of one"
[ "$(grep -c '^\(plain\|base\),.*,\([0-9a-f]\{32\}\)$' "$work/blocks/cells.csv")" -eq 6 ] || fail "blocks: the other rows"
for corner in 1,0 0,1; do # the same policy under three names is one evaluation
  ids=$(grep -E "^(plain|base),1,0,$corner,|^s,1,0,,,$corner,$corner," "$work/blocks/cells.csv" | sed 's/.*,//' | sort | uniq -c)
  [ "$(echo "$ids" | wc -l)" -eq 1 ] && [ "$(echo $ids | cut -d' ' -f1)" -eq 3 ] || fail "blocks: corner $corner: $ids"
done
column blocks w_brevity.0 >"$work/a"
column blocks w_brevity.1 | cmp -s - "$work/a" && fail "blocks: both have the same weights everywhere"
"$paretorank" front "$work/blocks" >"$work/out"

# The points of a larger budget begin with those of the smaller, at any number of ranks.
cp "$work/blocks/cells.csv" "$work/8.csv"
sed 's/budget = 8/budget = 11/' "$work/blocks.cfg" >"$work/more.cfg"
run 2 more
run 3 more --set "results=\"$work/fresh\""
same_file "$work/blocks/cells.csv" "$work/fresh/cells.csv"
same_file "$work/blocks/samples.jsonl" "$work/fresh/samples.jsonl"
grep '^s,' "$work/8.csv" | sed 's/,[01],[0-9a-f]*,[0-9a-f]*$//' | while read -r row; do
  grep -qF "$row" "$work/blocks/cells.csv" || fail "blocks: $row is not among the points of the larger budget"
done

# Ranges and values, with a column each.
sweep ranges '{ type = "states"; layer = [0, 3]; norm = ( "after", "before" ); }' 'type = "random"; points = 7;'
run 2 ranges
column ranges layer | grep -vq '^[0-3]$' && fail "ranges: layer"
column ranges norm | grep -vq '^\(after\|before\)$' && fail "ranges: norm"
[ "$(column ranges layer | sort -u | wc -l)" -gt 1 ] || fail "ranges: one layer only"
has "$work/ranges/front.json" '"params"'
python3 - "$work/ranges" <<'PY'
import csv, json, sys
rows = {r["point"]: r for r in csv.DictReader(open(sys.argv[1] + "/cells.csv"))}
points = json.load(open(sys.argv[1] + "/front.json"))["points"]
for p in points:
    row, params = rows[p["point"]], p.get("params")
    assert (params is not None) == (p["search"] == "s"), p
    if params:
        assert row["layer"] == str(params["layer"]) and row["norm"] == params["norm"], (row, params)
PY

# What does not fit is told before anything is loaded.
refuse() { # MIX SEARCH EXPECTED
  sweep bad "$1" "$2"
  expect 2 "$paretorank" plan "$work/bad.cfg"
  has "$work/err" "$3"
}
refuse '{ type = "params"; blocks = 2; }' 'type = "hierarchical"; levels = 2;' "which searches one row of weights, but its policy has 2; expected one of auto | random | list"
refuse '{ type = "states"; layer = [0, 2]; }' 'type = "grid"; divisions = 2;' "which searches weights alone, but its policy leaves layer open"
refuse '{ type = "states"; layer = [0, 2, 3]; }' 'budget = 5;' "layer: found [ ] of 3, expected a value, [ from, to ] or ( values )"
refuse '{ type = "states"; layer = [2, 0]; }' 'budget = 5;' "layer: found a range from 2 to 0"
refuse '{ type = "states"; layer = [0, 9]; }' 'budget = 5;' "layer: found 7, expected -1 (the last) to 6"
refuse '{ type = "params"; blocks = ( 1, 2 ); }' 'budget = 5;' "blocks: found a range or list, expected one value"
refuse '{ type = "params"; blocks = 7; }' 'budget = 5;' "blocks: found 7, expected at most the model's 6 layers"
