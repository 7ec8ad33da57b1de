# SPDX-License-Identifier: BSD-3-Clause
# A results directory as people treat it: moved, renamed, copied, cleaned, damaged, opened twice, killed.
. "$(dirname "$0")/lib.sh"

# A project of its own: a model, adapters, prompts, a word list, a program that scores.
project() { # folder
  mkdir -p "$1/scorers"
  cp -r "$PARETORANK_SOURCE_DIR/tests/fixtures/gpt2" "$1/model"
  printf '{"prompt": "The work was"}\n{"prompt": "I feel tired and"}\n{"prompt": "She said"}\n' >"$1/eval.jsonl"
  printf 'the 1.0\nof -1.0\n' >"$1/words.txt"
  cat >"$1/scorers/half.sh" <<'SH'
while read -r line; do echo "{\"id\": $(expr "$line" : '.*"id": *\([0-9]*\)'), \"score\": 0.5}"; done
SH
  cat >"$1/two.cfg" <<CFG
model = "model"; prompts = { eval = "eval.jsonl"; };
objectives = (
  { name = "a"; type = "lexicon"; words = "words.txt"; adapter = "model/adapters/alpha"; },
  { name = "b"; type = "command"; command = ( "/bin/sh", "$1/scorers/half.sh" ); lo = 0.0; hi = 1.0; adapter = "model/adapters/beta"; } );
evaluate = { max_new_tokens = 4; };
search = { type = "grid"; divisions = 4; };
CFG
}
tables="cells.csv front.csv front.json samples.jsonl"
jobs() { grep -c '"job_done"' "$1/journal.jsonl"; }
run_in() { # folder, arguments of run
  local folder=$1
  shift
  (cd "$folder" && "$paretorank" run --quiet "$@")
}
same_tables() { for file in $tables; do same_file "$1/$file" "$2/$file"; done; }

project "$work/p"
expect 0 run_in "$work/p" two.cfg --set 'results="out/one"'
one=$work/p/out/one
cp -r "$one" "$work/reference"
[ "$(jobs "$one")" -eq 6 ] || fail "$(jobs "$one") jobs, expected 6"

# Renamed: worked in where it is; the old name stays away, nothing is done again, the bytes are the same.
mv "$one" "$work/p/out/other"
expect 0 run_in "$work/p/out" other
[ ! -e "$one" ] || fail "the old place was made again"
[ "$(jobs "$work/p/out/other")" -eq 6 ] || fail "a renamed sweep was done again"
same_tables "$work/reference" "$work/p/out/other"
expect 0 "$paretorank" plan "$work/p/out/other"
grep -q "^results .*/p/out/other " "$work/out" || fail "plan: $(grep results "$work/out")"

# What became another at its place is told, and what depends on it done again.
cp -r "$work/p/out/other" "$work/p/out/edited"
printf 'the 2.0\nof -1.0\n' >"$work/p/words.txt"
expect 2 run_in "$work/p/out" edited
grep -q "objectives.a.words: its content → another" "$work/err" || fail "an edited word list: $(cat "$work/err")"
expect 0 run_in "$work/p/out" edited --replace
grep -q "words.txt is not what it was" "$work/err" || fail "an edited word list: $(cat "$work/err")"
[ "$(jobs "$work/p/out/edited")" -eq 12 ] || fail "$(jobs "$work/p/out/edited") jobs with an edited word list, expected 12"
rm -r "$work/p/out/edited"
printf 'the 1.0\nof -1.0\n' >"$work/p/words.txt"

# The whole project moved: everything is found where it has moved along, the program that scores included.
mv "$work/p" "$work/q"
expect 0 run_in "$work" "q/out/other"
[ ! -e "$work/p" ] || fail "the old project was made again"
[ "$(jobs "$work/q/out/other")" -eq 6 ] || fail "a moved project was done again"
same_tables "$work/reference" "$work/q/out/other"

# The directory alone, with the model's folder beside it under its own name: found by content.
mkdir "$work/r"
mv "$work/q/out/other" "$work/r/results"
mv "$work/q" "$work/gone"
cp -r "$work/gone/model" "$work/gone/scorers" "$work/gone/eval.jsonl" "$work/gone/words.txt" "$work/r/"
expect 0 run_in "$work/r" results
[ "$(jobs "$work/r/results")" -eq 6 ] || fail "inputs found by content were taken for others"
# Another file of that name is not taken; what is not to be found is named, with what to do, and nothing is changed.
mkdir "$work/elsewhere"
mv "$work/r/model" "$work/elsewhere/weights"
echo x >>"$work/gone/model/config.json"
mkdir "$work/s"
cp -r "$work/r/results" "$work/r/eval.jsonl" "$work/r/words.txt" "$work/r/scorers" "$work/s/"
mv "$work/gone/model" "$work/s/model"
expect 3 run_in "$work/s" results
grep -q "model: .*/r/model is not there any more.*--set 'model=" "$work/err" || fail "the message: $(cat "$work/err")"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line: $(cat "$work/err")"
same_file "$work/r/results/journal.jsonl" "$work/s/results/journal.jsonl"
expect 0 run_in "$work/s" results --set "model=\"$work/elsewhere/weights\""
[ "$(jobs "$work/s/results")" -eq 6 ] || fail "a model that was named anew was taken for another"
expect 0 run_in "$work/s" results # and is remembered
mv "$work/s/results" "$work/results"

