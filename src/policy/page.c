// SPDX-License-Identifier: BSD-3-Clause
/* The reference page of the mixes, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
#include "policy/mix.h"

static const char intro[] =
    "# Mixes\n"
    "\n"
    "Made by `paretorank help mixes --markdown`; do not edit.\n"
    "\n"
    "A mix says how experts and weights make one policy. A sweep names it as `aggregate`, or as `mix` of one of its "
    "`policies`; `generate`, `logits` and "
    "`score` take it as `--aggregate`, with options after it: `--aggregate \"states; layer=2\"`; `export` writes "
    "those that are one adapter as one, and the parts of the others. In the formulas w are the weights, p_k the "
    "next-token distribution of expert k, z_k its "
    "hidden state after the last layer, H the language-model head, and s_k B_k A_k what its adapter adds to a "
    "weight.\n"
    "\n"
    "In a policy's `mix` an option is a value, a range `[ from, to ]` of numbers, or values `( a, b, ... )`; ranges "
    "and "
    "values are searched beside the weights by `auto`, `random` and `list` (`mix = { type = \"states\"; layer = [ 1, 6 "
    "]; norm = ( \"after\", \"before\" ); };`), and have a column of `cells.csv` each.\n";

static void add_mix(pr_buf_t *b, const pr_mix_t *mix)
{
    pr_buf_printf(b, "\n## %s\n\n%s\n\n- Policy: %s\n- Can be exported as one adapter: %s\n", mix->name, mix->help,
                  mix->formula, mix->one_adapter ? "yes" : "no");
    if (!mix->options->key) {
        pr_buf_puts(b, "\nNo options.\n");
        return;
    }
    pr_buf_puts(b, "\n");
    pr_options_markdown(b, mix->options, "option");
}

char *pr_mix_page(void)
{
    size_t n;
    pr_buf_t b = {0};
    const pr_mix_t *const *mix = pr_mix_all(&n);
    pr_buf_puts(&b, intro);
    for (size_t i = 0; i < n; i++)
        add_mix(&b, mix[i]);
    return b.data;
}
