// SPDX-License-Identifier: BSD-3-Clause
/* AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it, on one flat vector of parameters. */
#ifndef PR_LEARN_OPTIM_H
#define PR_LEARN_OPTIM_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_adamw {
    double beta1, beta2, eps, weight_decay;
    size_t n;
    float *m, *v; // [n] moments
    long step;    // steps taken
} pr_adamw_t;

/* Zero moments for n parameters. Errors: PR_ERR_MEMORY. */
pr_status_t pr_adamw_init(pr_adamw_t *o, size_t n, double beta1, double beta2, double eps, double weight_decay,
                          pr_error_t *err);
void pr_adamw_clear(pr_adamw_t *o);
/* One step: p [n] by grad [n] * grad_scale at learning rate lr. */
void pr_adamw_step(pr_adamw_t *o, float *p, const float *grad, double grad_scale, double lr);

/* Euclidean norm, summed in double. */
double pr_global_norm(const float *g, size_t n);
/* What to multiply gradients of that norm by so that the norm is at most max (0: no limit); torch's clip_grad_norm_. */
double pr_clip_scale(double norm, double max);
/* Learning rate of step (0-based) of `steps`: linear warm-up over the first `warmup`, then "constant", "linear" or
 * "cosine" to 0. */
double pr_learning_rate(double lr, const char *schedule, long warmup, long step, long steps);

#endif
