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
    size_t index;
    for (size_t i = 0; i < N; i++)
        names[i] = algorithms[i]->name;
    PR_TRY(pr_find_name("algorithm", name, names, N, &index, err));
    *out = algorithms[index];
    return PR_OK;
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

double pr_group_share_whole(int k)
{
    (void)k;
    return 1;
}

void pr_group_kl_others(int k, double beta, const double *divergence, double *advantage)
{
    pr_group_kl(k, beta, (double)k / (k - 1), divergence, advantage);
}
