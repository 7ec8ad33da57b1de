// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "base/rng.h"
#include "landscape/curve.h"
#include "pareto/dominance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RAYS = 512, POOL = 2048, ROUNDS = 200 };

/* A place on the way: weights, values and how far it goes along a ray. */
typedef struct place {
    double w[PR_MAX_OBJECTIVES], f[PR_MAX_OBJECTIVES];
    double far;
} place_t;

typedef struct work {
    const pr_landscape_t *l;
    int k;
    pr_rng_key_t key;
    double (*ray)[PR_MAX_OBJECTIVES]; // [RAYS] directions, in the objectives' units
    place_t *best;                    // [RAYS]
} work_t;

static double extent(const work_t *s, const double *f, const double *ray)
{
    double far = INFINITY;
    for (int j = 0; j < s->k; j++)
        far = fmin(far, f[j] / ray[j]);
    return far;
}

/* Evaluates w, brought to the simplex, and keeps it where it goes farther. */
static void try_place(const work_t *s, double *w, int ray)
{
    place_t p;
    double sum = 0;
    for (int j = 0; j < s->k; j++)
        sum += w[j];
    for (int j = 0; j < s->k; j++)
        p.w[j] = w[j] / sum;
    s->l->at(p.w, s->k, p.f);
    p.far = extent(s, p.f, s->ray[ray]);
    if (p.far > s->best[ray].far)
        s->best[ray] = p;
}

/* Weights of the pool: proportions of powers of exponential numbers. Power 1 is uniform on the simplex, less is nearer
 * to its middle, more to its corners. */
static void draw(const work_t *s, uint64_t i, double *w)
{
    static const double power[] = {1, 1, 2, 4, 0.5, 0.25, 1, 0.1};
    double sum = 0;
    for (int j = 0; j < s->k; j++) {
        w[j] = pow(-log(pr_rng_uniform(&s->key, i, (uint64_t)j, 0, 0)), power[i % 8]);
        sum += w[j];
    }
    for (int j = 0; j < s->k; j++)
        w[j] /= sum;
}

static void begin(work_t *s)
{
    size_t k = (size_t)s->k;
    double *w = pr_alloc(POOL * k, sizeof *w), *f = pr_alloc(POOL * k, sizeof *f), most[PR_MAX_OBJECTIVES] = {0};
    for (size_t i = 0; i < POOL; i++) {
        if (i < k)
            w[i * k + i] = 1;
        else
            draw(s, i, w + i * k);
        s->l->at(w + i * k, s->k, f + i * k);
        for (size_t j = 0; j < k; j++)
            most[j] = fmax(most[j], f[i * k + j]);
    }
    for (int r = 0; r < RAYS; r++) {
        double norm = 0;
        for (size_t j = 0; j < k; j++) {
            s->ray[r][j] = fmax(fabs(pr_rng_normal(&s->key, (uint64_t)r, j, 0, 1)), 1e-9);
            norm += s->ray[r][j] * s->ray[r][j];
        }
        for (size_t j = 0; j < k; j++)
            s->ray[r][j] *= most[j] / sqrt(norm);
        size_t at = 0;
        double far = -INFINITY;
        for (size_t i = 0; i < POOL; i++) {
            double e = extent(s, f + i * k, s->ray[r]);
            if (e > far) {
                far = e;
                at = i;
            }
        }
        s->best[r].far = far;
        memcpy(s->best[r].w, w + at * k, k * sizeof *w);
        memcpy(s->best[r].f, f + at * k, k * sizeof *f);
    }
    free(w);
    free(f);
}

/* One step of one ray: weight moves from the objective that is ahead to the one that is behind, or all weights a little,
 * or to what another ray has found. */
static void step(work_t *s, int ray, uint64_t round)
{
    const place_t *p = &s->best[ray];
    double w[PR_MAX_OBJECTIVES], size = pow(10, -4 + 3.7 * pr_rng_uniform(&s->key, (uint64_t)ray, round, 0, 2));
    int behind = 0, ahead = 0;
    memcpy(w, p->w, sizeof w);
    if (round % 16 == 15) {
        uint64_t other = pr_rng_below(&s->key, RAYS, (uint64_t)ray, round, 1, 2);
        memcpy(w, s->best[other].w, sizeof w);
    } else if (round % 3 == 0) {
        for (int j = 1; j < s->k; j++) {
            behind = p->f[j] / s->ray[ray][j] < p->f[behind] / s->ray[ray][behind] ? j : behind;
            ahead = p->f[j] / s->ray[ray][j] > p->f[ahead] / s->ray[ray][ahead] ? j : ahead;
        }
        double moved = fmin(size, w[ahead]);
        w[ahead] -= moved;
        w[behind] += moved;
    } else {
        for (int j = 0; j < s->k; j++) {
            double z = size * pr_rng_normal(&s->key, (uint64_t)ray, round, (uint64_t)j, 3);
            w[j] = round % 3 == 1 ? w[j] * exp(z) : fabs(w[j] + z / sqrt(s->k));
        }
    }
    try_place(s, w, ray);
}

size_t pr_landscape_front(const pr_landscape_t *l, int k, double **out)
{
    work_t s = {.l = l, .k = k, .key = pr_rng_key(1, "landscape.front", l->name)};
    s.ray = pr_alloc(RAYS, sizeof *s.ray);
    s.best = pr_alloc(RAYS, sizeof *s.best);
    begin(&s);
    for (uint64_t round = 0; round < ROUNDS; round++)
        for (int r = 0; r < RAYS; r++)
            step(&s, r, round);
    double *f = pr_alloc(RAYS * (size_t)k, sizeof *f);
    bool kept[RAYS];
    size_t n = 0;
    for (size_t r = 0; r < RAYS; r++)
        memcpy(f + r * (size_t)k, s.best[r].f, (size_t)k * sizeof *f);
    pr_nondominated(f, RAYS, k, false, kept);
    for (size_t r = 0; r < RAYS; r++)
        if (kept[r])
            memcpy(f + n++ * (size_t)k, s.best[r].f, (size_t)k * sizeof *f);
    free(s.ray);
    free(s.best);
    *out = f;
    return n;
}
