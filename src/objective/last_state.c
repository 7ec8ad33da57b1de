// SPDX-License-Identifier: BSD-3-Clause
#include "objective/last_state.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct states {
    const pr_model_t *m;
    const pr_linalg_t *la;
    float *part; // [sequences, this column's d]
    float *h;
} states_t;

static void pick_last(const states_t *s, const pr_batch_t *b, const float *all)
{
    int d = s->m->part.d.n, *bounds = pr_alloc((size_t)s->la->cols + 1, sizeof *bounds);
    for (int i = 0; i < b->n_seq; i++)
        memcpy(s->part + (size_t)i * (size_t)d, all + ((size_t)b->seq_start[i + 1] - 1) * (size_t)d,
               (size_t)d * sizeof *all);
    pr_part_bounds(&s->m->config, s->la->cols, PR_SPACE_D, bounds);
    s->la->gather(s->la, b->n_seq, s->part, d, bounds, s->h);
    free(bounds);
}

pr_status_t pr_last_states(const pr_model_t *m, const pr_linalg_t *la, pr_run_t *run, const pr_packed_t *p,
                           size_t first, size_t end, float *h, pr_error_t *err)
{
    size_t n = end - first, rows = p->start[end] - p->start[first], d = (size_t)m->part.d.n;
    states_t s = {m, la, pr_alloc_matrix(n * d + 1, sizeof(float)), h};
    float *all = pr_alloc_matrix(rows * d + 1, sizeof *all);
    int *start = pr_alloc(n + 1, sizeof *start);
    pr_batch_t b = {.n_seq = (int)n, .seq_start = start, .token = p->token + p->start[first]};
    pr_status_t status = PR_OK;
    for (size_t i = first; i <= end; i++)
        start[i - first] = (int)(p->start[i] - p->start[first]);
    if (!s.part || !all)
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for the hidden states of %zu tokens", rows);
    PR_GO(la->agree(la, status, err));
    assert(s.part && all);
    PR_GO(pr_forward(run, &b, all, err));
    pick_last(&s, &b, all);
done:
    free(s.part);
    free(all);
    free(start);
    return status;
}
