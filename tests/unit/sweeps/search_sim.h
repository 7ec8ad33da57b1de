// SPDX-License-Identifier: BSD-3-Clause
/* A simulated sweep for the tests of the search: an evaluator with known fronts, the results so far, and a driver that
 * answers requests in any order and in parts, checking on the way what every strategy promises. */
#ifndef PR_TESTS_SEARCH_SIM_H
#define PR_TESTS_SEARCH_SIM_H

#include "base/mem.h"
#include "base/rng.h"
#include "sweeps/search/search_internal.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum { SIM_LINEAR, SIM_CONCAVE, SIM_CONVEX, SIM_SKEWED, SIM_BUMP, SIM_N } sim_front_t;

typedef struct sim {
    pr_search_t search;
    pr_search_spec_t spec;
    sim_front_t front;
    double noise; // standard deviation of one prompt's score
    bool paired;  // hand out the scores prompt by prompt
    pr_observation_t *obs;
    size_t n, cap;
    pr_pointset_t asked; // every point ever evaluated
    size_t calls;
} sim_t;

/* A pointer to request i of an answer, for as long as the block lasts. */
#define SIM_REQUEST(q, i) ((pr_request_t[1]){pr_requests_at((q), (i))})

/* Numbers of a point, for an observation; freed with it. */
static inline int64_t *sim_flat(const pr_point_t *p, int d)
{
    int64_t *flat = pr_alloc((size_t)d + 1, sizeof *flat);
    pr_point_store(p, d, flat);
    return flat;
}

static inline sim_t sim_new(int k, const char *type, const char *domain)
{
    sim_t s = {.search = {.k = k, .n_prompts = 32, .seed = 1}, .front = SIM_CONCAVE, .asked = {.d = k}};
    s.spec = (pr_search_spec_t){.name = (char *)"test", .type = (char *)type, .domain = (char *)domain};
    s.spec.select = (char *)"front";
    s.spec.alpha = 1;
    return s;
}

/* The true scores at w: which front is traced, and how evenly. */
static inline void sim_truth(const sim_t *s, const double *w, double *f)
{
    int k = s->search.k;
    double v[PR_MAX_OBJECTIVES], norm = 0, sum = 0;
    for (int j = 0; j < k; j++) {
        v[j] = s->front == SIM_SKEWED ? pow(w[j], 3) * (1 + 4 * j) : w[j];
        sum += v[j];
        norm += v[j] * v[j];
    }
    for (int j = 0; j < k; j++) {
        double linear = sum > 0 ? v[j] / sum : 0;
        f[j] = linear;
        if (s->front == SIM_CONCAVE || s->front == SIM_SKEWED)
            f[j] = norm > 0 ? v[j] / sqrt(norm) : 0;
        else if (s->front == SIM_CONVEX)
            f[j] = linear * linear;
        else if (s->front == SIM_BUMP) // many points are dominated
            f[j] = linear * (0.5 + 0.5 * cos(9 * linear + j));
    }
}

/* Are the points of two results the same? */
static inline bool sim_same_point(const pr_observation_t *a, const pr_observation_t *b, int d)
{
    return memcmp(a->point, b->point, (size_t)(1 + d) * sizeof *a->point) == 0;
}

static inline pr_point_t sim_point(const sim_t *s, size_t i)
{
    return pr_point_load(s->obs[i].point, s->search.k);
}

static inline void sim_evaluate(sim_t *s, const pr_request_t *q)
{
    int k = s->search.k, n = q->n_prompts;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->obs = pr_realloc(s->obs, s->cap, sizeof s->obs[0]);
    }
    char text[1024];
    pr_point_text(&q->point, k, text, sizeof text);
    pr_rng_key_t key = pr_rng_key(7, "sim", text), common = pr_rng_key(7, "sim", "prompts");
    double w[PR_MAX_OBJECTIVES], f[PR_MAX_OBJECTIVES];
    pr_point_weights(&q->point, k, w);
    sim_truth(s, w, f);
    bool prompts = s->noise > 0;
    double *mean = pr_alloc((size_t)(2 * k), sizeof(double));
    double *scores = prompts ? pr_alloc((size_t)(n * k), sizeof(double)) : NULL;
    memcpy(mean, f, (size_t)k * sizeof f[0]);
    for (int i = 0; prompts && i < n; i++)
        for (int j = 0; j < k; j++)
            scores[i * k + j] = f[j] + s->noise * (pr_rng_normal(&common, (uint64_t)i, (uint64_t)j, 0, 0) +
                                                   0.3 * pr_rng_normal(&key, (uint64_t)i, (uint64_t)j, 0, 0));
    pr_observation_t o = {.point = sim_flat(&q->point, k), .level = q->level, .n_prompts = n, .core_seconds = 0.5 * n};
    o.per_prompt = scores;
    if (prompts)
        pr_prefix_moments(&o, n, k, mean, mean + k);
    if (!s->paired) {
        free(scores);
        o.per_prompt = NULL;
    }
    o.mean = mean;
    o.se = mean + k;
    s->obs[s->n++] = o;
}

static inline void sim_free(sim_t *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free((int64_t *)(uintptr_t)s->obs[i].point);
        free((double *)s->obs[i].mean);
        free((double *)s->obs[i].per_prompt);
    }
    free(s->obs);
    pr_pointset_free(&s->asked);
}

