#include "policy/policy.h"

#include "base/mem.h"
#include "policy/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[PR_AGGREGATE_PARAMS] = "params",
                                    [PR_AGGREGATE_LOGITS] = "logits",
                                    [PR_AGGREGATE_PROBS] = "probs",
                                    [PR_AGGREGATE_STATES] = "states",
                                    [PR_AGGREGATE_REGMEAN] = "regmean"};

const char *pr_aggregate_name(pr_aggregate_t mode)
{
    return names[mode];
}

pr_status_t pr_aggregate_parse(const char *name, pr_aggregate_t *out, pr_error_t *err)
{
    for (int i = PR_AGGREGATE_PARAMS; i <= PR_AGGREGATE_REGMEAN; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (pr_aggregate_t)i;
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "aggregation: found \"%s\", expected params, logits, probs, states or regmean",
                   name);
}

static pr_status_t check_weights(const pr_policy_t *p, int point, const double *w, pr_error_t *err)
{
    bool normalised = p->mode == PR_AGGREGATE_PROBS ||
                      (p->mode == PR_AGGREGATE_STATES && p->layer > 0 && p->layer < p->model->config.n_layer);
    double sum = 0;
    for (int k = 0; k < p->n_expert; k++) {
        if (!isfinite(w[k]) || w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG, "point %d: weight %d is %g, expected a finite number >= 0", point, k,
                           w[k]);
        sum += w[k];
    }
    if (normalised && !(sum > 0))
        return pr_fail(err, PR_ERR_CONFIG, "point %d: all weights are 0; %s needs a positive sum", point,
                       pr_aggregate_name(p->mode));
    return PR_OK;
}

pr_status_t pr_policy_check(const pr_policy_t *p, int n_point, const double *w, pr_error_t *err)
{
    int n_layer = p->model->config.n_layer;
    if (!p->model->head.data)
        return pr_fail(err, PR_ERR_CONFIG, "the model (%s) has no language-model head", p->model->config.arch_name);
    if (p->mode == PR_AGGREGATE_STATES && (p->layer < -1 || p->layer > n_layer))
        return pr_fail(err, PR_ERR_CONFIG, "layer: found %d, expected -1 (the last) to %d", p->layer, n_layer);
    if (p->mode == PR_AGGREGATE_REGMEAN && p->n_expert > 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "regmean: experts are merged into one adapter before they are run");
    if (p->n_expert > 0 && !w)
        return pr_fail(err, PR_ERR_CONFIG, "no weights for %d adapters", p->n_expert);
    for (int i = 0; i < n_point; i++)
        PR_TRY(check_weights(p, i, p->n_expert ? w + (size_t)i * (size_t)p->n_expert : NULL, err));
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

// Every sequence once an expert in use (same w for all), expert by expert.
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

pr_status_t pr_aggregate_logits(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids,
                                const double *w, bool all_positions, float *out, pr_error_t *err)
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
