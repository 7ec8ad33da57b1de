#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank tokenize against what Hugging Face's tokenizers said of the same texts.
. "$(dirname "$0")/cli_lib.sh"

python3 - "$bin" "$fixtures" <<'P' || fail "cases"
import json, subprocess, sys
bin, fixtures = sys.argv[1:]
bad = n = 0
def run(args, data):
    p = subprocess.run([bin, "tokenize"] + args, input=data, capture_output=True)
    assert p.returncode == 0, (args, p.stderr)
    return p.stdout
for name in ("gpt2", "llama2", "llama3", "qwen2", "smollm"):
    d = f"{fixtures}/tokenizer-{name}"
    for case in json.load(open(d + "/expected.json")):
        n += 1
        text = case["text"].encode()
        got = [json.loads(run([d], text))["ids"], json.loads(run([d, "--no-special", "--json"], text))["ids"],
               json.loads(run([d, "--decode", "--json"], json.dumps({"ids": case["ids"]}).encode()))["text"],
               run([d + "/tokenizer.json", "--decode"], " ".join(map(str, case["ids"])).encode()).decode()]
        want = [case["ids"], case["ids_no_special"], case["decoded"], case["decoded"]]
        if got != want:
            bad += 1
            print(name, repr(case["text"])[:80], got, want, file=sys.stderr)
assert n > 50, n
sys.exit(bad > 0)
P

printf 'x' >"$work/in"
"$bin" tokenize "$fixtures/gpt2" --decode <"$work/in" >"$work/out" 2>"$work/err"
[ $? -eq 3 ] || fail "decoding 'x': expected exit code 3"
grep -q "found 'x', expected an id" "$work/err" || fail "decoding 'x': $(cat "$work/err")"
printf '{"ids": [1, -2]}' | "$bin" tokenize "$fixtures/gpt2" --decode >"$work/out" 2>"$work/err"
[ $? -eq 3 ] || fail "decoding a negative id: expected exit code 3"
printf '[1, 2' | "$bin" tokenize "$fixtures/gpt2" --decode >"$work/out" 2>"$work/err"
[ $? -eq 3 ] || fail "decoding cut JSON: expected exit code 3"
[ "$(printf '' | "$bin" tokenize "$fixtures/gpt2" --no-special)" = '{"ids": []}' ] || fail "empty text"
expect 3 "tokenizer.json" tokenize "$work"
finish
