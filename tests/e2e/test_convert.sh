#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank convert: models as the gguf package and transformers read the same files; what is damaged, or would be
# computed in another way, is refused in one line and leaves nothing.
. "$(dirname "$0")/cli_lib.sh"
gguf=$fixtures/gguf

python3 - "$bin" "$gguf" "$work" <<'P' || fail "models"
import json, struct, subprocess, sys
bin, gguf, work = sys.argv[1:]
bad = 0
def run(*a, stdin=None):
    p = subprocess.run([bin, *a], input=stdin, capture_output=True)
    assert p.returncode == 0, (a, p.stderr)
    return json.loads(p.stdout) if p.stdout else None
def check(what, good):
    global bad
    if not good:
        bad += 1
        print(what, file=sys.stderr)
def tensors(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    return {k: v for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}
files = json.load(open(gguf + "/answers.json"))["files"]
assert len(files) >= 6
for c in files:
    name, d = c["file"], f"{work}/{c['file']}"
    run("convert", f"{gguf}/{name}", "--out", d)
    for l in c["logits"]:
        got = run("logits", d, "--ids", ",".join(map(str, l["ids"])), "--json")["logits"]
        got = got[-1] if isinstance(got[0], list) else got
        far = sum((a - b) ** 2 for a, b in zip(got, l["last"])) ** .5 / sum(b * b for b in l["last"]) ** .5
        check(f"{name}: logits off by {far}", len(got) == len(l["last"]) and far < 2e-4)
    for g in c["greedy"]:
        got = run("generate", d, "--ids", ",".join(map(str, g["ids"])), "--greedy", "--max-new-tokens", "12", "--ignore-eos", "--json")["ids"]
        check(f"{name}: greedy {got}", got == g["ids"] + g["next"])
    for t in c["texts"]:
        text = t["text"].encode()
        check(f"{name}: {t['text']!r}", run("tokenize", d, stdin=text)["ids"] == t["ids"])
        check(f"{name}: {t['text']!r} without special tokens", run("tokenize", d, "--no-special", stdin=text)["ids"] == t["ids_no_special"])
        check(f"{name}: {t['text']!r} back", run("tokenize", d, "--decode", "--json", stdin=json.dumps({"ids": t["ids"]}).encode())["text"] == t["decoded"])
    config = json.load(open(d + "/tokenizer_config.json"))
    check(f"{name}: chat template", config["chat_template"] == c["chat_template"])
    check(f"{name}: tokens", (config["bos_token"], config["eos_token"]) == (c["bos"], c["eos"]))
    check(f"{name}: F32", {t["dtype"] for t in tensors(d + "/model.safetensors").values()} == {"F32"})
    half = d + "-half"
    run("convert", f"{gguf}/{name}", "--out", half, "--dtype", "bfloat16")
    check(f"{name}: BF16", {t["dtype"] for t in tensors(half + "/model.safetensors").values()} == {"BF16"} and
          json.load(open(half + "/config.json"))["torch_dtype"] == "bfloat16")
sys.exit(bad > 0)
P

# A directory that holds something is left alone; an empty one is filled.
expect 2 "found 5 files, expected a directory that is not there or empty" convert "$gguf/llama-q4_0.gguf" --out "$work/llama-q4_0.gguf"
mkdir "$work/empty"
expect 0 "a llama model of" convert "$gguf/llama-q4_0.gguf" --out "$work/empty"
expect 2 "found a file" convert "$gguf/llama-q4_0.gguf" --out "$work/out"
expect 3 "No such file" convert "$work/none.gguf" --out "$work/new"
expect 2 "--dtype: found 'int8', expected one of" convert "$gguf/llama-q4_0.gguf" --out "$work/new" --dtype int8
ls -d "$work"/*.tmp-* 2>/dev/null && fail "something half-written is left"

# refused NAME WORDS CODE: the file as Python's CODE changes it (g: the Gguf; b: a list of its bytes that may be set).
export PYTHONPATH=$source_dir/tests/e2e PYTHONDONTWRITEBYTECODE=1
make() { # from, code, to
  python3 - "$@" <<'P'
import sys
from gguf_edit import Gguf
g = Gguf(sys.argv[1])
b = None
exec(sys.argv[2])
g.write(sys.argv[3]) if b is None else open(sys.argv[3], "wb").write(b)
P
}
refused() {
  local from=${4:-llama-q4_0}
  make "$gguf/$from.gguf" "$3" "$work/$1.gguf" || fail "$1: cannot be made"
  ( ulimit -v 1500000 -t 20; "$bin" convert "$work/$1.gguf" --out "$work/made" ) >"$work/out" 2>"$work/err" </dev/null
  local got=$?
  [ "$got" = 3 ] || fail "$1: exit code $got, expected 3: $(cat "$work/err")"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$1: $(wc -l <"$work/err") lines on stderr"
  grep -qF -- "$2" "$work/err" || fail "$1: said '$(cat "$work/err")', expected '$2'"
  [ ! -e "$work/made" ] && ! ls -d "$work"/made.tmp-* >/dev/null 2>&1 || fail "$1: something is left"
  rm -rf "$work/made" "$work/$1.gguf"
}
make "$gguf/llama-q4_0.gguf" 'pass' "$work/same.gguf" && cmp -s "$work/same.gguf" "$gguf/llama-q4_0.gguf" || fail "a file that nothing changes is not the same"

refused empty "ends after 0" 'b = b""'
refused magic "no magic" 'b = b"GGML" + g.bytes[4:]'
refused version "version: found 1, expected 2 or 3" 'b = g.bytes[:4] + b"\1\0\0\0" + g.bytes[8:]'
refused big-endian "big-endian" 'b = g.bytes[:4] + b"\0\0\0\3" + g.bytes[8:]'
refused many-tensors "tensors, but the file ends" 'b = g.bytes[:8] + b"\xff" * 8 + g.bytes[16:]'
refused many-keys "keys, but the file ends" 'b = g.bytes[:16] + b"\0" * 7 + b"\x20" + g.bytes[24:]'
refused cut-keys "ends after" 'b = g.bytes[:900]'
refused cut-data "tensor 'output_norm.weight': found 256 bytes at offset" 'g.find("output_norm.weight")[3] = len(g.data) - 96'
refused lfs "Git LFS" 'b = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n"'
refused type "tensor 'blk.0.attn_q.weight': type: found IQ4_XS, expected F32" 'g.find("blk.0.attn_q.weight")[2] = 23'
refused family "key 'general.architecture': found mamba, expected llama, qwen2 or qwen3" 'g.keys["general.architecture"] = (8, "mamba")'
refused family-bytes "key 'general.architecture': found 2 bytes that are no text" 'g.keys["general.architecture"] = (8, b"\xff\xfe")'
refused adapter "key 'general.type': found adapter, expected model" 'g.keys["general.type"] = (8, "adapter")'
refused sentencepiece "key 'tokenizer.ggml.model': found llama (SentencePiece), expected gpt2" 'g.keys["tokenizer.ggml.model"] = (8, "llama")'
refused no-tokenizer "key 'tokenizer.ggml.model': found nothing" 'del g.keys["tokenizer.ggml.model"]'
refused pre "key 'tokenizer.ggml.pre': found gpt-9, expected" 'g.keys["tokenizer.ggml.pre"] = (8, "gpt-9")'
refused no-pre "key 'tokenizer.ggml.pre': found nothing" 'del g.keys["tokenizer.ggml.pre"]'
refused bos "key 'tokenizer.ggml.bos_token_id': found 900, expected 0 to 300" 'g.keys["tokenizer.ggml.bos_token_id"] = (4, 900)'
refused twice "key 'tokenizer.ggml.tokens'[7]: found '!', which is the token 3 too" 'g.keys["tokenizer.ggml.tokens"][1][1][7] = "!"'
refused merges "key 'tokenizer.ggml.merges'[0]: found 'x y z', expected two tokens" 'g.keys["tokenizer.ggml.merges"][1][1][0] = "x y z"'
refused merge "key 'tokenizer.ggml.merges'[0]: found '! !', of which one" 'g.keys["tokenizer.ggml.merges"][1][1][0] = "! !"'
refused token-type "key 'tokenizer.ggml.token_type'[2]: found 9, expected 1 to 6" 'g.keys["tokenizer.ggml.token_type"][1][1][2] = 9'
refused token-types "key 'tokenizer.ggml.token_type': found 300, expected one for each of 301" 'g.keys["tokenizer.ggml.token_type"][1][1].pop()'
refused tokens "key 'tokenizer.ggml.tokens': found 300, but tensor 'token_embd.weight' has 301 rows" 'g.keys["tokenizer.ggml.tokens"][1][1].pop()'
refused blank "key 'tokenizer.ggml.add_space_prefix': found true" 'g.keys["tokenizer.ggml.add_space_prefix"] = (7, True)'
refused missing "tensor 'blk.1.ffn_up.weight': not there" 'g.tensors.remove(g.find("blk.1.ffn_up.weight"))'
refused shape "tensor 'blk.0.attn_q.weight': found the shape" 'g.find("blk.0.attn_q.weight")[1][1] //= 2'
refused other "tensor 'blk.0.attn_sinks.weight': a model of this family has no such weight" 'g.tensors.append(["blk.0.attn_sinks.weight", [1], 0, 0])'
refused vector "tensor 'output_norm.weight': type: found Q8_0, expected F32" 'g.find("output_norm.weight")[2] = 8'
refused layers "key 'llama.block_count': found 1000000000, expected 1 to 10000" 'g.keys["llama.block_count"] = (4, 10**9)'
refused fewer-layers "a model of this family has no such weight" 'g.keys["llama.block_count"] = (4, 1)'
refused width "key 'llama.embedding_length': found 0, expected 1 to" 'g.keys["llama.embedding_length"] = (4, 0)'
refused heads "key 'llama.attention.head_count': found 0" 'g.keys["llama.attention.head_count"] = (4, 0)'
refused kv-heads "key 'llama.attention.head_count_kv': found 3, expected a divisor" 'g.keys["llama.attention.head_count_kv"] = (4, 3)'
refused experts "key 'llama.expert_count': found 8, expected 0" 'g.keys["llama.expert_count"] = (4, 8)'
refused unknown "key 'llama.attention.logit_cap': found a value, expected no such key" 'g.keys["llama.attention.logit_cap"] = (6, 30.0)'
refused scaling "key 'llama.rope.scaling.type': found yarn, expected linear or none" 'g.keys["llama.rope.scaling.type"] = (8, "yarn")'
refused partial "key 'llama.rope.dimension_count': found 4, expected" 'g.keys["llama.rope.dimension_count"] = (4, 4)'
refused factors "tensor 'rope_freqs.weight': its factors are not those of Llama 3.1's scaling" 'import struct; g.data = bytearray(g.data); struct.pack_into("<f", g.data, g.find("rope_freqs.weight")[3] + 12, 5.0)' llama-rope-factors
refused infinite "tensor 'output_norm.weight': element 0: found Infinity" 'import struct; g.data = bytearray(g.data); struct.pack_into("<f", g.data, g.find("output_norm.weight")[3], float("inf"))'
refused causal "key 'llama.attention.causal': found false, expected true" 'g.keys["llama.attention.causal"] = (7, False)'
refused split "key 'split.count'" 'g.keys["split.count"] = (2, 4)'

# What the keys say beside the weights: tokens that end a response, and several templates.
make "$gguf/llama-q4_0.gguf" 'g.keys["tokenizer.ggml.eot_token_id"] = (4, 0); g.keys["tokenizer.chat_template.tool_use"] = (8, "T"); g.keys["tokenizer.ggml.add_eos_token"] = (7, True)' "$work/more.gguf"
"$bin" convert "$work/more.gguf" --out "$work/more" 2>/dev/null || fail "more keys"
python3 - "$work/more" <<'P' || fail "more keys: $(cat "$work/more/generation_config.json" "$work/more/tokenizer_config.json")"
import json, sys
d = sys.argv[1]
assert json.load(open(d + "/generation_config.json"))["eos_token_id"] == [2, 0]
t = {x["name"]: x["template"] for x in json.load(open(d + "/tokenizer_config.json"))["chat_template"]}
assert t["tool_use"] == "T" and "im_start" in t["default"], t
P
[ "$(printf 'x' | "$bin" tokenize "$work/more" | tr -d ' ' | grep -o ',2\]')" = ",2]" ] || fail "no end token is added"

# A number that the type has no place for.
make "$gguf/llama-q4_0.gguf" 'import struct; g.data = bytearray(g.data); struct.pack_into("<f", g.data, g.find("output_norm.weight")[3] + 4, 1e30)' "$work/large.gguf"
expect 1 "tensor 'output_norm.weight': element 1 is 1e+30, for which float16 has no place" convert "$work/large.gguf" --out "$work/large" --dtype float16
expect 0 "bfloat16" convert "$work/large.gguf" --out "$work/large" --dtype bfloat16

# No room: one line, and nothing is left.
( ulimit -f 50; "$bin" convert "$gguf/llama-q4_0.gguf" --out "$work/made" ) 2>"$work/err"
[ $? -eq 4 ] || fail "no room: exit code $?, $(cat "$work/err")"
[ ! -e "$work/made" ] && ! ls -d "$work"/made.tmp-* >/dev/null 2>&1 || fail "no room: something is left"
finish
