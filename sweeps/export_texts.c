// SPDX-License-Identifier: BSD-3-Clause
/* What an exported policy says of itself: the model card, and the logits processor. */
#include "base/file.h"
#include "report/text.h"
#include "sweeps/export_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

char *pr_export_reason(const pr_taken_t *t)
{
    pr_buf_t b = {0};
    if (pr_taken_is_one_adapter(t))
        return pr_strdup("");
    pr_buf_printf(
        &b, "this policy is not one adapter: its mix, %s, %s, and no sum of weights does the same", t->spec.mix->name,
        t->spec.n == 1 ? "scales what its adapter says" : "runs each of its adapters and combines what they say");
    return b.data;
}

char *pr_export_part_folder(const pr_taken_t *t, int part)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%d-%s", part + 1, t->part[part].name);
    return b.data;
}

/* Text from a configuration, in a line of Markdown: no mark-up, no table's end. */
static void put_plain(pr_buf_t *b, const char *text)
{
    pr_buf_t line = {0};
    pr_text_cut(&line, text, 200);
    for (const char *p = line.data ? line.data : ""; *p; p++)
        pr_buf_printf(b, strchr("\\`*_[]<>|#", *p) ? "\\%c" : "%c", *p);
    pr_buf_free(&line);
}

static void put_row(pr_buf_t *b, const json_t *about, const char *key, const char *objective)
{
    const json_t *v = json_object_get(json_object_get(about, key), objective);
    pr_buf_puts(b, " | ");
    if (json_is_number(v))
        pr_buf_printf(b, "%.6g", json_number_value(v));
    else
        pr_buf_puts(b, "–");
}

static void put_scores(pr_buf_t *b, const pr_config_t *c, const json_t *about)
{
    const json_t *prompts = json_object_get(about, "prompts");
    pr_buf_puts(b, "\n| objective | weight | mean score | standard error |\n| --- | --- | --- | --- |\n");
    for (int k = 0; k < c->n_objectives; k++) {
        pr_buf_puts(b, "| ");
        put_plain(b, c->objective[k].name);
        put_row(b, about, "weights", c->objective[k].name);
        put_row(b, about, "mean", c->objective[k].name);
        put_row(b, about, "se", c->objective[k].name);
        pr_buf_puts(b, " |\n");
    }
    if (prompts)
        pr_buf_printf(b,
                      "\nScores are means over %lld evaluation prompts of the sweep, which chose its points by them.\n",
                      (long long)json_integer_value(prompts));
    else
        pr_buf_puts(b, "\nThe sweep has not evaluated these weights, so no scores are known.\n");
}

/* A number, or a list of them, one per block of layers. */
static void put_coefficient(pr_buf_t *b, const json_t *c)
{
    for (size_t i = 0; i < json_array_size(c); i++) {
        pr_buf_puts(b, i ? " | " : "");
        pr_text_number(b, json_number_value(json_array_get(c, i)));
    }
    if (!json_is_array(c))
        pr_text_number(b, json_number_value(c));
}

static void put_parts(pr_buf_t *b, const json_t *parts)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i), *job = json_object_get(part, "job");
        const char *source = json_string_value(job ? job : json_object_get(part, "adapter"));
        pr_buf_printf(b, "- part %zu: ", i + 1);
        put_plain(b, json_string_value(json_object_get(part, "name")));
        pr_buf_puts(b, ", coefficient ");
        put_coefficient(b, json_object_get(part, "coefficient"));
        pr_buf_printf(b, ", %s %s\n", job ? "job" : "given, hash", source);
    }
}

/* Everything else that is known, one line each. */
static void put_origin(pr_buf_t *b, const json_t *about)
{
    const char *key;
    json_t *v;
    pr_buf_puts(b, "\n## Where it comes from\n\n");
    json_object_foreach((json_t *)(uintptr_t)about, key, v)
    {
        if (strcmp(key, "weights") == 0 || strcmp(key, "mean") == 0 || strcmp(key, "se") == 0)
            continue;
        if (strcmp(key, "parts") == 0) {
            put_parts(b, v);
            continue;
        }
        char *text = json_is_string(v) ? pr_strdup(json_string_value(v)) : NULL;
        pr_buf_t value = {0};
        if (!text)
            pr_text_json(&value, v, 0);
        pr_buf_printf(b, "- %s: ", key);
        put_plain(b, text ? text : value.data);
        pr_buf_puts(b, "\n");
        free(text);
        pr_buf_free(&value);
    }
}

