#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench search: searches on landscapes and on tables, and what is wrong with them.
# processors: 1
. "$(dirname "$0")/cli_lib.sh"

# check NAME 'PYTHON' : of j, the JSON that the last command printed.
check() {
  python3 - "$work/out" "$1" "$2" <<'P' || fail "$1"
import json, math, sys
j = json.load(open(sys.argv[1]))
share = [c["hv_share"] for c in j["curve"]]
def volume(points):  # of two objectives
    total = best = 0
    for a, b in sorted(points, reverse=True):
        total += max(b - best, 0) * a
        best = max(best, b)
    return total
assert eval("(%s)" % sys.argv[3], globals()), sys.argv[2] + ": " + json.dumps(j)[:400]
P
}

# Exact volumes, point by point, against a sum over the steps of a staircase.
expect 0 "" bench search --landscape hull --objectives 2 --search 'type = "hierarchical"; select = "front"; levels = 8; budget = 17;' --json
check "volumes" 'len(j["curve"]) == len(j["points"]) == 17 and [c["n"] for c in j["curve"]] == list(range(1, 18)) and
  all(abs(volume([[min(2.8 * x, 0.7 + 0.4 * (x - 0.25)) for x in w] for w in j["points"][:c["n"]]]) - c["hv"]) < 1e-12 for c in j["curve"])'
check "shares" 'j["method"] == "exact" and all(abs(c["hv"] / j["volume"] - c["hv_share"]) < 1e-15 for c in j["curve"]) and 0.9 < share[-1] < 1 and j["reported"] == share[-1]'
check "what was asked" 'j["landscape"] == "hull" and j["objectives"] == 2 and j["noise"] == 0 and j["seed"] == 1 and j["search"]["budget"] == 17 and
  j["search"]["select"] == "front" and j["seconds_proposing"] >= 0'
check "IGD+" 'all(a["igd_plus"] >= b["igd_plus"] > 0 for a, b in zip(j["curve"], j["curve"][1:])) and j["curve"][-1]["igd_plus"] < 0.05'

# Known shares of the lattice of 45 points, and of three and five objectives.
expect 0 "" bench search --landscape concave --objectives 3 --search 'type = "grid"; divisions = 8;' --json
check "a lattice" 'abs(share[-1] - 0.897) < 0.0005 and len(share) == 45'
expect 0 "" bench search --landscape step --objectives 5 --search 'type = "random"; points = 40;' --seed 3 --json
check "five objectives" 'j["method"] == "exact" and len(share) == 40 and 0 < share[-1] < 0.5 and j["seed"] == 3'
cp "$work/out" "$work/again"
expect 0 "" bench search --landscape step --objectives 5 --search 'type = "random"; points = 40;' --seed 3 --json
diff <(sed 's/"seconds_proposing".*//' "$work/out") <(sed 's/"seconds_proposing".*//' "$work/again") >/dev/null || fail "the same seed, another result"
expect 0 "" bench search --landscape step --objectives 5 --search 'type = "random"; points = 40;' --seed 4 --json
check "another seed" "j['points'] != json.load(open('$work/again'))['points']"

# Noise is in what the search and the user see, not in what is counted.
expect 0 "" bench search --landscape concave --objectives 3 --noise 0.05 --search 'type = "grid"; divisions = 8;' --json
check "noise" 'j["noise"] == 0.05 and abs(share[-1] - 0.897) < 0.0005 and 0.5 < j["reported"] < share[-1] - 0.001'
check "what noise claims" 'j["claimed"] > j["reported"] + 0.01 and j["evaluations"] == 45'

# Looking again at points in doubt: more points for the same budget, and more of the front among those that are told.
for search in 'budget = 12;' 'budget = 12; fidelity = [4, 16]; recheck = 0.5;'; do
  for landscape in disconnected multimodal; do
    expect 0 "" bench search --landscape "$landscape" --objectives 2 --noise 0.05 --search "$search" --json
    cat "$work/out" >>"$work/rechecked"
  done
done
python3 - "$work/rechecked" <<'P' || fail "recheck: $(cut -c1-200 "$work/rechecked")"
import json, sys
text, at, found = open(sys.argv[1]).read(), 0, []
while text[at:].strip():
    one, n = json.JSONDecoder().raw_decode(text[at:].lstrip())
    at = len(text) - len(text[at:].lstrip()) + n
    found.append(one)
plain, again = found[:2], found[2:]
assert again[1]["search"]["recheck"] == 0.5
assert [j["evaluations"] for j in plain] == [12, 12] == [len(j["points"]) for j in plain]
assert all(11 < j["evaluations"] <= 12 and 20 <= len(j["points"]) <= 30 for j in again)
for key in "reported", "hv_share":
    a, b = (sum(j[key] if key in j else j["curve"][-1][key] for j in js) for js in (plain, again))
    assert b > a + 0.02, (key, a, b)
P

