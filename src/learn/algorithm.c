// SPDX-License-Identifier: BSD-3-Clause
#include "learn/algorithm.h"
#include "base/nearest.h"

#include <math.h>
#include <string.h>

#define ALGORITHM(name) &pr_algorithm_##name,
static const pr_algorithm_t *const algorithms[] = {PR_ALGORITHM_LIST(ALGORITHM)};

const pr_algorithm_t *const *pr_algorithms(size_t *n)
{
    *n = sizeof algorithms / sizeof *algorithms;
    return algorithms;
}

pr_status_t pr_algorithm_find(const char *name, const pr_algorithm_t **out, pr_error_t *err)
{
    enum { N = sizeof algorithms / sizeof *algorithms };
    const char *names[N];
    for (size_t i = 0; i < N; i++) {
        names[i] = algorithms[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *out = algorithms[i];
            return PR_OK;
        }
    }
    return pr_unknown("algorithm", "", name, names, N, NULL, err);
}

void pr_group_moments(int k, const double *r, double *mean, double *std)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < k; i++)
        sum += r[i];
    *mean = sum / k;
    for (int i = 0; i < k; i++)
        squares += (r[i] - *mean) * (r[i] - *mean);
    *std = k > 1 ? sqrt(squares / (k - 1)) : 0;
}

void pr_group_kl(int k, double beta, double factor, const double *divergence, double *advantage)
{
    double mean, std;
    pr_group_moments(k, divergence, &mean, &std);
    for (int i = 0; i < k; i++)
        advantage[i] -= beta * factor * (divergence[i] - mean);
}
