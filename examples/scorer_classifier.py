#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A text classifier of transformers as an objective: the probability that it gives to one of its labels.

    { name = "joy"; type = "command"; batch = 32; lo = 0.0; hi = 1.0; timeout = "10m";
      command = ["python3", "scorer_classifier.py", "--model", "/models/my-classifier", "--label", "joy"]; }

It needs the packages torch and transformers. Classifiers of the architectures that paretorank knows itself need no
program: see the objective reward_model. --text says what is classified: the response alone, or the prompt before it.
"""
import argparse
import json
import os
import sys


def label_number(names, wanted):
    """names: number -> name, as config.json has them. wanted: either."""
    for number, name in names.items():
        if wanted in (str(number), name):
            return int(number)
    sys.exit(f"--label: found '{wanted}', expected one of: {', '.join(names.values())}")


def load(args):
    """A function from texts to the probabilities of the label."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForSequenceClassification.from_pretrained(args.model).eval()
    label = label_number(model.config.id2label, args.label)

    def probabilities(texts):
        inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            return model(**inputs).logits.float().softmax(-1)[:, label].tolist()

    return probabilities


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--label", required=True, help="a label's name or number")
    parser.add_argument("--text", choices=["response", "both"], default="response")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")  # and what libraries print goes to stderr
    os.dup2(2, 1)
    probabilities = load(args)
    for line in sys.stdin:
        request = json.loads(line)
        samples = request["samples"] if "samples" in request else [request]  # batch = 1 has none
        texts = [s["response"] if args.text == "response" else s["prompt"] + s["response"] for s in samples]
        scores = probabilities(texts)
        answer = {"scores": scores} if "samples" in request else {"score": scores[0]}
        print(json.dumps({"id": request["id"], **answer}), file=answers, flush=True)


main()