# A program that scores by a relative name: gone, it is named, and what was finished stays; its folder left where it
# was, it is found where it has moved along.
project "$work/rel"
sed "s#( \"/bin/sh\", \".*half.sh\" )#( \"/bin/sh\", \"scorers/half.sh\" )#" "$work/rel/two.cfg" >"$work/rel/rel.cfg"
expect 0 run_in "$work/rel" rel.cfg --set 'results="out"'
cp -r "$work/rel" "$work/rel-whole"
mv "$work/rel/scorers" "$work/rel-scorers"
expect 3 run_in "$work/rel" out
grep -q "objectives.\[1\].command: scorers/half.sh is not there any more" "$work/err" || fail "the message: $(cat "$work/err")"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line: $(cat "$work/err")"
same_file "$work/rel-whole/out/journal.jsonl" "$work/rel/out/journal.jsonl"
expect 2 run_in "$work/rel" rel.cfg --set 'results="out"' # by the file there is another command
same_tables "$work/rel-whole/out" "$work/rel/out"
mkdir "$work/rel2"
cp -r "$work/rel-whole/." "$work/rel2/"
expect 0 run_in "$work/rel2" out
[ "$(jobs "$work/rel2/out")" -eq 6 ] || fail "a program that had moved along was taken for another"

# Named elsewhere, the directory is read for its configuration only.
expect 0 run_in "$work" results --set "results=\"$work/new\""
grep -q "read for its configuration only" "$work/err" || fail "not told: $(cat "$work/err")"
same_tables "$work/reference" "$work/new"

# ---- what was finished stays ----
tiny 2 "$work/t" >/dev/null 2>&1 || fail "the sweep"
cp -r "$work/t" "$work/whole"
rm -r "$work/t/checkpoints" "$work/t/evaluations"
expect 0 "$paretorank" run "$work/t" --quiet
same_tables "$work/whole" "$work/t"
[ "$(jobs "$work/t")" -eq 16 ] || fail "something was done again"
: >"$work/t/samples.jsonl"
expect 0 "$paretorank" run "$work/t" --quiet
same_tables "$work/whole" "$work/t"

# Copied by a tool that takes links for what they lead to, it is the same sweep, and its experts are found.
cp -rL "$work/whole" "$work/flat"
expect 0 "$paretorank" run "$work/flat" --quiet
same_tables "$work/whole" "$work/flat"
[ "$(jobs "$work/flat")" -eq 16 ] || fail "a copy without links was done again"
expect 0 "$paretorank" export "$work/flat" --weights 0.4,0.3,0.3 --aggregate params --out "$work/flat-adapter"
printf x >>"$work/flat/experts/empathy-s1/adapter_config.json"
expect 3 "$paretorank" export "$work/flat" --weights 0.4,0.3,0.3 --aggregate params --out "$work/flat-adapter" --force
grep -q "flat/experts/empathy-s1: not what its train job wrote" "$work/err" || fail "a damaged copy: $(cat "$work/err")"

# clean: frees what may go, and says so; the same command still finds all done.
cp -r "$work/whole" "$work/c"
expect 0 "$paretorank" clean "$work/c" --dry-run
grep -q "checkpoints of experts that are there *3 files" "$work/out" || fail "clean --dry-run: $(cat "$work/out")"
[ "$(ls "$work/c/checkpoints" | wc -l)" -eq "$(ls "$work/whole/checkpoints" | wc -l)" ] || fail "a dry run deleted"
expect 0 "$paretorank" clean "$work/c"
[ -z "$(ls "$work/c/checkpoints" | grep '^train-')" ] || fail "checkpoints of experts are there"
expect 0 "$paretorank" clean "$work/c" --evaluations
[ -z "$(ls "$work/c/checkpoints" "$work/c/evaluations" | grep -v :)" ] || fail "checkpoints or evaluations are there"
cp "$work/c/metrics.json" "$work/metrics.json"
expect 0 "$paretorank" run "$work/c" --quiet
same_tables "$work/whole" "$work/c"
python3 - "$work/metrics.json" "$work/c/metrics.json" <<'P' || fail "the intervals are lost"
import json, sys
a, b = (json.load(open(p))["indicators"] for p in sys.argv[1:])
assert a == b and all("low" in x["hypervolume"] for x in b), b
P
expect 3 "$paretorank" clean "$work"

