// SPDX-License-Identifier: BSD-3-Clause
/* The reference page of the objectives, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
#include "objective/type.h"

static const char intro[] =
    "# Objectives\n"
    "\n"
    "An objective is a number for a prompt and a response, to be maximised. A sweep file names each with a type and "
    "the "
    "type's options:\n"
    "\n"
    "```\n"
    "objectives = (\n"
    "    { name = \"short\"; type = \"length_target\"; words = 12; },\n"
    "    { name = \"kind\";  type = \"lexicon\"; words = \"kindness.txt\"; }\n"
    ");\n"
    "```\n"
    "\n"
    "With `role = \"report\"` an objective is scored and tabled at every point but never optimised, and not in the "
    "front: a "
    "held-out judge, a guard.\n"
    "\n"
    "`paretorank plan --load` starts them all and prints what each says of two responses of the base model.\n"
    "\n"
    "File names are relative to the sweep file. Every score is checked to be a finite number within the range; one "
    "that "
    "is not fails the job with a message that names the objective and the sample. What fails before it has scored any "
    "sample "
    "is not tried again. Texts are UTF-8; lower case is "
    "Unicode's full mapping.\n";

static void add_type(pr_buf_t *b, const pr_objective_type_t *t)
{
    pr_buf_printf(b, "\n## %s\n\n%s\n\n- Score: %s\n- Range: %s\n", t->name, t->help, t->formula, t->range);
    if (t->needs_model)
        pr_buf_puts(b, "- Uses the sweep's base model.\n");
    if (!t->options->key) {
        pr_buf_puts(b, "\nNo options.\n");
        return;
    }
    pr_buf_puts(b, "\n");
    pr_options_markdown(b, t->options, "option");
}

char *pr_objective_page(void)
{
    size_t n;
    pr_buf_t b = {0};
    const pr_objective_type_t *const *types = pr_objective_types(&n);
    pr_buf_puts(&b, intro);
    for (size_t i = 0; i < n; i++)
        add_type(&b, types[i]);
    return b.data;
}
