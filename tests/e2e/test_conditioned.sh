# SPDX-License-Identifier: BSD-3-Clause
# Policies that are told the preference: families of adapters over every core, and what is made of experts.
. "$(dirname "$0")/lib.sh"

cat >"$work/sweep.cfg" <<X
name = "conditioned"; seed = 7; model = "$PARETORANK_SOURCE_DIR/sweeps/counsel/model";
prompts = { train = "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-train.jsonl"; eval = "$PARETORANK_SOURCE_DIR/sweeps/counsel/prompts-eval.jsonl"; };
stop = ( "\n" );
objectives = ( { name = "empathy"; }, { name = "brevity"; }, { name = "distinct"; n = 2; } );
finetune = { steps = 4; prompts_per_step = 4; samples = 2; max_new_tokens = 12; checkpoint_every = 1; lora = { r = 4; alpha = 16.0; }; };
evaluate = { prompts = 6; max_new_tokens = 12; };
policies = (
  { name = "soup"; method = "experts"; mix = "params"; },
  { name = "zero"; method = "meta_soup"; train = { steps = 0; }; },
  { name = "bones"; method = "bone_soups"; beta = 0.6; },
  { name = "flesh"; method = "bone_soups"; beta = 1.0; },
  { name = "meta"; method = "meta_soup"; train = { weigh = "stch"; measure = true; }; },
  { name = "one"; method = "conditioned"; train = { sample = { weights = [ 0.0, 1.0, 0.0 ]; }; }; },
  { name = "clp"; method = "conditioned"; train = { core = { type = "blocks"; shared = 2; maps = ( "q_proj", "v_proj" ); }; kl_estimator = "k2"; }; },
  { name = "core"; method = "conditioned"; train = { core = ( "panacea", "diagonal", "mlp", "full" ); weigh = "chebyshev"; }; }
);
search = { type = "grid"; divisions = 2; };
X
run_it() { # ranks results [more]
  local ranks=$1 results=$2
  shift 2
  mpirun -n "$ranks" "$paretorank" run "$work/sweep.cfg" --set "results=\"$results\"" "$@"
}

run_it 1 "$work/n1" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; fail "the sweep"; }
[ "$(grep -c '"kind":"train"' <(grep '"job_done"' "$work/n1/journal.jsonl"))" = 14 ] || fail "expected 3 experts, 3 backbones and 8 families"

# With no steps it is params, at every point to the last digit; under one preference alone a block trains as the expert.
points() { grep "^$1," "$work/n1/cells.csv" | cut -d, -f2-13; }
[ -n "$(points soup)" ] && [ "$(points soup)" = "$(points zero)" ] || fail "meta_soup without steps is not params"
[ "$(points soup)" = "$(points flesh)" ] || fail "bone_soups of experts are not params"
[ "$(points soup)" != "$(points bones)" ] || fail "backbones are experts"
[ "$(points soup | grep '^1,0,0,1,0,')" = "$(points one | grep '^1,0,0,1,0,')" ] || fail "one preference alone: not the expert"
[ "$(points zero)" != "$(points meta)" ] || fail "the outer level changed nothing"
for search in bones meta clp core-core-panacea core-core-diagonal core-core-mlp core-core-full; do
  [ "$(points "$search" | wc -l)" = 6 ] || fail "$search: expected 6 points"
done
grep '"event":"step"' "$work/n1/journal.jsonl" | grep '"gram"' | grep -q '"covariance"' || fail "no inner products of gradients"

# What each costs: the meta soup its experts and one training more, which alone serves; the parameters are those of the files.
ledger() { grep "^$1,1," "$work/n1/ledger.csv" | cut -d, -f"$2"; }
[ "$(ledger soup 3-4)" = 3,12 ] && [ "$(ledger meta 3-4)" = 4,16 ] && [ "$(ledger one 3-4)" = 1,4 ] || fail "ledger: $(cat "$work/n1/ledger.csv")"
[ "$(ledger soup 7)" = $((3 * 4 * 4 * 2)) ] || fail "ledger: scored responses: $(ledger soup 7)"
[ "$(ledger zero 5)" = "$(ledger soup 5)" ] || fail "ledger: roll-out tokens of the same experts"
bytes=$(stat -c %s "$work/n1/experts/meta-family-s1/family.safetensors")
[ $((4 * $(ledger meta 11))) -lt "$bytes" ] && [ $((4 * $(ledger meta 11) + 20000)) -gt "$bytes" ] || fail "ledger: $(ledger meta 11) parameters, the file has $bytes bytes"

