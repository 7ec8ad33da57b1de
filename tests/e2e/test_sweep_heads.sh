# SPDX-License-Identifier: BSD-3-Clause
# A sweep that fits a reward head of its own first: the same at any number of ranks, on teams, after a kill; a changed data file is fitted anew.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel

for i in $(seq 40); do
  printf '{"prompt": "Client: Day %d was hard.\\nCounselor:", "chosen": " I hear you, and I care.", "rejected": " Stop it, number %d."}\n' "$i" "$i"
done >"$work/pairs.jsonl"
cat >"$work/heads.cfg" <<CFG
name = "heads"; seed = 5; model = "$counsel/model"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
objectives = ( { name = "kind"; type = "linear_head"; data = "pairs.jsonl"; ridge = 0.1; transform = "sigmoid"; }, { name = "brevity"; } );
finetune = { steps = 2; prompts_per_step = 2; samples = 2; max_new_tokens = 6; lora = { r = 2; }; };
evaluate = { prompts = 4; max_new_tokens = 6; };
search = { type = "grid"; divisions = 2; };
CFG
run() { # ranks, results, more arguments
  local ranks=$1 results=$2
  shift 2
  mpirun -q -n "$ranks" "$paretorank" run "$work/heads.cfg" --set "results=\"$work/$results\"" "$@" >"$work/out" 2>"$work/err" || {
    cat "$work/err" >&2
    fail "the sweep on $ranks ranks into $results"
  }
}
done_jobs() { grep '"job_done"' "$work/$1/journal.jsonl" | grep -c "\"kind\":\"$2\"" || true; }
want() { # results, fits, trainings, evaluations: so far
  [ "$(done_jobs "$1" fit_reward) $(done_jobs "$1" train) $(done_jobs "$1" evaluate)" = "$2 $3 $4" ] ||
    fail "$1: $(done_jobs "$1" fit_reward) fits, $(done_jobs "$1" train) trainings, $(done_jobs "$1" evaluate) evaluations; expected $2, $3, $4"
}

run 1 one
want one 1 2 4
[ "$(grep -n '"job_done"' "$work/one/journal.jsonl" | head -1 | grep -c fit_reward)" -eq 1 ] || fail "the head was not the first job"
grep -q '"held_out_accuracy":' "$work/one/journal.jsonl" || fail "the journal lacks the fit's figures"
grep -q ',fit_reward,' "$work/one/costs.csv" || fail "costs.csv lacks the fit"
[ -f "$work/one/heads/kind.safetensors" ] || fail "no head"
run 3 three
want three 1 2 4
for file in cells.csv front.csv samples.jsonl heads/kind.safetensors; do same_file "$work/one/$file" "$work/three/$file"; done

# On teams: two rows, then two columns.
run 3 rows --set finetune.team.rows=2 --set evaluate.team.rows=2
want rows 1 2 4
run 3 cols --set finetune.team.cols=2
want cols 1 2 4

# Again: nothing to do. Without its link it is linked again; without its file it is made again, the same, and nothing else.
run 2 one
want one 1 2 4
file=$(readlink -f "$work/one/heads/kind.safetensors")
rm "$work/one/heads/kind.safetensors"
run 2 one
want one 1 2 4
[ "$(readlink -f "$work/one/heads/kind.safetensors")" = "$file" ] || fail "the link to the head does not come back"
rm "$file"
run 2 one
want one 2 2 4
same_file "$work/one/heads/kind.safetensors" "$work/three/heads/kind.safetensors"

# Killed while it fits.
hold_at journal:job_start 1
"$paretorank" run "$work/heads.cfg" --set "results=\"$work/killed\"" >/dev/null 2>&1 &
pid=$!
held "$pid"
kill_tree "$pid"
run 2 killed
for file in cells.csv front.csv heads/kind.safetensors; do same_file "$work/one/$file" "$work/killed/$file"; done

# Other data: another head, and all that was scored by it.
printf '{"prompt": "Client: One more.\\nCounselor:", "chosen": " I see.", "rejected": " No."}\n' >>"$work/pairs.jsonl"
run 2 three --replace
want three 2 3 8
cmp -s "$work/one/heads/kind.safetensors" "$work/three/heads/kind.safetensors" && fail "the head is that of the old data"
"$paretorank" status "$work/three" >"$work/out" || fail "status"
grep -q finished "$work/out" || fail "status: $(cat "$work/out")"

# What cannot be fitted: the job fails, is tried again, and the sweep ends incomplete, saying why.
expect 1 "$paretorank" run "$work/heads.cfg" --set "results=\"$work/singular\"" --set 'objectives.[0].ridge=0' --set retries=1
grep -q 'set ridge to' "$work/err" || fail "the error does not name the ridge: $(tail -1 "$work/err")"
[ "$(grep -c '"job_failed"' "$work/singular/journal.jsonl")" -eq 2 ] || fail "singular: not tried twice"
want singular 0 0 0
