// SPDX-License-Identifier: BSD-3-Clause
/* `regmean`: every linear map is merged by regression on what the parts' own maps read (policy/regmean.h). */
#include "policy/regmean.h"

#include <limits.h>

static const pr_option_t options[] = {
    {.key = "prompts",
     .kind = PR_OPT_INT,
     .dflt = "64",
     .min = 1,
     .max = INT_MAX,
     .help = "Gram matrices are made of the first so many training prompts, with every part's own greedy responses."},
    {.key = "off_diagonal",
     .kind = PR_OPT_REAL,
     .dflt = "0.9",
     .min = 0,
     .max = 1,
     .help = "What stands off the diagonal of a Gram matrix is multiplied by this."},
    {.key = "ridge",
     .kind = PR_OPT_REAL,
     .dflt = "1e-6",
     .min = 0,
     .max = 1e6,
     .help = "This share of a Gram matrix's mean diagonal is added to its diagonal."},
    {0},
};

static void regmean_grams(const json_t *o, pr_mix_grams_t *out)
{
    *out = (pr_mix_grams_t){pr_option_int(o, "prompts"), pr_option_real(o, "off_diagonal"), pr_option_real(o, "ridge")};
}

static pr_status_t regmean_merge(const json_t *o, const pr_mix_parts_t *p, pr_adapter_t **out, pr_error_t *err)
{
    (void)o;
    return pr_regmean(p->team, p->model, p->n, p->adapter, p->w, p->grams, out, err);
}

static void regmean_memory(const json_t *o, int parts, pr_mix_memory_t *m)
{
    (void)o;
    (void)parts;
    m->merged = 1; // ranks side by side
    m->grams = true;
}

const pr_mix_t pr_mix_regmean = {
    .name = "regmean",
    .formula = "W = inv(sum w_k G_k) sum w_k G_k W_k, G_k the Gram matrix of the map's inputs in part k",
    .help = "One adapter of the same answers in the least squares over what each part's maps read on training prompts "
            "(Jin et al. 2023).",
    .options = options,
    .one_adapter = true,
    .merge = regmean_merge,
    .grams = regmean_grams,
    .memory = regmean_memory,
};
