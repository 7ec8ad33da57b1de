# SPDX-License-Identifier: BSD-3-Clause
# Trainings of several objectives by every combiner and weighting rule: sweeps of seconds, the same bytes at any number of
# ranks, on teams, and when they are stopped and go on.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
head -5 "$counsel/prompts-eval.jsonl" >"$work/validation.jsonl"

# sweep NAME TRAIN MORE: writes $work/NAME.cfg
sweep() {
  cat >"$work/$1.cfg" <<CFG
name = "$1"; seed = 5; model = "$counsel/model"; results = "$work/$1"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; validation = "$work/validation.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
finetune = { steps = 3; prompts_per_step = 2; samples = 3; max_new_tokens = 6; checkpoint_every = 1; lora = { r = 2; }; };
evaluate = { prompts = 3; max_new_tokens = 6; };
objectives = ( { name = "brevity"; }, { name = "distinct"; n = 2; }, { name = "repetition"; minimize = true; } );
policies = ( { name = "p"; method = "single"; train = { $2 }; } );
search = { policy = "p"; type = "list"; file = "$work/points"; };
base = false;
${3-}
CFG
}
printf '1 2 1\n1 0 0\n' >"$work/points"
run() { # ranks, name, more arguments
  local ranks=$1 name=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/$name.cfg" "$@" >"$work/out" 2>"$work/err" </dev/null || {
    cat "$work/err" >&2
    fail "the sweep $name on $ranks ranks"
  }
}
trainings() { grep -c '"event":"job_end".*"kind":"train"' "$work/$1/journal.jsonl"; }
steps_of() { grep '"event":"step"' "$work/$1/journal.jsonl" | grep -c "\"$2\":"; }

for combine in linear cheby_sample rank hvc mo_grpo gdpo rvpo pama; do
  sweep "c-$combine" "combine = \"$combine\";"
  run 1 "c-$combine"
  [ "$(wc -l <"$work/c-$combine/cells.csv")" -eq 3 ] || fail "$combine: cells.csv"
done
cut -d, -f7- "$work/c-linear/cells.csv" | cmp -s - <(cut -d, -f7- "$work/c-rank/cells.csv") && fail "rank does what linear does"

# Where only which weights are 0 matters, points that differ in others are one training, which is called by its objectives.
printf '1 2 1\n2 1 1\n1 1 0\n1 0 0\n' >"$work/alike"
for combine in rank hvc pama; do
  sweep "a-$combine" "combine = \"$combine\";"
  sed -i "s#$work/points#$work/alike#" "$work/a-$combine.cfg"
  run 2 "a-$combine"
  [ "$(cd "$work/a-$combine/experts" && echo *)" = "p-brevity-distinct-repetition-s1 p-brevity-distinct-s1 p-brevity-s1" ] ||
    fail "$combine: trainings $(ls "$work/a-$combine/experts")"
  [ "$(wc -l <"$work/a-$combine/cells.csv")" -eq 5 ] || fail "$combine: points"
done

# A rule per line, with how many trainings the two points are: those that take no preference make one for both.
while read -r rule trained gram options; do
  sweep "w-$rule" "weigh = { type = \"$rule\"; $options };"
  run 1 "w-$rule"
  n=$(ls "$work/w-$rule/experts" | wc -l)
  [ "$n" -eq "$trained" ] || fail "$rule: $n trainings, expected $trained"
  [ "$(steps_of "w-$rule" weights)" -eq 3 ] || fail "$rule: steps with weights"
  [ "$(steps_of "w-$rule" gram)" -eq $((3 * gram)) ] || fail "$rule: steps with inner products"
done <<RULES
chebyshev 2 0
stch 2 0 mu = 0.1;
maxmin 1 0
lagrangian 1 0 thresholds = [ 0.4, -0.5 ];
drw_hv 2 0 every = 2;
drw_grad 2 1
ctwa 2 0
exp3 1 0 every = 1;
exp3_scaled 1 0 every = 2;
ucb1 1 0 every = 1;
linucb 1 0 every = 1;
uniform 1 0
round_robin 1 0
mgda 1 1
pcgrad 2 1
cagrad 2 1
gradnorm 1 1
RULES

# Rules with a state, with validation, with gradients: the same at 3 ranks, in a team, and stopped at each step.
for rule in stch exp3 cagrad; do
  options=$([ $rule = exp3 ] && echo 'every = 1;') || true
  sweep "r-$rule" "weigh = { type = \"$rule\"; $options };"
  run 3 "r-$rule"
  same_file "$work/r-$rule/cells.csv" "$work/w-$rule/cells.csv"
  sweep "s-$rule" "weigh = { type = \"$rule\"; $options };"
  for step in 1 2; do
    hold_at told:step $step
    mpirun -q -n 1 "$paretorank" run "$work/s-$rule.cfg" >"$work/out" 2>"$work/err" &
    held $!
    kill_tree $!
  done
  run 2 "s-$rule"
  same_file "$work/s-$rule/cells.csv" "$work/w-$rule/cells.csv"
done
sweep team 'weigh = "cagrad";'
sed -i 's/checkpoint_every = 1;/checkpoint_every = 1; team = { rows = 2; cols = 1; };/' "$work/team.cfg"
run 3 team

