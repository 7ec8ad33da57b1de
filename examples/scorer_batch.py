#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An objective over batches: a line has up to `batch` samples, and its answer a score for each, in their order. What is
worth doing once for many (a model's pass, a request to a server) is done once a line; `copies` processes share the lines.

    { name = "echo"; type = "command"; command = ["python3", "scorer_batch.py"]; batch = 16; copies = 2; lo = 0.0; hi = 1.0;
      minimize = true; }

Here: the share of a response's words that the prompt has, too. A score must not depend on what else is on the line.
"""
import json
import re
import sys


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def score(samples):
    known = [set(words(s["prompt"])) for s in samples]
    said = [words(s["response"]) for s in samples]
    return [sum(w in k for w in r) / len(r) if r else 0.0 for k, r in zip(known, said)]


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"scores": score(request["samples"])}
    except Exception as e:  # told in the sweep's journal and on its terminal; the job fails
        answer = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
