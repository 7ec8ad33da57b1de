// SPDX-License-Identifier: BSD-3-Clause
#include "policy/ready.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool is_absent(const double *w, int blocks)
{
    for (int b = 0; b < blocks; b++)
        if (w[b] != 0)
            return false;
    return true;
}

/* Parts are run: by their coefficients, or where each block has its own, by scales of the adapters. Where they are added,
 * those of weight 0 are as if they were not there, to the last digit. */
static void run_parts(pr_ready_t *r, const json_t *options, const pr_mix_parts_t *p, int blocks)
{
    size_t n = (size_t)p->n * (size_t)blocks;
    double *w = pr_alloc(n, sizeof *w);
    memcpy(w, p->w, n * sizeof *w);
    pr_mix_coefficients(r->policy.mix, options, p->n, blocks, w);
    for (int k = 0; k < p->n; k++) {
        const double *own = w + k * blocks;
        int at = r->policy.n_expert;
        if (r->policy.mix->coefficients && is_absent(own, blocks))
            continue;
        r->adapter[at] = p->adapter[k];
        r->w[at] = own[0];
        if (blocks > 1) {
            r->adapter[at] = r->by_blocks[at] = pr_adapter_by_blocks(p->adapter[k], blocks, own);
            r->w[at] = 1;
        }
        r->policy.n_expert++;
    }
    free(w);
}

static pr_status_t run_merged(pr_ready_t *r, const pr_mix_parts_t *p, pr_error_t *err)
{
    const pr_mix_t *mix = r->policy.mix;
    const json_t *options = r->policy.mix_options;
    r->policy.mix = &pr_mix_params;
    r->policy.mix_options = NULL;
    PR_TRY(pr_merge(mix, options, p, &r->merged, err));
    if (pr_merged_adapter(r->merged)) {
        r->adapter[0] = pr_merged_adapter(r->merged);
        r->w[0] = 1;
        r->policy.n_expert = 1;
        return PR_OK;
    }
    PR_TRY(pr_model_with_delta(r->policy.model, r->policy.la, pr_merged_delta(r->merged), &r->changed, err));
    r->policy.model = r->changed;
    return PR_OK;
}

pr_status_t pr_ready_make(const pr_model_t *model, const pr_linalg_t *la, const pr_mix_t *mix, const json_t *options,
                          const pr_mix_parts_t *parts, pr_ready_t *out, pr_error_t *err)
{
    int blocks = parts->blocks > 0 ? parts->blocks : 1;
    json_t *resolved = NULL;
    *out = (pr_ready_t){.policy = {.model = model, .la = la, .mix = mix, .mix_options = options}};
    out->policy.adapter = out->adapter;
    assert(parts->n <= PR_MAX_PARTS);
    if (parts->n == 0)
        return PR_OK;
    PR_TRY(pr_options_resolve(mix->options, options, NULL, &resolved, err));
    pr_status_t status = pr_mix_check(mix, resolved, parts->n, blocks, parts->w, err);
    if (status == PR_OK && pr_mix_kind(mix, resolved) == PR_MIX_RUN) {
        run_parts(out, resolved, parts, blocks);
    } else if (status == PR_OK) {
        out->policy.mix_options = resolved;
        status = run_merged(out, parts, err);
    }
    json_decref(resolved); // who merged keeps them
    return status;
}

void pr_ready_clear(pr_ready_t *r)
{
    if (r->changed)
        pr_model_free(&r->changed);
    pr_merged_free(&r->merged);
    for (int k = 0; k < PR_MAX_PARTS; k++)
        pr_adapter_free(&r->by_blocks[k]);
    *r = (pr_ready_t){.merged = NULL};
}
