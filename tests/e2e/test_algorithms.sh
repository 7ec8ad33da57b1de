# SPDX-License-Identifier: BSD-3-Clause
# Algorithms that are more than advantages of a group: preferences between responses, and a critic. The same bytes at any
# number of ranks, in teams, and when a training is stopped within and goes on.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

cat >"$work/sweep.cfg" <<CFG
name = "algorithms"; seed = 5; model = "$counsel/model"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 3; prompts_per_step = 3; samples = 3; max_new_tokens = 6; checkpoint_every = 1; lora = { r = 2; }; };
evaluate = { prompts = 3; max_new_tokens = 6; };
objectives = ( { name = "brevity"; }, { name = "distinct"; n = 2; } );
policies = (
  { name = "rloo"; mix = "params"; },
  { name = "odpo"; mix = "params"; train = { algorithm = "odpo"; kl = 0.1; }; },
  { name = "ppo"; mix = "params"; train = { algorithm = { type = "ppo"; epochs = 2; minibatches = 2; }; measure = true; kl_estimator = "k3"; }; },
  { name = "pairs"; method = "conditioned"; train = { algorithm = "odpo"; }; },
  { name = "told"; method = "conditioned"; train = { algorithm = "ppo"; }; },
  { name = "conflict"; method = "single"; train = { algorithm = "odpo"; weigh = "mgda"; }; },
  { name = "seen"; method = "single"; train = { algorithm = "ppo"; measure = true; entropy = 0.01; }; },
  { name = "both"; method = "single"; train = { algorithm = ( "scst", "ppo" ); }; }
);
search = { type = "grid"; divisions = 2; };
base = false;
CFG
run() { # ranks, results, more arguments
  local ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/sweep.cfg" --set "results=\"$work/$results\"" "$@" >"$work/out" 2>"$work/err" </dev/null || {
    cat "$work/err" >&2
    fail "$results on $ranks ranks"
  }
}
run 1 one
points() { grep "^$1," "$work/one/cells.csv" | cut -d, -f7-13; }
for search in rloo odpo ppo pairs told conflict seen both-algorithm-scst both-algorithm-ppo; do
  [ "$(points $search | wc -l)" -eq 3 ] || fail "$search: $(points $search | wc -l) points"
done
[ "$(points rloo)" != "$(points odpo)" ] && [ "$(points rloo)" != "$(points ppo)" ] || fail "another algorithm changed nothing"
[ "$(grep '"event":"step"' "$work/one/journal.jsonl" | grep '"held":' | grep -c '"value_loss":')" -eq $((3 * (2 + 1 + 3 + 3))) ] ||
  fail "steps of a critic say nothing of it"
grep '"held":' "$work/one/journal.jsonl" | grep -q '"gram":' || fail "nothing was measured beside a critic"
ledger() { grep "^$1,1," "$work/one/ledger.csv" | cut -d, -f"$2"; }
[ "$(ledger rloo 7)" = "$(ledger ppo 7)" ] || fail "ledger: scored responses"

run 3 three
for file in cells.csv front.csv samples.jsonl steps.csv ledger.csv; do
  same_file "$work/one/$file" "$work/three/$file"
done
# Stopped in the second step of a training with a critic.
n=$(grep '"event":"step"' "$work/one/journal.jsonl" | grep -n '"held":' | sed -n 2p | cut -d: -f1)
hold_at told:step "$n"
mpirun -q -n 1 "$paretorank" run "$work/sweep.cfg" --set "results=\"$work/stopped\"" >"$work/out" 2>"$work/err" &
held $!
kill_tree $!
run 2 stopped
grep -q 'continues at step' "$work/err" || fail "the training began afresh: $(cat "$work/err")"
same_file "$work/one/cells.csv" "$work/stopped/cells.csv"
for team in rows cols; do
  run 3 "$team" --set "finetune.team.$team=2"
  [ "$(wc -l <"$work/$team/cells.csv")" = "$(wc -l <"$work/one/cells.csv")" ] || fail "teams of $team: another number of points"
done

# What does not fit is told before anything is trained.
refuse() { # settings of the first policy's trainings, expected
  sed "s/{ name = \"rloo\"; mix = \"params\"; }/{ name = \"rloo\"; mix = \"params\"; train = { $1 }; }/" "$work/sweep.cfg" >"$work/bad.cfg"
  expect 2 "$paretorank" plan "$work/bad.cfg"
  grep -qF -- "$2" "$work/err" || { cat "$work/err" >&2; fail "no '$2'"; }
}
refuse 'algorithm = "pppo";' "unknown algorithm 'pppo'"
refuse 'algorithm = { type = "ppo"; epoch = 2; };' "unknown key 'epoch'"
refuse 'algorithm = { epochs = 2; };' 'train.algorithm: found'
refuse 'algorithm = { type = "ppo"; clip = 0.0; };' 'clip: found'
refuse 'algorithm = { type = "ppo"; minibatches = 4; };' 'minibatches, expected at most prompts_per_step = 3'
refuse 'algorithm = "ppo"; combine = "gdpo";' 'which makes advantages itself, beside the algorithm "ppo"'
refuse 'algorithm = "ppo"; weigh = "cagrad";' "takes each objective's own gradient"
refuse 'algorithm = "odpo"; kl = 0.0;' 'kl: found 0, expected more than 0'
refuse 'algorithm = "odpo"; kl_estimator = "k3";' 'kl_estimator: found "k3"'
expect 2 "$paretorank" plan "$work/sweep.cfg" --set 'finetune.method="odpo"' --set finetune.kl=0
