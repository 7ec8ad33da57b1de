#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Files that are something else than they seem, and texts that the model cannot read: `plan` finds them, names file and place, and
# `run` refuses what plan refuses.
# processors: 1
. "$(dirname "$0")/lib.sh"
fixtures=$PARETORANK_SOURCE_DIR/tests/fixtures
cd "$work"
cp -r "$fixtures/llama" model && cp -r "$fixtures/reward-llama" reward && cp -r "$fixtures/llama/adapters/alpha" adapter
printf '{"prompt": "I feel"}\n{"prompt": "Hello there"}\n' >prompts.jsonl
printf '{"text": "good", "label": 1}\n{"text": "bad", "label": 0}\n' >data.jsonl
printf 'lost -1\nalone -1\nwell 1\n' >words.txt
cat >sweep.cfg <<X
model = "model"; results = "r"; prompts = { eval = "prompts.jsonl"; };
objectives = ( { name = "a"; type = "lexicon"; words = "words.txt"; adapter = "adapter"; },
               { name = "b"; type = "reward_model"; model = "reward"; adapter = "adapter"; } );
evaluate = { max_new_tokens = 4; };
search = { type = "grid"; divisions = 1; };
X

# ok [WORD] ARGUMENTS...: accepted; refused CODE WORD... -- ARGUMENTS...: one line with all words.
ok() { expect 0 "$paretorank" "$@"; }
refused() {
  local want=$1 words=() word
  shift
  while [ "$1" != -- ]; do words+=("$1"); shift; done
  shift
  expect "$want" "$paretorank" "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "$*: not one line: $(cat err)"
  for word in "${words[@]}"; do grep -qF -- "$word" err || fail "$*: '$word' is not in: $(cat err)"; done
}
ok plan sweep.cfg
[ ! -s err ] || fail "a good sweep: $(cat err)"

# with FILE CONTENT-FROM COMMAND...: the command while FILE is replaced; the file comes back after it.
with() {
  local file=$1
  cp "$file" kept && cat >"$file"
  shift
  "$@"
  cp kept "$file"
}

# A token that was added to the tokenizer, without a row of the embedding: an error only where it occurs.
add_token() { # DIR TEXT
  python3 - "$1/tokenizer.json" "$2" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["vocab_size"])' "$1/config.json")" <<'P'
import json, sys
path, text, id = sys.argv[1:]
t = json.load(open(path))
used = {a["id"] for a in t["added_tokens"]} | set(t["model"]["vocab"].values())
for i in range(max(used) + 1, int(id)):  # the tokenizer may have fewer than the model
    t["model"]["vocab"][f"filler{i}"] = i