# What is only measured changes nothing but how a sum may be rounded; the same in a team and at other ranks.
for combine in linear gdpo; do
  sweep "m-$combine" "combine = \"$combine\"; measure = true;"
  run 2 "m-$combine"
  [ "$(steps_of "m-$combine" gram)" -eq 3 ] || fail "measure, $combine: steps with inner products: $(steps_of "m-$combine" gram)"
  cut -d, -f7-14 "$work/m-$combine/cells.csv" | cmp -s - <(cut -d, -f7-14 "$work/c-$combine/cells.csv") || fail "measuring changes $combine"
done
sed 's/results = "[^"]*"/results = "'"${work//\//\\/}"'\/m-again"/' "$work/m-gdpo.cfg" >"$work/m-again.cfg"
run 1 m-again
same_file "$work/m-again/cells.csv" "$work/m-gdpo/cells.csv"
sweep m-mgda 'weigh = "mgda"; measure = true;'
run 1 m-mgda
same_file "$work/m-mgda/cells.csv" "$work/w-mgda/cells.csv"

# A training that does not gain ends before its steps, and its best step is what is kept: the same however it was stopped.
stop='lr = 0.3; steps = 8; stop = { patience = 2; every = 1; };'
sweep early "$stop"
run 1 early
grep '"event":"job_done"' "$work/early/journal.jsonl" | grep '"kept_step":' >"$work/kept"
[ "$(wc -l <"$work/kept")" -eq 2 ] || fail "early: $(wc -l <"$work/kept") trainings say which step was kept"
while read -r line; do
  kept=$(echo "$line" | grep -o '"kept_step":[0-9]*' | cut -d: -f2)
  steps=$(echo "$line" | grep -o '"steps":[0-9]*' | cut -d: -f2)
  [ "$steps" -eq $((kept + 2)) ] || [ "$steps" -eq 8 ] || fail "early: kept step $kept, ended at $steps"
  [ "$steps" -lt 8 ] && ended=1
done <"$work/kept"
[ "${ended-}" ] || fail "early: no training ended before its steps"
sweep early-again "$stop"
hold_at told:step 2
mpirun -q -n 1 "$paretorank" run "$work/early-again.cfg" >"$work/out" 2>"$work/err" &
held $!
kill_tree $!
run 3 early-again
same_file "$work/early-again/cells.csv" "$work/early/cells.csv"
sweep early-worst "lr = 0.3; steps = 4; stop = { patience = 1; every = 2; min_gain = 0.01; metric = \"worst\"; };"
run 2 early-worst

# Other validation prompts are other results; a directory that has moved along with them finds them.
mkdir "$work/along"
head -5 "$counsel/prompts-eval.jsonl" >"$work/along/v.jsonl"
sweep along "$stop"
sed -i "s#$work/validation.jsonl#$work/along/v.jsonl#; s#results = \"[^\"]*\"#results = \"$work/along/out\"#" "$work/along.cfg"
"$paretorank" plan "$work/along.cfg" | grep -q '5 for validation' || fail "plan says nothing of the validation prompts"
run 1 along
cp "$work/along/out/cells.csv" "$work/before"
head -4 "$counsel/prompts-eval.jsonl" >"$work/along/v.jsonl"
expect 2 "$paretorank" run "$work/along.cfg"
grep -qF 'prompts.validation: its content' "$work/err" || { cat "$work/err" >&2; fail "other validation prompts are not noticed"; }
head -5 "$counsel/prompts-eval.jsonl" >"$work/along/v.jsonl"
mv "$work/along" "$work/elsewhere"
rm "$work/elsewhere/out/cells.csv"
"$paretorank" run "$work/elsewhere/out" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; fail "moved along"; }
same_file "$work/elsewhere/out/cells.csv" "$work/before"

# What does not fit is told before anything is trained.
refuse() { # TRAIN EXPECTED
  sweep bad "$1"
  expect 2 "$paretorank" run "$work/bad.cfg"
  grep -qF -- "$2" "$work/err" || { cat "$work/err" >&2; fail "no '$2'"; }
  [ ! -d "$work/bad" ] || fail "a results directory of what does not fit"
  expect 2 "$paretorank" plan "$work/bad.cfg"
  grep -qF -- "$2" "$work/err" || { cat "$work/err" >&2; fail "plan: no '$2'"; }
}
refuse 'weigh = "stoch";' 'weighting rule'
refuse 'weigh = { type = "stch"; nu = 1; };' "unknown key 'nu'"
refuse 'weigh = { mu = 1; };' 'train.weigh: found'
refuse 'combine = 3;' 'train.combine: found'
refuse 'weigh = { type = "lagrangian"; thresholds = [ 0.4 ]; };' 'thresholds: found'
refuse 'combine = "gdpo"; weigh = "mgda";' "takes each objective's own gradient"
sweep bad 'weigh = "exp3";'
sed -i 's/validation = "[^"]*"; //' "$work/bad.cfg"
expect 2 "$paretorank" plan "$work/bad.cfg"
grep -qF 'prompts.validation: missing; weigh = "exp3" asks' "$work/err" || fail "no word of prompts.validation"
sweep bad "$stop"
sed -i 's/validation = "[^"]*"; //' "$work/bad.cfg"
expect 2 "$paretorank" plan "$work/bad.cfg"
grep -qF 'prompts.validation: missing; stop.patience asks' "$work/err" || fail "no word of prompts.validation"
