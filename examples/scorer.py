#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An objective in five lines: how many questions a response asks for each sentence that it states, at most 1.

    { name = "asks"; type = "command"; command = ["python3", "scorer.py"]; lo = 0.0; hi = 1.0; }
"""
import json, sys
for line in sys.stdin:
    sample = json.loads(line)
    score = min(1, sample["response"].count("?") / (1 + sample["response"].count(".")))
    print(json.dumps({"id": sample["id"], "score": score}), flush=True)
