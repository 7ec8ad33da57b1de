#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The search beside public optimisers, at equal numbers of points: a table in Markdown.
Usage: compare.py PARETORANK [--objectives 2,3,5,8] [--seeds 3] [--search 'budget = {N};'] [--margin .02] [--all]
A row agrees when the median share of `bench search` over the seeds is at least the best peer's median less the margin."""
import argparse
import collections
import concurrent.futures
import csv
import json
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("paretorank")
parser.add_argument("--objectives", default="2,3,5,8")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--search", default="budget = {N};")
parser.add_argument("--margin", type=float, default=0.02)
parser.add_argument("--jobs", type=int, default=os.cpu_count())
parser.add_argument("--all", action="store_true", help="a line for every row, not only for those that do not agree")
options = parser.parse_args()

peers = collections.defaultdict(dict)  # row: method: median
for r in csv.DictReader(open(os.path.join(here, "peers.csv"))):
    if r["objectives"] in options.objectives.split(","):
        row = (int(r["objectives"]), int(r["points"]), float(r["noise"]), r["landscape"])
        peers[row][r["method"]] = float(r["median"])


def share(row, seed):
    k, n, noise, name = row
    table = os.path.join(here, name + ".csv")
    where = ["--table", table] if os.path.exists(table) else ["--landscape", name, "--objectives", str(k)]
    if noise:
        where += ["--noise", str(noise)]
    command = [options.paretorank, "bench", "search", *where, "--search", options.search.format(N=n)]
    found = subprocess.run(command + ["--seed", str(seed), "--json"], capture_output=True, text=True)
    if found.returncode:
        sys.exit(found.stderr.strip())
    return [at["hv_share"] for at in json.loads(found.stdout)["curve"] if at["n"] <= n][-1]


def median(row):
    return statistics.median(share(row, seed) for seed in range(1, options.seeds + 1))


with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
    ours = dict(zip(sorted(peers), pool.map(median, sorted(peers))))

print("| objectives | points | noise | rows | ours | best peer, row by row | best single peer | rows that agree |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
groups = collections.defaultdict(list)
for row in sorted(peers):
    groups[row[:3]].append(row)
groups[("all", "", "")] = sorted(peers)
for (k, n, noise), rows in groups.items():
    single = {m: [peers[r][m] for r in rows] for m in set.intersection(*(set(peers[r]) for r in rows))}
    name, best = max(((m, statistics.mean(v)) for m, v in single.items()), key=lambda t: t[1])
    agree = sum(ours[r] >= max(peers[r].values()) - options.margin for r in rows)
    each = statistics.mean(max(peers[r].values()) for r in rows)
    mean = statistics.mean(ours[r] for r in rows)
    print(f"| {k} | {n} | {noise or ''} | {len(rows)} | {mean:.3f} | {each:.3f} | {name} {best:.3f} | {agree} |")
print()
print("| landscape | objectives | points | noise | ours | best peer | difference |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for row in sorted(peers, key=lambda r: ours[r] - max(peers[r].values())):
    name, best = max(peers[row].items(), key=lambda t: t[1])
    if options.all or ours[row] < best - options.margin:
        k, n, noise, landscape = row
        print(f"| {landscape} | {k} | {n} | {noise or ''} | {ours[row]:.3f} | {name} {best:.3f} | {ours[row] - best:+.3f} |")
