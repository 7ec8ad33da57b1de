# SPDX-License-Identifier: BSD-3-Clause
# What cmake --install puts in place is complete: the installed command runs the installed sweep; the manual page is one.
. "$(dirname "$0")/lib.sh"

prefix="$work/a prefix"
expect 0 cmake --install "$(dirname "$paretorank")" --prefix "$prefix"
installed="$prefix/bin/paretorank"
[ -x "$installed" ] || fail "bin/paretorank is missing"
head -1 "$prefix/share/man/man1/paretorank.1" | grep -q '^\.TH PARETORANK 1' || fail "share/man/man1/paretorank.1 is no manual page"
"$installed" help --man | cmp -s - "$prefix/share/man/man1/paretorank.1" || fail "the manual page is not the command's own"
for shell in bash zsh fish; do "$installed" help completion $shell >"$work/$shell"; done
cmp -s "$work/bash" "$prefix/share/bash-completion/completions/paretorank" || fail "bash's completion is not the command's own"
cmp -s "$work/zsh" "$prefix/share/zsh/site-functions/_paretorank" || fail "zsh's completion is not the command's own"
cmp -s "$work/fish" "$prefix/share/fish/vendor_completions.d/paretorank.fish" || fail "fish's completion is not the command's own"
for file in doc/paretorank/README.md doc/paretorank/LICENSE doc/paretorank/docs/configuration.md paretorank/slurm/paretorank.sbatch \
  paretorank/sweeps/counsel/README.md paretorank/sweeps/counsel/model/README.md paretorank/sweeps/tiny/sweep.cfg \
  paretorank/python/paretorank.py paretorank/chat_template.py paretorank/schemas/front.schema.json doc/paretorank/CITATION.cff doc/paretorank/copyright; do
  [ -s "$prefix/share/$file" ] || fail "share/$file is missing"
done

cd "$work"
short=(--set finetune.steps=2 --set finetune.prompts_per_step=2 --set finetune.max_new_tokens=8
  --set evaluate.prompts=4 --set evaluate.max_new_tokens=8 --set 'search={type="grid"; divisions=1;}')
expect 0 mpirun -n 2 "$installed" run "$prefix/share/paretorank/sweeps/counsel/sweep.cfg" "${short[@]}"
[ "$(wc -l <results/counsel/cells.csv)" -eq 11 ] || fail "the installed sweep: $(wc -l <results/counsel/cells.csv) lines in cells.csv, expected 11"
expect 0 "$installed" bench team --shape hidden=64,layers=2,heads=4,kv_heads=2,mlp=96,vocab=512 --tokens 64 --length 16 --rounds 1 --json
grep -q '"bytes_sent": [0-9]' "$work/out" || fail "the installed command does not find its library: $(cat "$work/err")"
expect 0 "$installed" plan "$prefix/share/paretorank/sweeps/tiny/sweep.cfg"
PYTHONDONTWRITEBYTECODE=1 expect 0 "$installed" plan "$prefix/share/paretorank/examples/scorers.cfg" --load --set evaluate.max_new_tokens=4
expect 0 "$installed" convert "$PARETORANK_SOURCE_DIR/tests/fixtures/gguf/llama-q4_0.gguf" --out "$work/converted"
echo '[{"role": "user", "content": "hi"}]' >"$work/messages.json"
expect 0 "$installed" chat "$work/converted" --messages "$work/messages.json"
grep -q '^<|im_start|>user$' "$work/out" || fail "the installed command does not render chats: $(cat "$work/out" "$work/err")"
PYTHONPATH=$prefix/share/paretorank/python PYTHONDONTWRITEBYTECODE=1 python3 -c '
import paretorank
assert len(paretorank.load("results/counsel").cells()) == 6' || fail "the installed Python module does not read the sweep"
