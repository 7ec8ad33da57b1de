#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Renders conversations by a model's chat template, as Hugging Face's transformers library does.

Started by paretorank (src/chat/chat.c), which hands it one JSON object on standard input:
  {"dir", "template", "variables", "system", "now", "clock", "add_generation_prompt", "continue_final_message", "seconds",
   "conversations": [{"text"}]}
text is the JSON of the messages, variables that of an object, as they were found; what was not given is null. clock says
whether a template may be told the time where now is null, seconds how long it may take for a conversation. For each conversation it answers "KIND LENGTH", a line's end, so many bytes of UTF-8, and a line's
end; KIND is ok, or says what the text that follows is an error of: raise, template, input, usage or missing. It ends with
the first error.

Templates come with models and may be hostile: they run in Jinja2's sandbox, and this process has limits that they cannot
move. It reads what Python's standard library and Jinja2 can read, and writes nothing but its answer."""
import copy
import datetime
import glob
import json
import math
import os
import resource
import sys
import time

MEMORY = 1 << 30  # bytes of address space
MOST_TEXT = 16 << 20  # characters of a rendered text
MARKER = "CONTINUE_FINAL_MESSAGE_TAG "
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# What tokenizers of these classes have where tokenizer_config.json does not say; and the class, where it says none, by
# the model_type of config.json, which goes before it in some families. As transformers 5.24 has it.
CLASS_TOKENS = {
    "GPT2Tokenizer": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
    "GPTNeoXTokenizer": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
                         "pad_token": "<|padding|>"},
    "Qwen2Tokenizer": {"eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    "GemmaTokenizer": {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>",
                       "mask_token": "<mask>"},
    "CohereTokenizer": {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "unk_token": "<UNK>",
                        "sep_token": "<SEP>", "pad_token": "<PAD>", "cls_token": "<CLS>", "mask_token": "<MASK_TOKEN>"},
    "CodeLlamaTokenizer": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "prefix_token": "\u2581<PRE>",
                           "middle_token": "\u2581<MID>", "suffix_token": "\u2581<SUF>", "eot_token": "\u2581<EOT>",
                           "fill_token": "<FILL_ME>"},
}
MODEL_CLASS = {
    "GPT2Tokenizer": "gpt2 opt phi starcoder2 gpt_neo gptj codegen",
    "GPTNeoXTokenizer": "gpt_neox olmo olmoe mpt",
    "Qwen2Tokenizer": "qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next",
    "GemmaTokenizer": "gemma gemma2 gemma3 gemma3_text",
    "CohereTokenizer": "cohere cohere2",
}
MODEL_CLASS = {model: name for name, models in MODEL_CLASS.items() for model in models.split()}
NO_CLASS = frozenset("mistral mixtral ministral phi3 phimoe olmo2 olmo3 olmo_hybrid granite granitemoe stablelm nemotron "
                     "jamba persimmon glm glm4 ernie4_5 internlm3".split())


class NoTime(Exception):
    pass


class Refused(Exception):
    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def answer(kind, text):
    data = text.encode("utf-8", "replace" if kind != "ok" else "strict")
    sys.stdout.buffer.write(b"%s %d\n" % (kind.encode(), len(data)))
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def limit(which, most):
    soft, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, hard))


def limit_time(seconds):
    limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + seconds)


# ---- the model's directory ----


def read_json(path):
    try:
        with open(path, encoding="utf-8") as f:
            value = json.load(f)
    except (OSError, ValueError, RecursionError) as e:
        raise Refused("input", f"{path}: {e}") from None
    if not isinstance(value, dict):
        raise Refused("input", f"{path}: found no object")
    return value


