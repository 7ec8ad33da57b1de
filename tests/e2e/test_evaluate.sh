#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank evaluate: a test set and a judge for the points of a sweep, into tables of their own: the same at any number of
# ranks and after kills, never overwritten, and what the sweep has stays as it is.
. "$(dirname "$0")/lib.sh"
export OPENBLAS_NUM_THREADS=1
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
dir=$work/sweep
says() { grep -qF -- "$1" "$work/err" || fail "stderr lacks '$1': $(cat "$work/err")"; }
column() { # FILE COLUMN...: those columns by name, with the id of the point
  python3 - "$@" <<'P'
import csv, sys
for row in csv.DictReader(open(sys.argv[1])):
    print(row["point"], *(row[c] for c in sys.argv[2:]))
P
}

expect 0 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$dir\"" --set finetune.lr=0.01 \
  --set finetune.kl=0.05 --set finetune.steps=8 --set 'aggregate=["states","regmean"]' --set 'search={budget=4;}' --quiet
cp -r "$dir" "$work/again"
cp -r "$dir" "$work/killed"
before=$(cat "$dir"/*.csv "$dir"/*.json* | sha256sum)

# ---- on the prompts of the sweep it finds what the sweep found ----
head -6 "$counsel/prompts-eval.jsonl" >"$work/same.jsonl"
expect 0 "$paretorank" evaluate "$dir" --points front --prompts "$work/same.jsonl"
[ -s "$work/out" ] || fail "nothing is shown"
column "$dir/evaluations/same/cells.csv" w_empathy w_distinct empathy brevity distinct se_brevity prompts new_tokens cut >"$work/here"
column "$dir/front.csv" w_empathy w_distinct empathy brevity distinct se_brevity prompts new_tokens cut | sort -u >"$work/there"
[ "$(wc -l <"$work/here")" -ge 4 ] || fail "few points"
same_file <(sort "$work/here") "$work/there"
[ "$(cut -d' ' -f1 "$work/here")" = "$(column "$dir/front.csv" | awk '!seen[$1]++')" ] || fail "rows are not in the order of the sweep's"

# ---- another test set and judges, one of which fits a head: 1 rank, 3 ranks, killed ----
head -5 "$counsel/prompts-train.jsonl" >"$work/test.jsonl"
mkdir "$work/judges"
for i in $(seq 20); do
  printf '{"prompt": "Client: Day %d was hard.\\nCounselor:", "chosen": " I hear you, and I care.", "rejected": " Stop it, number %d."}\n' "$i" "$i"
done >"$work/judges/pairs.jsonl"
cat >"$work/judges/judge.cfg" <<'C'
objectives = ( { name = "kind"; type = "linear_head"; data = "pairs.jsonl"; ridge = 0.1; transform = "sigmoid"; },
               { name = "short"; type = "brevity"; words = 5; }, { name = "long"; type = "length_target"; words = 9; minimize = true; }, { name = "fluency"; } );
C
judge=(--prompts "$work/test.jsonl" --objectives "$work/judges/judge.cfg")
expect 0 "$paretorank" evaluate "$dir" --points front "${judge[@]}" --quiet
expect 0 mpirun -q -n 3 "$paretorank" evaluate "$work/again" --points front "${judge[@]}" --quiet
j=evaluations/test-judge
for file in cells.csv samples.jsonl; do same_file "$dir/$j/$file" "$work/again/$j/$file"; done
[ "$(head -1 "$dir/$j/cells.csv")" = "search,seed,w_empathy,w_brevity,w_distinct,kind,short,long,fluency,se_kind,se_short,se_long,se_fluency,prompts,new_tokens,cut,front,point,job" ] ||
  fail "the columns: $(head -1 "$dir/$j/cells.csv")"
python3 - "$dir" "$dir/$j" "$work/test.jsonl" <<'P' || fail "the judging's tables"
import csv, json, sys
dir, j, prompts = sys.argv[1:]
rows = list(csv.DictReader(open(j + "/cells.csv")))
samples = [json.loads(line) for line in open(j + "/samples.jsonl")]
texts = [json.loads(line)["prompt"] for line in open(prompts)]
front = {r["point"]: r for r in csv.DictReader(open(dir + "/front.csv"))}
assert {r["point"] for r in rows} == set(front) and len(rows) == len(front) >= 4
names = ["kind", "short", "long", "fluency"]
for r in rows:
    mine = [s for s in samples if s["point"] == r["point"]]
    assert [s["prompt"] for s in mine] == texts and r["prompts"] == str(len(texts))
    for n in names:
        assert abs(float(r[n]) - sum(s["scores"][n] for s in mine) / len(mine)) < 1e-12, (r, n)
    for c in ("search", "seed", "w_empathy", "w_brevity", "w_distinct"):
        assert r[c] == front[r["point"]][c], (c, r)
turned = [[(-1 if n == "long" else 1) * float(r[n]) for n in names] for r in rows]
for r, a in zip(rows, turned):
    dominated = any(all(x >= y for x, y in zip(b, a)) and b != a for b in turned)
    assert r["front"] == str(int(not dominated)), r
assert len({s["response"] for s in samples}) > 3
P
done_jobs() { grep '"job_done"' "$1/$j/journal.jsonl" | wc -l; }
n=$(done_jobs "$dir")
for moment in '1 journal:job_done 1' '3 journal:job_done 2' '2 journal:job_start 1'; do
  read -r ranks point count <<<"$moment"
  hold_at "$point" "$count"
  mpirun -q -n "$ranks" "$paretorank" evaluate "$work/killed" --points front "${judge[@]}" --quiet >/dev/null 2>"$work/err" &
  pid=$!
  held "$pid"
  kill_tree "$pid"
done
expect 0 mpirun -q -n 2 "$paretorank" evaluate "$work/killed" --points front "${judge[@]}" --quiet
for file in cells.csv samples.jsonl; do same_file "$dir/$j/$file" "$work/killed/$j/$file"; done
[ "$(done_jobs "$work/killed")" -eq "$n" ] || fail "after kills: $(done_jobs "$work/killed") jobs, expected $n"
[ -z "$(find "$work/killed" -name '*.tmp-*')" ] || fail "half-written files were left behind"

# A signal ends it in order, and the same command goes on.
hold_at journal:job_done 2
"$paretorank" evaluate "$work/killed" --points front "${judge[@]}" --name stopped --quiet >"$work/out" 2>"$work/err" &
pid=$!
held "$pid"
kill -TERM "$pid"
let_go
code=0
wait "$pid" || code=$?
[ "$code" -eq 1 ] || fail "SIGTERM: exit code $code, expected 1"
says "stopped before the end; the same command continues it"
grep -q '"state":"interrupted"' "$work/killed/evaluations/stopped/journal.jsonl" || fail "SIGTERM: not interrupted"
expect 0 "$paretorank" evaluate "$work/killed" --points front "${judge[@]}" --name stopped --quiet
same_file "$dir/$j/cells.csv" "$work/killed/evaluations/stopped/cells.csv"

# ---- again: nothing is done twice; further points are added, in the order of the sweep's table ----
expect 0 "$paretorank" evaluate "$dir" --points front "${judge[@]}" --quiet
[ "$(done_jobs "$dir")" -eq "$n" ] || fail "done twice"
base=$(awk -F, '$1 == "base" && $4 + $5 + $6 == 0 { print $(NF - 1) }' "$dir/cells.csv")
expect 0 "$paretorank" evaluate "$dir" --points "${base:0:10}" "${judge[@]}" --quiet
[ "$(done_jobs "$dir")" -eq $((n + 1)) ] || fail "another point: $(done_jobs "$dir") jobs"
[ "$(tail -1 "$dir/$j/cells.csv" | awk -F, '{ print $(NF - 1) }')" = "$base" ] || fail "the base model's row is not the last"
expect 0 "$paretorank" evaluate "$work/again" --points "$base" --name other "${judge[@]}" --quiet
expect 0 "$paretorank" evaluate "$work/again" --points front --name other "${judge[@]}" --quiet
same_file "$dir/$j/cells.csv" "$work/again/evaluations/other/cells.csv"
# A head or a segment that is lost is made again.
rm "$dir/$j/evaluations"/*.seg
find "$dir/$j/artifacts" -name '*.safetensors' -exec truncate -s 100 {} +
expect 0 "$paretorank" evaluate "$dir" --points front "${judge[@]}" --quiet
same_file "$dir/$j/cells.csv" "$work/again/evaluations/other/cells.csv"

# ---- never overwritten ----
tables=$(cat "$dir/$j"/cells.csv "$dir/$j"/samples.jsonl | sha256sum)
expect 2 "$paretorank" evaluate "$dir" --points front --prompts "$work/same.jsonl" --objectives "$work/judges/judge.cfg" --name test-judge
says "differs in: prompts; it is not overwritten"
expect 2 "$paretorank" evaluate "$dir" --points front --prompts "$work/test.jsonl" --name test-judge
says "differs in: "
expect 2 "$paretorank" evaluate "$dir" --points front "${judge[@]}" --set evaluate.max_new_tokens=9
says "differs in: max_new_tokens"
[ "$(cat "$dir/$j"/cells.csv "$dir/$j"/samples.jsonl | sha256sum)" = "$tables" ] || fail "a refused evaluation changed the tables"
[ "$(cat "$dir"/*.csv "$dir"/*.json* | sha256sum)" = "$before" ] || fail "the sweep's own files are others"
# The sweep goes on, and is tidied up, as if there were none.
expect 0 "$paretorank" clean "$dir" --evaluations
expect 0 "$paretorank" run "$dir" --quiet
[ -f "$dir/$j/cells.csv" ] && ls "$dir/$j/evaluations"/*.seg >/dev/null || fail "clean took an evaluation's tables or segments"
expect 0 "$paretorank" status "$dir/$j"
grep -q finished "$work/out" || fail "status of an evaluation: $(cat "$work/out")"

# ---- bad input: one line, and nothing is left ----
bad() { # CODE TEXT ARGUMENTS...
  local code=$1 text=$2
  shift 2
  expect "$code" "$paretorank" evaluate "$@"
  says "$text"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line: $(cat "$work/err")"
}
bad 3 'found "xyz", expected an id' "$dir" --points xyz --prompts "$work/test.jsonl" --name new
bad 2 'expected front, or ids between commas' "$dir" --points "$base,," --prompts "$work/test.jsonl" --name new
bad 3 "no such file" "$dir" --points front --prompts "$work/nothing.jsonl" --name new
bad 3 "no such directory" "$work/nothing" --points front --prompts "$work/test.jsonl"
bad 2 "--name: found" "$dir" --points front --prompts "$work/test.jsonl" --name ../x
bad 3 "nothing.cfg" "$dir" --points front --prompts "$work/test.jsonl" --objectives "$work/nothing.cfg" --name new
echo 'objectives = ( { name = "w_empathy"; type = "brevity"; } );' >"$work/column.cfg"
bad 2 "the column of the sweep's weights" "$dir" --points front --prompts "$work/test.jsonl" --objectives "$work/column.cfg" --name new
echo 'objectives = ( { name = "x"; type = "nosuch"; } );' >"$work/type.cfg"
bad 2 "nosuch" "$dir" --points front --prompts "$work/test.jsonl" --objectives "$work/type.cfg" --name new
echo '{"prompt": 3}' >"$work/bad.jsonl"
bad 3 "bad.jsonl:1" "$dir" --points front --prompts "$work/bad.jsonl" --name new
bad 2 "missing --points" "$dir" --prompts "$work/test.jsonl"
[ ! -e "$dir/evaluations/new" ] || fail "bad input left $(ls "$dir/evaluations/new")"
# A judge that crashes at every point: points without a result, and a word of why.
echo 'objectives = ( { name = "x"; type = "command"; command = [ "false" ]; } );' >"$work/crash.cfg"
expect 1 "$paretorank" evaluate "$dir" --points "$base" --prompts "$work/test.jsonl" --objectives "$work/crash.cfg" --quiet
says "1 point without a result; the same command tries again"
