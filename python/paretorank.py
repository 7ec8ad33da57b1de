# SPDX-License-Identifier: BSD-3-Clause
"""Results of ParetoRank in Python: one file, the standard library only.

    import paretorank
    results = paretorank.load("results/mine")
    results.objectives                         # ["short", "asks", "varied"]
    for point in results.front():              # dictionaries: search, seed, weights, mean, se, ...
        print(point["weights"], point["mean"])
    results.metrics["all"]["hypervolume"]
    results.to_pandas("cells")                 # with pandas

Only tables are read, so that it works on a copy of them, and beside a sweep that runs. Where there is no table yet,
FileNotFoundError; where one is not as expected, ValueError, which names file and line.
"""
import csv
import json
import math
import os

__all__ = ["load", "Results", "to_pandas"]

_FIRST = ("search", "seed", "level")
_LAST = ("prompts", "new_tokens", "cut", "front", "point", "job")
_WHOLE = {"seed", "level", "prompts", "new_tokens", "step", "tokens", "rank", "attempts"}
_TEXT = {"search", "point", "job", "training", "kind", "label", "host", "status"}


def load(directory):
    """The results in a directory of a sweep."""
    return Results(directory)


def _value(column, text):
    """A field: None where it is empty."""
    if column in _TEXT:
        # A spreadsheet would take =1 for a formula; the product puts ' before it.
        return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@\t\r\n" else text
    if text == "":
        return None
    if column in _WHOLE:
        return int(text)
    if column == "front":
        return text == "1"
    try:
        return float(text)
    except ValueError:  # a searched word or switch
        return {"true": True, "false": False}.get(text, text)


def _read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        heading = next(reader, None)
        if not heading:
            raise ValueError(f"{path}:1: found no line of names")
        rows = []
        for fields in reader:
            if len(fields) != len(heading):
                raise ValueError(f"{path}:{reader.line_num}: found {len(fields)} fields, expected {len(heading)}")
            try:
                rows.append({column: _value(column, field) for column, field in zip(heading, fields)})
            except ValueError as error:
                raise ValueError(f"{path}:{reader.line_num}: {error}") from None
    return heading, rows


def _read_json(path):
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{error.lineno}: {error.msg}") from None


def _read_lines(path):
    values = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number}: {error.msg}") from None
    return values


class _Columns:
    """What the columns of a table of points are."""

    def __init__(self, heading):
        self.means = [c for c in heading if "se_" + c in heading]
        self.blocks = {k: [c for c in heading if c.startswith(f"w_{k}.") and c[len(k) + 3 :].isdigit()] for k in self.means}
        self.weighted = [k for k in self.means if "w_" + k in heading or self.blocks[k]]
        known = {*_FIRST, *_LAST, *self.means}
        known.update("se_" + k for k in self.means)
        known.update("w_" + k for k in self.weighted)
        known.update(c for own in self.blocks.values() for c in own)
        self.params = [c for c in heading if c not in known]

    def point(self, row):
        point = {column: row[column] for column in _FIRST}
        if row.get("w_" + self.weighted[0]) is not None:
            point["weights"] = {k: row["w_" + k] for k in self.weighted}
        else:  # a row of weights for each block of layers
            blocks = [[row[c] for c in self.blocks[k] if row[c] is not None] for k in self.weighted]
            point["weights"] = [dict(zip(self.weighted, w)) for w in zip(*blocks)]
        point["mean"] = {k: row[k] for k in self.means}
        point["se"] = {k: row["se_" + k] for k in self.means}
        point["params"] = {c: row[c] for c in self.params if row[c] is not None}
        point.update((column, row[column]) for column in _LAST)
        return point


class Results:
    """A results directory. Tables are read when they are asked for, each time anew."""

    def __init__(self, directory):
        self.directory = os.fspath(directory)
        if not os.path.isdir(self.directory):
            raise FileNotFoundError(f"{self.directory}: no such directory")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def __repr__(self):
        return f"paretorank.load({self.directory!r})"

    # ---- points ----

    @property
    def objectives(self):
        """The names of the objectives that points have weights of, in the sweep's order."""
        return _Columns(_read_csv(self.path("cells.csv"))[0]).weighted

    def _points(self, name):
        path = self.path(name)
        heading, rows = _read_csv(path)
        columns = _Columns(heading)
        missing = [c for c in (*_FIRST, *_LAST) if c not in heading]
        if missing or not columns.weighted:
            raise ValueError(f"{path}:1: found no column {missing[0] if missing else 'w_...'!r}, expected a table of points")
        return [columns.point(row) for row in rows]

    def cells(self):
        """Every point that was evaluated: search, seed, level, weights (with several blocks of layers a list of them), mean
        and se (None: there is none) by objective, params, prompts, new_tokens, cut, front, point, job. The base model and
        each expert alone are not among them: see base()."""
        return [p for p in self._points("cells.csv") if not _is_base(p)]

    def front(self):
        """The points that no other point dominates."""
        return self._points("front.csv")

    def base(self):
        """The base model and each expert alone, as points."""
        return [p for p in self._points("cells.csv") if _is_base(p)]

    def steps(self):
        """Every step of every training, as dictionaries by the columns of steps.csv."""
        return _read_csv(self.path("steps.csv"))[1]

    def costs(self):
        """Every job: rank, host, seconds, tokens, attempts."""
        return _read_csv(self.path("costs.csv"))[1]

    def samples(self):
        """What the policies of the front, the base model and the experts said."""
        return _read_lines(self.path("samples.jsonl"))

    @property
    def metrics(self):
        """metrics.json: hypervolumes and other indicators, costs, versions."""
        return _read_json(self.path("metrics.json"))

    def journal(self):
        """The events so far; what is damaged or cut short is passed over, as the program does."""
        events = []
        with open(self.path("journal.jsonl"), encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(event, dict) and "event" in event:
                    events.append(event)
        return events

    # ---- pandas ----

    def to_pandas(self, table="cells"):
        """A table ("cells", "front", "steps", "costs") as a pandas.DataFrame, with the columns of its file."""
        if table not in ("cells", "front", "steps", "costs"):
            raise ValueError(f"found table {table!r}, expected cells, front, steps or costs")
        return to_pandas(_read_csv(self.path(table + ".csv"))[1])


def _is_base(point):
    return point["search"] == "base" or point["search"].startswith("base (")


def to_pandas(rows):
    """Dictionaries, as any of the functions above returns them, as a pandas.DataFrame: what is within another dictionary
    becomes a column "mean.short"; a missing number is NaN."""
    import pandas

    def flat(row):
        out = {}
        for key, value in row.items():
            if isinstance(value, dict):
                out.update((f"{key}.{inner}", v) for inner, v in value.items())
            else:
                out[key] = math.nan if value is None else value
        return out

    return pandas.DataFrame([flat(row) for row in rows])
