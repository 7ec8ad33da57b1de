#include "learn/algorithm.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

static const pr_algorithm_t *const algorithms[] = {&pr_algorithm_rloo, &pr_algorithm_scst, &pr_algorithm_grpo};

const pr_algorithm_t *const *pr_algorithms(size_t *n)
{
    *n = sizeof algorithms / sizeof *algorithms;
    return algorithms;
}

pr_status_t pr_algorithm_find(const char *name, const pr_algorithm_t **out, pr_error_t *err)
{
    size_t n = sizeof algorithms / sizeof *algorithms;
    pr_buf_t all = {0};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, algorithms[i]->name) == 0) {
            *out = algorithms[i];
            pr_buf_free(&all);
            return PR_OK;
        }
        pr_buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", algorithms[i]->name);
    }
    pr_fail(err, PR_ERR_CONFIG, "algorithm: found \"%s\", expected %s", name, all.data);
    pr_buf_free(&all);
    return PR_ERR_CONFIG;
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
