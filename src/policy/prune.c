// SPDX-License-Identifier: BSD-3-Clause
#include "policy/prune.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/kernels_exp.h"
#include "policy/pick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

pr_prune_t pr_prune_read(pr_prune_kind_t kind, bool elect, const json_t *o)
{
    double d = pr_option_real(o, "density"), most = fmin(d, 1 - d);
    return (pr_prune_t){.kind = kind,
                        .elect = elect,
                        .normalize = pr_option_bool(o, "normalize"),
                        .rescale = !pr_option_given(o, "rescale") || pr_option_bool(o, "rescale"),
                        .density = d,
                        .epsilon = pr_option_given(o, "epsilon") ? pr_option_real(o, "epsilon") : fmin(0.15, most),
                        .gamma = pr_option_given(o, "gamma") ? pr_option_real(o, "gamma") : 0,
                        .lambda = pr_option_real(o, "lambda"),
                        .seed = pr_option_given(o, "seed") ? (uint64_t)pr_option_int(o, "seed") : 0};
}

pr_status_t pr_prune_check(const pr_prune_t *p, int n, const double *w, pr_error_t *err)
{
    enum { SLACK = 1000000000 }; // of sums such as 0.85 + 0.15
    bool spread = p->kind == PR_PRUNE_RANKED && p->density > 0 && p->density < 1;
    if (spread && p->epsilon > fmin(p->density, 1 - p->density) + 1.0 / SLACK)
        return pr_fail(err, PR_ERR_CONFIG,
                       "epsilon: found %g, expected at most %g at density %g: chances rise from density - epsilon to "
                       "density + epsilon",
                       p->epsilon, fmin(p->density, 1 - p->density), p->density);
    return p->normalize && w ? pr_mix_refuse_negative(n, w, err) : PR_OK;
}

bool pr_prune_alone(const pr_prune_t *p, double w, double *scale)
{
    *scale = p->normalize ? p->lambda : p->lambda * w;
    return p->density >= 1;
}

bool pr_prune_jumps(const pr_prune_t *p)
{
    return p->elect && p->normalize && p->density > 0;
}

json_t *pr_prune_mergekit(const char *method, const json_t *o)
{
    return json_pack("{s:s, s:b, s:{s:O, s:O}, s:b, s:{s:O, s:O*}}", "method", method, "base", 1, "parameters",
                     "normalize", json_object_get(o, "normalize"), "lambda", json_object_get(o, "lambda"), "weight", 1,
                     "each", "density", json_object_get(o, "density"), "gamma", json_object_get(o, "gamma"));
}

/* ---- what of a part is kept ---- */

/* Of one part of one map. */
typedef struct keep {
    const pr_prune_t *p;
    const pr_mix_map_t *m;
    int part;
    pr_pick_t large, rest; // the first so many; those before `large` are left out, the others before `rest` kept
    pr_rng_key_t key;
    uint64_t name; // the tensor's, to the random numbers
} keep_t;

static void magnitudes(void *self, int row, int n, float *out)
{
    const keep_t *k = self;
    size_t size = (size_t)n * (size_t)k->m->cols;
    pr_mix_tile(k->m, k->part, row, n, out);
    for (size_t i = 0; i < size; i++)
        out[i] = fabsf(out[i]);
}

/* Finds thresholds of all of a part's elements. */
static bool keep_make(keep_t *k)
{
    uint64_t n = (uint64_t)k->m->rows * (uint64_t)k->m->cols, kept = (uint64_t)(k->p->density * (double)n);
    k->key = pr_rng_key(k->p->seed, "merge", k->m->part[k->part].hash);
    k->name = pr_hash64(k->m->name, strlen(k->m->name));
    if (k->p->density >= 1 || k->p->density <= 0 || k->m->part[k->part].r == 0)
        return true;
    if (k->p->kind == PR_PRUNE_SMALL) {
        uint64_t count = kept > 0 ? kept : 1;
        return pr_pick_find(k->m->rows, k->m->cols, magnitudes, k, 1, &count, &k->rest);
    }
    if (k->p->kind == PR_PRUNE_ENDS) {
        uint64_t large = (uint64_t)(k->p->gamma * (double)n);
        large = large < n - kept ? large : n - kept;
        uint64_t count[] = {large, large + kept};
        pr_pick_t pick[2];
        if (!pr_pick_find(k->m->rows, k->m->cols, magnitudes, k, 2, count, pick))
            return false;
        k->large = pick[0];
        k->rest = pick[1];
    }
    return true;
}

PR_CLONES static void clear_where(int n, const bool *is, bool what, float *x)
{
    PR_SIMD
    for (int j = 0; j < n; j++)
        x[j] = is[j] == what ? 0 : x[j];
}

static void keep_large(keep_t *k, bool *takes, float *x)
{
    pr_pick_takes(&k->rest, k->m->cols, x, takes);
    clear_where(k->m->cols, takes, false, x);
}

