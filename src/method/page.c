// SPDX-License-Identifier: BSD-3-Clause
/* The reference page of the methods, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
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
                  m->name, m->help, m->formula, m->per_point ? "one per point" : "shared by all points",
                  m->mixes ? "yes" : "no");
    if (m->options->key)
        pr_options_markdown(b, m->options, "option");
    else
        pr_buf_puts(b, "No options.\n");
}

char *pr_method_page(void)
{
    size_t n;
    pr_buf_t b = {0};
    const pr_method_t *const *method = pr_methods(&n);
    pr_buf_puts(&b, intro);
    for (size_t i = 0; i < n; i++)
        add_method(&b, method[i]);
    return b.data;
}
