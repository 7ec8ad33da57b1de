# SPDX-License-Identifier: BSD-3-Clause
"""moocore agrees on which points dominate, and on every indicator that both have."""
import json

import moocore
import numpy
import peer

TOLERANCE = 1e-10
random = numpy.random.default_rng(25)


def compare(name, points, front, reference, maximise):
    m = points.shape[1]
    files = [peer.work / f"{name}.{what}" for what in ("points", "front")]
    for file, rows in zip(files, (points, front)):
        file.write_text("".join(" ".join(map(repr, map(float, row))) + "\n" for row in rows))
    directions = "all" if maximise is True else "none" if maximise is False else ",".join(
        str(k + 1) for k in range(m) if maximise[k])
    found = json.loads(peer.run("indicators", files[0], "--front", files[1], "--maximize", directions, "--exact", "--json",
                                "--reference", " ".join(map(repr, map(float, reference)))))["sets"][0]
    kept = moocore.is_nondominated(points, maximise=maximise)
    expected = {
        "cardinality": kept.sum(),
        "hypervolume": moocore.hypervolume(points, ref=reference, maximise=maximise),
        "epsilon_additive": moocore.epsilon_additive(points, ref=front, maximise=maximise),
        "igd": moocore.igd(points, ref=front, maximise=maximise),
        "igd_plus": moocore.igd_plus(points, ref=front, maximise=maximise),
        "average_hausdorff": moocore.avg_hausdorff_dist(points, ref=front, maximise=maximise),
    }
    if (points > 0).all() and (front > 0).all() and not isinstance(maximise, list):
        expected["epsilon_multiplicative"] = moocore.epsilon_mult(points, ref=front, maximise=maximise)
    for indicator, value in expected.items():
        peer.close(found[indicator], value, TOLERANCE, name, indicator)
    rows = json.loads(peer.run("nondominated", files[0], "--maximize", directions, "--json"))["sets"][0]["rows"]
    peer.close([row["values"] for row in rows], points[kept], 0, name, "non-dominated rows")
    ranks = json.loads(peer.run("nondominated", files[0], "--maximize", directions, "--rank", "--json"))["sets"][0]["rows"]
    peer.close([row["rank"] for row in ranks], moocore.pareto_rank(points if maximise is not True else -points)
               if not isinstance(maximise, list) else moocore.pareto_rank(numpy.where(maximise, -points, points)),
               0, name, "ranks")


for m in (2, 3, 4, 5):
    for maximise in (False, True, [k % 2 == 0 for k in range(m)]):
        points, front = random.random((60, m)) + 0.1, random.random((40, m)) + 0.1
        better = numpy.broadcast_to(maximise, (m,))
        compare(f"random{m}{maximise is True}{maximise is False}", points, front, numpy.where(better, 0.05, 1.2), maximise)
grid = numpy.round(random.random((200, 3)) * 4)  # with many ties
compare("ties", numpy.unique(grid, axis=0) + 1, grid[:30] + 1, numpy.array([6.0, 6, 6]), False)

# A sweep's own table: its front, and the hypervolume that its metrics.json has.
results = peer.sweep("evaluate.prompts=8")
metrics = peer.read_json(results / "metrics.json")
reference = [metrics["reference_point"][objective] for objective in peer.OBJECTIVES]
with open(results / "cells.csv", encoding="utf-8") as f:
    heading, *rows = (line.rstrip("\n").split(",") for line in f)
rows = [dict(zip(heading, row)) for row in rows]
own = [row for row in rows if not row["search"].startswith("base")]
points = numpy.array([[float(row[objective]) for objective in peer.OBJECTIVES] for row in own])
kept = moocore.is_nondominated(points, maximise=True, keep_weakly=True)
peer.close([int(row["front"]) for row in own], kept.astype(int), 0, "cells.csv: front")
peer.close(metrics["all"]["hypervolume"], moocore.hypervolume(points, ref=reference, maximise=True), TOLERANCE, "metrics.json: hypervolume")
peer.end()
