// SPDX-License-Identifier: BSD-3-Clause
/* For tests of combiners and weighting rules: one with its options and state, and numbers to feed it. */
#ifndef PR_TEST_RULE_CHECKS_H
#define PR_TEST_RULE_CHECKS_H

#include "base/limits.h"
#include "base/mem.h"
#include "learn/weigh.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K = PR_MAX_OBJECTIVES };

static inline json_t *options_of(const pr_option_t *table, const char *given)
{
    pr_error_t err;
    json_t *json = NULL, *options = NULL;
    if (given)
        ck_assert_msg(pr_json_parse(given, strlen(given), "options", &json, &err) == PR_OK, "%s", err.text);
    pr_status_t status = pr_options_resolve(table, json, NULL, &options, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    json_decref(json);
    return options;
}

typedef struct rule {
    const pr_weigher_t *self;
    pr_weigh_in_t in;
    json_t *options;
    pr_rng_key_t key;
    double w[K], lo[K], hi[K], mean[K], gram[K * K], covariance[K * K];
    double *state, lambda[K];
    size_t numbers;
} rule_t;

/* Scores of 0 to 1; equal preferences unless w [k]. Free with rule_close(). */
static inline void rule_open(rule_t *r, const char *name, const char *options, int k, const double *w)
{
    pr_error_t err;
    memset(r, 0, sizeof *r);
    ck_assert_msg(pr_weigher_find(name, &r->self, &err) == PR_OK, "%s", err.text);
    r->options = options_of(r->self->options, options);
    r->key = pr_rng_key(7, "rule", name);
    for (int i = 0; i < k; i++) {
        r->w[i] = w ? w[i] : 1.0 / k;
        r->hi[i] = 1;
    }
    r->in = (pr_weigh_in_t){.k = k, .w = r->w, .lo = r->lo, .hi = r->hi, .key = &r->key, .options = r->options};
    if (r->self->check)
        ck_assert_msg(r->self->check(k, r->lo, r->hi, r->options, &err) == PR_OK, "%s", err.text);
    r->numbers = r->self->state ? r->self->state(k, r->options) : 0;
    r->state = pr_alloc(r->numbers, sizeof *r->state);
    if (r->self->begin)
        r->self->begin(&r->in, r->state);
    r->in.mean = r->mean;
    r->in.covariance = r->covariance;
    r->in.gram = r->self->gram ? r->gram : NULL;
}

static inline void rule_close(rule_t *r)
{
    json_decref(r->options);
    free(r->state);
}

/* The next step, with validation [k] or NULL. */
static inline const double *rule_step(rule_t *r, const double *validation)
{
    r->in.validation = validation;
    r->self->weigh(&r->in, r->state, r->lambda);
    r->in.step++;
    return r->lambda;
}

static inline double uniform_at(uint64_t seed, uint64_t a, uint64_t b)
{
    pr_rng_key_t key = pr_rng_key(seed, "rule test", "");
    return pr_rng_uniform(&key, a, b, 0, 0);
}

/* gram [k,k] of k random vectors of d numbers: g [k,d] too. */
static inline void random_gram(int k, int d, uint64_t seed, double *g, double *gram)
{
    pr_rng_key_t key = pr_rng_key(seed, "gradients", "");
    for (int i = 0; i < k * d; i++)
        g[i] = pr_rng_normal(&key, (uint64_t)i, 0, 0, 0);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++) {
            gram[i * k + j] = 0;
            for (int x = 0; x < d; x++)
                gram[i * k + j] += g[i * d + x] * g[j * d + x];
        }
}

#endif