static void put_use_of_parts(pr_buf_t *b, const pr_taken_t *t, const char *python)
{
    char *reason = pr_export_reason(t);
    pr_buf_printf(b, "\n## How to use it\n\nT%s.\n", reason + 1);
    free(reason);
    pr_buf_puts(b,
                "The adapters, each in PEFT's format, and their coefficients are named in `" PR_EXPORT_POLICY "`.\n\n");
    if (python)
        pr_buf_puts(b, "With transformers and peft, one sequence at a time:\n\n```python\n"
                       "from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList\n"
                       "from logits_processor import Policy\n\n"
                       "policy = Policy(AutoModelForCausalLM.from_pretrained(BASE), \".\")\n"
                       "ids = AutoTokenizer.from_pretrained(BASE)(PROMPT, return_tensors=\"pt\").input_ids\n"
                       "policy.model.generate(ids, logits_processor=LogitsProcessorList([policy]))\n```\n\n");
    else
        pr_buf_puts(b, "No logits processor can compute it, as it is no function of what the adapters say of the next "
                       "token: their states are combined before the model's end.\n\n");
    pr_buf_puts(b, "With paretorank:\n\n```\nparetorank generate BASE");
    for (int i = 0; i < t->spec.n; i++) {
        char *folder = pr_export_part_folder(t, i);
        pr_buf_printf(b, " --adapter " PR_EXPORT_PARTS "/%s", folder);
        free(folder);
    }
    pr_buf_puts(b, " --weights ");
    for (int i = 0; i < t->spec.n; i++) {
        pr_buf_puts(b, i ? "," : "");
        pr_text_number(b, t->spec.part[i].coefficient[0]); // blocks are params, which are one adapter
    }
    pr_buf_printf(b, " --aggregate \"%s", t->spec.mix->name);
    for (const pr_option_t *o = t->spec.mix->options; o->key; o++) {
        const json_t *v = json_object_get(t->spec.options, o->key);
        pr_buf_t value = {0};
        if (!v)
            continue;
        if (json_is_string(v))
            pr_buf_puts(&value, json_string_value(v));
        else
            pr_text_json(&value, v, 0);
        pr_buf_printf(b, "; %s=%s", o->key, value.data);
        pr_buf_free(&value);
    }
    pr_buf_puts(b, "\" --prompt PROMPT\n```\n");
}

/* What a rank that was given leaves out, map by map. */
static void put_loss(pr_buf_t *b, const pr_exported_t *told)
{
    if (!told->loss)
        return;
    pr_buf_printf(
        b,
        "\n## What the rank leaves out\n\nOf the policy's change of the weights this adapter is the nearest of "
        "rank %d. The relative error, in the norm of all maps together, is %.4g; of each:\n\n"
        "| map | relative error |\n| --- | --- |\n",
        told->rank, pr_exported_loss(told));
    for (int i = 0; i < told->maps; i++)
        if (told->loss[i].whole > 0)
            pr_buf_printf(b, "| `%s` | %.4g |\n", told->module[i], sqrt(told->loss[i].lost / told->loss[i].whole));
}

static void put_rounding(pr_buf_t *b, const pr_exported_t *told)
{
    if (told->rounding.whole > 0)
        pr_buf_printf(
            b, "\nRounding to the type of the base model's tensors cost %.3g of what was changed, in the norm.\n",
            sqrt(told->rounding.lost / told->rounding.whole));
}

static void put_use(pr_buf_t *b, const pr_taken_t *t, pr_export_form_t form)
{
    pr_buf_puts(b, "\n## How to use it\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n");
    if (form == PR_FORM_LORA)
        pr_buf_puts(b, "from peft import PeftModel\n\n"
                       "model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), \".\")\n"
                       "tokenizer = AutoTokenizer.from_pretrained(BASE)\n```\n");
    else
        pr_buf_puts(b, "\nmodel = AutoModelForCausalLM.from_pretrained(\".\")\n"
                       "tokenizer = AutoTokenizer.from_pretrained(\".\")\n```\n\n"
                       "The merged weights are rounded, once, to the type of the base model's, so that what it says "
                       "differs from the policy by that rounding");
    if (form == PR_FORM_MODEL)
        pr_buf_puts(b, pr_taken_kind(t) == PR_MIX_DENSE ? ". No adapter holds the same.\n"
                                                        : "; the adapter alone (`export --as lora`) does not.\n");
}

