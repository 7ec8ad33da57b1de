# SPDX-License-Identifier: BSD-3-Clause
"""pandas reads the tables, TensorBoard the event files, and they say the same."""
import json
import math

import pandas
import peer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

results = peer.sweep()

# ---- tables ----
cells = pandas.read_csv(results / "cells.csv", dtype={"point": str, "job": str})
front = pandas.read_csv(results / "front.csv", dtype={"point": str, "job": str})
for objective in peer.OBJECTIVES:
    for column in (objective, "se_" + objective, "w_" + objective):
        peer.check(cells[column].dtype.kind in "if" and cells[column].notna().all(), "cells.csv:", column, cells[column])
peer.check(set(cells["search"]) == {"states", "params", "base"}, "searches", set(cells["search"]))
peer.check(len(cells) == 16 and cells["point"].str.fullmatch("[0-9a-f]{32}").all(), "cells.csv:", len(cells), "rows")
own = cells[cells["front"] == 1].reset_index(drop=True)
pandas.testing.assert_frame_equal(own, front, check_dtype=False)  # 0 alone is an integer
points = peer.read_json(results / "front.json")["points"]
peer.check(len(points) == len(front), "front.json has", len(points), "points")
for row, point in zip(front.to_dict("records"), points):
    for objective in peer.OBJECTIVES:
        peer.check(row[objective] == point["mean"][objective], "front.csv and front.json", row, point)
        peer.check(row["w_" + objective] == point["weights"][objective], "front.csv and front.json", row, point)
lines = [json.loads(line) for line in (results / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
samples = pandas.read_json(results / "samples.jsonl", lines=True)
peer.check(len(samples) == len(lines) > 0 and {"prompt", "response", "scores"} <= set(samples.columns), "samples.jsonl")
costs = pandas.read_csv(results / "costs.csv")
peer.check((costs["seconds"] > 0).all() and (costs["status"] == "ok").all(), "costs.csv", costs)

# ---- steps ----
steps = pandas.read_csv(results / "steps.csv")
peer.check(len(steps) == 12 and not steps.isna().any(axis=None), "steps.csv", steps)
for label, own in steps.groupby("training"):
    events = EventAccumulator(str(results / "tensorboard" / label))
    events.Reload()
    expected = {("reward/" + c[7:] if c.startswith("reward_") else "train/" + c): c for c in own.columns[3:]}
    peer.check(set(events.Tags()["scalars"]) == set(expected), label, "tags", events.Tags()["scalars"])
    for tag, column in expected.items():
        scalars = events.Scalars(tag)
        peer.check([s.step for s in scalars] == list(own["step"]), label, tag, "steps", scalars)
        for scalar, value in zip(scalars, own[column]):
            peer.check(math.isclose(scalar.value, value, rel_tol=1e-6, abs_tol=1e-37), label, tag, scalar, value)
peer.end()
