# SPDX-License-Identifier: BSD-3-Clause
"""What the tests with other people's programs share: the command, a small sweep, checks that say what went wrong."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

SOURCE = pathlib.Path(os.environ["PARETORANK_SOURCE_DIR"])
PARETORANK = os.environ["PARETORANK_BIN"]
MODEL = SOURCE / "sweeps/counsel/model"
OBJECTIVES = ("empathy", "brevity", "distinct")

# These programs would look for newer versions of themselves and of models.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TF_CPP_MIN_LOG_LEVEL="3")

_folder = tempfile.TemporaryDirectory()
work = pathlib.Path(_folder.name)
checks = 0


def check(good, *what):
    global checks
    checks += 1
    if not good:
        sys.exit("FAILED: " + " ".join(map(str, what)))


def close(ours, theirs, tolerance, *what):
    """Equal up to tolerance times the largest number, or 1."""
    ours, theirs = numpy.asarray(ours, float), numpy.asarray(theirs, float)
    check(ours.shape == theirs.shape, *what, "shapes", ours.shape, theirs.shape)
    check(ours.size > 0, *what, "nothing is compared")
    scale = max(1.0, float(numpy.abs(theirs).max()))
    worst = float(numpy.abs(ours - theirs).max())
    check(worst <= tolerance * scale, *what, "differ by", worst, "of", scale)


def run(*words, text=""):
    """Standard output of the command, which has text as its standard input."""
    done = subprocess.run([PARETORANK, *map(str, words)], input=text, capture_output=True, text=True)
    check(done.returncode == 0, "paretorank", *words, "->", done.returncode, done.stderr)
    return done.stdout


def sweep(*settings):
    """The results directory of the sweep of seconds."""
    results = work / "results"
    words = [word for setting in (f'results="{results}"', *settings) for word in ("--set", setting)]
    run("run", SOURCE / "sweeps/tiny/sweep.cfg", "--quiet", *words)
    return results


def read_json(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def end():
    if checks == 0:
        sys.exit("FAILED: nothing was checked")
    print(f"{checks} checks")
