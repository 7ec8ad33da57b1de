// SPDX-License-Identifier: BSD-3-Clause
/* Samples for fits of linear heads: features with a large common part, labels and pairs that follow a known head with
 * noise. Every number is a function of the sample, so that any rank can have any part of them. */
#ifndef PR_TESTS_REWARD_SAMPLES_H
#define PR_TESTS_REWARD_SAMPLES_H

#include "base/mem.h"
#include "base/rng.h"
#include "reward/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_BATCH = 7 };

static inline double sample_feature(int i, int j)
{
    pr_rng_key_t key = pr_rng_key(4, "feature", "");
    return 20 + j % 5 + (1 + 0.3 * (j % 3)) * pr_rng_normal(&key, (uint64_t)i, (uint64_t)j, 0, 0);
}

static inline double sample_difference(int i, int j)
{
    pr_rng_key_t key = pr_rng_key(4, "difference", "");
    return (j == 0 ? 0.4 : 0) + pr_rng_normal(&key, (uint64_t)i, (uint64_t)j, 0, 0);
}

static inline double sample_label(int i, int d)
{
    pr_rng_key_t key = pr_rng_key(4, "label", "");
    double y = 3 + 0.5 * pr_rng_normal(&key, (uint64_t)i, 0, 0, 0);
    for (int j = 0; j < d; j++)
        y += cos(j) * (sample_feature(i, j) - 21);
    return y;
}

/* Samples first .. first+n-1, in batches of SAMPLES_BATCH; n_batch may be more than they need. */
typedef struct samples {
    int first, n, d;
    double (*feature)(int i, int j);
    int fails_at; // a batch that fails; -1: none
    int passes;
    double *y; // [n]
} samples_t;

static inline pr_status_t samples_batch(void *self, int batch, double *x, int *first, int *n, pr_error_t *err)
{
    samples_t *s = self;
    *first = batch * SAMPLES_BATCH < s->n ? batch * SAMPLES_BATCH : s->n;
    *n = s->n - *first < SAMPLES_BATCH ? s->n - *first : SAMPLES_BATCH;
    s->passes += batch == 0;
    if (batch == s->fails_at)
        return pr_fail(err, PR_ERR_FORMAT, "batch %d fails", batch);
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < s->d; j++)
            x[i * s->d + j] = s->feature(s->first + *first + i, j);
    return PR_OK;
}

static inline samples_t samples_new(int first, int n, int d, double (*feature)(int, int))
{
    samples_t s = {.first = first, .n = n, .d = d, .feature = feature, .fails_at = -1};
    s.y = pr_alloc((size_t)n, sizeof *s.y);
    for (int i = 0; i < n; i++)
        s.y[i] = sample_label(first + i, d);
    return s;
}

static inline pr_features_t samples_features(samples_t *s, int n_batch)
{
    return (pr_features_t){s->d, n_batch, SAMPLES_BATCH, samples_batch, s};
}

static inline int samples_batches(int n)
{
    return (n + SAMPLES_BATCH - 1) / SAMPLES_BATCH;
}

static inline double largest_difference(const double *a, const double *b, int n)
{
    double most = 0, scale = 0;
    for (int i = 0; i < n; i++) {
        most = fmax(most, fabs(a[i] - b[i]));
        scale = fmax(scale, fabs(b[i]));
    }
    return most / scale;
}

#endif
