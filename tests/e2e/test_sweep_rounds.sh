#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Killed between the rounds of its searches and started again, at other numbers of ranks, a sweep takes the rounds that
# the journal has, asks for the rest, and ends with the same bytes; its budget can be raised; status says why it ended.
. "$(dirname "$0")/lib.sh"

search() { echo "search = { type = \"hierarchical\"; levels = 4; select = \"best\"; beam = 1; budget = $1; }"; }
sweep() { # ranks, results, budget
  tiny "$1" "$2" --set "$(search "$3")"
}
asked() { grep -c '"asked":' "$1/journal.jsonl" || true; } # rounds that are in a journal
read_again() { # of them, those that the last start has read
  tac "$1/journal.jsonl" | sed '/"event":"sweep_start"/q' | grep -o '"read_rounds":[0-9]*' | awk -F: '{n += $2} END {print n + 0}' || true
}
ended() { # results, state, what status says of each search
  expect 0 "$paretorank" status "$1"
  grep -q "^state  *$2\$" "$work/out" || fail "$1 is not $2"
  [ "$(grep -c "^search  .*seed 1: $3" "$work/out")" = 2 ] || { cat "$work/out" >&2; fail "status of $1: expected '$3' of both searches"; }
}

reference=$work/reference
sweep 3 "$reference" 9 >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "the reference sweep"; }
grep -q 'search "states", seed 1, asks for no more: the budget of 9 points is used$' "$work/err" || fail "the log does not say why a search ended"
ended "$reference" finished '9 asked for; the budget of 9 points is used$'
rounds=$(asked "$reference")
[ "$rounds" = 6 ] || fail "the reference sweep has $rounds rounds, expected 6"

results=$work/killed
while read -r ranks point count; do
  before=$([ -e "$results/journal.jsonl" ] && asked "$results" || echo 0)
  hold_at "$point" "$count"
  sweep "$ranks" "$results" 9 >/dev/null 2>&1 &
  pid=$!
  held "$pid"
  kill_tree "$pid"
  [ "$before" = 0 ] || [ "$(read_again "$results")" = "$before" ] || fail "of $before rounds, not all were read at $point"
done <<'X'
2 journal:job_done 5
1 journal:job_done 3
X
before=$(asked "$results")
[ "$before" -ge 2 ] && [ "$before" -lt 6 ] || fail "killed after $before rounds, expected some"
expect 0 "$paretorank" status "$results"
grep -q 'so far' "$work/out" || fail "status does not say that a search is not at its end"
sweep 3 "$results" 9 >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "going on after kills"; }
[ "$(read_again "$results")" = "$before" ] || fail "read $(read_again "$results") rounds of $before"
[ "$(asked "$results")" = "$rounds" ] || fail "a round that was in the journal was asked for again"
for file in cells.csv front.csv front.json samples.jsonl; do same_file "$reference/$file" "$results/$file"; done
ended "$results" finished '9 asked for; the budget of 9 points is used$'

# Once more: nothing is asked, and why it ended is known from the journal.
sweep 1 "$results" 9 >/dev/null 2>"$work/err" || fail "a finished sweep again"
[ "$(asked "$results")" = "$rounds" ] || fail "a finished sweep asked again"
ended "$results" finished '9 asked for; the budget of 9 points is used$'

# A raised budget goes on as if it had been so from the start, and does nothing twice.
sweep 2 "$results" 13 >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "a raised budget"; }
ended "$results" finished '12 asked for; all its points are evaluated; 1 of its budget left$'
twice=$(grep '"job_done"' "$results/journal.jsonl" | grep -o '"job":"[0-9a-f]*"' | sort | uniq -d)
[ -z "$twice" ] || fail "done twice: $twice"
sweep 2 "$work/fresh" 13 >/dev/null 2>&1 || fail "the larger budget from the start"
same_file "$work/fresh/cells.csv" "$results/cells.csv"
expect 0 "$paretorank" status "$results" --json
python3 - "$work/out" "$results/metrics.json" <<'P'
import json, sys
status, metrics = (json.load(open(f)) for f in sys.argv[1:])
for one in status["searches"] + metrics["searches"]:
    assert one["ended"] == "all its points are evaluated" and one["budget_left"] == 1, one
assert [s["search"] for s in status["searches"]] == ["states", "params"]
assert all(s["asked"] == 12 and s["seed"] == 1 for s in status["searches"])
P

# The default search that looks again, on more prompts, at points in doubt: the same bytes at any number of ranks and after a
# kill between what was asked for again and the rest; no more prompts than the budget has.
again() { # ranks, results
  tiny "$1" "$2" --set 'aggregate=["states"]' --set 'search = { budget = 5; fidelity = [2, 4, 6]; recheck = 0.5; }'
}
again 3 "$work/again" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "recheck"; }
python3 - "$work/again" <<'P'
import csv, json, sys
rows = [r for r in csv.DictReader(open(sys.argv[1] + "/cells.csv")) if r["search"] == "states"]
prompts = [int(r["prompts"]) for r in rows]
assert len(rows) > 5 and set(prompts) <= {2, 4, 6} and 2 in prompts and max(prompts) > 2, prompts
assert 4 * 6 < sum(prompts) <= 5 * 6, prompts
asked = [l["asked"] for l in map(json.loads, open(sys.argv[1] + "/journal.jsonl")) if "asked" in l]
first = [r.split()[1] for r in ";".join(asked).split(";")]
assert first.count("2") == len(rows) and len(first) > len(rows), asked
P
for ranks in 1 2; do
  again "$ranks" "$work/again$ranks" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "recheck at $ranks ranks"; }
  for file in cells.csv front.csv front.json samples.jsonl; do same_file "$work/again/$file" "$work/again$ranks/$file"; done
done
for count in 18 2; do # of the run's own jobs
  hold_at journal:job_done "$count"
  again 2 "$work/again-killed" >/dev/null 2>&1 &
  pid=$!
  held "$pid"
  kill_tree "$pid"
done
before=$(asked "$work/again-killed")
[ "$before" -gt 1 ] || fail "recheck: killed before its second round"
again 3 "$work/again-killed" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; fail "recheck after kills"; }
[ "$(read_again "$work/again-killed")" = "$before" ] || fail "recheck: read $(read_again "$work/again-killed") rounds of $before"
for file in cells.csv front.csv front.json samples.jsonl; do same_file "$work/again/$file" "$work/again-killed/$file"; done
