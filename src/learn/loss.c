// SPDX-License-Identifier: BSD-3-Clause
#include "learn/loss.h"

#include <math.h>
#include <string.h>

pr_status_t pr_kl_parse(const char *name, pr_kl_t *out, pr_error_t *err)
{
    static const char *const names[] = {"k1", "k2", "k3"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (pr_kl_t)i;
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "finetune.kl_estimator: found \"%s\", expected k1, k2 or k3", name);
}

/* Value and derivative by lp of k_t. expm1 keeps the small differences of an almost unchanged policy. */
static double kl_term(pr_kl_t estimator, double d, double *grad)
{
    switch (estimator) {
    case PR_KL_K2:
        *grad = d;
        return d * d / 2;
    case PR_KL_K3:
        *grad = -expm1(-d);
        return expm1(-d) + d;
    default: // in the advantage
        *grad = 0;
        return 0;
    }
}

double pr_token_loss(const pr_token_loss_t *l, double lp, double ref, double h, double *grad, double *grad_h)
{
    double by_lp = 0, k = l->kl > 0 ? kl_term(l->estimator, lp - ref, &by_lp) : 0;
    *grad = l->weight * (-l->advantage + l->kl * by_lp);
    *grad_h = -l->weight * l->entropy;
    return l->weight * (-l->advantage * lp + l->kl * k - l->entropy * h);
}

void pr_kl_mean_add(pr_kl_mean_t *m, double lp, double ref)
{
    double d = lp - ref, v = expm1(-d);
    m->n++;
    m->d += d;
    m->v += v;
    m->dv += d * v;
    m->vv += v * v;
}

double pr_kl_mean_of(const pr_kl_mean_t *m, bool nucleus)
{
    double d = m->d / m->n, v = m->v / m->n;
    double variance = m->vv / m->n - v * v, covariance = m->dv / m->n - d * v;
    // where v hardly varies, the difference of its sums is rounding
    if (nucleus || !(variance > 1e-12 * (m->vv / m->n)))
        return d;
    return d - fmax(-1, fmin(0, covariance / variance)) * v;
}
