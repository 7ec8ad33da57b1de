# SPDX-License-Identifier: BSD-3-Clause
"""The tools on a model against every fixture that PyTorch or the tokenizers library made. PARETORANK_BIN is the program,
PARETORANK_SOURCE_DIR the source tree, PARETORANK_FIXTURES another directory of fixtures. Needs nothing but Python.

Models stored in BF16 are also written anew in F32, with the same values: nothing that is computed may follow the type of the file.
"""
import glob
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile

BIN = os.environ["PARETORANK_BIN"]
FIXTURES = os.environ.get("PARETORANK_FIXTURES") or os.path.join(os.environ.get("PARETORANK_SOURCE_DIR", "."), "tests", "fixtures")
TOLERANCE = 1e-4  # of the largest expected number
failures, checks, worst = 0, 0, {}


def fail(text):
    global failures
    failures += 1
    print("FAIL:", text, file=sys.stderr)


def run(*args, stdin=b""):
    p = subprocess.run([BIN, *args], input=stdin, capture_output=True, check=False)
    if p.returncode or p.stderr:
        fail(f"{' '.join(args)[:200]}: exit code {p.returncode}, stderr: {p.stderr[:300].decode(errors='replace')}")
    return [json.loads(line) for line in p.stdout.decode().splitlines()] if p.returncode == 0 else []


def one(*args, **options):
    """The only object that the program prints, or {}."""
    lines = run(*args, **options)
    return lines[0] if len(lines) == 1 else {}


def equal(what, found, expected):
    global checks
    checks += 1
    if found != expected:
        fail(f"{what}: found {str(found)[:200]}, expected {str(expected)[:200]}")


def finite(row):
    return bool(row) and all(isinstance(x, (int, float)) and math.isfinite(x) for x in row)


def close(kind, what, found, expected):
    """Lists of numbers, of the same length; null, as JSON has what is not finite, is a failure."""
    global checks
    checks += 1
    if not found or len(found) != len(expected):
        return fail(f"{what}: found {len(found or [])} numbers, expected {len(expected)}")
    if not finite(found):
        return fail(f"{what}: not finite")
    off = max(abs(a - b) for a, b in zip(found, expected)) / max(map(abs, expected))
    worst[kind] = max(worst.get(kind, 0), off)
    if off > TOLERANCE:
        fail(f"{what}: off by {off:.2e} of the largest, tolerance {TOLERANCE:.0e}")


def log_softmax(row):
    """Rows that are not finite, or empty, come back as they are."""
    if not finite(row):
        return row
    top = max(row)
    total = top + math.log(math.fsum(math.exp(x - top) for x in row))
    return [x - total for x in row]


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Tensors:
    """A safetensors file of F32 and I64."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        size = struct.unpack("<Q", self.data[:8])[0]
        self.header, self.base = json.loads(self.data[8 : 8 + size]), 8 + size

    def dtype(self):
        return next(t["dtype"] for n, t in self.header.items() if n != "__metadata__")

    def __contains__(self, name):
        return name in self.header

    def rows(self, name):
        """The tensor as rows of its last dimension."""
        t = self.header[name]
        width, begin, end = t["shape"][-1], *t["data_offsets"]
        code, size = {"F32": ("f", 4), "I64": ("q", 8)}[t["dtype"]]
        flat = struct.unpack(f"<{(end - begin) // size}{code}", self.data[self.base + begin : self.base + end])
        return [list(flat[i : i + width]) for i in range(0, len(flat), width)]


def joined(ids):
    return ",".join(map(str, ids))


class Fixture:
    """A language model's directory and what is expected of it."""

    def __init__(self, directory):
        self.dir, self.name = directory, os.path.basename(directory)
        self.json, self.tensors = read_json(directory + "/expected.json"), Tensors(directory + "/expected.safetensors")
        self.ids = self.tensors.rows("input_ids")
        self.adapters = [f"{directory}/adapters/{o}" for o in self.json["objectives"]]

    def rows(self, name, sequence):
        """The expected rows of a sequence, from its first position on; or only the last one."""
        rows = self.tensors.rows(name)
        per = len(rows) // len(self.ids)
        return rows[sequence * per : (sequence + 1) * per]

    def policy(self, weights=None, mode=None, which=None):
        adapters = self.adapters if which is None else [self.adapters[which]]
        args = [x for a in adapters for x in ("--adapter", a)]
        if weights:
            args += ["--weights", ",".join(map(repr, weights))]
        return args + (["--aggregate", mode] if mode else [])


