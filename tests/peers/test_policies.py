# SPDX-License-Identifier: BSD-3-Clause
"""Experts, exported mixes and merged models of a sweep load in transformers and peft, and give the logits that
ParetoRank gives for them."""
import json

import peer
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 2e-5  # of the largest logit: both compute in 32 bits, and add in other orders
# Large steps, so that an expert that is left out would be seen.
results = peer.sweep("finetune.lr=0.02")
tokenizer = AutoTokenizer.from_pretrained(peer.MODEL)
texts = ["Client: I lost my job and I feel ashamed.\nCounselor:", "Client: My friends don't call any more.\nCounselor:"]
prompts = [tokenizer(text)["input_ids"] for text in texts]


def base():
    return AutoModelForCausalLM.from_pretrained(peer.MODEL, dtype=torch.float32).eval()


def theirs(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


def ours(model, ids, *more):
    words = ["logits", model, "--ids", ",".join(map(str, ids)), "--all", "--json", *more]
    return json.loads(peer.run(*words))["logits"]


for text, ids in zip(texts, prompts):
    found = json.loads(peer.run("tokenize", peer.MODEL, text=text))
    peer.check(found["ids"] == ids, "tokens of", text, found, ids)

plain = [theirs(base(), ids) for ids in prompts]
for ids, logits in zip(prompts, plain):
    peer.close(ours(peer.MODEL, ids), logits, TOLERANCE, "the base model")


def compare(name, directory, *more):
    """A PEFT directory in peft, in ParetoRank by `more`, and merged into the weights."""
    model = PeftModel.from_pretrained(base(), directory).eval()
    for ids, before in zip(prompts, plain):
        logits = theirs(model, ids)
        peer.check(abs(logits - before).max() > 100 * TOLERANCE * abs(before).max(), name, "changes nothing")
        peer.close(ours(peer.MODEL, ids, "--adapter", directory), logits, TOLERANCE, name)
        if more:
            peer.close(ours(peer.MODEL, ids, *more), logits, TOLERANCE, name, "from its parts")
    merged = peer.work / (name + "-merged")
    model.merge_and_unload().save_pretrained(merged)
    tokenizer.save_pretrained(merged)
    for ids in prompts:
        peer.close(ours(merged, ids), theirs(AutoModelForCausalLM.from_pretrained(merged).eval(), ids), TOLERANCE, name, "merged")


experts = [results / "experts" / f"{objective}-s1" for objective in peer.OBJECTIVES]
for objective, expert in zip(peer.OBJECTIVES, experts):
    compare(objective, expert)
adapters = [word for expert in experts for word in ("--adapter", expert)]
for number, weights in enumerate(("0.5,0.25,0.25", "1,0,1", "0,0,1")):
    out = peer.work / f"mix{number}"
    peer.run("export", results, "--weights", weights, "--search", "params", "--out", out)
    compare(f"mix{number}", out, *adapters, "--weights", weights, "--aggregate", "params")
peer.end()
