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
    "`score` take it as `--aggregate` or `--mix`, with options after it: `--aggregate \"states; layer=2\"`; `export` "
    "writes "
    "those that are one adapter as one, those that are other weights of the model as a model, and the parts of the "
    "others. In the formulas w are the weights, p_k the "
    "next-token distribution of expert k, z_k its "
    "hidden state after the last layer, H the language-model head, and s_k B_k A_k what its adapter adds to a "
    "weight, D_k as a whole.\n"
    "\n"
    "Mixes that merge (all from `ties` on) work on what adapters add, map by map, from their factors; what they make "
    "depends neither on the order of the experts nor on the number of ranks or threads. "
    "A weight of 0 is an absent expert, and an expert alone is itself where nothing of it is left out. Random choices "
    "are the same for all weights. A point of a dense mix has its own copy of the adapted maps, which "
    "`plan` counts; mixes that stay one adapter have none. mergekit has the same formulas under the same names, but "
    "for `rescale` (ours makes the mean over seeds the whole) and random choices. "
    "Its `model_stock`, `nearswap`, `arcee_fusion`, `passthrough` and `slerp` are left out; asking for one says why.\n"
    "\n"
    "In a policy's `mix` an option is a value, a range `[ from, to ]` of numbers, or values `( a, b, ... )`; ranges "
    "and "
    "values are searched beside the weights by `auto`, `random` and `list` (`mix = { type = \"states\"; layer = [ 1, 6 "
    "]; norm = ( \"after\", \"before\" ); };`), and have a column of `cells.csv` each.\n";

/* By the defaults of its options. */
static const char *as_adapter(const pr_mix_t *mix)
{
    json_t *options = NULL;
    pr_mix_kind_t kind = PR_MIX_RUN;
    if (pr_options_resolve(mix->options, NULL, NULL, &options, NULL) == PR_OK)
        kind = pr_mix_kind(mix, options);
    json_decref(options);
    if (kind == PR_MIX_DENSE)
        return mix->factors ? "with space = \"core\"; else as a model, or as the nearest adapter of a rank"
                            : "no; as a model, or as the nearest adapter of a rank";
    if (kind == PR_MIX_ADAPTER && mix->change)
        return "yes; with space = \"weights\" as a model";
    return kind == PR_MIX_ADAPTER || mix->one_adapter ? "yes" : "no";
}

static void add_mix(pr_buf_t *b, const pr_mix_t *mix)
{
    pr_buf_printf(b, "\n## %s\n\n%s\n\n- Policy: %s\n- Can be exported as one adapter: %s\n", mix->name, mix->help,
                  mix->formula, as_adapter(mix));
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
