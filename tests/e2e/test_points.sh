#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The verbs on files of points, as a user runs them.
set -u
bin=${PARETORANK_BIN:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

fail() {
    echo "FAILED: $1" >&2
    failed=1
}

# expect NAME STATUS EXPECTED_STDOUT ARGUMENTS...: exact output and exit code
expect() {
    local name=$1 status=$2 expected=$3
    shift 3
    local found
    found=$("$bin" "$@" 2>"$dir/stderr")
    local code=$?
    [ "$code" = "$status" ] || fail "$name: exit code $code, expected $status: $(cat "$dir/stderr")"
    [ "$found" = "$expected" ] || fail "$name: found '$found', expected '$expected'"
}

# refuse NAME STATUS WORDS ARGUMENTS...: the exit code, nothing on stdout and one line on stderr that holds the words
refuse() {
    local name=$1 words=$3
    expect "$1" "$2" "" "${@:4}"
    [ "$(wc -l <"$dir/stderr")" = 1 ] || fail "$name: more than one line: $(cat "$dir/stderr")"
    grep -qF -- "$words" "$dir/stderr" || fail "$name: '$(cat "$dir/stderr")' lacks '$words'"
}

value() { # of one indicator
    awk -v name="$1" '$1 == name { print $2 }'
}

printf '1 2\n3 4\n 2,1 # x\r\n2 1\n\n5 5\n4 6\n' >"$dir/points"
printf '1 2\n2 nan\n' >"$dir/nan"
printf '1 2\n2 3 4\n' >"$dir/ragged"
printf '1 inf\n' >"$dir/inf"
: >"$dir/empty"
printf 'some text\n' >"$dir/text"

expect filter 0 $'1 2\n 2,1 # x\n\n5 5\n4 6' nondominated "$dir/points"
expect maximize 0 $'3 4\n\n5 5\n4 6' nondominated "$dir/points" --maximize all
expect union 0 $'3 4\n 2,1 # x\n2 1\n5 5' nondominated "$dir/points" --maximize 1 --union --keep-duplicates
expect rank 0 $'0\t1 2\n1\t3 4\n0\t 2,1 # x\n0\t2 1\n\n0\t5 5\n0\t4 6' nondominated --rank "$dir/points"
expect infinite 0 '1 inf' nondominated "$dir/inf"
expect json 0 '{"sets": [{"points": 1, "kept": 1, "rows": [{"line": 1, "values": [1.0, null]}]}]}' \
    nondominated "$dir/inf" --json
[ "$("$bin" nondominated - <"$dir/points" | head -1)" = "1 2" ] || fail "standard input"

refuse nan 3 "nan:2: found 'nan'" nondominated "$dir/nan"
refuse ragged 3 "ragged:2: 3 columns, expected 2" nondominated "$dir/ragged"
refuse empty 3 "no points" indicators "$dir/empty"
refuse missing 3 "$dir/nothing" nondominated "$dir/nothing"
refuse infinite-indicators 3 "inf:1: column 2 is infinite" indicators "$dir/inf"
refuse maximize-range 2 "expected objectives from 1 to 2" nondominated "$dir/points" --maximize 3
refuse reference-length 2 "3 numbers, expected 2" indicators "$dir/points" --reference "1 2 3"
refuse option 2 "--bogus" nondominated "$dir/points" --bogus
refuse ideal 2 "better than the ideal" indicators "$dir/points" --ideal 3,3

printf '0 10\n1 6\n2 2\n6 1\n10 0\n' >"$dir/front"
printf '2 4\n3 3\n4 2\n' >"$dir/set"
out=$("$bin" indicators "$dir/set" --front "$dir/front" --reference "5 5") || fail "indicators: exit code $?"
for pair in points=3 cardinality=3 hypervolume=6 igd=3.70709203160924 igd_plus=1.48284271247462 \
    epsilon_additive=2 sparsity=2 average_hausdorff=3.70709203160924; do
    [ "$(value "${pair%=*}" <<<"$out")" = "${pair#*=}" ] || fail "indicators: $pair, found: $out"
done
# ranges map to [0,1] with 1 the better end; the default reference is then the worse end: (0.8,0.8)
# dominates (0.7,0.6) and (0.6,0.4)
[ "$("$bin" indicators "$dir/set" --low 0,0 --high 10,5 --maximize 2 | value hypervolume)" = 0.64 ] ||
    fail "ranges"

# A table with names: a sweep's objectives, or any columns.
cat >"$dir/cells.csv" <<'X'
search,seed,w_kind,w_short,kind,short,prompts
states,1,1,0,0.5,-1,8
states,1,0,1,0.25,-2,8
params,1,0,1,0.75,-3,8
base,1,0,0,9,9,8
X
expect table 0 $'search,seed,w_kind,w_short,kind,short,prompts\nstates,1,1,0,0.5,-1,8\nparams,1,0,1,0.75,-3,8' nondominated "$dir/cells.csv" --maximize kind,short
expect table-rank 0 $'rank\tsearch,seed,w_kind,w_short,kind,short,prompts\n0\tstates,1,1,0,0.5,-1,8\n1\tstates,1,0,1,0.25,-2,8\n0\tparams,1,0,1,0.75,-3,8' \
    nondominated "$dir/cells.csv" --maximize all --rank
expect table-json 0 '{"sets": [{"points": 2, "kept": 1, "rows": [{"line": 2, "values": [-1.0]}], "name": "search=states"}, {"points": 1, "kept": 1, "rows": [{"line": 4, "values": [-3.0]}], "name": "search=params"}], "columns": ["short"]}' \
    nondominated "$dir/cells.csv" --columns short --by search --maximize short --json
out=$("$bin" indicators "$dir/cells.csv" --maximize all --reference "0 -4" --by search) || fail "indicators of a table: exit code $?"
[ "$(grep -c '^# set' <<<"$out")" = 2 ] && grep -q '^# set 2: search=params$' <<<"$out" || fail "sets of a table: $out"
[ "$(awk '$1 == "hypervolume" { printf "%s ", $2 }' <<<"$out")" = "1.5 0.75 " ] || fail "hypervolumes of a table: $out"
[ "$("$bin" indicators "$dir/cells.csv" --front "$dir/cells.csv" --maximize all | value igd_plus)" = 0 ] || fail "a table as the front"
refuse table-column 2 "has no column 'brief'" indicators "$dir/cells.csv" --columns kind,brief
refuse no-table 2 "has no names" indicators "$dir/points" --columns kind
refuse not-points 3 "expected numbers, or the names of columns" indicators "$dir/text"

"$bin" bench pareto --help | grep -q -- --quick || fail "bench pareto --help"
for verb in nondominated indicators; do
    "$bin" $verb --help | grep -q "usage: paretorank $verb FILE" || fail "$verb --help"
done
exit $failed
