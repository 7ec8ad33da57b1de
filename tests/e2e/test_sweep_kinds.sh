# SPDX-License-Identifier: BSD-3-Clause
# Sweeps of other shapes: one, two and five objectives of many types, given adapters, every type of search, seeds.
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
fixtures=$PARETORANK_SOURCE_DIR/tests/fixtures
small='finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 6; lora = { r = 2; }; };
evaluate = { prompts = 4; max_new_tokens = 6; };'

# sweep NAME OBJECTIVES MORE: writes $work/NAME.cfg
sweep() {
  cat >"$work/$1.cfg" <<CFG
name = "$1"; seed = 5; model = "$counsel/model"; results = "$work/$1"; stop = ( "\n" );
prompts = { train = "$counsel/prompts-train.jsonl"; eval = "$counsel/prompts-eval.jsonl"; };
$small
objectives = ( $2 );
$3
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
rows() { tail -n +2 "$work/$1/cells.csv" | grep -vc ^base,; } # of the search
want_rows() { [ "$(rows "$1")" -eq "$2" ] || fail "$1: $(rows "$1") points, expected $2"; }

# K = 1: one expert, one point, which is the front.
sweep one '{ name = "brevity"; }' 'search = { type = "hierarchical"; domain = "simplex"; levels = 2; };'
run 2 one
want_rows one 1
[ "$(wc -l <"$work/one/front.csv")" -eq 2 ] || fail "one: front.csv"

# K = 2, one of them to be made small, by a program and by a word list.
cat >"$work/vowels.sh" <<'SH'
# Scores: how many vowels the response has. Plain shell, so that the test needs nothing else.
while IFS= read -r line; do
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  response=${line##*\"response\":\"}
  vowels=$(printf %s "$response" | tr -cd aeiou)
  printf '{"id": %s, "score": %s}\n' "$id" "${#vowels}"
done
SH
printf 'i\t1\nyou\t-1\nthe\t0.5\n' >"$work/words.tsv"
sweep two '{ name = "vowels"; type = "command"; command = ( "sh", "'"$work"'/vowels.sh" ); lo = 0; minimize = true; },
  { name = "words"; type = "lexicon"; words = "'"$work"'/words.tsv"; }' \
  'search = { type = "grid"; divisions = 3; };'
run 3 two
want_rows two 4
cp -r "$work/two" "$work/two-again"
rm "$work/two-again/journal.jsonl"
expect 3 "$paretorank" run "$work/two.cfg" --set "results=\"$work/two-again\"" # what was done is not known any more
same_file "$work/two/cells.csv" "$work/two-again/cells.csv"

# K = 5, with two reward models.
sweep five '{ name = "brevity"; }, { name = "first"; type = "reward_model"; model = "'"$fixtures"'/reward-gpt2"; },
  { name = "second"; type = "reward_model"; model = "'"$fixtures"'/reward-llama"; transform = "sigmoid"; },
  { name = "fluency"; }, { name = "distinct"; n = 1; }' \
  'search = ( { name = "corners"; type = "grid"; divisions = 1; }, { name = "drawn"; type = "random"; points = 4; } );'
run 3 five
want_rows five 9
grep -q '"first"' "$work/five/front.json" || fail "five: front.json lacks an objective"
grep -q ',nan' "$work/five/cells.csv" && fail "five: not a number in cells.csv"

# Two objectives that are the same share one training, under both names; where one goes elsewhere, it has its own.
sweep equal '{ name = "short"; type = "brevity"; words = 6; }, { name = "brief"; type = "brevity"; words = 6; }' \
  'search = { type = "grid"; divisions = 2; };'
expert() { readlink -f "$work/equal/experts/$1-s1"; }
trained() { grep '"job_done"' "$work/equal/journal.jsonl" | grep -c '"kind":"train"'; }
run 2 equal
want_rows equal 3
[ "$(trained)" -eq 1 ] || fail "equal objectives: $(trained) trainings, expected 1"
[ -d "$(expert short)" ] && [ "$(expert short)" = "$(expert brief)" ] || fail "equal objectives: $(expert short) and $(expert brief)"
expect 0 "$paretorank" export "$work/equal" --weights 0,1 --out "$work/equal-adapter"
rm "$work/equal/experts/brief-s1"
run 1 equal
[ "$(expert short)" = "$(expert brief)" ] || fail "the link of the second name does not come back"
run 2 equal --set 'objectives.[1].words=7' --replace
[ "$(trained)" -eq 2 ] && [ "$(expert short)" != "$(expert brief)" ] || fail "another objective has the same expert"

# Policies of two methods, and trainings of their own: the same at any number of ranks and after SIGKILL; who asks for the
# same training shares it; what a search evaluates can be taken home.
sweep policies '{ name = "brevity"; }, { name = "distinct"; n = 1; }' '
policies = ( { name = "soup"; mix = "params"; }, { name = "each"; method = "single"; },
             { name = "longer"; method = "single"; train = { steps = 2; }; } );
search = ( { policy = ( "soup", "each" ); type = "grid"; divisions = 2; },
           { policy = "longer"; type = "list"; file = "'"$work"'/middle.txt"; } );'
echo '1/2 1/2' >"$work/middle.txt"
run 1 policies
want_rows policies 7
job_done() { grep '"job_done"' "$1/journal.jsonl" | grep -c '"kind":"train"'; }
[ "$(job_done "$work/policies")" -eq 4 ] || fail "policies: $(job_done "$work/policies") trainings, expected 4"
run 3 policies --set "results=\"$work/policies3\""
hold_at journal:job_done 3
mpirun -q -n 2 "$paretorank" run "$work/policies.cfg" --set "results=\"$work/policies2\"" >/dev/null 2>"$work/err" &
pid=$!
held "$pid"
kill -KILL "$(holder)"
wait "$pid" && fail "policies: the killed one says that all is well"
[ "$(job_done "$work/policies2")" -lt 4 ] || fail "policies: nothing is left to do"
run 2 policies --set "results=\"$work/policies2\""
for file in cells.csv front.csv samples.jsonl; do
  same_file "$work/policies/$file" "$work/policies3/$file"
  same_file "$work/policies/$file" "$work/policies2/$file"
done
expect 0 "$paretorank" export "$work/policies" --search each --weights 0.5,0.5 --out "$work/taken"
expect 0 "$paretorank" generate "$counsel/model" --adapter "$work/taken" --prompt "Client: I am sad." --greedy --max-new-tokens 8
cp "$work/out" "$work/said"
expect 0 "$paretorank" generate "$counsel/model" --adapter "$work/policies/experts/brevity-0.5-distinct-0.5-s1" \
  --prompt "Client: I am sad." --greedy --max-new-tokens 8
same_file "$work/said" "$work/out"
expect 0 "$paretorank" export "$work/policies" --search soup --weights 1/2,1/2 --out "$work/soup"
expect 0 "$paretorank" export "$work/policies" --weights 1/2,1/2 --aggregate params --out "$work/sum"
tensors() { python3 -c 'import struct, sys; d = open(sys.argv[1], "rb").read(); sys.stdout.buffer.write(d[8 + struct.unpack("<Q", d[:8])[0]:])' "$work/$1/adapter_model.safetensors" >"$work/$1.data"; }
tensors soup
tensors sum
same_file "$work/soup.data" "$work/sum.data"
said() { grep -qF -- "$1" "$work/err" || fail "stderr has $(cat "$work/err"), expected $1"; }
expect 3 "$paretorank" export "$work/policies" --search each --weights 0.3,0.7 --out "$work/o"
said "has trained nothing for these weights"
expect 2 "$paretorank" export "$work/policies" --search other --weights 1,0 --out "$work/o"
said 'expected one of: soup, each, longer'
expect 2 "$paretorank" export "$work/policies" --search soup --aggregate params --weights 1,0 --out "$work/o"
said "found beside --search"
expect 2 "$paretorank" plan "$work/policies.cfg" --set 'policies.[1].mix=params'
said 'method "single" combines nothing'
[ ! -e "$work/o" ] || fail "a refused export left something"

# Given adapters only: no prompts to train on, nothing is fine-tuned.
sweep given '{ name = "brevity"; adapter = "'"$work"'/one/experts/brevity-s1"; },
  { name = "fluency"; adapter = "'"$work"'/five/experts/fluency-s1"; }' \
  'search = { type = "hierarchical"; domain = "cube"; levels = 1; };'
sed -i 's/train = "[^"]*";//' "$work/given.cfg"
run 3 given
want_rows given 9
grep -q '"kind":"train"' "$work/given/journal.jsonl" && fail "given: something was fine-tuned"
[ -z "$(ls "$work/given/artifacts")" ] && [ ! -e "$work/given/experts" ] || fail "given: experts were written"

# Every type of search and aggregation, several seeds, on given adapters.
printf '1/2 1/2\n0.25,0.75\n# a remark\n\n1 0\n' >"$work/points.txt"
for kind in 'type = "list"; file = "'"$work"'/points.txt"' 'type = "ols"; budget = 5' 'type = "random"; points = 3' \
  'type = "grid"; divisions = 2; fidelity = [1, 2, 4]' 'type = "hierarchical"; levels = 3; select = "best"; beam = 1' \
  'type = "hierarchical"; levels = 2; select = "front"; fidelity = [2, 4]; budget = 4'; do
  sed "s|^search = .*|search = { $kind; }; aggregate = ( \"params\", \"probs\" ); seeds = [1, 2];|" "$work/given.cfg" >"$work/kind.cfg"
  for ranks in 1 3; do
    rm -rf "$work/kind$ranks"
    run "$ranks" kind --set "results=\"$work/kind$ranks\""
    [ "$(wc -l <"$work/kind$ranks/cells.csv")" -gt 3 ] || fail "$kind: few points"
  done
  for file in cells.csv front.csv front.json samples.jsonl; do same_file "$work/kind1/$file" "$work/kind3/$file"; done
done

# regmean: the same at any number of ranks, and behind a cut; it needs training prompts; its keys make other jobs.
sweep merged '{ name = "brevity"; adapter = "'"$work"'/one/experts/brevity-s1"; },
  { name = "fluency"; adapter = "'"$work"'/five/experts/fluency-s1"; }' \
  'search = { type = "grid"; domain = "cube"; divisions = 2; }; aggregate = "regmean"; regmean = { prompts = 5; };'
for ranks in 1 3; do run "$ranks" merged --set "results=\"$work/merged$ranks\""; done
mkdir "$work/merged-cut"
cp -r "$work/merged3/evaluations" "$work/merged-cut/"
cut=$(grep -n '"event": *"job_done"' "$work/merged3/journal.jsonl" | sed -n '4s/:.*//p')
head -n "$cut" "$work/merged3/journal.jsonl" >"$work/merged-cut/journal.jsonl"
run 2 merged --set "results=\"$work/merged-cut\""
for file in cells.csv front.csv front.json samples.jsonl; do
  same_file "$work/merged1/$file" "$work/merged3/$file"
  same_file "$work/merged1/$file" "$work/merged-cut/$file"
done
[ "$(rows merged1)" -eq 9 ] || fail "merged: $(rows merged1) points, expected 9"
evaluated() { grep -c '"event": *"job_done"' "$work/$1/journal.jsonl"; }
[ "$(evaluated merged1)" -eq 9 ] || fail "merged: $(evaluated merged1) jobs"
[ "$(evaluated merged-cut)" -eq 9 ] || fail "merged-cut: $(evaluated merged-cut) jobs, expected the 5 that were cut off"
run 2 merged --set "results=\"$work/merged3\"" --set regmean.prompts=6 --replace
[ "$(evaluated merged3)" -eq 18 ] || fail "merged: with more prompts: $(evaluated merged3) jobs, expected 9 more"
expect 2 mpirun -q -n 1 "$paretorank" run "$work/given.cfg" --set 'aggregate="regmean"'
grep -q 'given.cfg: prompts.train: missing; aggregate = "regmean"' "$work/err" || fail "regmean without training prompts"
