#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# paretorank chat and generate --messages: conversations byte for byte as transformers renders them, hostile templates
# refused in time, and what is said where Python or Jinja2 is not there. Needs python3-jinja2, as ./bootstrap test installs.
. "$(dirname "$0")/cli_lib.sh"
chat=$fixtures/chat

cat >"$work/run.py" <<'P'
import concurrent.futures, json, os, resource, shutil, subprocess, sys
bin, chat, work, which = sys.argv[1:]
def limits():
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
def run(args, guard=False):
    p = subprocess.run([bin, "chat", *args], stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limits if guard else None)
    return p.returncode, p.stdout, p.stderr.decode()
def directory(name, files):
    d = os.path.join(work, name)
    os.makedirs(d)
    shutil.copy(chat + "/tokenizer.json", d)
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(d, path)), exist_ok=True)
        with open(os.path.join(d, path), "w", encoding="utf-8", newline="") as f:
            f.write(text)
    return d
def one(name, d, i, c, now):
    file = f"{work}/{name}-{i}.json"
    with open(file, "w") as f:
        json.dump(c["messages"], f)
    args = [d, "--messages", file, "--now", c.get("now", now), "--json"]
    args += [f"--{k.replace('_', '-')}" for k in ("add_generation_prompt", "continue_final_message") if c.get(k)]
    args += ["--template", c["template"]] if "template" in c else []
    v = dict(c.get("variables", {}), **{k: c[k] for k in ("tools", "documents") if k in c})
    args += ["--variables", json.dumps(v, ensure_ascii=False)] if v else []
    code, out, err = run(args)
    if "error_kind" in c:
        good = code in (2, 3) and not out and err.count("\n") == 1 and c.get("error", "") in err
        return None if good else f"{name} {c['name']}: exit {code}, {out!r} {err!r}"
    if code or err:
        return f"{name} {c['name']}: exit {code}: {err}"
    got = json.loads(out)
    if got["text"] != c["expected"] or ("ids" in c and got["ids"] != c["ids"]):
        return f"{name} {c['name']}: {got}, expected {c}"
    code, out, err = run([a for a in args if a != "--json"]) if i == 0 else (0, c["expected"].encode(), "")
    return None if out.decode() == c["expected"] else f"{name} {c['name']}: {out!r} without --json"
def hostile(i, c, messages):
    d = directory(f"hostile-{i}", {"chat_template.jinja": c["template"], "tokenizer_config.json": '{"bos_token": "<s>"}'})
    code, out, err = run([d, "--messages", messages], True)
    good = code == 3 and not out and err.count("\n") == 1
    return None if good else f"hostile {c['name']}: exit {code}, {len(out)} bytes, {err!r}"
jobs = []
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    if which == "cases":
        for name, part in json.load(open(chat + "/cases.json")).items():
            d = directory(name, part["files"])
            jobs += [pool.submit(one, name, d, i, c, part["now"]) for i, c in enumerate(part["cases"])]
    else:
        part = json.load(open(chat + "/hostile.json"))
        messages = work + "/hostile.json"
        json.dump(part["messages"], open(messages, "w"))
        jobs += [pool.submit(hostile, i, c, messages) for i, c in enumerate(part["cases"])]
wrong = [j.result() for j in jobs if j.result()]
print("\n".join(wrong), file=sys.stderr)
assert len(jobs) >= 50, len(jobs)
sys.exit(bool(wrong))
P
python3 "$work/run.py" "$bin" "$chat" "$work" cases || fail "conversations"
python3 "$work/run.py" "$bin" "$chat" "$work" hostile || fail "hostile templates"

# What is wrong is told with the file, the template and its line.
model() { # name, template
  mkdir "$work/$1" && cp "$chat/tokenizer.json" "$work/$1" && printf '%s' "$2" >"$work/$1/chat_template.jinja"
}
hi=$work/hi.json
echo '[{"role": "user", "content": "hi"}]' >"$hi"
model line $'{{ 1 }}\n{{ messages[0].content.nope() }}'
expect 3 "hi.json: $work/line/chat_template.jinja: line 2: UndefinedError" chat "$work/line" --messages "$hi"
model raise $'{{ raise_exception("no \xc3\xa9!") }}'
expect 3 $'hi.json: '"$work/raise"$'/chat_template.jinja: the template says: no \xc3\xa9!' chat "$work/raise" --messages "$hi"
model plain '{% for m in messages %}<s>{{ m.content }}{% endfor %}{% if add_generation_prompt %}</s>{% endif %}'
expect 2 "missing --messages" chat "$work/plain"
expect 3 "none.json: No such file" chat "$work/plain" --messages "$work/none.json"
expect 3 "no such directory; a model is" chat "$work/none" --messages "$hi"
expect 3 "found no chat template" chat "$fixtures/llama" --messages "$hi"
expect 2 "--now: found 'today', expected a time such as" chat "$work/plain" --messages "$hi" --now today
expect 2 "--now: found '2026-02-31T00:00:00'" chat "$work/plain" --messages "$hi" --now 2026-02-31T00:00:00
expect 2 "--template: found 'x', the model has default" chat "$work/plain" --messages "$hi" --template x
expect 2 "--variables: expected an object" chat "$work/plain" --messages "$hi" --variables '[1]'
expect 2 "--variables: Expecting" chat "$work/plain" --messages "$hi" --variables '{'
expect 2 "--variables: found 'messages', which has an option of its own" chat "$work/plain" --messages "$hi" --variables '{"messages": []}'
expect 2 "key 'tools': expected an array of objects" chat "$work/plain" --messages "$hi" --variables '{"tools": [1]}'
for text in '{' '[]' '{}' '[1]' '"x"' '[{"role": "user"}'; do
  echo "$text" >"$work/bad.json"
  expect 3 "bad.json: " chat "$work/plain" --messages "$work/bad.json"
