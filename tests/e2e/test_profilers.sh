# SPDX-License-Identifier: BSD-3-Clause
# Profilers that stand before MPI see every call: the program defines none of MPI's functions, whatever a benchmark counts.
. "$(dirname "$0")/lib.sh"
profiler=$(dirname "$paretorank")/tests/profiler.so
counter=$(dirname "$paretorank")/paretorank_traffic.so
export PROFILER_OUT=$work/calls

own=$({ nm "$paretorank"; nm -D "$paretorank"; } | grep -iE ' [TWVBDRi] _?P?MPI_' || true)
[ -z "$own" ] || fail "the program defines functions of MPI's: $own"
nm -D "$paretorank" | grep ' U MPI_Isend' >/dev/null || fail "the program does not call MPI_Isend, or nm says nothing"
nm -D "$counter" | grep ' T MPI_Isend' >/dev/null || fail "the library that counts defines nothing"

# seen RANKS SENDS REDUCTIONS: every rank was seen to start, and all together to send and to reduce at least so often.
seen() {
  awk -v ranks="$1" -v sends="$2" -v reductions="$3" '
    $1 == 1 { n++; s += $2; r += $3 }
    END { printf "%d ranks, %d sends, %d reductions", n, s, r; exit !(n == ranks && s >= sends && r >= reductions) }
  ' "$work"/calls.* >"$work/seen" || fail "seen: $(cat "$work/seen"), expected $*"
  rm "$work"/calls.*
}
LD_PRELOAD=$profiler expect 0 tiny 3 "$work/teams" --set finetune.team.cols=2 --set evaluate.team.cols=2
seen 3 10 10
LD_PRELOAD=$profiler expect 0 tiny 3 "$work/workers"
seen 3 10 0

# A benchmark that counts leaves the profiler its calls, and counts them too.
LD_PRELOAD=$profiler expect 0 mpirun -q -n 2 "$paretorank" bench team --shape hidden=64,layers=2,heads=4,kv_heads=2,mlp=96,vocab=512 \
  --tokens 64 --length 16 --rounds 1 --grid 1x2 --json
python3 -c 'import json, sys; t = json.load(open(sys.argv[1]))["teams"]; assert t[1]["bytes_sent"] > 1024, t' "$work/out" ||
  fail "nothing is counted: $(cat "$work/out")"
seen 2 0 2

# Without the library the benchmark says so, and gives no number.
mkdir "$work/bin"
cp "$paretorank" "$work/bin/paretorank"
expect 0 "$work/bin/paretorank" bench team --shape hidden=64,layers=2,heads=4,kv_heads=2,mlp=96,vocab=512 --tokens 64 --length 16 --rounds 1 --json
grep -q 'what is sent is not counted: paretorank_traffic.so cannot be loaded' "$work/err" || fail "it is not said: $(cat "$work/err")"
grep -q '"bytes_sent": null' "$work/out" || fail "a number: $(cat "$work/out")"
