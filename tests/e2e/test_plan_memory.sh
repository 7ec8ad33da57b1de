#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What plan says of memory, beside the most that the ranks of a run hold at a time: within 15 %.
# label: slow
. "$(dirname "$0")/lib.sh"
counsel=$PARETORANK_SOURCE_DIR/sweeps/counsel
cd "$work" || exit 1
if nm -D "$paretorank" 2>/dev/null | grep -q __asan_init; then
  echo "a sanitizer has memory of its own"
  exit 77
fi

# Models and adapters of made-up weights: model OUT d layers heads kv ff vocab dtype [labels], adapters OUT r n.
cat >make.py <<'P'
import array, json, os, random, shutil, struct, sys
counsel, kind, out = sys.argv[1:4]
random.seed(1)
some = array.array("f", [random.gauss(0, 0.05) for _ in range(100003)]).tobytes()
def write(path, tensors, dtype, first=0): # first: the number that it begins with, so that files differ
    size, header, at = {"F32": 4, "BF16": 2}[dtype], {}, 0
    block = some[4 * first:] + some[:4 * first] if dtype == "F32" else b"".join(some[i + 2:i + 4] for i in range(0, len(some), 4))
    for name, shape in tensors:
        n = size
        for s in shape:
            n *= s
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.write((block * (at // len(block) + 1))[:at])
def model(d, layers, heads, kv, ff, vocab, dtype, labels=0):
    hd = d // heads
    t = [("model.embed_tokens.weight", [vocab, d])]
    for i in range(layers):
        p = "model.layers.%d." % i
        t += [(p + "input_layernorm.weight", [d]), (p + "post_attention_layernorm.weight", [d]),
              (p + "self_attn.q_proj.weight", [d, d]), (p + "self_attn.k_proj.weight", [kv * hd, d]),
              (p + "self_attn.v_proj.weight", [kv * hd, d]), (p + "self_attn.o_proj.weight", [d, d]),
              (p + "mlp.gate_proj.weight", [ff, d]), (p + "mlp.up_proj.weight", [ff, d]), (p + "mlp.down_proj.weight", [d, ff])]
    t += [("model.norm.weight", [d])] + [("score.weight", [labels, d])] * (labels > 0)
    write(out + "/model.safetensors", t, dtype)
    c = json.load(open(counsel + "/model/config.json"))
    c.update(hidden_size=d, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, head_dim=hd,
             intermediate_size=ff, vocab_size=vocab, dtype={"F32": "float32", "BF16": "bfloat16"}[dtype])
    if labels:
        c.update(architectures=["LlamaForSequenceClassification"], num_labels=labels, pad_token_id=0)
    json.dump(c, open(out + "/config.json", "w"))
    for f in "tokenizer.json", "generation_config.json":
        shutil.copy(counsel + "/model/" + f, out)
def adapters(r, n):
    c = json.load(open(out + "/config.json"))
    d, kv = c["hidden_size"], c["num_key_value_heads"] * c["head_dim"]
    t = []
    for i in range(c["num_hidden_layers"]):
        for name, o in ("q_proj", d), ("v_proj", kv):
            p = "base_model.model.model.layers.%d.self_attn.%s." % (i, name)
            t += [(p + "lora_A.weight", [r, d]), (p + "lora_B.weight", [o, r])]
    for k in range(n):
        a = "%s/adapter%d" % (out, k)
        os.makedirs(a)
        write(a + "/adapter_model.safetensors", t, "F32", k)
        json.dump({"peft_type": "LORA", "r": r, "lora_alpha": r, "target_modules": ["q_proj", "v_proj"]},
                  open(a + "/adapter_config.json", "w"))
if kind == "model":
    os.makedirs(out, exist_ok=True)
    model(*map(int, sys.argv[4:10]), sys.argv[10], int(sys.argv[11]) if len(sys.argv) > 11 else 0)
else:
    adapters(int(sys.argv[4]), int(sys.argv[5]))
P
make() { python3 make.py "$counsel" "$@"; }

# The most of each rank, in KiB, into rss.RANK.
cat >rank.py <<'P'
import os, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
open("rss.%s" % os.environ.get("OMPI_COMM_WORLD_RANK", "0"), "w").write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
P
beside() { # beside RANKS SWEEP [ARGUMENT...]: the ranks that work and rank 0
  local n=$1
  shift
  rm -rf rss.* results
  "$paretorank" plan "$@" --ranks "$n" --json >said
  mpirun -n "$n" python3 rank.py "$paretorank" run "$@" --quiet >out 2>&1 || fail "$*: $(tail -3 out)"
  python3 - said rss.* <<'P' || fail "$n ranks of $*"
import json, sys
said = json.load(open(sys.argv[1]))
rss = {int(f[4:]): 1024 * int(open(f).read()) for f in sys.argv[2:]}
most = max(v for r, v in rss.items() if r > 0 or len(rss) == 1)
ratios = [said["memory_per_rank"] / most, said["memory_rank0"] / rss[0]]
print("%.0f MiB said, %.0f measured" % (said["memory_per_rank"] / 2**20, most / 2**20), ["%.2f" % x for x in ratios])
sys.exit(not all(1 / 1.15 < x < 1.15 for x in ratios))
P
}

make model small 64 2 2 2 128 4096 F32
make adapters small 4 2
make model middle 256 6 4 4 768 4096 F32
make adapters middle 256 16
make model scorer 512 10 8 4 1536 8000 F32 1
make model scorer16 512 10 8 4 1536 8000 BF16 1
make model learner 512 6 8 4 1536 8000 BF16
printf '{"prompt": "I feel lost."}\n{"prompt": "My friend has left me and I do not know why."}\n' >p.jsonl

# Adapters only, 16 of them.
{
  echo 'model = "middle"; results = "results"; prompts = { eval = "p.jsonl"; }; stop = (); evaluate = { max_new_tokens = 2; };'
  echo 'aggregate = "params"; search = { type = "list"; file = "w.txt"; }; objectives = ('
  for k in $(seq 0 15); do echo "$([ "$k" = 0 ] || echo ,) { name = \"o$k\"; type = \"brevity\"; adapter = \"middle/adapter$k\"; }"; done
  echo ');'
} >adapters.cfg
for i in 1 2; do printf "$i%.0s " $(seq 16) | sed 's/ $/\n/'; done >w.txt
echo "1 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1" >>w.txt
beside 1 adapters.cfg
beside 2 adapters.cfg
beside 2 adapters.cfg --set 'aggregate="states"'

# A reward model larger than the base, mapped and converted.
for scorer in scorer scorer16; do
  cat >reward.cfg <<C
model = "small"; results = "results"; prompts = { eval = "p.jsonl"; }; stop = (); evaluate = { max_new_tokens = 2; };
objectives = ( { name = "a"; type = "brevity"; adapter = "small/adapter0"; },
  { name = "b"; type = "reward_model"; model = "$scorer"; transform = "sigmoid"; adapter = "small/adapter1"; } );
search = { type = "grid"; divisions = 1; };
C
  beside 1 reward.cfg
  beside 3 reward.cfg
done

# Fine-tuning, alone and in teams.
cat >learn.cfg <<C
model = "learner"; results = "results"; prompts = { train = "$counsel/prompts-train.jsonl"; eval = "p.jsonl"; }; stop = ();
objectives = ( { name = "a"; type = "brevity"; }, { name = "b"; type = "empathy"; } );
finetune = { steps = 2; prompts_per_step = 8; samples = 4; max_new_tokens = 16; lora = { r = 16; }; };
evaluate = { max_new_tokens = 2; }; search = { type = "grid"; divisions = 1; };
C
beside 2 learn.cfg
beside 3 learn.cfg --set finetune.team.cols=2 --set evaluate.team.cols=2
beside 3 learn.cfg --set finetune.team.rows=2 --set evaluate.team.rows=2
# Points that are models: a copy of the adapted maps.
dense=(--set 'aggregate="ties"' --set finetune.steps=1 --set finetune.samples=2 --set finetune.prompts_per_step=1 --set 'search={type="grid";divisions=2;}')
beside 2 learn.cfg "${dense[@]}"
beside 3 learn.cfg "${dense[@]}" --set finetune.team.cols=2 --set evaluate.team.cols=2

# Rank 0's points, of a sweep whose jobs end at once.
"$paretorank" bench schedule --jobs 1 --rounds 1 --ms 0 --points 200000 --json >bench.json 2>bench.err || fail "bench: $(tail -1 bench.err)"
cat >points.cfg <<C
model = "small"; prompts = { eval = "p.jsonl"; }; stop = (); search = { type = "grid"; divisions = 631; };
objectives = ( { name = "a"; type = "brevity"; adapter = "small/adapter0"; }, { name = "b"; type = "empathy"; adapter = "small/adapter1"; },
  { name = "c"; type = "distinct"; adapter = "small/adapter1"; } );
C
"$paretorank" plan points.cfg --ranks 2 --json >said
python3 - said bench.json <<'P' || fail "rank 0's points"
import json, sys
said, bench = (json.load(open(f)) for f in sys.argv[1:])
points, mib = bench["sweep"]["points"], bench["sweep"]["run_mib"]
assert said["evaluate"]["points"] == 632 * 633 // 2
each = (said["memory_rank0"] - (23 << 20)) / said["evaluate"]["points"]
print("%.0f bytes a point said, %.0f measured" % (each, mib * 2**20 / points))
sys.exit(not 1 / 1.15 < each * points / (mib * 2**20) < 1.15)
P