static inline pr_requests_t sim_next(sim_t *s)
{
    pr_requests_t q = {0};
    pr_error_t err = {0};
    s->search.spec = &s->spec;
    s->calls++;
    pr_status_t status = pr_search_next(&s->search, s->obs, s->n, &q, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    ck_assert(q.done == (q.n == 0));
    return q;
}

/* Everything a strategy promises of one answer: canonical order, lowest terms, nothing asked that was answered. */
static inline void sim_check(const sim_t *s, const pr_requests_t *q)
{
    int k = s->search.k;
    for (size_t i = 0; i < q->n; i++) {
        pr_request_t at = pr_requests_at(q, i);
        pr_point_t p = at.point;
        pr_point_reduce(&p, k);
        ck_assert(memcmp(&p, &at.point, sizeof p) == 0);
        ck_assert_int_ge(at.n_prompts, 1);
        ck_assert_int_le(at.n_prompts, s->search.n_prompts);
        int64_t sum = 0;
        for (int j = 0; j < k; j++) {
            ck_assert(p.num[j] >= 0 && p.num[j] <= p.den);
            sum += p.num[j];
        }
        ck_assert(sum == p.den || pr_search_is_cube(&s->spec));
        if (i == 0)
            continue;
        pr_request_t before = pr_requests_at(q, i - 1);
        ck_assert_int_le(before.level, at.level);
        if (before.level == at.level)
            ck_assert_int_lt(pr_point_compare(&before.point, &p, k), 0);
    }
}

/* Evaluates all that is wanted until the search is done. */
static inline void sim_run(sim_t *s)
{
    for (;;) {
        pr_requests_t q = sim_next(s);
        sim_check(s, &q);
        for (size_t i = 0; i < q.n; i++) {
            bool is_new = false;
            pr_pointset_add(&s->asked, &SIM_REQUEST(&q, i)->point, &is_new);
            ck_assert(is_new || s->spec.n_fidelity > 1);
            sim_evaluate(s, SIM_REQUEST(&q, i));
        }
        pr_requests_free(&q);
        if (q.done)
            return;
    }
}

static inline void sim_shuffle(sim_t *s, const pr_rng_key_t *key, uint64_t round)
{
    for (size_t i = s->n; i > 1; i--) {
        size_t j = (size_t)pr_rng_below(key, i, round, i, 1, 0);
        pr_observation_t o = s->obs[i - 1];
        s->obs[i - 1] = s->obs[j];
        s->obs[j] = o;
    }
}

/* As sim_run, but answers a random part of what is wanted, shuffles all results and asks again: what is then wanted
 * must be what was left, until all of it is there. */
static inline void sim_run_in_parts(sim_t *s, uint64_t seed)
{
    pr_rng_key_t key = pr_rng_key(seed, "parts", "");
    pr_requests_t left = {0};
    for (uint64_t round = 0;; round++) {
        pr_requests_t q = sim_next(s);
        sim_check(s, &q);
        if (left.n > 0) {
            ck_assert_uint_eq(q.n, left.n);
            ck_assert(memcmp(q.flat, left.flat, q.n * (size_t)(1 + q.d) * sizeof q.flat[0]) == 0);
            ck_assert(memcmp(q.level, left.level, q.n * sizeof q.level[0]) == 0);
            ck_assert(memcmp(q.n_prompts, left.n_prompts, q.n * sizeof q.n_prompts[0]) == 0);
        }
        pr_requests_free(&left);
        pr_requests_init(&left, q.n, q.d);
        left.n = 0;
        for (size_t i = 0; i < q.n; i++) {
            if (pr_rng_below(&key, 3, round, i, 0, 0) == 0)
                pr_requests_set(&left, left.n++, SIM_REQUEST(&q, i));
            else
                sim_evaluate(s, SIM_REQUEST(&q, i));
            if (pr_rng_below(&key, 3, round, i, 0, 0) != 0)
                pr_pointset_add(&s->asked, &SIM_REQUEST(&q, i)->point, NULL);
        }
        sim_shuffle(s, &key, round);
        pr_requests_free(&q);
        if (q.done)
            break;
    }
    pr_requests_free(&left);
}

static inline int sim_compare_obs(const void *a, const void *b, void *k)
{
    const pr_observation_t *p = a, *q = b;
    pr_point_t x = pr_point_load(p->point, *(const int *)k), y = pr_point_load(q->point, *(const int *)k);
    int order = pr_point_compare(&x, &y, *(const int *)k);
    return order != 0 ? order : p->n_prompts - q->n_prompts;
}

/* Sorts the results and fails when a point was evaluated twice on the same prompts. */
static inline void sim_sort(sim_t *s)
{
    int k = s->search.k;
    qsort_r(s->obs, s->n, sizeof s->obs[0], sim_compare_obs, &k);
    for (size_t i = 1; i < s->n; i++)
        ck_assert_int_lt(sim_compare_obs(&s->obs[i - 1], &s->obs[i], &k), 0);
}

/* Both searches evaluated the same points on the same prompts, wanted at the same levels. */
static inline void sim_same(sim_t *a, sim_t *b)
{
    sim_sort(a);
    sim_sort(b);
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        ck_assert(sim_same_point(&a->obs[i], &b->obs[i], a->search.k));
        ck_assert_int_eq(a->obs[i].n_prompts, b->obs[i].n_prompts);
        ck_assert_int_eq(a->obs[i].level, b->obs[i].level);
    }
}

static inline int sim_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, getenv("CK_FORK") ? CK_FORK_GETENV : CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner), ran = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
