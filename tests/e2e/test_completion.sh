# SPDX-License-Identifier: BSD-3-Clause
# What shells complete: bash as it asks for it; fish and zsh where they are there.
# processors: 1
. "$(dirname "$0")/lib.sh"
cd "$work"
mkdir results && : >sweep.cfg && : >'a b.jsonl' && mkdir 'model dir'

for shell in bash zsh fish; do
  "$paretorank" help completion $shell >complete.$shell || fail "help completion $shell"
done
expect 2 "$paretorank" help completion
expect 2 "$paretorank" help completion tcsh
expect 2 "$paretorank" help config bash
grep -q "unexpected argument 'bash'" err || fail "help config bash: $(cat err)"

# offers WORDS... : what bash offers for the last word, one per line, sorted.
offers() {
  bash --norc --noprofile -c '
    . ./complete.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _paretorank 2>/dev/null
    printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort
}
is() { # expected, words...
  local expected=$1
  shift
  [ "$(offers "$@")" = "$expected" ] || fail "completing '$*': $(offers "$@" | tr '\n' ' '), expected $expected"
}
has() { # expected, words...
  local expected=$1
  shift
  offers "$@" | grep -qxF -- "$expected" || fail "completing '$*' lacks $expected: $(offers "$@" | tr '\n' ' ')"
}
is $'score\nstatus' paretorank s
for verb in $("$paretorank" help | sed -nE 's/^  ([a-z-]+)  .*/\1/p'); do
  has "$verb" paretorank ''
  [ "$verb" = bench ] && continue
  # Every option that a verb's help has, and no other.
  "$paretorank" "$verb" --help | sed -nE 's/^  (--[a-z0-9-]+).*/\1/p' | sort >options
  offers paretorank "$verb" -- | cmp -s - options || fail "options of $verb: $(offers paretorank "$verb" -- | diff - options)"
done
has --jobs paretorank bench schedule --
is $'after\nbefore' paretorank generate model --norm ''
is 'finetune.steps=' paretorank run --set finetune.ste
has regmean paretorank export results --aggregate ''
is 'results' paretorank status r
is 'a b.jsonl' paretorank generate model --prompts a
is 'model dir' paretorank generate m
is 'sweep.cfg' paretorank plan --json sw
has methods paretorank help ''
is zsh paretorank help completion z
is '' paretorank export results --weights ''
is $'pareto' paretorank bench p

if command -v zsh >/dev/null; then
  zsh -n complete.zsh || fail "zsh does not read its script"
fi
if command -v fish >/dev/null; then
  export HOME=$work
  fish -n complete.fish || fail "fish does not read its script"
  from_fish() { fish -c "source complete.fish; complete -C '$1'" | cut -f1 | sort >offered; }
  from_fish 'paretorank st'
  [ "$(cat offered)" = status ] || fail "fish completes verbs by $(cat offered)"
  from_fish 'paretorank generate --norm '
  [ "$(cat offered)" = $'after\nbefore' ] || fail "fish completes values by $(cat offered)"
  from_fish 'paretorank bench team --'
  "$paretorank" bench team --help | sed -nE 's/^  (--[a-z0-9-]+).*/\1/p' | sort | cmp -s - offered || fail "fish completes a bench's options by $(cat offered)"
fi
