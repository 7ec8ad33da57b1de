// SPDX-License-Identifier: BSD-3-Clause
#include "policy/ram.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

typedef struct work {
    const pr_mix_map_t *m;
    float *tile;          // [parts,PR_MIX_TILE,cols]
    double *epsilon;      // [parts]
    double *own;          // [parts] what a part's own elements are multiplied by
    double *alone, *many; // [parts] elements that it alone, and that others too, change
} work_t;

json_t *pr_ram_mergekit(const char *method, const json_t *o)
{
    if (!pr_option_given(o, "epsilon"))
        return NULL;
    return json_pack("{s:s, s:b, s:{s:O, s:O*, s:O*}, s:b, s:{}}", "method", method, "base", 1, "parameters", "epsilon",
                     json_object_get(o, "epsilon"), "r", json_object_get(o, "r"), "alpha", json_object_get(o, "alpha"),
                     "weight", 0, "each");
}

static void set_epsilon(work_t *t, const json_t *options)
{
    int n = t->m->n;
    double *gram = pr_alloc((size_t)n * (size_t)n, sizeof *gram), size = (double)t->m->rows * t->m->cols;
    bool given = pr_option_given(options, "epsilon");
    if (!given)
        pr_mix_inner(t->m, gram);
    for (int k = 0; k < n; k++)
        t->epsilon[k] = given ? pr_option_real(options, "epsilon") : 1e-3 * sqrt(fmax(gram[k * n + k], 0) / size);
    free(gram);
}

/* How many parts change an element; *last: one of them; *sum: of their changes. */
static int changes(const work_t *t, size_t at, int *last, double *sum)
{
    int n = 0;
    assert(t->tile);
    *sum = 0;
    for (int k = 0; k < t->m->n; k++) {
        double x = (double)t->tile[(size_t)k * PR_MIX_TILE * (size_t)t->m->cols + at];
        if (!(fabs(x) > t->epsilon[k]))
            continue;
        n++;
        *sum += x;
        *last = k;
    }
    return n;
}

static void count(work_t *t, size_t at)
{
    double sum;
    int last = 0, n = changes(t, at, &last, &sum);
    if (n == 1)
        t->alone[last]++;
    for (int k = 0; k < t->m->n && n > 1; k++)
        t->many[k] += fabs((double)t->tile[(size_t)k * PR_MIX_TILE * (size_t)t->m->cols + at]) > t->epsilon[k];
}

/* One pass: counts, or adds to w. */
static void pass(work_t *t, float *w)
{
    size_t cols = (size_t)t->m->cols;
    for (int row = 0, n; row < t->m->rows; row += n) {
        n = pr_mix_tile_rows(t->m, row);
        pr_mix_tiles(t->m, row, n, t->tile);
        for (size_t i = 0; i < (size_t)n * cols; i++) {
            double sum;
            int last = 0, by = w ? changes(t, i, &last, &sum) : 0;
            if (!w)
                count(t, i);
            else if (by > 0)
                w[(size_t)row * cols + i] += (float)(by == 1 ? t->own[last] * sum : sum / by);
        }
    }
}

pr_status_t pr_ram_change(const json_t *options, double r, double alpha, const pr_mix_map_t *m, float *w,
                          pr_error_t *err)
{
    size_t n = (size_t)m->n;
    work_t t = {.m = m, .tile = pr_mix_tiles_new(m)};
    t.epsilon = pr_alloc(n, sizeof *t.epsilon);
    t.own = pr_alloc(n, sizeof *t.own);
    t.alone = pr_alloc(n, sizeof *t.alone);
    t.many = pr_alloc(n, sizeof *t.many);
    pr_status_t status = t.tile ? PR_OK : pr_mix_no_memory(m, err);
    if (status == PR_OK) {
        set_epsilon(&t, options);
        if (r != 0)
            pass(&t, NULL);
        for (size_t k = 0; k < n; k++)
            t.own[k] = 1 + r * (t.alone[k] > 0 ? fmin(t.many[k] / t.alone[k], alpha) : 0);
        pass(&t, w);
    }
    free(t.tile);
    free(t.epsilon);
    free(t.own);
    free(t.alone);
    free(t.many);
    return status;
}