# Many objectives; a number for which no volume is known.
expect 0 "" bench search --landscape flat --objectives 8 --search 'type = "random"; points = 150;' --json
check "eight objectives" 'abs(share[-1] - 0.141) < 0.04 and share == sorted(share)'
expect 0 "" bench search --landscape hull --objectives 4 --search 'type = "grid"; divisions = 4;' --json
check "four objectives" 'j["volume"] is None and j["reported"] is None and share == [None] * 35 and j["curve"][-1]["hv"] > 0.3 and j["curve"][-1]["igd_plus"] < 0.3'
expect 0 "" bench search --landscape hull --objectives 4 --search 'type = "grid"; divisions = 4;'
holds "volume      not known for 4 objectives (it is for 2, 3, 5, 8, 16): no shares"
expect 0 "" bench search --landscape concave --objectives 3 --search 'type = "grid"; divisions = 8;'
holds "volume      0.640874 of the whole front"
grep -qE '^ +3 +[0-9.]+ +[0-9.]+$' "$work/out" && grep -qE '^ +45 +0\.8[0-9]+ +0\.0[0-9]+$' "$work/out" || fail "the table: $(cat "$work/out")"

# A table: a point counts as the nearest of the lattice, and only once.
python3 - >"$work/table.csv" <<'P'
print("# step 1/8\nw_a,w_b,a,b,se_a,se_b")
for i in range(9):
    print(f"{i / 8},{1 - i / 8},{(i / 8) ** .5},{(1 - i / 8) ** .5},0.01,0.02")
P
expect 0 "" bench search --table "$work/table.csv" --search 'type = "grid"; divisions = 8;' --json
check "a table" 'abs(share[-1] - 1) < 1e-12 and len(share) == 9 and j["objectives"] == 2 and j["curve"][-1]["igd_plus"] == 0 and
  j["points"] == [[i / 8, 1 - i / 8] for i in range(9)] and j["table"].endswith("/table.csv") and abs(j["volume"] - j["curve"][-1]["hv"]) < 1e-12'
expect 0 "" bench search --table "$work/table.csv" --search 'type = "grid"; divisions = 64;' --json
check "repeats" 'len(share) == 9 and abs(share[-1] - 1) < 1e-12'

# What is wrong is said in one line.
landscape=(bench search --landscape bump --objectives 3)
expect 2 "expected one of --landscape and --table" bench search
expect 2 "expected one of --landscape and --table" bench search --landscape bump --objectives 3 --table "$work/table.csv"
expect 2 "missing --objectives" bench search --landscape bump
expect 2 "--landscape: found 'bumps', expected one of concave | hull" bench search --landscape bumps --objectives 3
expect 2 "--objectives: found '1', expected an integer 2 to 16" bench search --landscape bump --objectives 1
expect 2 "--objectives: found '17'" bench search --landscape bump --objectives 17
expect 2 "--noise: found '-1'" "${landscape[@]}" --noise -1
expect 2 "--objectives goes with --landscape" bench search --table "$work/table.csv" --objectives 2
expect 2 "--noise goes with --landscape" bench search --table "$work/table.csv" --noise 0.1
expect 2 "--search:1: unknown key 'budgt'; the nearest known one is 'budget'" "${landscape[@]}" --search 'budgt = 4;'
expect 2 "--search:1: levels: found the integer 0, expected an integer 1 to 60" "${landscape[@]}" --search 'levels = 0;'
expect 2 "--search:1: " "${landscape[@]}" --search 'budget = ;'
expect 2 "type: found the string \"gird\", expected one of" "${landscape[@]}" --search 'type = "gird";'
expect 2 "type = \"list\" reads points from it" "${landscape[@]}" --search 'type = "list";'
expect 2 "scalar: found 2 numbers with sum 2, expected 3" "${landscape[@]}" --search 'scalar = [1.0, 1.0];'
expect 2 "--search: domain: found \"cube\", expected \"simplex\"" "${landscape[@]}" --search 'domain = "cube";'
expect 2 "--search: found more than 10000 points, expected a budget" "${landscape[@]}" --search 'type = "random"; points = 10001;'
expect 3 "No such file or directory" bench search --table "$work/nowhere.csv"
head -8 "$work/table.csv" >"$work/short.csv"
expect 3 "$work/short.csv:4: w_a: found 0.125, expected a multiple of 1/5 from 0 to 1, as there are 6 rows" bench search --table "$work/short.csv"
sed 's/^0.5,/0.51,/' "$work/table.csv" >"$work/off.csv"
expect 3 "$work/off.csv:7: w_a: found 0.51, expected a multiple of 1/8" bench search --table "$work/off.csv"
sed 's/,0.02$//' "$work/table.csv" >"$work/columns.csv"
expect 3 "$work/columns.csv:3: found 5 columns, expected 6 as in line 2" bench search --table "$work/columns.csv"
printf 'w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0\n1,0,1,0,0,0\n' >"$work/none.csv"
expect 3 "$work/none.csv: found no row that is above 0 in every objective" bench search --table "$work/none.csv"
finish
