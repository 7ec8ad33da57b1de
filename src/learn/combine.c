// SPDX-License-Identifier: BSD-3-Clause
#include "learn/combine.h"
#include "base/nearest.h"

static void linear(int n, int k, const double *score, const double *w, double *reward)
{
    for (int i = 0; i < n; i++) {
        const double *s = score + (size_t)i * (size_t)k;
        reward[i] = w[0] * s[0]; // nothing is added to one score alone
        for (int j = 1; j < k; j++)
            reward[i] += w[j] * s[j];
    }
}

const pr_combiner_t pr_combiner_linear = {"linear", "sum of w_k times the score of objective k", linear};

#define COMBINER(name) &pr_combiner_##name,
static const pr_combiner_t *const combiners[] = {PR_COMBINER_LIST(COMBINER)};

pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err)
{
    enum { N = sizeof combiners / sizeof *combiners };
    const char *names[N];
    size_t index;
    for (size_t i = 0; i < N; i++)
        names[i] = combiners[i]->name;
    PR_TRY(pr_find_name("combiner", name, names, N, &index, err));
    *out = combiners[index];
    return PR_OK;
}