t["added_tokens"].append({"id": int(id), "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True})
json.dump(t, open(path, "w"))
P
}
add_token model '<|new|>'
add_token reward '<|other|>'
ok plan sweep.cfg --load
beyond() { printf '{"prompt": "I feel"}\n{"prompt": "one", "id": "mine"}\n{"prompt": "so %s sad", "id": "his"}\n' "$1"; }
beyond '<|new|>' | with prompts.jsonl refused 3 "prompts.jsonl: prompt 3 ('his')" "'<|new|>'" 'vocabulary of 620' -- plan sweep.cfg
beyond '<|new|>' | with prompts.jsonl refused 3 'prompts.jsonl: prompt 3' "'<|new|>'" -- run sweep.cfg
beyond '<|new|>' >train.jsonl
refused 3 'train.jsonl: prompt 3' "'<|new|>'" -- plan sweep.cfg --set 'prompts.train="train.jsonl"'
beyond '<|other|>' | with prompts.jsonl refused 3 "objective 'b'" 'prompts.jsonl' 'prompt 3' "'<|other|>'" 'reward/tokenizer.json' -- plan sweep.cfg
beyond '<|other|>' | with prompts.jsonl refused 3 "objective 'b'" 'prompts.jsonl' 'prompt 3' "'<|other|>'" -- run sweep.cfg
refused 3 "objective 'b'" 'prompt 1' "'<|other|>'" -- plan sweep.cfg --set 'objectives.[1].template="{prompt}<|other|>{response}"'
head=(--set 'objectives.[0]={ name = "a"; type = "linear_head"; data = "data.jsonl"; adapter = "adapter"; }')
ok plan sweep.cfg "${head[@]}"
printf '{"text": "good", "label": 1}\n{"text": "<|new|> bad", "label": 0}\n' |
  with data.jsonl refused 3 "objective 'a'" 'data.jsonl: sample 2' "'<|new|>'" -- plan sweep.cfg "${head[@]}"
[ ! -e r ] || fail "a refused run left something"
cp "$fixtures/llama/tokenizer.json" model/ && cp "$fixtures/reward-llama/tokenizer.json" reward/

# A begin-of-text token that the prompt brings and the tokenizer adds, too.
printf '{"prompt": "I feel"}\n{"prompt": "<s>I feel"}\n{"prompt": "<s> so"}\n' | with prompts.jsonl ok plan sweep.cfg
grep -q 'prompts.jsonl: 2 prompts (the first: prompt 2) begin with the token' err || fail "a doubled token: $(cat err)"
printf '{"prompt": "<s>I feel"}\n' | with prompts.jsonl ok run sweep.cfg --quiet
[ "$(grep -c 'prompts.jsonl: 1 prompt (the first: prompt 1) begins' err)" -eq 1 ] || fail "a doubled token in a run: $(cat err)"

# Lengths. The model has 128 positions.
refused 3 'prompt 1' '500 new ones leave no room for any' '128' -- plan sweep.cfg --set evaluate.max_new_tokens=500
refused 3 'prompt 1' 'leave no room' -- plan sweep.cfg --set evaluate.max_new_tokens=128
refused 3 'prompt 1' 'expected 1 (the' '127 new ones' -- plan sweep.cfg --set evaluate.max_new_tokens=127
refused 3 'prompt 1' 'expected 1 to 2' -- plan sweep.cfg --set evaluate.max_new_tokens=126

# Files in another encoding, with a byte order mark, or not fetched.
utf16() { iconv -f UTF-8 -t UTF-16; }
utf16 <prompts.jsonl >u && with prompts.jsonl refused 3 prompts.jsonl UTF-16 -- plan sweep.cfg <u
iconv -f UTF-8 -t UTF-16LE <prompts.jsonl >u && with prompts.jsonl refused 3 prompts.jsonl UTF-16 -- plan sweep.cfg <u
utf16 <words.txt >u && with words.txt refused 3 words.txt UTF-16 -- plan sweep.cfg <u
utf16 <sweep.cfg >u && with sweep.cfg refused 2 sweep.cfg UTF-16 -- plan sweep.cfg <u
utf16 <data.jsonl >u && with data.jsonl refused 3 data.jsonl UTF-16 -- plan sweep.cfg "${head[@]}" <u
for file in model/tokenizer.json model/config.json adapter/adapter_config.json reward/config.json; do
  utf16 <"$file" >u && with "$file" refused 3 "$file" UTF-16 -- plan sweep.cfg <u
done
marked() { printf '\xef\xbb\xbf' && cat "$1"; }
for file in prompts.jsonl words.txt sweep.cfg model/tokenizer.json model/config.json adapter/adapter_config.json data.jsonl; do
  marked "$file" >u && with "$file" ok plan sweep.cfg <u
done
marked data.jsonl >u && with data.jsonl ok plan sweep.cfg "${head[@]}" <u
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 123456\n' >pointer
for file in model/model.safetensors model/tokenizer.json model/config.json adapter/adapter_model.safetensors adapter/adapter_config.json \
  prompts.jsonl words.txt; do
  with "$file" refused 3 "$file: found a Git LFS pointer" 'git lfs pull' -- plan sweep.cfg <pointer
done
with reward/model.safetensors refused 3 "reward/model.safetensors: found a Git LFS pointer" -- plan sweep.cfg --load <pointer
mv model/tokenizer.json kept.json && : >model/tokenizer.model
refused 3 'model/tokenizer.json: no such file; found tokenizer.model' 'save_pretrained' -- plan sweep.cfg
mv kept.json model/tokenizer.json

# Numbers that Python's JSON has, in keys that are not read; in one that is.
python3 - <<'P'
import json
c = json.load(open("model/config.json")) | {"time_step_limit": [0.0, float("inf")], "model_max_length": 10**30, "nothing": float("nan")}
json.dump(c, open("config-odd.json", "w"))
json.dump(c | {"rms_norm_eps": float("nan")}, open("config-nan.json", "w"))
json.dump(c | {"hidden_size": 10**30}, open("config-large.json", "w"))
P
with model/config.json ok plan sweep.cfg --load <config-odd.json
with model/config.json refused 3 model/config.json "'rms_norm_eps'" NaN -- plan sweep.cfg <config-nan.json
with model/config.json refused 3 model/config.json "'hidden_size'" 'past 2^63' -- plan sweep.cfg <config-large.json
printf '{"prompt": "I feel", "score": NaN, "tweet": 18446744073709551615}\n' | with prompts.jsonl ok plan sweep.cfg
printf '{"prompt": NaN}\n' | with prompts.jsonl refused 3 prompts.jsonl:1 "'prompt'" NaN -- plan sweep.cfg
printf '{"text": "a", "label": NaN}\n' | with data.jsonl refused 3 data.jsonl:1 "'label'" NaN -- plan sweep.cfg "${head[@]}"

# Weights that are not finite: of an adapter in plan, of models in plan --load.
spoil() { # FILE: its first number becomes NaN
  python3 - "$1" <<'P'
import struct, sys
d = bytearray(open(sys.argv[1], "rb").read())
n = 8 + struct.unpack("<Q", d[:8])[0]
d[n:n + 4] = struct.pack("<f", float("nan"))
sys.stdout.buffer.write(d)
P
}
spoil adapter/adapter_model.safetensors >u && with adapter/adapter_model.safetensors refused 3 adapter/adapter_model.safetensors "tensor '" NaN -- plan sweep.cfg <u
for model in model reward; do
  spoil $model/model.safetensors >u && with $model/model.safetensors refused 3 $model/model.safetensors "tensor '" NaN -- plan sweep.cfg --load <u
done