def read_text(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except (OSError, ValueError) as e:
        raise Refused("input", f"{path}: {e}") from None


def find_templates(folder, config):
    """{name: (where it stands, text)}; the only one of several kinds of files has the name default"""
    path = os.path.join(folder, "chat_template.jinja")
    found = {}
    if os.path.exists(path):
        found["default"] = (path, read_text(path))
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "additional_chat_templates", "*.jinja"))):
        found[os.path.basename(path)[: -len(".jinja")]] = (path, read_text(path))
    if found:
        return found
    path = os.path.join(folder, "tokenizer_config.json")
    value = config.get("chat_template")
    if value is None:
        raise Refused("input", f"{folder}: found no chat template: neither chat_template.jinja nor the key "
                               "'chat_template' of tokenizer_config.json")
    if isinstance(value, str):
        return {"default": (f"{path}: key 'chat_template'", value)}
    if not isinstance(value, list) or not value:
        raise Refused("input", f"{path}: key 'chat_template': expected a text or a list of names and templates")
    for i, entry in enumerate(value):
        name, text = (entry.get("name"), entry.get("template")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise Refused("input", f"{path}: key 'chat_template'[{i}]: expected a name and a template")
        found[name] = (f"{path}: key 'chat_template'[{i}] ({name})", text)
    return found


def choose(found, name, tools):
    if name is not None:
        if name not in found:
            raise Refused("usage", f"template: found '{name}', the model has {', '.join(sorted(found))}")
        return found[name]
    if len(found) > 1 and tools is not None and "tool_use" in found:
        return found["tool_use"]
    if "default" in found:
        return found["default"]
    raise Refused("usage", f"template: expected one of {', '.join(sorted(found))}, as none is named default")


def token_text(value):
    """a token's text: of a text, or of an object as AddedToken is written; None for what is no token"""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def class_tokens(folder, config):
    path = os.path.join(folder, "config.json")
    model = read_json(path).get("model_type") if os.path.exists(path) else None
    name = config.get("tokenizer_class")
    if model in NO_CLASS:
        return {}
    if model == "qwen2" or name is None:
        name = MODEL_CLASS.get(model) if isinstance(model, str) else None
    name = name[: -len("Fast")] if isinstance(name, str) and name.endswith("Fast") else name
    return dict(CLASS_TOKENS.get(name, {})) if isinstance(name, str) else {}


def special_tokens(folder, config):
    """what a template sees of tokenizer_config.json and, for files of older versions, special_tokens_map.json"""
    config, old = dict(config), {}
    path = os.path.join(folder, "special_tokens_map.json")
    if "added_tokens_decoder" not in config and os.path.exists(path):
        old = read_json(path)
    config.update({k: v for k, v in old.items() if k in NAMED})
    tokens = class_tokens(folder, config)
    tokens.update({k: config[k] for k in NAMED if k in config})
    # Names of the model's own: objects stand behind the older file, texts before it, and a dictionary of them before all.
    for source, kind in ((config, dict), (old, object), (config, str)):
        tokens.update({k: v for k, v in source.items() if k not in NAMED and k.endswith("_token")
                       and isinstance(v, kind) and token_text(v) is not None})
    for source in (config, old):
        extra = source.get("extra_special_tokens")
        tokens.update(extra if isinstance(extra, dict) else {})
    return {k: token_text(v) for k, v in tokens.items() if token_text(v) is not None}


# ---- Jinja2 ----


def make_environment(jinja2, now, clock):
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Raised(jinja2.exceptions.TemplateError):
        pass

    class Generation(Extension):
        """{% generation %} ... {% endgeneration %}: what stands between is printed"""

        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_print"), [], [], body).set_lineno(line)

        def _print(self, caller):
            return caller()

    class Namespace(jinja2.utils.Namespace):
        """Jinja2's own, but for names that begin with an underscore"""

        def __init__(*args, **kwargs):
            for name in dict(*args[1:], **kwargs):
                check_name(name)
            jinja2.utils.Namespace.__init__(*args, **kwargs)

        def __setitem__(self, name, value):
            check_name(name)
            super().__setitem__(name, value)

    class Dictionary:
        """what a template sees as dict"""

        def __call__(self, *args, **kwargs):
            return dict(*args, **kwargs)

        def fromkeys(self, *args):
            return dict.fromkeys(*args)

    def check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace has no name {name!r}")

    def raise_exception(message):
        raise Raised(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(format):
        if now is None and not clock:
            raise NoTime
        return (now or datetime.datetime.now()).strftime(format)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["namespace"] = Namespace
    environment.globals["dict"] = Dictionary()
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment, Raised


def say(where, e):
    """one line of what went wrong in a template"""
    line = getattr(e, "lineno", None)
    at = e.__traceback__
    while at is not None and line is None:
        if at.tb_frame.f_code.co_filename == "<template>":
            line = at.tb_lineno
        at = at.tb_next
    text = str(e)[:400]
    if isinstance(e, MemoryError):
        text = f"takes more than {MEMORY >> 30} GiB of memory"
    return f"{where}: {f'line {line}: ' if line else ''}{type(e).__name__}{': ' if text else ''}{text}"


def run(template, variables):
    pieces, size = [], 0
    for piece in template.generate(**variables):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_TEXT:
            raise OverflowError(f"the text has more than {MOST_TEXT} characters")
    return "".join(pieces)


# ---- messages ----


def parse(text, kind, where):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        raise Refused(kind, f"{where}{e}") from None


def clean(message):
    message = {k: v for k, v in message.items() if v is not None}
    for key in ("reasoning_content", "thinking", "reasoning"):
        if key in message:
            return {"thinking": message[key], **message, "reasoning_content": message[key]}
    return message


def read_messages(text, system):
    messages = parse(text, "input", "")
    if isinstance(messages, dict):
        messages = messages.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refused("input", "expected an array of at least one message, each an object")
    if system is not None and messages[0].get("role") != "system":
        messages = [{"role": "system", "content": system}] + messages
    return [clean(m) for m in messages]


def read_variables(text):
    variables = parse(text, "usage", "variables: ") if text is not None else {}
    if not isinstance(variables, dict):
        raise Refused("usage", "variables: expected an object")
    for name in ("messages", "add_generation_prompt", "continue_final_message", "chat_template"):
        if name in variables:
            raise Refused("usage", f"variables: found '{name}', which has an option of its own")
    for name in ("tools", "documents"):
        value = variables.get(name)
        if value is not None and (not isinstance(value, list) or not all(isinstance(v, dict) for v in value)):
            raise Refused("usage", f"variables: key '{name}': expected an array of objects")
    return variables


def mark(messages, template):
    """marks the end of the last message, so that what follows it can be cut off; returns its text"""
    last = messages[-1].get("content")
    if last is None:
        raise Refused("input", "the last message has no content to continue")
    if "content" not in template:
        raise Refused("template", "it does not print the content of messages, so none can be continued")
    if isinstance(last, str):
        messages[-1]["content"] = last + MARKER
        return last
    for part in reversed(last) if isinstance(last, list) else []:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            text = part["text"]
            part["text"] = text + MARKER
            return text
    raise Refused("input", "the last message has no text to continue")


def cut(text, last):
    if last.strip() not in text or MARKER.strip() not in text:
        raise Refused("template", "it does not print the last message as it is, so it cannot be continued")
    at = text.rindex(MARKER.strip())
    return text[:at] if text.startswith(MARKER, at) else text[:at].rstrip()


def render(request, conversation, compiled, Raised):
    where, text, template, variables = compiled
    messages = copy.deepcopy(read_messages(conversation["text"], request["system"]))
    last = None
    try:
        if request["continue_final_message"]:
            last = mark(messages, text)
        given = dict(variables, messages=messages, add_generation_prompt=request["add_generation_prompt"])
        rendered = run(template, given)
        if last is not None:
            rendered = cut(rendered, last)
    except Refused as e:
        raise Refused(e.kind, f"{where}: {e}" if e.kind == "template" else str(e)) from None
    except Raised as e:
        raise Refused("raise", f"{where}: the template says: {e}") from None
    except NoTime:
        raise Refused("usage", f"now: missing, and the template asks for the time ({where})") from None
    except Exception as e:
        raise Refused("template", say(where, e)) from None
    try:
        rendered.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("input", f"{where}: the rendered text has half of a surrogate pair, which is no character") from None
    return rendered


def prepare(request, jinja2):
    now = None
    if request["now"] is not None:
        try:
            now = datetime.datetime.strptime(request["now"], "%Y-%m-%dT%H:%M:%S")
        except ValueError:
            raise Refused("usage", f"now: found '{request['now']}', expected a time such as 2026-03-14T09:26:53") from None
    if request["add_generation_prompt"] and request["continue_final_message"]:
        raise Refused("usage", "continue-final-message: found beside add-generation-prompt, which begins another message")
    given = read_variables(request["variables"])
    path = os.path.join(request["dir"], "tokenizer_config.json")
    config = read_json(path) if os.path.exists(path) else {}
    where, text = choose(find_templates(request["dir"], config), request["template"], given.get("tools"))
    variables = dict({"tools": None, "documents": None}, **special_tokens(request["dir"], config))
    variables.update(given)
    environment, Raised = make_environment(jinja2, now, request["clock"])
    limit_time(request["seconds"])
    try:
        return (where, text, environment.from_string(text), variables), Raised
    except Exception as e:
        raise Refused("template", say(where, e)) from None


def main():
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, MEMORY)
    try:
        import jinja2

        if tuple(map(int, jinja2.__version__.split(".")[:2])) < (3, 1):
            return answer("missing", f"Jinja2 {jinja2.__version__}, which is older than 3.1")
    except ImportError:
        return answer("missing", "no Jinja2")
    request = json.load(sys.stdin)
    try:
        compiled, Raised = prepare(request, jinja2)
        for conversation in request["conversations"]:
            limit_time(request["seconds"])
            answer("ok", render(request, conversation, compiled, Raised))
    except Refused as e:
        answer(e.kind, str(e))
    except (MemoryError, RecursionError) as e:
        answer("template", f"{request['dir']}: {type(e).__name__}")


main()
