#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The ranks of a sweep hold one converted copy of the model's weights; with it, without it and where it cannot be had the
# results are the same bytes.
. "$(dirname "$0")/lib.sh"
export OMPI_MCA_mpi_yield_when_idle=1 # more ranks than cores
mkdir "$work/on" "$work/off" "$work/odd"
folder=paretorank-$(id -u)

# sweep TMPDIR RANKS RESULTS MORE...
sweep() {
  local tmp=$1
  shift
  TMPDIR=$tmp tiny "$@"
}
same_results() { for file in cells.csv front.csv samples.jsonl; do same_file "$1/$file" "$2/$file"; done; }

# One and the other.
expect 0 sweep "$work/on" 3 "$work/shared"
! grep -q 'cannot be shared' "$work/err" || fail "the weights are not shared: $(cat "$work/err")"
[ -d "$work/on/$folder" ] || fail "there is no $folder"
[ -z "$(ls "$work/on/$folder")" ] || fail "files are left: $(ls "$work/on/$folder")"
PARETORANK_SHARE_WEIGHTS=0 expect 0 sweep "$work/off" 3 "$work/private"
! grep -q 'cannot be shared' "$work/err" || fail "what was asked for is told of: $(cat "$work/err")"
[ ! -e "$work/off/$folder" ] || fail "there is a $folder, though weights are not to be shared"
same_results "$work/shared" "$work/private"

# Where it cannot be had: said once by each process, and no error.
mkdir -m 755 "$work/odd/$folder"
expect 0 sweep "$work/odd" 3 "$work/needy"
[ "$(grep -c 'cannot be shared.*mode 755, expected' "$work/err")" -ge 1 ] || fail "it is not said: $(cat "$work/err")"
same_results "$work/shared" "$work/needy"

# Every line says which rank it is of, where there are several.
grep -q '^paretorank\[[12]\]: .*cannot be shared' "$work/err" || fail "no rank before the line: $(cat "$work/err")"
! grep -q '^paretorank:' "$work/err" || fail "a line without its rank: $(cat "$work/err")"
expect 0 sweep "$work/odd" 1 "$work/alone"
grep -q '^paretorank: warning: ' "$work/err" || fail "one rank alone: $(cat "$work/err")"
! grep -q '^paretorank\[' "$work/err" || fail "one rank alone has a number: $(cat "$work/err")"

# While a sweep runs: the maps of its processes are of one memory.
TMPDIR=$work/on tiny 3 "$work/live" --set finetune.steps=100000 >"$work/out" 2>"$work/err" &
mpirun=$!
journal_has "$work/live" '"step"'
maps=''
for _ in $(seq 6000); do # the second worker may still be loading
  maps=$(for pid in $(tree_of "$mpirun"); do
    sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* *\([0-9]*\) */memfd:paretorank-.*|$pid \1|p" "/proc/$pid/maps" 2>/dev/null || true
  done)
  [ "$(printf '%s\n' "$maps" | cut -d' ' -f1 | sort -u | wc -l)" -ge 2 ] && break
  sleep 0.05
done
processes=$(printf '%s\n' "$maps" | cut -d' ' -f1 | sort -u | wc -l)
memories=$(printf '%s\n' "$maps" | cut -d' ' -f2 | sort -u | wc -l)
[ "$processes" -ge 2 ] && [ "$memories" -eq 1 ] || fail "$processes processes have $memories memories: $maps"

# Killed: what is left in the folder says nothing to the next one, which tidies up.
kill_tree "$mpirun"
[ "$(ls "$work/on/$folder" | wc -l)" -eq 1 ] || fail "files of killed processes: $(ls "$work/on/$folder")"
expect 0 sweep "$work/on" 3 "$work/next"
same_results "$work/shared" "$work/next"
[ -z "$(ls "$work/on/$folder")" ] || fail "files are left: $(ls "$work/on/$folder")"