static void keep_middle(keep_t *k, bool *takes, float *x)
{
    bool *large = takes + k->m->cols;
    pr_pick_takes(&k->rest, k->m->cols, x, takes);
    pr_pick_takes(&k->large, k->m->cols, x, large);
    clear_where(k->m->cols, takes, false, x);
    clear_where(k->m->cols, large, true, x);
}

/* u [cols]: uniform numbers in [0, 2^32) of a row's elements, a function of who asks for which element: eight of each
 * counter. */
static void uniforms(const keep_t *k, int row, uint32_t *u)
{
    enum { LANES = 8 };
    uint64_t at = (uint64_t)row * (uint64_t)k->m->cols, words[LANES / 2];
    for (int j = 0; j < k->m->cols; j++, at++) {
        if (j == 0 || at % LANES == 0)
            pr_rng_words(&k->key, k->name, at / LANES, 0, 0, words);
        u[j] = (uint32_t)(words[at % LANES / 2] >> (at % 2 * 32));
    }
}

static void keep_by_chance(const keep_t *k, int row, uint32_t *u, float *x)
{
    double scale = k->p->rescale ? 1 / k->p->density : 1;
    uint64_t below = (uint64_t)(k->p->density * 0x1p32);
    uniforms(k, row, u);
    for (int j = 0; j < k->m->cols; j++)
        x[j] = u[j] < below ? (float)(scale * (double)x[j]) : 0;
}

/* order [n]: the indices of x by rising magnitude, of equal ones the lower first. By digits, which is linear. */
static void sort_row(int n, const float *x, uint64_t *order, uint64_t *other)
{
    enum { DIGIT = 8, BINS = 1 << DIGIT };
    for (int j = 0; j < n; j++) {
        uint32_t bits;
        float magnitude = fabsf(x[j]);
        memcpy(&bits, &magnitude, sizeof bits);
        order[j] = (uint64_t)bits << 32 | (uint32_t)j;
    }
    for (int shift = 32; shift < 64; shift += DIGIT) {
        uint32_t first[BINS + 1] = {0};
        for (int j = 0; j < n; j++)
            first[(order[j] >> shift & (BINS - 1)) + 1]++;
        for (int b = 0; b < BINS; b++)
            first[b + 1] += first[b];
        for (int j = 0; j < n; j++)
            other[first[order[j] >> shift & (BINS - 1)]++] = order[j];
        memcpy(order, other, (size_t)n * sizeof *order);
    }
}

static void keep_by_rank(const keep_t *k, int row, uint32_t *u, uint64_t *order, float *x)
{
    int n = k->m->cols;
    double low = k->p->density - k->p->epsilon, step = n > 1 ? 2 * k->p->epsilon / (n - 1) : 0;
    uniforms(k, row, u);
    sort_row(n, x, order, order + n);
    for (int i = 0; i < n; i++) {
        uint32_t j = (uint32_t)order[i];
        double p = n > 1 ? low + step * i : k->p->density;
        x[j] = (double)u[j] < p * 0x1p32 ? (float)(k->p->rescale ? (double)x[j] / p : (double)x[j]) : 0;
    }
}

/* ---- the merge ---- */

typedef struct work {
    const pr_prune_t *p;
    const pr_mix_map_t *m;
    keep_t *keep;    // [parts]
    float *tile;     // [parts,PR_MIX_TILE,cols]
    uint32_t *u;     // [cols]
    uint64_t *order; // [2,cols]
    bool *takes;     // [2,cols]
    float *w;        // [parts]
} work_t;

static void keep_row(work_t *t, int part, int row, float *x)
{
    keep_t *k = &t->keep[part];
    if (t->p->density >= 1 || t->m->part[part].r == 0)
        return;
    if (t->p->density <= 0)
        memset(x, 0, (size_t)t->m->cols * sizeof *x);
    else if (t->p->kind == PR_PRUNE_SMALL)
        keep_large(k, t->takes, x);
    else if (t->p->kind == PR_PRUNE_ENDS)
        keep_middle(k, t->takes, x);
    else if (t->p->kind == PR_PRUNE_CHANCE)
        keep_by_chance(k, row, t->u, x);
    else
        keep_by_rank(k, row, t->u, t->order, x);
}

enum { CHUNK = 256 }; // columns whose sums stay near

/* sum [n] += w x. */
PR_INLINE void add_weighted(int n, float w, const float *x, float *sum)
{
    PR_SIMD
    for (int j = 0; j < n; j++)
        sum[j] += w * x[j];
}

/* A float's bits: comparisons of floats, which may trap, are not vectorised. */
typedef union bits {
    float f;
    int32_t i;
} bits_t;