# ---- damage ----
d=$work/d
cp -r "$work/whole" "$d"
python3 - "$d/experts/empathy-s1/adapter_model.safetensors" <<'P'
import sys
d = bytearray(open(sys.argv[1], "rb").read())
d[-1000] ^= 1
open(sys.argv[1], "wb").write(d)
P
for way in "export $d --weights 0.4,0.3,0.3 --aggregate params --out $work/e" "export $d --weights 0.4,0.3,0.3 --aggregate regmean --out $work/e" \
  "generate $PARETORANK_SOURCE_DIR/sweeps/counsel/model --prompt x --adapter $d/experts/empathy-s1"; do
  expect 3 "$paretorank" $way
  grep -q "experts/empathy-s1: not what its train job wrote" "$work/err" || fail "$way: $(cat "$work/err")"
done
[ ! -e "$work/e" ] || fail "a damaged expert was exported"
expect 0 "$paretorank" export "$d" --weights 0,1,1 --aggregate params --out "$work/e" # which does not use it
sed -i '0,/[1-9]/s/[1-9]/0/' "$d/front.json"
expect 3 "$paretorank" front "$d"
grep -q "front.json: not what the sweep wrote" "$work/err" || fail "front: $(cat "$work/err")"
expect 0 "$paretorank" run "$d" --quiet
same_tables "$work/whole" "$d"
expect 0 "$paretorank" front "$d"
# A journal that went through a tool for texts; one that is damaged throughout; one that is empty.
sed -i 's/$/\r/' "$d/journal.jsonl"
expect 0 "$paretorank" run "$d" --quiet
[ "$(jobs "$d")" -eq 17 ] || fail "CRLF: $(jobs "$d") jobs, expected 16 and the expert that was made again"
sed -i '3s/event/evant/; 5s/event/evant/' "$d/journal.jsonl"
expect 0 "$paretorank" status "$d"
grep -q "damage *journal.jsonl: 2 lines damaged (lines 3 and 5)" "$work/out" || fail "status: $(cat "$work/out")"
expect 0 "$paretorank" run "$d" --quiet
grep -q "2 lines damaged (lines 3 and 5)" "$work/err" || fail "run: $(cat "$work/err")"
sed -i 's/event/avant/' "$d/journal.jsonl"
expect 3 "$paretorank" status "$d"
grep -q "lines damaged (lines 1, 2" "$work/err" || fail "status: $(cat "$work/err")"
: >"$d/journal.jsonl"
for verb in status run front; do
  expect 3 "$paretorank" $verb "$d"
  grep -q "journal.jsonl: .*" "$work/err" || fail "$verb on an empty journal: $(cat "$work/err")"
done
same_tables "$work/whole" "$d"

# ---- two at once, and killed ----
l=$work/l
hold_at told:step 1
"$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --quiet --set "results=\"$l\"" >"$work/first.out" 2>"$work/first.err" &
pid=$!
held "$pid"
expect 4 "$paretorank" clean "$l"
rm "$l/.lock"
expect 4 "$paretorank" run "$l" --quiet
grep -q "process $pid on .* works in this results directory" "$work/err" || fail "the refusal: $(cat "$work/err")"
let_go
wait "$pid" || fail "the first run: $(cat "$work/first.err")"
grep -q "\.lock: was removed while this run holds the directory; put back" "$work/first.err" || fail "not noticed: $(cat "$work/first.err")"
twice=$(grep '"job_done"' "$l/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)
[ -z "$twice" ] || fail "done twice: $twice"

hold_at told:step 1
"$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --quiet --set "results=\"$work/m\"" >"$work/first.out" 2>"$work/first.err" &
pid=$!
held "$pid"
mv "$work/m/journal.jsonl" "$work/m/taken"
let_go
code=0
wait "$pid" || code=$?
[ "$code" -eq 4 ] || fail "exit code $code after the journal was taken away, expected 4"
grep -q "journal.jsonl: was removed, replaced or moved away under this run: stopped" "$work/first.err" || fail "not told: $(cat "$work/first.err")"
mv "$work/m/taken" "$work/m/journal.jsonl"

k=$work/k
hold_at told:step 1
"$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --quiet --set "results=\"$k\"" >/dev/null 2>&1 &
pid=$!
held "$pid"
kill_tree "$pid"
expect 0 "$paretorank" status "$k"
grep -q "state *stopped" "$work/out" || fail "status: $(cat "$work/out")"
grep -q "the run was killed (no end in the journal; its last line is of .* ago): start the same command again" "$work/out" || fail "status: $(cat "$work/out")"
grep -q "no end of *empathy-s1 (rank 0 on " "$work/out" || fail "the job is not named: $(cat "$work/out")"
expect 0 "$paretorank" run "$k" --quiet
grep -q "the last run was killed.*without an end: empathy-s1 (rank 0 on " "$work/err" || fail "run: $(cat "$work/err")"
same_tables "$work/whole" "$k"
grep -q '^[0-9a-f]*,train,empathy-s1,0,[^,]*,[0-9.]*,[0-9]*,2,ok' "$k/costs.csv" || fail "costs: $(cat "$k/costs.csv")"
