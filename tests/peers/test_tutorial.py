# SPDX-License-Identifier: BSD-3-Clause
"""Every command of docs/tutorial.md runs as it stands there, on a sweep of fewer and smaller steps."""
import os
import pathlib
import re
import subprocess
import sys

import peer

page = (peer.SOURCE / "docs/tutorial.md").read_text(encoding="utf-8")
block = re.compile(r"^<!-- (run|file: (\S+)) -->\n```\n(.*?)^```$", re.S | re.M)
blocks = list(block.finditer(page))
peer.check(len(blocks) == page.count("<!-- run -->") + page.count("<!-- file:") >= 10, "blocks", len(blocks))

os.chdir(peer.work)
for name in ("docs", "sweeps", "python"):
    os.symlink(peer.SOURCE / name, name)
# What the page expects where it was built, and the Python that has what it uses.
(peer.work / "build/release").mkdir(parents=True)
os.symlink(peer.PARETORANK, "build/release/paretorank")
environment = dict(os.environ, PATH=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", PYTHONDONTWRITEBYTECODE="1",
                   MPLCONFIGDIR=str(peer.work))
smaller = {"steps = 30": "steps = 2", "prompts_per_step = 16": "prompts_per_step = 2", "samples = 4": "samples = 2",
           "max_new_tokens = 40": "max_new_tokens = 12", "budget = 12": "budget = 4"}
commands = "set -eo pipefail\n"
for found in blocks:
    text = found[3]
    if found[2]:
        for old, new in smaller.items() if found[2].endswith(".cfg") else ():
            peer.check(old in text, found[2], "has no", old)
            text = text.replace(old, new)
        commands += f"mkdir -p {pathlib.Path(found[2]).parent}\ncat >{found[2]} <<'FILE'\n{text}FILE\n"
    else:
        commands += text.replace('== 30:', '== 2:')
done = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, env=environment)
peer.check(done.returncode == 0, "the tutorial's commands:", done.stdout[-2000:], done.stderr[-2000:])

for words in ("194 tutorial/train.jsonl", "46 tutorial/eval.jsonl", "finished", "listens-s2 reward_listens", "more than the first"):
    peer.check(words in done.stdout, "the output has no", words, done.stdout)
figure = (peer.work / "tutorial/front.svg").read_text(encoding="utf-8")
peer.check("<svg" in figure and len(figure) > 10000, "the figure has", len(figure), "characters")
peer.check((peer.work / "tutorial/policy/adapter_model.safetensors").exists(), "no policy")
peer.check(not list((peer.work / "tutorial/results/checkpoints").iterdir()), "checkpoints are left")
peer.end()
