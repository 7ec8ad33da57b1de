# SPDX-License-Identifier: BSD-3-Clause
# Results of another version's layout: whatever would work in them says so in one line and changes nothing; they can be
# read for their configuration.
# processors: 1
. "$(dirname "$0")/lib.sh"
sweep=$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg
cd "$work"

# journal FILE [LAYOUT]: a finished sweep's, as a version of that layout would have written it; the first said none.
cat >journal.py <<'P'
import json, sys, zlib
path, layout = sys.argv[1], sys.argv[2:]
job = "bfe897fe1b02f5f61ff4dca08004347c"
start = {"host": "node7", "name": "tiny", "objectives": ["empathy", "brevity", "distinct"], "pid": 123, "seeds": [1], "workers": 1}
if layout:
    start["layout"] = int(layout[0])
about = {"job": job, "kind": "finetune", "label": "empathy-s1", "rank": 0, "host": "node7"}
with open(path, "a") as f:
    for event, fields in ("sweep_start", start), ("job_start", about), ("job_done", about | {"result": {"expert": job}}), \
            ("sweep_end", {"state": "finished"}):
        text = json.dumps({"t": 1.7e9, "event": event} | fields, separators=(",", ":"))
        f.write('%s,"crc":"%08x"}\n' % (text[:-1], zlib.crc32(text.encode())))
P
directory() { # folder, layout
  mkdir -p "$1/checkpoints" "$1/experts/empathy-s1"
  sed "s|\.\./counsel|$PARETORANK_SOURCE_DIR/sweeps/counsel|g" "$sweep" >"$1/sweep.cfg"
  python3 journal.py "$1/journal.jsonl" ${2+"$2"}
  printf 'x' | tee "$1/experts/empathy-s1/adapter_model.safetensors" "$1/checkpoints/finetune-bfe897fe1b02f5f61ff4dca08004347c.ckpt" \
    "$1/checkpoints/evaluate-0fabdf65e1264cce67c4967034833475.ckpt" "$1/cells.csv" "$1/front.csv.tmp-123" >/dev/null
}
# Names, times and bytes of all that is in it.
state() { (cd "$1" && find . -printf '%p %y %s %T@ %C@\n' | sort && find . -type f -exec cksum {} + | sort -k3); }
refused() { # folder, layout, command...: by what the layout's line says, and by nothing else
  local dir=$1 layout=$2
  shift 2
  state "$dir" >before
  expect 3 "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "$*: not one line: $(cat err)"
  grep -qF "$dir: found results of layout $layout, written by another version; expected layout 2: name another results directory" err ||
    fail "$*: $(cat err)"
  [ ! -s out ] || fail "$*: something on stdout: $(cat out)"
  state "$dir" >after
  same_file before after
}

for layout in '' 1 3; do
  directory "r$layout" ${layout:+"$layout"}
  dir=$work/r$layout
  for ranks in 1 3; do
    refused "$dir" "${layout:-1}" mpirun -q -n "$ranks" "$paretorank" run "$sweep" --quiet --set "results=\"$dir\""
  done
  refused "$dir" "${layout:-1}" mpirun -q -n 2 "$paretorank" run "$dir"
  refused "$dir" "${layout:-1}" "$paretorank" status "$dir"
  refused "$dir" "${layout:-1}" "$paretorank" status "$dir" --json
  refused "$dir" "${layout:-1}" "$paretorank" plan "$dir"
  refused "$dir" "${layout:-1}" "$paretorank" plan "$sweep" --set "results=\"$dir\""
  refused "$dir" "${layout:-1}" "$paretorank" clean "$dir"
  refused "$dir" "${layout:-1}" "$paretorank" clean "$dir" --evaluations
  refused "$dir" "${layout:-1}" "$paretorank" export "$dir" --weights 1,1,1 --out e
done
[ ! -e e ] || fail "something was exported"

# Read for its configuration, in another place, it is a sweep of this version.
state r >before
expect 0 "$paretorank" run r --quiet --set "results=\"$work/new\""
state r >after
same_file before after
[ "$(grep -c '"event":"sweep_start".*"layout":2[,}]' new/journal.jsonl)" -eq 1 ] || fail "a start does not say its layout"
expect 0 "$paretorank" status new
grep -q '^state  *finished' out || fail "status: $(cat out)"

# That another version went on in this one's results is noticed too.
python3 journal.py new/journal.jsonl
expect 3 "$paretorank" status new
grep -q 'new: found results of layout 1' err || fail "status: $(cat err)"
cp new/cells.csv cells.csv
expect 3 "$paretorank" run new --quiet
grep -q 'new: found results of layout 1' err || fail "run: $(cat err)"
same_file cells.csv new/cells.csv