# The same at other numbers of ranks, on teams of two shapes, and after a kill.
run_it 3 "$work/n3" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "3 ranks"; }
run_it 2 "$work/killed" >/dev/null 2>&1 &
pid=$!
journal_has "$work/killed" '"job_done".*"label":"meta-family-s1"'
kill_tree "$pid"
run_it 1 "$work/killed" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on"; }
for file in cells.csv front.csv samples.jsonl steps.csv ledger.csv; do
  same_file "$work/n1/$file" "$work/n3/$file"
  same_file "$work/n1/$file" "$work/killed/$file"
done
for file in adapter_model.safetensors family.json family.safetensors; do
  same_file "$work/n1/experts/meta-family-s1/$file" "$work/killed/experts/meta-family-s1/$file"
done
for team in 'rows=2' 'cols=2'; do
  run_it 3 "$work/$team" --set "finetune.team.$team" --set "evaluate.team.$team" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "team.$team"; }
  [ "$(wc -l <"$work/$team/cells.csv")" = "$(wc -l <"$work/n1/cells.csv")" ] || fail "team.$team: another number of points"
done

# A training that is stopped within goes on to the same.
hold_at told:step 26
run_it 2 "$work/held" --set 'policies.[4].train.lr=2e-3' >/dev/null 2>"$work/err" &
pid=$!
held "$pid"
kill_tree "$pid"
run_it 1 "$work/held" --set 'policies.[4].train.lr=2e-3' >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on within a training"; }
run_it 1 "$work/whole" --set 'policies.[4].train.lr=2e-3' >/dev/null 2>&1
same_file "$work/whole/cells.csv" "$work/held/cells.csv"

# It is taken home as an adapter, which says what generate says; another weight than a point's, too.
prompt='Client: I lost my job.
Counselor:'
expect 0 "$paretorank" export "$work/n1" --search meta --weights 0.5,0.25,0.25 --out "$work/taken"
expect 0 "$paretorank" generate "$PARETORANK_SOURCE_DIR/sweeps/counsel/model" --adapter "$work/taken" --prompt "$prompt" --greedy --max-new-tokens 12
cp "$work/out" "$work/said"
expect 0 "$paretorank" generate "$work/n1" --search meta --weights 0.5,0.25,0.25 --prompt "$prompt" --greedy --max-new-tokens 12
same_file "$work/said" "$work/out"
point=$(grep '^clp,1,[^,]*,0.5,0.5,0,' "$work/n1/cells.csv" | cut -d, -f17)
expect 0 "$paretorank" export "$work/n1" --point "$point" --out "$work/point"
expect 0 "$paretorank" export "$work/n1" --point "$point" --as model --out "$work/model"

# What is damaged is found and made again.
family=$(readlink -f "$work/n3/experts/clp-family-s1")/family.json
sed -i 's/"format": 1/"format": 1 /' "$family"
expect 3 "$paretorank" export "$work/n3" --point "$point" --out "$work/no"
run_it 1 "$work/n3" >/dev/null 2>"$work/err"
grep -q 'it will be made again' "$work/err" || fail "damage is not told of: $(cat "$work/err")"
same_file "$work/n1/cells.csv" "$work/n3/cells.csv"

# plan counts them; what does not fit is refused by its key.
expect 0 "$paretorank" plan "$work/sweep.cfg"
grep -q 'meta: 1 family of adapters (1 per seed), 4 steps' "$work/out" || fail "plan: $(grep fine-tune "$work/out")"
refused() { # what is set, what is said
  expect 2 "$paretorank" plan "$work/sweep.cfg" --set "$1"
  grep -q -- "$2" "$work/err" || fail "$1: $(cat "$work/err")"
}
refused 'policies.[0].train={core="full";}' 'policies\[0\].train.core: found the string "full", expected nothing of a method'
refused 'policies.[4].train={weigh="mgda";}' 'policies\[4\].train.weigh: found "mgda", expected a rule that is a function'
refused 'policies.[4].train={weigh={type="stch";ideal="max";};}' 'found "stch" with ideal = "max"'
refused 'policies.[4].train={combine="pama";}' 'policies\[4\].train.combine: found "pama"'
refused 'policies.[4].train={core="blogs";}' 'policies\[4\].train.core: '
refused 'policies.[4].train={core={type="mlp";hidden=0;};}' 'hidden: found the integer 0'
refused 'policies.[4].train={sample={weights=[1.0,0.0];};}' 'policies\[4\].train.sample: weights: found 2 numbers, expected 3'
refused 'policies.[2].beta=0.3' 'beta: found 0.3, expected more than 1/3'
refused 'policies.[4].train={sample={alpha=0.0;};}' 'alpha: found the number 0'
