// SPDX-License-Identifier: BSD-3-Clause
/* `logits`: the geometric mean of the parts' distributions (Liu et al. 2024, "Decoding-time realignment"; Shi et al.
 * 2024, "Decoding-time language model alignment with multiple objectives"). The head is shared, linear and bias-free,
 * so the log-partition terms cancel and this is softmax(H sum w_k h_k): computed so, at the price of one head. */
#include "policy/policy.h"

#include "base/mem.h"

#include <stdlib.h>

static const pr_option_t options[] = {{0}};

static pr_status_t logits_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)o;
    (void)err;
    plan->split = model->n_layer;
    return PR_OK;
}

/* sum w_k log p_k as it is defined, one part after the other. */
static pr_status_t logits_with_constant(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids,
                                        const double *w, bool all_positions, float *out, pr_error_t *err)
{
    int v = p->model->config.vocab, rows = all_positions ? seq_start[n_seq] : n_seq;
    size_t n = (size_t)rows * (size_t)v;
    double *one = pr_alloc((size_t)p->n_expert, sizeof *one);
    float *logp = pr_alloc_matrix(n, sizeof *logp);
    pr_status_t status = logp ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "not enough memory for %d x %d logits", rows, v);
    status = p->la->agree(p->la, status, err);
    for (size_t i = 0; i < n; i++)
        out[i] = 0;
    for (int k = 0; k < p->n_expert && logp && status == PR_OK; k++) {
        if (w[k] == 0)
            continue;
        one[k] = 1;
        status = pr_policy_logits(p, n_seq, seq_start, ids, one, all_positions, logp, err);
        one[k] = 0;
        if (status != PR_OK)
            break;
        pr_log_softmax(rows, v, logp);
        for (size_t i = 0; i < n; i++)
            out[i] += (float)w[k] * logp[i];
    }
    free(one);
    free(logp);
    return status;
}

const pr_mix_t pr_mix_logits = {
    .name = "logits",
    .formula = "softmax(sum w_k log p_k)",
    .help = "The weighted sum of the log-probabilities, normalised: the product of the distributions' powers. At the "
            "last layer states is the same policy.",
    .options = options,
    .plan = logits_plan,
    .combine = pr_mix_sum,
    .python = pr_mix_sum_python,
    .with_constant = logits_with_constant,
};