/* y, q [n] += w x, w where w x, not 0, has the sign of sum, 0 counting as positive. */
PR_INLINE void add_if_elected(int n, float w, const float *x, const float *sum, float *y, float *q)
{
    PR_SIMD
    for (int j = 0; j < n; j++) {
        bits_t v = {.f = w * x[j]}, s = {.f = sum[j] + 0.0f}, share = {.f = w};
        int32_t elected = -(int32_t)(((v.i ^ s.i) >= 0) & ((v.i & INT32_MAX) != 0));
        v.i &= elected;
        share.i &= elected;
        y[j] += v.f;
        q[j] += share.f;
    }
}

/* to [n] += scale y / q, q being 1 where it is 0. */
PR_INLINE void add_shares(int n, float scale, const float *y, const float *q, float *to)
{
    PR_SIMD
    for (int j = 0; j < n; j++) {
        bits_t d = {.f = q[j]}, one = {.f = 1};
        d.i |= one.i & -(int32_t)((d.i & INT32_MAX) == 0);
        to[j] += scale * (y[j] / d.f);
    }
}

/* to [cols] += scale times the sum of x [n] (ld apart) by weight. */
PR_CLONES static void add_all(int n, int cols, const float *w, const float *x, size_t ld, float scale, float *to)
{
    for (int at = 0; at < cols; at += CHUNK) {
        float sum[CHUNK] = {0};
        int width = cols - at < CHUNK ? cols - at : CHUNK;
        for (int k = 0; k < n; k++)
            add_weighted(width, w[k], x + (size_t)k * ld + at, sum);
        add_weighted(width, scale, sum, to + at);
    }
}

/* The same of those with the sign of the sum, over their weights if normalised. */
PR_CLONES static void add_elected(int n, int cols, const float *w, const float *x, size_t ld, bool normalize,
                                  float scale, float *to)
{
    for (int at = 0; at < cols; at += CHUNK) {
        float sum[CHUNK] = {0}, y[CHUNK] = {0}, q[CHUNK] = {0};
        int width = cols - at < CHUNK ? cols - at : CHUNK;
        for (int k = 0; k < n; k++)
            add_weighted(width, w[k], x + (size_t)k * ld + at, sum);
        for (int k = 0; k < n; k++)
            add_if_elected(width, w[k], x + (size_t)k * ld + at, sum, y, q);
        if (normalize)
            add_shares(width, scale, y, q, to + at);
        else
            add_weighted(width, scale, y, to + at);
    }
}

static void add_row(const work_t *t, const float *x, float *to)
{
    int n = t->m->n, cols = t->m->cols;
    size_t ld = PR_MIX_TILE * (size_t)cols;
    double sum = 0;
    if (t->p->elect) {
        add_elected(n, cols, t->w, x, ld, t->p->normalize, (float)t->p->lambda, to);
        return;
    }
    for (int k = 0; k < n; k++)
        sum += t->m->part[k].w;
    add_all(n, cols, t->w, x, ld, (float)(t->p->normalize && sum != 0 ? t->p->lambda / sum : t->p->lambda), to);
}

static pr_status_t work_make(work_t *t, pr_error_t *err)
{
    const pr_mix_map_t *m = t->m;
    size_t cols = (size_t)m->cols;
    t->keep = pr_alloc((size_t)m->n, sizeof *t->keep);
    t->w = pr_alloc((size_t)m->n, sizeof *t->w);
    t->u = pr_alloc(cols, sizeof *t->u);
    t->order = pr_alloc(2 * cols, sizeof *t->order);
    t->takes = pr_alloc(2 * cols, sizeof *t->takes);
    t->tile = pr_mix_tiles_new(m);
    if (!t->tile)
        return pr_mix_no_memory(m, err);
    for (int k = 0; k < m->n; k++) {
        t->keep[k] = (keep_t){.p = t->p, .m = m, .part = k};
        t->w[k] = (float)m->part[k].w;
        if (!keep_make(&t->keep[k]))
            return pr_mix_no_memory(m, err);
    }
    return PR_OK;
}

pr_status_t pr_prune_change(const pr_prune_t *p, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    work_t t = {.p = p, .m = m};
    size_t cols = (size_t)m->cols;
    pr_status_t status = work_make(&t, err);
    for (int row = 0, n; row < m->rows && status == PR_OK; row += n) {
        n = pr_mix_tile_rows(m, row);
        pr_mix_tiles(m, row, n, t.tile);
        for (int k = 0; k < m->n; k++)
            for (int i = 0; i < n; i++)
                keep_row(&t, k, row + i, t.tile + ((size_t)k * PR_MIX_TILE + (size_t)i) * cols);
        for (int i = 0; i < n; i++)
            add_row(&t, t.tile + (size_t)i * cols, w + (size_t)(row + i) * cols);
    }
    free(t.keep);
    free(t.w);
    free(t.u);
    free(t.order);
    free(t.takes);
    free(t.tile);
    return status;
}
