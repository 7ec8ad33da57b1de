# SPDX-License-Identifier: BSD-3-Clause
# Trainings that begin as an adapter: finetune.init, and a policy's own.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

# sweep DIR NAME FINETUNE MORE: writes DIR/NAME.cfg, with results in DIR/NAME
sweep() {
  cat >"$1/$2.cfg" <<CFG
name = "$2"; seed = 5; model = "$counsel/model"; results = "$1/$2"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { prompts_per_step = 2; samples = 3; max_new_tokens = 6; checkpoint_every = 1; lora = { r = 2; }; $3 };
evaluate = { prompts = 4; max_new_tokens = 6; };
objectives = ( { name = "brevity"; }, { name = "distinct"; n = 2; } );
search = { type = "list"; file = "points"; ${5-} };
base = false;
${4-}
CFG
  printf '1 0\n1 1\n' >"$1/points"
}
run() { # ranks, file or directory, more arguments
  local ranks=$1
  shift
  mpirun -q -n "$ranks" "$paretorank" run "$@" >"$work/out" 2>"$work/err" </dev/null || {
    cat "$work/err" >&2
    fail "run $*"
  }
}
refuse() { # code, expected, verb, arguments
  local code=$1 expected=$2
  shift 2
  expect "$code" "$paretorank" "$@"
  grep -qF -- "$expected" "$work/err" || { cat "$work/err" >&2; fail "no '$expected'"; }
}
first_kl() { grep -m1 '"event":"step"' "$1/journal.jsonl" | grep -o '"kl":[^,}]*'; }

# A training of steps that move nothing is what it began as; one that begins anew is at the base model, without any KL.
mkdir "$work/a" "$work/b"
sweep "$work/a" first 'steps = 4; lr = 0.05;'
run 1 "$work/a/first.cfg"
[ "$(first_kl "$work/a/first")" = '"kl":0.0' ] || fail "the first step of a new adapter: $(first_kl "$work/a/first")"
mkdir "$work/b/given"
cp "$work/a/first/experts/brevity-s1/"adapter_* "$work/b/given/"
sweep "$work/b" still 'steps = 1; lr = 1e-12; init = "given";'
"$paretorank" plan "$work/b/still.cfg" >/dev/null || fail "plan"
run 1 "$work/b/still.cfg"
[ "$(first_kl "$work/b/still")" != '"kl":0.0' ] || fail "the first step of a given adapter is the base model's"
of() { grep -m1 "$2" "$1/cells.csv" | cut -d, -f6-9; }
[ "$(of "$work/a/first" ',1,0,1,0,')" = "$(of "$work/b/still" ',1,0,1,0,')" ] || fail "what began as an adapter is another"
[ "$(of "$work/b/still" ',1,0,1,0,')" = "$(of "$work/b/still" ',1,0,0.5,0.5,')" ] || fail "both experts began as one adapter"

# The same at other ranks, and stopped at its first step.
sweep "$work/b" moves 'steps = 3; lr = 0.05; init = "given";'
run 1 "$work/b/moves.cfg"
cmp -s "$work/b/moves/cells.csv" "$work/b/still/cells.csv" && fail "it has not moved"
sweep "$work/b" again 'steps = 3; lr = 0.05; init = "given";'
hold_at told:step 1
mpirun -q -n 1 "$paretorank" run "$work/b/again.cfg" >"$work/out" 2>"$work/err" &
held $!
kill_tree $!
run 3 "$work/b/again.cfg"
same_file "$work/b/again/cells.csv" "$work/b/moves/cells.csv"

# A policy's own, beside one that begins anew.
sweep "$work/b" own 'steps = 3; lr = 0.05;' \
  'policies = ( { name = "anew"; method = "experts"; mix = "params"; },
                { name = "given"; method = "single"; train = { init = "given"; }; } );' 'policy = "given";'
run 2 "$work/b/own.cfg"
[ "$(of "$work/b/own" ',1,0,1,0,')" = "$(of "$work/b/moves" ',1,0,1,0,')" ] || fail "one objective alone, as a policy's own"

# It moves along with the directory; another content, and none at all, are noticed.
cp "$work/b/own/cells.csv" "$work/before"
sed -i 's/train = { init = "given"; }; //' "$work/b/own.cfg"
refuse 2 'policies.given.train.init: ' run "$work/b/own.cfg"
sed -i 's/ init = "given";//' "$work/b/again.cfg"
refuse 2 'finetune.init: ' run "$work/b/again.cfg"
mv "$work/b" "$work/c"
sed -i "s,$work/b/,$work/c/," "$work"/c/*.cfg
rm "$work/c/own/cells.csv" "$work/c/moves/cells.csv"
run 1 "$work/c/own"
same_file "$work/c/own/cells.csv" "$work/before"
run 1 "$work/c/moves"
same_file "$work/c/moves/cells.csv" "$work/c/again/cells.csv"
cp "$work/a/first/experts/distinct-s1/"adapter_* "$work/c/given/"
refuse 2 'finetune.init: its content → another' run "$work/c/moves.cfg"

# Of another shape, and missing.
sweep "$work/c" bad 'steps = 1; init = "given"; lora = { r = 2; targets = ( "q_proj" ); };'
sed -i 's/lora = { r = 2; }; //' "$work/c/bad.cfg"
for verb in plan run; do
  refuse 2 'k_proj: found an adapter, expected none' $verb "$work/c/bad.cfg"
done
sweep "$work/c" bad 'steps = 1; init = "given"; lora = { r = 3; };'
sed -i 's/lora = { r = 2; }; //' "$work/c/bad.cfg"
for verb in plan run; do
  refuse 2 'found rank 2 and scale 16, expected rank 3' $verb "$work/c/bad.cfg"
done
sweep "$work/c" bad 'steps = 1; init = "nowhere";'
for verb in plan run; do
  refuse 3 'nowhere' $verb "$work/c/bad.cfg"
done
[ ! -e "$work/c/bad" ] || fail "a results directory of what does not fit"