/* A string of YAML, which JSON's strings are. */
static void put_yaml(pr_buf_t *b, const char *key, const char *text)
{
    json_t *s = pr_text_json_string(text, strlen(text));
    pr_buf_printf(b, "%s: ", key);
    pr_text_json(b, s, 0);
    pr_buf_puts(b, "\n");
    json_decref(s);
}

char *pr_export_card(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, const char *python,
                     const pr_exported_t *told)
{
    static const char *const what[] = {[PR_FORM_LORA] = "A LoRA adapter of ",
                                       [PR_FORM_MODEL] = "A model made of ",
                                       [PR_FORM_PARTS] = "A policy of several LoRA adapters of "};
    const json_t *about = pr_taken_about(t);
    pr_buf_t b = {0};
    pr_buf_puts(&b, "---\n");
    put_yaml(&b, "base_model", c->model_name);
    pr_buf_printf(&b,
                  "library_name: %s\npipeline_tag: text-generation\ntags:\n- %s\n- paretorank\n"
                  "- multi-objective\n---\n\n# ",
                  form == PR_FORM_MODEL ? "transformers" : "peft", form == PR_FORM_MODEL ? "merge" : "lora");
    put_plain(&b, c->name);
    if (t->point[0])
        pr_buf_printf(&b, ", point %.8s", t->point);
    pr_buf_printf(&b, "\n\n%s", what[form]);
    put_plain(&b, c->model_name);
    pr_buf_puts(&b, t->point[0] ? ": a point of the sweep " : ": weights of the sweep ");
    put_plain(&b, c->name);
    pr_buf_puts(&b, " over preference weights, by ParetoRank.\n");
    put_scores(&b, c, about);
    if (form == PR_FORM_PARTS)
        put_use_of_parts(&b, t, python);
    else
        put_use(&b, t, form);
    put_rounding(&b, told);
    put_loss(&b, told);
    put_origin(&b, about);
    return b.data;
}

char *pr_export_processor(const pr_taken_t *t, const char *python)
{
    pr_buf_t b = {0};
    pr_buf_printf(
        &b,
        "\"\"\"The mix `%s` of this folder's adapters, as a logits processor of transformers (see README.md).\"\"\"\n",
        t->spec.mix->name);
    pr_buf_puts(&b,
                "import json\nimport pathlib\n\nimport torch\nfrom peft import PeftModel\n"
                "from transformers import LogitsProcessor\n\n\n"
                "class Policy(LogitsProcessor):\n"
                "    def __init__(self, base, folder):\n"
                "        parts = json.loads((pathlib.Path(folder) / \"" PR_EXPORT_POLICY "\").read_text())[\"parts\"]\n"
                "        self.names = [f\"part{i}\" for i in range(len(parts))]\n"
                "        self.w = torch.tensor([part[\"coefficient\"] for part in parts])\n"
                "        paths = [pathlib.Path(folder) / part[\"adapter\"] for part in parts]\n"
                "        self.model = PeftModel.from_pretrained(base, paths[0], adapter_name=self.names[0])\n"
                "        for name, path in zip(self.names[1:], paths[1:]):\n"
                "            self.model.load_adapter(path, adapter_name=name)\n\n"
                "    @torch.no_grad()\n"
                "    def __call__(self, input_ids, scores):  # scores, of one adapter alone, are not used\n"
                "        rows = []\n"
                "        for name in self.names:\n"
                "            self.model.set_adapter(name)\n"
                "            logits = self.model(input_ids=input_ids, use_cache=False).logits[:, -1].float()\n"
                "            rows.append(logits.log_softmax(-1))\n"
                "        w, p = self.w.to(scores.device), torch.stack(rows)\n");
    pr_buf_printf(&b, "        return %s\n", python);
    return b.data;
}
