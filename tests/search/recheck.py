#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `recheck` gains at equal numbers of prompts: the table in docs/search.md.

    python3 tests/search/recheck.py build/release/paretorank
"""

import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

LANDSCAPES = ["concave", "hull", "dominated", "disconnected", "step", "multimodal", "ridge"]
CASES = [(2, 12, 5), (3, 24, 3)]  # objectives, budget, seeds
NOISE = "0.05"
SEARCHES = {
    "all points on 16 prompts": "",
    "`fidelity = [4, 16]; recheck = 0.5;`": " fidelity = [4, 16]; recheck = 0.5;",
}


def run(program, landscape, k, budget, keys, seed):
    command = [program, "bench", "search", "--landscape", landscape, "--objectives", str(k), "--noise", NOISE]
    command += ["--search", f"budget = {budget};{keys}", "--seed", str(seed), "--json"]
    out = subprocess.run(command, check=True, capture_output=True, env=dict(os.environ, OPENBLAS_NUM_THREADS="1"))
    j = json.loads(out.stdout)
    return len(j["points"]), j["curve"][-1]["hv_share"], j["reported"], j["claimed"]


def main():
    program = sys.argv[1]
    print("| objectives | budget | search | points | share | reported | claimed |\n" + "| --- " * 7 + "|")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for k, budget, seeds in CASES:
            for name, keys in SEARCHES.items():
                jobs = [pool.submit(run, program, l, k, budget, keys, s) for l in LANDSCAPES for s in range(1, seeds + 1)]
                n, share, reported, claimed = (statistics.mean(x) for x in zip(*(j.result() for j in jobs)))
                print(f"| {k} | {budget} | {name} | {n:.0f} | {share:.3f} | {reported:.3f} | {claimed:.3f} |", flush=True)


if __name__ == "__main__":
    main()
