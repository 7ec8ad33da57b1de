// SPDX-License-Identifier: BSD-3-Clause
#include "learn/optim.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_adamw_init(pr_adamw_t *o, size_t n, double beta1, double beta2, double eps, double weight_decay,
                          pr_error_t *err)
{
    *o = (pr_adamw_t){.beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = weight_decay, .n = n};
    o->m = pr_alloc_matrix(n, sizeof(float));
    o->v = pr_alloc_matrix(n, sizeof(float));
    if (!o->m || !o->v) {
        pr_adamw_clear(o);
        return pr_fail(err, PR_ERR_MEMORY, "no memory for the optimizer's moments of %zu parameters", n);
    }
    memset(o->m, 0, n * sizeof(float));
    memset(o->v, 0, n * sizeof(float));
    return PR_OK;
}

void pr_adamw_clear(pr_adamw_t *o)
{
    free(o->m);
    free(o->v);
    *o = (pr_adamw_t){0};
}

void pr_adamw_step(pr_adamw_t *o, float *p, const float *grad, double grad_scale, double lr)
{
    o->step++;
    const float b1 = (float)o->beta1, b2 = (float)o->beta2, eps = (float)o->eps, scale = (float)grad_scale;
    const float decay = (float)(1 - lr * o->weight_decay);
    const float step_size = (float)(lr / (1 - pow(o->beta1, (double)o->step)));
    const float root_correction = (float)(1 / sqrt(1 - pow(o->beta2, (double)o->step)));
    float *m = o->m, *v = o->v;
    for (size_t i = 0; i < o->n; i++) {
        float g = grad[i] * scale;
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        p[i] = decay * p[i] - step_size * m[i] / (sqrtf(v[i]) * root_correction + eps);
    }
}

double pr_global_norm(const float *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)g[i] * (double)g[i];
    return sqrt(sum);
}

double pr_clip_scale(double norm, double max)
{
    return max > 0 && norm > max ? max / (norm + 1e-6) : 1;
}

double pr_learning_rate(double lr, const char *schedule, long warmup, long step, long steps)
{
    if (step < warmup)
        return lr * (double)(step + 1) / (double)warmup;
    double left = steps > warmup ? 1 - (double)(step - warmup) / (double)(steps - warmup) : 1;
    if (strcmp(schedule, "linear") == 0)
        return lr * left;
    if (strcmp(schedule, "cosine") == 0)
        return lr * 0.5 * (1 - cos(M_PI * left));
    return lr;
}