done
printf '[{"role": "\xff"}]' >"$work/bad.json"
expect 3 "bad.json: found bytes that are no text, expected UTF-8" chat "$work/plain" --messages "$work/bad.json"
echo '[{"role": "user", "content": "\ud83d"}]' >"$work/bad.json"
expect 3 "half of a surrogate pair" chat "$work/plain" --messages "$work/bad.json"
echo '{"messages": [{"role": "user", "content": "a\u0000b"}]}' >"$work/nul.json"
"$bin" chat "$work/plain" --messages "$work/nul.json" >"$work/out" && printf '<s>a\0b' | cmp -s - "$work/out" || fail "NUL: $(od -c "$work/out")"

# The clock is what a template is told where no time is given.
model clock '{{ strftime_now("%Y-%m") }}'
[ "$("$bin" chat "$work/clock" --messages "$hi")" = "$(date +%Y-%m)" ] || [ "$("$bin" chat "$work/clock" --messages "$hi")" = "$(date +%Y-%m)" ] ||
  fail "the clock: $("$bin" chat "$work/clock" --messages "$hi")"

# generate: the template's text as the prompt, without the special tokens that the tokenizer would add once more.
"$bin" convert "$fixtures/gguf/llama-q4_0.gguf" --out "$work/model" 2>/dev/null || fail "convert"
text=$("$bin" chat "$work/model" --messages "$hi" --add-generation-prompt; echo x)
ids=$("$bin" chat "$work/model" --messages "$hi" --add-generation-prompt --json | python3 -c 'import json, sys; print(",".join(map(str, json.load(sys.stdin)["ids"])))')
"$bin" generate "$work/model" --messages "$hi" --greedy --max-new-tokens 5 --json >"$work/by-messages" || fail "generate --messages"
"$bin" generate "$work/model" --ids "$ids" --greedy --max-new-tokens 5 --json >"$work/by-ids" || fail "generate --ids"
python3 - "$work/by-messages" "$work/by-ids" "${text%x}" <<'P' || fail "generate --messages: $(cat "$work/by-messages" "$work/by-ids")"
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:3])
assert a["ids"] == b["ids"] and a["text"] == b["text"] and a["prompt"] == sys.argv[3], (a, b)
P
echo '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "well"}]' >"$work/two.json"
expect 0 "" chat "$work/model" --messages "$hi" --system "Be kind."
holds "Be kind."
"$bin" generate "$work/model" --messages "$work/two.json" --continue-final-message --greedy --max-new-tokens 2 --json >"$work/out"
grep -q 'assistant\\nwell", "ids"' "$work/out" || fail "generate --continue-final-message: $(cat "$work/out")"
expect 2 "expected one of --prompt, --ids, --prompts and --messages" generate "$work/model" --messages "$hi" --prompt x
expect 2 "--now goes with --messages" generate "$work/model" --prompt x --now 2026-03-14T09:26:53

# Prompts of a sweep: rank 0 renders them, and they are what jobs and samples.jsonl hold.
cd "$work"
cat >sweep.cfg <<'X'
model = "model"; results = "results/chat";
prompts = { train = "chats.jsonl"; eval = "chats.jsonl"; };
chat = { system = "Be brief."; };
objectives = ( { name = "short"; type = "length_target"; words = 3; } );
finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 4; lora = { r = 2; }; };
evaluate = { max_new_tokens = 4; };
X
echo '{"id": "a", "messages": [{"role": "user", "content": "hi"}], "other": 1}' >chats.jsonl
echo '{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "ho"}]}' >>chats.jsonl
expect 0 "" plan sweep.cfg --json
"$bin" run sweep.cfg --quiet >out 2>err || fail "a sweep over conversations: $(tail -3 err)"
python3 - <<'P' || fail "samples of conversations: $(head -c 600 results/chat/samples.jsonl)"
import json
found = {json.loads(l)["prompt"] for l in open("results/chat/samples.jsonl")}
turn = lambda role, text: f"<|im_start|>{role}\n{text}<|im_end|>\n"
end = "<|im_start|>assistant\n"
assert found == {turn("system", "Be brief.") + turn("user", "hi") + end, turn("system", "S") + turn("user", "ho") + end}, found
P
# The same texts as plain prompts are other prompts: this tokenizer adds nothing, but another might.
python3 -c '
import json
for l in open("results/chat/samples.jsonl"):
    print(json.dumps({"prompt": json.loads(l)["prompt"]}))' | sort -u >plain.jsonl
