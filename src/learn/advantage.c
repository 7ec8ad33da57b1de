#include "learn/advantage.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
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

void pr_kl_advantages(int n, const size_t *start, double beta, const double *log_ratio, double *advantage)
{
    size_t longest = 0;
    for (int i = 0; i < n; i++)
        longest = start[i + 1] - start[i] > longest ? start[i + 1] - start[i] : longest;
    double *sum = pr_alloc(longest, sizeof *sum);  // over the responses that reach a position, of what is to go
    int *reach = pr_alloc(longest, sizeof *reach); // how many do
    for (int i = 0; i < n; i++) {
        double to_go = 0;
        for (size_t t = start[i + 1] - start[i]; t-- > 0;) {
            to_go += log_ratio[start[i] + t];
            advantage[start[i] + t] = to_go;
            sum[t] += to_go;
            reach[t]++;
        }
    }
    for (int i = 0; i < n; i++)
        for (size_t t = 0; t < start[i + 1] - start[i]; t++) {
            double *a = &advantage[start[i] + t], others = reach[t] > 1 ? (sum[t] - *a) / (reach[t] - 1) : 0;
            *a = -beta * (*a - others);
        }
    free(sum);
    free(reach);
}
