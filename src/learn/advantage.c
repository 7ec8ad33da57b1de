#include "learn/advantage.h"

#include <assert.h>
#include <math.h>
#include <string.h>

pr_status_t pr_method_parse(const char *name, pr_method_t *out, pr_error_t *err)
{
    static const char *const names[] = {"rloo", "scst", "grpo"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (pr_method_t)i;
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "finetune.method: found \"%s\", expected rloo, scst or grpo", name);
}

static void group_moments(int k, const double *r, double *mean, double *std)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < k; i++)
        sum += r[i];
    *mean = sum / k;
    for (int i = 0; i < k; i++)
        squares += (r[i] - *mean) * (r[i] - *mean);
    *std = k > 1 ? sqrt(squares / (k - 1)) : 0;
}

void pr_advantages(pr_method_t method, int groups, int k, const double *reward, double *advantage)
{
    assert(k >= 2 || method == PR_METHOD_SCST);
    for (int g = 0; g < groups; g++) {
        const double *r = reward + (size_t)g * (size_t)k;
        double *a = advantage + (size_t)g * (size_t)k, mean, std;
        group_moments(k, r, &mean, &std);
        // r_i minus the mean of the others is (r_i - mean) k / (k-1).
        double factor = method == PR_METHOD_RLOO   ? (double)k / (k - 1)
                        : method == PR_METHOD_GRPO ? 1 / (std + 1e-4)
                                                   : 1;
        for (int i = 0; i < k; i++)
            a[i] = (r[i] - mean) * factor;
    }
}

double pr_reward_share(pr_method_t method, int k)
{
    return method == PR_METHOD_SCST ? (double)(k - 1) / k : 1;
}

void pr_kl_advantages(pr_method_t method, int groups, int k, double beta, const double *divergence, double *advantage)
{
    assert(k >= 2 || method == PR_METHOD_SCST);
    double factor = method == PR_METHOD_SCST ? 1 : (double)k / (k - 1);
    for (int g = 0; g < groups; g++) {
        const double *d = divergence + (size_t)g * (size_t)k;
        double *a = advantage + (size_t)g * (size_t)k, mean, std;
        group_moments(k, d, &mean, &std);
        for (int i = 0; i < k; i++)
            a[i] -= beta * factor * (d[i] - mean);
    }
}
