/* The reference page of the objectives, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
#include "objective/type.h"

static const char *const kinds[] = {
    [PR_OPT_STRING] = "string",
    [PR_OPT_FILE] = "file",
    [PR_OPT_DIR] = "directory",
    [PR_OPT_INT] = "integer",
    [PR_OPT_REAL] = "number",
    [PR_OPT_BOOL] = "true/false",
    [PR_OPT_STRINGS] = "list of strings",
    [PR_OPT_DURATION] = "duration",
    [PR_OPT_COMMAND] = "string or list of strings",
};

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
    "File names are relative to the sweep file. Every score is checked to be a finite number within the range; one "
    "that "
    "is not fails the job with a message that names the objective and the sample. Texts are UTF-8; lower case is "
    "Unicode's full mapping.\n";

// A '|' would end the table's cell.
static void add_cell(pr_buf_t *b, const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            pr_buf_puts(b, "\\|");
        else
            pr_buf_add(b, text, 1);
}

static void add_default(pr_buf_t *b, const pr_option_t *o)
{
    if (!o->dflt)
        pr_buf_puts(b, "required");
    else if (!*o->dflt)
        pr_buf_puts(b, "none");
    else
        pr_buf_printf(b, "`%s`", o->dflt);
}

static void add_values(pr_buf_t *b, const pr_option_t *o)
{
    add_cell(b, o->choices ? o->choices : kinds[o->kind]);
    if (o->min < o->max)
        pr_buf_printf(b, ", %.10g to %.10g%s", o->min, o->max, o->kind == PR_OPT_DURATION ? " s" : "");
}

static void add_type(pr_buf_t *b, const pr_objective_type_t *t)
{
    pr_buf_printf(b, "\n## %s\n\n%s\n\n- Score: %s\n- Range: %s\n", t->name, t->help, t->formula, t->range);
    if (t->needs_model)
        pr_buf_puts(b, "- Uses the sweep's base model.\n");
    if (!t->options->key) {
        pr_buf_puts(b, "\nNo options.\n");
        return;
    }
    pr_buf_puts(b, "\n| option | values | default | meaning |\n| --- | --- | --- | --- |\n");
    for (const pr_option_t *o = t->options; o->key; o++) {
        pr_buf_printf(b, "| `%s` | ", o->key);
        add_values(b, o);
        pr_buf_puts(b, " | ");
        add_default(b, o);
        pr_buf_puts(b, " | ");
        add_cell(b, o->help);
        pr_buf_puts(b, " |\n");
    }
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
