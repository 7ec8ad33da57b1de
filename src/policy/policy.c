// SPDX-License-Identifier: BSD-3-Clause
#include "policy/policy.h"

#include "base/mem.h"
#include "policy/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pr_status_t check_weights(const pr_policy_t *p, const pr_mix_plan_t *plan, int point, const double *w,
                                 pr_error_t *err)
{
    bool positive = plan->normalised || (plan->split > 0 && plan->split < p->model->config.n_layer);
    double sum = 0;
    for (int k = 0; k < p->n_expert; k++) {
        if (!isfinite(w[k]))
            return pr_fail(err, PR_ERR_CONFIG, "point %d: weight %d is %g, expected a finite number", point, k, w[k]);
        if (w[k] < 0 && !plan->signed_weights)
            return pr_fail(err, PR_ERR_CONFIG, "point %d: weight %d is %g, expected a finite number >= 0", point, k,
                           w[k]);
        sum += w[k];
    }
    if (positive && !(sum > 0))
        return pr_fail(err, PR_ERR_CONFIG,
                       plan->signed_weights ? "point %d: the weights' sum is not above 0; %s needs a positive sum"
                                            : "point %d: all weights are 0; %s needs a positive sum",
                       point, p->mix->name);
    return PR_OK;
}

pr_status_t pr_policy_check(const pr_policy_t *p, int n_point, const double *w, pr_error_t *err)
{
    pr_mix_plan_t plan = {0};
    if (!p->model->head.data)
        return pr_fail(err, PR_ERR_CONFIG, "the model (%s) has no language-model head", p->model->config.arch_name);
    if (p->mix)
        PR_TRY(pr_mix_plan(p->mix, p->mix_options, &p->model->config, &plan, err));
    if (p->n_expert > 0 && plan.kind != PR_MIX_RUN)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: experts are merged before they are run", p->mix->name);
    if (p->n_expert > 0 && !w)
        return pr_fail(err, PR_ERR_CONFIG, "no weights for %d adapters", p->n_expert);
    for (int i = 0; i < n_point; i++)
        PR_TRY(check_weights(p, &plan, i, p->n_expert ? w + (size_t)i * (size_t)p->n_expert : NULL, err));
    return PR_OK;
}

typedef struct copy {
    float *out;
    int v;
} copy_t;

static pr_status_t copy_rows(void *self, int first, int n, float *logits, pr_error_t *err)
{
    const copy_t *c = self;
    (void)err;
    memcpy(c->out + (size_t)first * (size_t)c->v, logits, (size_t)n * (size_t)c->v * sizeof *logits);
    return PR_OK;
}

// Every sequence once per expert in use (same w for all), expert by expert.
static void expand(const pr_policy_t *p, const pr_strand_t *s, const double *w, pr_flow_t *f, int *start,
                   int32_t *token, int *expert, int *source)
{
    int n = 0, rows = 0;
    for (int k = 0; k < p->n_expert; k++)
        for (int i = 0; i < s->n; i++) {
            int len = s->start[i + 1] - s->start[i];
            source[i * p->n_expert + k] = w[k] != 0 ? n : -1;
            if (w[k] == 0)
                continue;
            memcpy(token + rows, s->token + s->start[i], (size_t)len * sizeof *token);
            expert[n] = k;
            start[n++] = rows;
            rows += len;
        }
    start[n] = rows;
    f->expert_seq = (pr_strand_t){.n = n, .start = start, .token = token};
    f->expert = expert;
    f->source = source;
}

static pr_status_t run_group(pr_engine_t *e, const pr_policy_t *p, const pr_strand_t *s, const double *w, bool all,
                             copy_t *out, pr_error_t *err)
{
    size_t k = (size_t)p->n_expert, n = (size_t)s->n;
    const double **each = pr_alloc(n, sizeof *each);
    int *start = pr_alloc(n * k + 1, sizeof *start), *expert = pr_alloc(n * k, sizeof *expert);
    int *source = pr_alloc(n * k, sizeof *source);
    int32_t *token = pr_alloc((size_t)s->start[n] * k, sizeof *token);
    pr_flow_t f = {.item = *s, .w = each, .all_positions = all};
    for (size_t i = 0; i < n; i++)
        each[i] = w;
    if (pr_engine_split(e) > 0)
        expand(p, s, w, &f, start, token, expert, source);
    pr_status_t status = pr_flow_run(e, &f, copy_rows, out, err);
    free(each);
    free(start);
    free(expert);
    free(source);
    free(token);
    return status;
}

pr_status_t pr_policy_logits(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids, const double *w,
                             bool all_positions, float *out, pr_error_t *err)
{
    pr_engine_t *e = NULL;
    pr_status_t status = PR_OK;
    PR_TRY(pr_policy_check(p, 1, w, err));
    for (int i = 0; i < n_seq; i++)
        if (seq_start[i + 1] <= seq_start[i])
            return pr_fail(err, PR_ERR_FORMAT, "sequence %d is empty", i);
    PR_TRY(pr_engine_new(p, &e, err));
    int *start = pr_alloc((size_t)n_seq + 1, sizeof *start);
    for (int first = 0, last; first < n_seq; first = last) {
        for (last = first + 1; last < n_seq && seq_start[last + 1] - seq_start[first] <= PR_GROUP_ROWS;)
            last++;
        for (int i = first; i <= last; i++)
            start[i - first] = seq_start[i] - seq_start[first];
        pr_strand_t s = {.n = last - first, .start = start, .token = ids + seq_start[first]};
        copy_t c = {out + (size_t)(all_positions ? seq_start[first] : first) * (size_t)p->model->config.vocab,
                    p->model->config.vocab};
        PR_GO(run_group(e, p, &s, w, all_positions, &c, err));
    }
done:
    free(start);
    pr_engine_free(&e);
    return status;
}

pr_status_t pr_policy_logits_exact(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids,
                                   const double *w, bool all_positions, float *out, pr_error_t *err)
{
    if (p->n_expert == 0 || !p->mix->with_constant)
        return pr_policy_logits(p, n_seq, seq_start, ids, w, all_positions, out, err);
    PR_TRY(pr_policy_check(p, 1, w, err));
    return p->mix->with_constant(p, n_seq, seq_start, ids, w, all_positions, out, err);
}
