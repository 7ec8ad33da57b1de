#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The frame of the command: help, version, wrong usage, exit codes, output that cannot be written, generated documents.
. "$(dirname "$0")/cli_lib.sh"

expect 0 "" --version
grep -qE '^paretorank [0-9]+\.[0-9]+\.[0-9]+$' "$work/out" || fail "--version: $(cat "$work/out")"
expect 0 "" help
cp "$work/out" "$work/help"
expect 0 "" --help
cmp -s "$work/out" "$work/help" || fail "--help and help differ"

verbs=$(sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' "$work/help")
[ "$(wc -w <<<"$verbs")" -ge 13 ] || fail "help lists too few verbs: $verbs"
for verb in $verbs; do
  expect 0 "" "$verb" --help
  grep -qi "usage: paretorank $verb" "$work/out" || fail "$verb --help does not say how to use it: $(head -c 200 "$work/out")"
  cp "$work/out" "$work/verb-help"
  expect 0 "" help "$verb"
  cmp -s "$work/out" "$work/verb-help" || fail "help $verb and $verb --help differ"
  "$bin" "$verb" --no-such-option </dev/null >"$work/out" 2>"$work/err"
  [ $? -eq 2 ] || fail "$verb --no-such-option: expected exit code 2"
  [ -s "$work/out" ] && fail "$verb --no-such-option: diagnostics on stdout"
  [ -s "$work/err" ] || fail "$verb --no-such-option: nothing on stderr"
done

"$bin" >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "no arguments: expected exit code 2"
expect 2 "unknown verb 'gnerate'; the nearest known one is 'generate'" gnerate
expect 2 "unknown option '--versio'" --versio
expect 2 "unknown option '--weight'; the nearest known one is '--weights'" generate --weight 1 "$fixtures/gpt2"
expect 2 "unknown topic 'confg'; the nearest known one is 'config'" help confg
expect 2 "unknown bench 'modle'; the nearest known one is 'model'" bench modle
expect 2 "missing DIR" generate --prompt x
expect 2 "unexpected argument 'b'" front a b
expect 2 "--max-new-tokens: found '0', expected an integer 1 to 2147483647" generate "$fixtures/gpt2" --prompt x --max-new-tokens 0
expect 2 "--max-new-tokens: found '1x'" generate "$fixtures/gpt2" --prompt x --max-new-tokens=1x
expect 2 "--max-new-tokens: expected a value, N" generate "$fixtures/gpt2" --prompt x --max-new-tokens
expect 2 "--max-new-tokens: found '99999999999', expected an integer 1 to 2147483647" generate "$fixtures/gpt2" --prompt x --max-new-tokens 99999999999
expect 2 "--greedy takes no value" generate "$fixtures/gpt2" --prompt x --greedy=yes
expect 2 "--aggregate: unknown mix 'mean'; there are: states, logits, probs, params" generate "$fixtures/gpt2" --prompt x --aggregate mean
expect 2 "--aggregate: unknown mix 'state'; the nearest known one is 'states'" generate "$fixtures/gpt2" --prompt x --aggregate state
expect 2 "--aggregate: mix 'states': unknown key 'lyer'; the nearest known one is 'layer'" generate "$fixtures/gpt2" --prompt x --aggregate "states; lyer=1"
expect 2 "--layer goes with --aggregate states, found params" generate "$fixtures/gpt2" --prompt x --aggregate params --layer 1
expect 2 "--top-p: found '0', expected a number 1e-6 to 1" generate "$fixtures/gpt2" --prompt x --top-p 0
expect 2 "--top-p: found 'nan'" generate "$fixtures/gpt2" --prompt x --top-p nan
expect 2 "--ids: found '1,,2', expected a list of integers -2147483648 to 2147483647" generate "$fixtures/gpt2" --ids 1,,2
expect 2 "--greedy draws nothing" generate "$fixtures/gpt2" --prompt x --greedy --seed 1
expect 2 "expected one of --prompt, --ids, --prompts and --messages" generate "$fixtures/gpt2"
expect 2 "expected one of --prompt, --ids, --prompts and --messages" generate "$fixtures/gpt2" --prompt x --ids 1
expect 2 "--all goes with --json" logits "$fixtures/gpt2" --ids 1 --all
expect 2 "--keep-special goes with --decode" tokenize "$fixtures/gpt2" --keep-special
expect 3 "no such directory; a model is a local directory" generate "$work/nowhere" --prompt x
expect 2 "unexpected argument '--prompt'" generate -- "$fixtures/gpt2" --prompt

# Output that was not written is not success.
if [ -e /dev/full ]; then
  "$bin" help >/dev/full 2>"$work/err"
  [ $? -eq 4 ] || fail "help > /dev/full: expected exit code 4"
  grep -q "cannot write to standard output" "$work/err" || fail "/dev/full: $(cat "$work/err")"
fi

expect 0 "" help config
holds "finetune.lora.r (integer; 1 to 4096; default 8)"
expect 0 "" help objectives
holds "brevity"
holds "words (integer; 1 to 1000000; default 30)"
# Defaults are those of the table, in help as in what runs.
expect 0 "" help generate
holds "Longest continuation. Default: 40."

# What is generated is up to date.
"$bin" help config --markdown | cmp -s - "$source_dir/docs/configuration.md" ||
  fail "docs/configuration.md is not what 'paretorank help config --markdown' prints"
for topic in objectives methods mixes searches; do
  "$bin" help $topic --markdown | cmp -s - "$source_dir/docs/$topic.md" ||
    fail "docs/$topic.md is not what 'paretorank help $topic --markdown' prints"
done
expect 0 "" help methods
holds "one adapter per point, trained for"
expect 0 "" help combiners
holds "minus the largest of w_k times"
expect 0 "" help rules
holds "lambda = w"
expect 0 "" help stch
holds "stch (weighting rule of a training)"
expect 0 "" help searches
holds "Keys that it reads: domain, divisions, budget, fidelity."
expect 0 "" help mixes
holds "inv(sum w_k G_k) sum w_k G_k W_k"
holds "    layer (integer; -1 to 2147483647; default -1)"

"$bin" help --man >"$work/paretorank.1" || fail "help --man"
grep -q '^\.TH PARETORANK 1' "$work/paretorank.1" || fail "the manual page has no title"
for section in NAME SYNOPSIS DESCRIPTION VERBS EXAMPLES 'EXIT STATUS' FILES ENVIRONMENT CONFIGURATION; do
  grep -qx "\.SH $section" "$work/paretorank.1" || fail "the manual page has no section $section"
done
for entry in 0 1 2 3 4 cells.csv steps.csv journal.jsonl TMPDIR PARETORANK_SHARE_WEIGHTS; do
  grep -qx "\\\\fB$entry\\\\fR" "$work/paretorank.1" || fail "the manual page lacks $entry"
done
# What its examples name is there: verbs, and the options of each.
sed -n '/^\.SH EXAMPLES/,/^\.SH EXIT/p' "$work/paretorank.1" | sed -n 's/^\\fB\(.*paretorank .*\)\\fR$/\1/p' | sed 's/\\-/-/g; s/.*paretorank //' >"$work/examples"
[ "$(wc -l <"$work/examples")" -ge 6 ] || fail "the manual page has hardly any examples: $(cat "$work/examples")"
while read -r verb words; do
  "$bin" "$verb" --help >"$work/verb" || fail "an example of the manual page has no verb: $verb"
  for option in $(grep -oE -- '--[a-z-]+' <<<"$words"); do
    grep -q -- "^  $option" "$work/verb" || fail "an example of the manual page: $verb has no $option"
  done
done <"$work/examples"
for verb in $verbs; do
  grep -q "^\.SS \"paretorank $verb" "$work/paretorank.1" || fail "the manual page lacks $verb"
done
for entry in experts single states regmean hierarchical ols brevity; do
  grep -q "^\\\\fB$entry\\\\fR" "$work/paretorank.1" || fail "the manual page lacks $entry"
done
for bench in model pareto schedule search team; do
  grep -q "^  bench .*\b$bench\b" "$work/help" || fail "help does not name bench $bench"
  grep -q "^\.SS \"paretorank bench $bench" "$work/paretorank.1" || fail "the manual page lacks bench $bench"
done
# A verb has one summary, in the list, in its own help and in the manual page.
"$bin" help status | grep -q "^$(sed -n 's/^  status  *//p' "$work/help")$" || fail "status has two summaries"
if command -v groff >/dev/null; then
  warnings=$(groff -man -Tutf8 -ww -z "$work/paretorank.1" 2>&1 | grep -v "can't break line\|cannot adjust line\|cannot break line")
  [ -z "$warnings" ] || fail "groff: $warnings"
fi
finish
