// SPDX-License-Identifier: BSD-3-Clause
/* The reference page of the methods, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
#include "family/core.h"
#include "learn/algorithm.h"
#include "learn/combine.h"
#include "learn/preference.h"
#include "method/method.h"

static const char intro[] =
    "# Methods\n"
    "\n"
    "Made by `paretorank help methods --markdown`; do not edit.\n"
    "\n"
    "A method says what policy a point stands for, and which adapters are trained for it. A sweep names it in "
    "`policies`, with its options beside it:\n"
    "\n"
    "```\n"
    "policies = (\n"
    "    { name = \"soup\"; method = \"experts\"; mix = \"params\"; },\n"
    "    { name = \"morl\"; method = \"single\"; train = { steps = 100; }; }\n"
    ");\n"
    "search = { type = \"grid\"; divisions = 4; };   # with each of the policies\n"
    "```\n"
    "\n"
    "`train` has settings of the policy's own trainings; what it does not say is as `finetune` says. Policies that ask "
    "for the same training share it. In the formulas w are the weights of a point and r_k the score of objective k, "
    "turned so that larger is better.\n";

static void add_method(pr_buf_t *b, const pr_method_t *m)
{
    pr_buf_printf(b,
                  "\n## %s\n\n%s\n\n- Policy: %s\n- Trainings: %s\n- Combines several adapters, so that `mix` "
                  "applies: %s\n\n",
                  m->name, m->help, m->formula,
                  m->per_point ? "one per point"
                  : m->core    ? "one for all points, a family of adapters"
                               : "shared by all points",
                  m->mixes ? "yes" : "no");
    if (m->options->key)
        pr_options_markdown(b, m->options, "option");
    else
        pr_buf_puts(b, "No options.\n");
}

static const char combiners[] =
    "\n## What a training climbs: `combine`\n"
    "\n"
    "A training of several objectives (a point of `single`) makes advantages of their scores group by group, a group "
    "being the "
    "responses to one prompt. `train.combine` (or `finetune.combine`) is a name, or a group with options: `train = { "
    "combine = { type = \"rvpo\"; temperature = 2.0; }; }`. z_k is the score of objective k less its group's mean, "
    "over the "
    "group's deviation; w are the step's weights.\n";

static const char algorithms[] =
    "\n## How it is climbed: `algorithm`\n"
    "\n"
    "What the responses to a prompt say to the gradient. `train.algorithm` (or `finetune.method`) is a name, or a "
    "group "
    "with options: `train = { algorithm = { type = \"ppo\"; epochs = 2; }; }`. r_i is the reward of response i of a "
    "prompt, of which there are `samples`.\n";

static const char weighers[] =
    "\n## With what weights: `weigh`\n"
    "\n"
    "In each step the objectives have weights lambda, which a rule makes of the preference w and of what it sees. "
    "`train.weigh` (or `finetune.weigh`) is a name, or a group with options: `train = { weigh = { type = \"stch\"; mu "
    "= "
    "0.05; }; }`. The weights of each step are in the journal (`weights`), with the covariance of the scores within "
    "prompts "
    "and, where a rule asks for the objectives' gradients, their inner products (`gram`). A training of one objective "
    "has no "
    "rule. Rules that take no preference make one training for all points.\n";

static void add_rule(pr_buf_t *b, const char *name, const char *help, const char *formula, const char *more,
                     const pr_option_t *options)
{
    pr_buf_printf(b, "\n### %s\n\n%s\n\n- Formula: %s\n%s\n", name, help, formula, more);
    if (options->key)
        pr_options_markdown(b, options, "option");
    else
        pr_buf_puts(b, "No options.\n");
}

static void add_algorithms(pr_buf_t *b)
{
    size_t n;
    const pr_algorithm_t *const *a = pr_algorithms(&n);
    pr_buf_puts(b, algorithms);
    for (size_t i = 0; i < n; i++)
        add_rule(b, a[i]->name, a[i]->help, a[i]->formula, "", a[i]->options);
}

static void add_rules(pr_buf_t *b)
{
    size_t n;
    const pr_combiner_t *const *c = pr_combiners(&n);
    pr_buf_puts(b, combiners);
    for (size_t i = 0; i < n; i++)
        add_rule(b, c[i]->name, c[i]->help, c[i]->formula,
                 c[i]->advantages ? "- Makes advantages itself, so that `algorithm` says nothing\n" : "",
                 c[i]->options);
    const pr_weigher_t *const *w = pr_weighers(&n);
    pr_buf_puts(b, weighers);
    for (size_t i = 0; i < n; i++) {
        pr_buf_t more = {0};
        pr_buf_printf(&more, "- Preference: %s\n", w[i]->own ? "none" : "w");
        if (w[i]->gram)
            pr_buf_puts(&more, "- Sees the gradient of each objective, by one backward pass for all\n");
        if (w[i]->validation)
            pr_buf_puts(&more, "- Sees how the policy does on `prompts.validation`\n");
        add_rule(b, w[i]->name, w[i]->help, w[i]->formula, more.data, w[i]->options);
        pr_buf_free(&more);
    }
}

static const char cores[] =
    "\n## Policies that are told the preference: `core` and `sample`\n"
    "\n"
    "The methods `conditioned` and `meta_soup` train a family of adapters, one for every preference w: dW(w) = B S "
    "M(w) A of "
    "each adapted linear map, S the adapter's scale. Its ranks stand in blocks, one per objective, and behind them "
    "those that "
    "all share. `train.core` says what M(w) is: a name, or a group with options: `train = { core = { type = "
    "\"blocks\"; shared "
    "= 4; }; sample = { corners = 0.3; }; }`. At one w the policy is a plain adapter, and is evaluated, exported and "
    "spoken "
    "with as such; what a training leaves also holds the adapter of equal weights, for programs that know adapters "
    "alone.\n"
    "\n"
    "Each prompt of a step has a preference of its own, and its responses are compared with each other alone. `weigh` "
    "makes "
    "each prompt's weights of its preference: `fixed`, or `chebyshev` and `stch` of the mean scores at that "
    "preference, which "
    "are a regression over what the prompts of the last steps scored. `sample` says how preferences are drawn:\n"
    "\n";

static void add_cores(pr_buf_t *b)
{
    size_t n;
    const pr_core_t *const *c = pr_cores(&n);
    pr_buf_puts(b, cores);
    pr_options_markdown(b, pr_preference_options, "option");
    for (size_t i = 0; i < n; i++)
        add_rule(b, c[i]->name, c[i]->help, c[i]->formula, "", c[i]->options);
}

char *pr_method_page(void)
{
    size_t n;
    pr_buf_t b = {0};
    const pr_method_t *const *method = pr_methods(&n);
    pr_buf_puts(&b, intro);
    for (size_t i = 0; i < n; i++)
        add_method(&b, method[i]);
    add_algorithms(&b);
    add_rules(&b);
    add_cores(&b);
    return b.data;
}
