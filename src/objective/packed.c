// SPDX-License-Identifier: BSD-3-Clause
#include "objective/packed.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void pr_packed_add(pr_packed_t *p, const int32_t *token, size_t n)
{
    size_t total = p->n ? p->start[p->n] : 0;
    if (p->n + 2 > p->cap_n) {
        p->cap_n = 2 * p->cap_n + 16;
        p->start = pr_realloc(p->start, p->cap_n, sizeof *p->start);
    }
    if (total + n > p->cap_token) {
        p->cap_token = 2 * p->cap_token + n;
        p->token = pr_realloc(p->token, p->cap_token, sizeof *p->token);
    }
    memcpy(p->token + total, token, n * sizeof *token);
    p->start[0] = 0;
    p->start[++p->n] = total + n;
}

void pr_packed_free(pr_packed_t *p)
{
    free(p->start);
    free(p->token);
    *p = (pr_packed_t){0};
}

size_t pr_packed_batch_end(const pr_packed_t *p, size_t first, size_t batch_tokens)
{
    size_t end = first + 1;
    while (end < p->n && p->start[end + 1] - p->start[first] <= batch_tokens)
        end++;
    return end;
}

static pr_status_t run_one(const pr_packed_t *p, const pr_model_t *m, const pr_linalg_t *la, pr_run_t *run,
                           size_t first, size_t end, pr_states_fn each, void *self, pr_error_t *err)
{
    size_t rows = p->start[end] - p->start[first];
    int *start = pr_alloc(end - first + 1, sizeof *start);
    float *h = pr_alloc_matrix(rows * (size_t)m->part.d.n, sizeof *h);
    pr_batch_t b = {.n_seq = (int)(end - first), .seq_start = start, .token = p->token + p->start[first]};
    pr_status_t status = PR_OK;
    for (size_t i = first; i <= end; i++)
        start[i - first] = (int)(p->start[i] - p->start[first]);
    if (!h)
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for the hidden states of %zu tokens", rows);
    status = la->agree(la, status, err);
    if (status == PR_OK)
        status = pr_forward(run, &b, h, err);
    if (status == PR_OK)
        status = each(self, first, &b, h, err);
    free(h);
    free(start);
    return status;
}

pr_status_t pr_packed_run(const pr_packed_t *p, const pr_model_t *m, const pr_linalg_t *la, pr_run_t *run,
                          size_t batch_tokens, pr_states_fn each, void *self, pr_error_t *err)
{
    for (size_t first = 0, end; first < p->n; first = end) {
        end = pr_packed_batch_end(p, first, batch_tokens);
        PR_TRY(run_one(p, m, la, run, first, end, each, self, err));
    }
    return PR_OK;
}