jobs() { grep -o '"event": *"job_done".*' "$1/journal.jsonl" | grep -o '"job": *"[0-9a-f]*"' | sort; }
"$bin" run sweep.cfg --quiet --set 'prompts={train="plain.jsonl"; eval="plain.jsonl";}' --set 'results="results/plain"' >out 2>err || fail "plain: $(tail -3 err)"
[ -n "$(jobs results/chat)" ] && [ "$(jobs results/chat)" != "$(jobs results/plain)" ] || fail "conversations and plain prompts are the same jobs"
# Spoken to, the sweep speaks as it was evaluated: with its system message.
point=$("$bin" front results/chat --ids | head -1)
"$bin" generate results/chat --point "$point" --messages "$hi" --json >out 2>err || fail "generate of a sweep: $(cat err)"
grep -q 'system\\nBe brief.<|im_end|>' out || fail "generate of a sweep: $(cat out)"
"$bin" generate results/chat --point "$point" --prompts chats.jsonl --json >out 2>err || fail "generate --prompts: $(cat err)"
grep -q '"prompt": "<|im_start|>system\\nBe brief.' out && [ "$(wc -l <out)" = 2 ] || fail "generate --prompts: $(cat out)"
# What is wrong is told with the line.
echo '{"prompt": "x"}' >>chats.jsonl
expect 3 "chats.jsonl:3: found a prompt, expected messages, as in the lines before" plan sweep.cfg
printf '{"messages": [{"role": "user", "content": "hi"}]}\n{"messages": []}\n' >chats.jsonl
expect 3 "chats.jsonl:2: expected an array of at least one message" plan sweep.cfg
printf '{"messages": [{"role": "user", "content": "hi"}]}\n' >chats.jsonl
expect 2 "chat.variables: expected an object" plan sweep.cfg --set 'chat.variables="[1]"'
expect 2 "chat.template: found 'x', the model has default" plan sweep.cfg --set 'chat.template="x"'
cp -r model timed
python3 - timed/tokenizer_config.json <<'P'
import json, sys
c = json.load(open(sys.argv[1]))
c["chat_template"] = "{{ strftime_now('%d') }}{% for m in messages %}{{ m.content }}{{ raise_exception('not ' + m.content) if m.content == 'ho' }}{% endfor %}"
json.dump(c, open(sys.argv[1], "w"))
P
expect 2 "chat.now: missing, and the template asks for the time" plan sweep.cfg --set 'model="timed"'
expect 0 "" plan sweep.cfg --json --set 'model="timed"' --set 'chat.now="2026-03-14T09:26:53"'
printf '{"messages": [{"role": "user", "content": "ho"}]}\n' >>chats.jsonl
expect 3 "chats.jsonl:2: $work/timed/tokenizer_config.json: key 'chat_template': the template says: not ho" plan sweep.cfg --set 'model="timed"' --set 'chat.now="2026-03-14T09:26:53"'

# Without Python, or with one that has no Jinja2, one line names the package; nothing else needs them. Another python3 of
# the PATH that has it is taken.
real=$(python3 -c 'import sys; print(sys.executable)')
mkdir "$work/none-bin" "$work/bare-bin"
printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$real" >"$work/bare-bin/python3"
chmod +x "$work/bare-bin/python3"
for path in "$work/none-bin" "$work/bare-bin" ''; do
  PATH=$path "$bin" chat "$work/plain" --messages "$hi" >"$work/out" 2>"$work/err"
  [ $? -eq 4 ] && [ ! -s "$work/out" ] && grep -q 'install the package python3-jinja2$' "$work/err" || fail "PATH=$path: $(cat "$work/err")"
  PATH=$path "$bin" generate "$work/model" --prompt hi --max-new-tokens 2 >/dev/null 2>"$work/err" || fail "PATH=$path: plain prompts: $(cat "$work/err")"
done
PATH=$work/bare-bin:$PATH "$bin" chat "$work/plain" --messages "$hi" >"$work/out" 2>"$work/err" || fail "another python3: $(cat "$work/err")"
[ "$(cat "$work/out")" = "<s>hi" ] || fail "another python3: $(cat "$work/out")"
printf '#!/bin/sh\necho broken >&2\nexit 3\n' >"$work/bare-bin/python3"
PATH=$work/bare-bin "$bin" chat "$work/plain" --messages "$hi" >"$work/out" 2>"$work/err"
[ $? -eq 4 ] && grep -q "python3: exited with status 3 while it rendered chat templates: broken" "$work/err" || fail "a broken python3: $(cat "$work/err")"
finish