def check_logits(f):
    for s, ids in enumerate(f.ids):
        base = ("logits", f.dir, "--ids", joined(ids), "--json")
        found, expected = one(*base, "--all").get("logits", []), f.rows("logits", s)
        equal(f"{f.name}: rows of --all", len(found), len(ids))
        for t, (a, b) in enumerate(zip(found, expected)):
            close("base", f"{f.name}: logits {s} at {t}", a, b)
        close("base", f"{f.name}: the last row {s} alone", one(*base).get("logits"), expected[-1])
        for k, o in enumerate(f.json["objectives"]):
            rows, found = f.rows(o + ".logits", s), one(*base, *f.policy(which=k), "--all").get("logits", [])
            equal(f"{f.name}: rows of --all with an adapter", len(found), len(ids))
            for t, (a, b) in enumerate(zip(found[-len(rows) :], rows)):
                close("adapter", f"{f.name}: {o} {s}, row {t} of {len(rows)}", a, b)
        for i, w in enumerate(f.json["weights"]):
            for mode in ("states", "logits", "probs", "params"):
                found, what = one(*base, *f.policy(w, mode)).get("logits"), f"{f.name}: {mode} {w} {s}"
                expected = f.rows(f"agg.{mode}.{i}.logits", s)[-1]
                close(mode, what, found, expected)


def check_generation(f, scratch):
    prompts, ids = f.json["prompts"], f.json["prompt_ids"]
    options = ("--greedy", "--ignore-eos", "--json", "--max-new-tokens")
    for prompt, start, expected, text in zip(prompts, ids, f.json["greedy_ids"], f.json["greedy_text"]):
        n = str(len(expected) - len(start))
        found = one("generate", f.dir, "--ids", joined(start), *options, n)
        equal(f"{f.name}: greedy", found.get("ids"), expected)
        equal(f"{f.name}: greedy, prompt as text", one("generate", f.dir, "--prompt", prompt, *options, n).get("ids"), expected)
        decoded = one("tokenize", f.dir, "--decode", "--keep-special", "--json", stdin=json.dumps({"ids": expected}).encode())
        equal(f"{f.name}: text of greedy", decoded.get("text"), text)
        whole, head = (one("tokenize", f.dir, "--decode", "--json", stdin=json.dumps({"ids": i}).encode()).get("text") for i in (expected, start))
        equal(f"{f.name}: the text's ids", found.get("text"), whole[len(head) :])  # what comes after the prompt's own text
    file = os.path.join(scratch, "prompts.jsonl")
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(json.dumps({"id": str(i), "prompt": p}) + "\n" for i, p in enumerate(prompts))
    for key, lists in f.json["aggregate"].items():
        mode, i = key.split(".")
        n = str(len(lists[0]) - len(ids[0]))
        found = run("generate", f.dir, "--prompts", file, *options, n, *f.policy(f.json["weights"][int(i)], mode))
        equal(f"{f.name}: greedy, {key}", [x["ids"] for x in found], lists)


def check_scores(f):
    start = f.json["pg.start"]
    for s, ids in enumerate(f.ids):
        base = ("score", f.dir, "--ids", joined(ids), "--json")
        expected = [log_softmax(row)[i] for row, i in zip(f.rows("logits", s), ids[1:])]
        found = one(*base)
        close("score", f"{f.name}: log-probabilities {s}", found.get("logprobs"), expected)
        close("score", f"{f.name}: sum {s}", [found.get("sum")], [math.fsum(expected)])
        tuned = one(*base, *f.policy(which=0)).get("logprobs", [])
        close("score", f"{f.name}: reference {s}", found.get("logprobs", [])[start - 1 :], f.rows("pg.ref_logp", s)[0])
        close("score", f"{f.name}: an adapter's {s}", tuned[start - 1 :], f.rows("pg.logp", s)[0])


