# SPDX-License-Identifier: BSD-3-Clause
# What cannot work ends at once on every rank, with the documented exit code and one clear line, before any job is run.
# processors: 1
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
cp -r "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" "$work/sweep.cfg"
sed -i "s|\"\.\./counsel/|\"$counsel/|" "$work/sweep.cfg"
sed -i "s|\"\.\./counsel/|\"$counsel/|" "$work/sweep.cfg" # the second on a line
cd "$work"

# refused CODE WORDS ARGUMENTS...: at $numbers ranks
numbers='1 3'
refused() {
  local want=$1 words=$2 ranks
  shift 2
  for ranks in $numbers; do
    expect "$want" timeout 300 mpirun -q -n "$ranks" "$paretorank" run "$@"
    [ "$(wc -l <err)" -eq 1 ] || fail "$ranks ranks, $*: not one line: $(cat err)"
    grep -qF -- "$words" err || fail "$ranks ranks, $*: '$words' is not in: $(cat err)"
    [ ! -s out ] || fail "$ranks ranks, $*: something on stdout: $(head -3 out)"
  done
}
set_results=(--set "results=\"$work/r\"")

refused 2 "unknown option '--bogus'" sweep.cfg --bogus
refused 2 'unknown key' sweep.cfg "${set_results[@]}" --set finetune.stepps=3
refused 2 'finetune.steps' sweep.cfg "${set_results[@]}" --set finetune.steps=-1
refused 2 'evaluate.prompts' sweep.cfg "${set_results[@]}" --set evaluate.prompts=100000
refused 3 'nowhere.cfg' nowhere.cfg
refused 3 '/nowhere' sweep.cfg "${set_results[@]}" --set 'model="/nowhere"'
refused 3 'prompts-none.jsonl' sweep.cfg "${set_results[@]}" --set 'prompts.eval="prompts-none.jsonl"'
refused 3 'prompt 1: found' sweep.cfg "${set_results[@]}" --set evaluate.max_new_tokens=505
refused 2 "target 'bogus'" sweep.cfg "${set_results[@]}" --set 'finetune.lora.targets=["bogus"]'
refused 2 "search 'states': layer: found 7, expected -1 (the last) to 6" sweep.cfg "${set_results[@]}" --set layer=7
[ ! -e r ] || fail "a refused run left something behind"

# Broken models. (mpirun takes two seconds to end after an error.)
numbers=2
cp -r "$counsel/model" cut && truncate -s 100000 cut/model.safetensors
refused 3 'cut/model.safetensors' sweep.cfg "${set_results[@]}" --set 'model="cut"'
cp -r "$counsel/model" words && printf '{"model": {"type": "Unigram"}}' >words/tokenizer.json
refused 3 'words/tokenizer.json' sweep.cfg "${set_results[@]}" --set 'model="words"'
cp -r "$counsel/model" odd && sed -i 's/"llama"/"lama"/' odd/config.json
refused 3 'odd/config.json' sweep.cfg "${set_results[@]}" --set 'model="odd"'
cp -r "$counsel/model" bare && rm bare/tokenizer.json
refused 3 'bare/tokenizer.json' sweep.cfg "${set_results[@]}" --set 'model="bare"'
printf '{"prompt": "hello"}\n{"prompt": 3}\n' >prompts.jsonl
refused 3 'prompts.jsonl:2' sweep.cfg "${set_results[@]}" --set 'prompts.eval="prompts.jsonl"'
mkdir adapter && printf '{}' >adapter/adapter_config.json
refused 3 'adapter' sweep.cfg "${set_results[@]}" --set 'objectives.[0].adapter="adapter"'

# Where nothing can be written.
numbers='1 3'
: >file
refused 4 'file' sweep.cfg --set "results=\"$work/file/below\""
refused 4 '/proc' sweep.cfg --set 'results="/proc/pareto"'

# A disk that fills up: the run ends with what it could not write; when there is room, it goes on to the same end.
mpirun -q -n 2 "$paretorank" run sweep.cfg --set "results=\"$work/whole\"" --set finetune.steps=12 >/dev/null 2>&1 || fail "the reference sweep"
if command -v prlimit >/dev/null; then
  for ranks in 1 3; do
    hold_at told:step 3
    mpirun -q -n "$ranks" "$paretorank" run sweep.cfg --set "results=\"$work/full$ranks\"" --set finetune.steps=12 >out 2>err &
    pid=$!
    held "$pid"
    for child in $(cat "/proc/$pid/task/"*/children); do prlimit --pid "$child" --fsize=4000: || true; done
    let_go
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq 4 ] || { cat err >&2; fail "a full disk on $ranks ranks: exit code $code, expected 4"; }
    [ "$(grep -c '^paretorank run: ' err)" -eq 1 ] || fail "a full disk: not one line at the end: $(cat err)"
    expect 0 mpirun -q -n 2 "$paretorank" run sweep.cfg --set "results=\"$work/full$ranks\"" --set finetune.steps=12
    same_file whole/cells.csv "full$ranks/cells.csv"
  done
fi
