#include "learn/combine.h"
#include "base/mem.h"

#include <string.h>

static void linear(int n, int k, const double *score, const double *w, double *reward)
{
    for (int i = 0; i < n; i++) {
        const double *s = score + (size_t)i * (size_t)k;
        reward[i] = w[0] * s[0]; // nothing is added to one score alone
        for (int j = 1; j < k; j++)
            reward[i] += w[j] * s[j];
    }
}

static const pr_combiner_t combiner_linear = {"linear", "sum of w_k times the score of objective k", linear};

static const pr_combiner_t *const combiners[] = {&combiner_linear};

const pr_combiner_t *const *pr_combiners(size_t *n)
{
    *n = sizeof combiners / sizeof *combiners;
    return combiners;
}

pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err)
{
    pr_buf_t all = {0};
    for (size_t i = 0; i < sizeof combiners / sizeof *combiners; i++) {
        if (strcmp(name, combiners[i]->name) == 0) {
            *out = combiners[i];
            pr_buf_free(&all);
            return PR_OK;
        }
        pr_buf_printf(&all, "%s%s", i ? ", " : "", combiners[i]->name);
    }
    pr_fail(err, PR_ERR_CONFIG, "combine: found \"%s\", expected one of %s", name, all.data);
    pr_buf_free(&all);
    return PR_ERR_CONFIG;
}
