# SPDX-License-Identifier: BSD-3-Clause
"""The schemas are schemas, and jsonschema finds every JSON file as they say; pandas takes what the module gives."""
import json
import sys

import jsonschema
import peer

sys.dont_write_bytecode = True
sys.path.insert(0, str(peer.SOURCE / "python"))
import paretorank

results = peer.sweep()
(peer.work / "status.json").write_text(peer.run("status", results, "--json"), encoding="utf-8")
files = {
    "front": [results / "front.json"],
    "metrics": [results / "metrics.json"],
    "indicators": [results / "indicators.json"],
    "samples": [results / "samples.jsonl"],
    "journal": [results / "journal.jsonl"],
    "steps": sorted(results.glob("artifacts/*/steps.json")),
    "status": [peer.work / "status.json"],
}
folder = peer.SOURCE / "schemas"
peer.check({f"{name}.schema.json" for name in files} == {path.name for path in folder.iterdir()}, "schemas", *folder.iterdir())
for name, paths in files.items():
    schema = peer.read_json(folder / f"{name}.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    peer.check(paths, "no", name)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        values = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
        peer.check(values, path, "is empty")
        for value in values:
            fault = next(validator.iter_errors(value), None)
            peer.check(fault is None, path, fault)
            for key in schema["required"]:
                less = {k: v for k, v in value.items() if k != key}
                peer.check(not validator.is_valid(less), name, "takes one without", key)

own = paretorank.load(results)
cells = own.to_pandas()
peer.check(len(cells) == 16 and cells["front"].dtype == bool and cells["seed"].dtype == int, cells.dtypes)
peer.close(cells[cells["front"]][list(own.objectives)], [list(p["mean"].values()) for p in own.front()], 0, "to_pandas")
flat = paretorank.to_pandas(own.front())
peer.close(flat["mean.brevity"], [p["mean"]["brevity"] for p in own.front()], 0, "to_pandas of points")
peer.check(len(own.to_pandas("steps")) == 12, "steps")
peer.end()