def check_reward(directory, expected):
    name = os.path.basename(directory)
    for text, ids, scores in zip(expected["texts"], expected["ids"], expected["scores"]):
        close("reward", f"{name}: scores of ids", one("score", directory, "--ids", joined(ids), "--json").get("scores"), scores)
        found = one("score", directory, "--text", text, "--json")
        equal(f"{name}: ids of {text!r}", found.get("ids"), ids)
        close("reward", f"{name}: scores of {text!r}", found.get("scores"), scores)


def check_tokenizer(directory, cases):
    name = os.path.basename(directory)
    for c in cases:
        text = c["text"].encode()
        equal(f"{name}: {c['text']!r}", one("tokenize", directory, stdin=text).get("ids"), c["ids"])
        plain = one("tokenize", directory, "--no-special", stdin=text)
        equal(f"{name}: {c['text']!r} without special tokens", plain.get("ids"), c["ids_no_special"])
        back = one("tokenize", directory, "--decode", "--json", stdin=json.dumps({"ids": c["ids"]}).encode())
        equal(f"{name}: back from {c['text']!r}", back.get("text"), c["decoded"])


def check_language(f, scratch):
    check_logits(f)
    check_generation(f, scratch)
    check_scores(f)


def write_as_f32(source, target):
    """A safetensors file whose BF16 tensors become F32, with the same values. Returns how many there were."""
    with open(source, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header, body, out, count = json.loads(data[8 : 8 + n]), data[8 + n :], b"", 0
    for name in sorted((k for k in header if k != "__metadata__"), key=lambda k: header[k]["data_offsets"]):
        begin, end = header[name]["data_offsets"]
        raw = body[begin:end]
        if header[name]["dtype"] == "BF16":
            raw = b"".join(b"\0\0" + raw[i : i + 2] for i in range(0, len(raw), 2))
            header[name]["dtype"], count = "F32", count + 1
        header[name]["data_offsets"] = [len(out), len(out) + len(raw)]
        out += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + out)
    return count


def check_storage(f, scratch):
    """The last position of a sequence that is as long as the model takes, from both files: rounded frequencies would be far off."""
    copy = os.path.join(scratch, f.name + "-f32")
    shutil.copytree(f.dir, copy)
    if not sum(write_as_f32(path, os.path.join(copy, os.path.basename(path))) for path in glob.glob(f.dir + "/model*.safetensors")):
        return 0
    config = read_json(f.dir + "/config.json")
    length = config.get("max_position_embeddings") or config["n_positions"]
    ids = joined([i % config["vocab_size"] for i in range(3, 3 + length)])
    close("storage", f"{f.name}: written as F32", *(one("logits", d, "--ids", ids, "--json").get("logits") for d in (copy, f.dir)))
    return 1


def main():
    seen = {"language": 0, "bf16": 0, "reward": 0, "tokenizer": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(glob.glob(FIXTURES + "/*/expected.json")):
            directory, expected = os.path.dirname(path), read_json(path)
            kind = "tokenizer" if isinstance(expected, list) else "reward" if "scores" in expected else "language"
            seen[kind] += 1
            if kind == "tokenizer":
                check_tokenizer(directory, expected)
            elif kind == "reward":
                check_reward(directory, expected)
            else:
                check_language(Fixture(directory), scratch)
                seen["bf16"] += check_storage(Fixture(directory), scratch)
    print(seen, checks, "checks, largest distances", {k: f"{v:.1e}" for k, v in sorted(worst.items())}, failures, "failures")
    required = [n for kind, n in seen.items() if kind != "bf16" or "PARETORANK_FIXTURES" not in os.environ]
    sys.exit(failures > 0 or 0 in required)


if __name__ == "__main__":
    main()
