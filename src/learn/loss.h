// SPDX-License-Identifier: BSD-3-Clause
/* What a step climbs, token by token.
 *
 * A response y = y_1 .. y_n of a prompt is drawn from the policy: y_t from q(. | y_<t), the distribution of
 * pr_sampling_t (temperature, nucleus). Every word below means this q: what is drawn, the log-probabilities lp_t = log
 * q(y_t | y_<t), the KL and the entropy. ref_t is the log-probability of y_t under the base model at the same
 * temperature, over its whole vocabulary. A step climbs, per response,
 *
 *   E[reward] - kl KL(q || base) + entropy H
 *
 * where KL is a sum over the response's tokens, in nats; with loss_norm "sequence" averaged over the step's responses,
 * with "token" also divided by their mean length, all three alike. As a loss on the tokens drawn, c the token's weight:
 *
 *   sum_t c [ -A lp_t + kl k_t - entropy H_t ]
 *
 * A is the response's advantage (learn/algorithm.h; REINFORCE, Williams 1992; on-policy, clipped importance ratios are
 * 1 and have the same gradient). H_t is the entropy of q(. | y_<t), by the whole row of the vocabulary, with the
 * prefixes as they were drawn. k_t is the estimator of the KL (names: Schulman 2020, "Approximating KL divergence"),
 * whose gradient at the drawn tokens has these expectations:
 *
 *   k1  k_t = 0: the response's sum of lp - ref is part of its reward, with the reward's baseline. The gradient of
 *       KL(q || base) of whole responses, also by which prefixes later tokens meet.
 *   k2  (lp_t - ref_t)^2 / 2. The gradient of KL(q || base) of each token's distribution, prefixes as drawn.
 *   k3  exp(ref_t - lp_t) - (ref_t - lp_t) - 1, the loss of GRPO (Shao et al. 2024). The gradient of KL(base || q), the
 *       other direction, of each token's distribution, prefixes as drawn: it holds on to all that the base model says.
 *       Without a nucleus only, as outside of one that KL is infinite. */
#ifndef PR_LEARN_LOSS_H
#define PR_LEARN_LOSS_H

#include "base/error.h"

#include <stdbool.h>

typedef enum { PR_KL_K1, PR_KL_K2, PR_KL_K3 } pr_kl_t;

typedef struct pr_token_loss {
    double advantage; // of the token's response
    double weight;    // c
    pr_kl_t estimator;
    double kl;      // weight of the KL
    double entropy; // weight of the entropy bonus
} pr_token_loss_t;

/* "k1", "k2", "k3". Errors: PR_ERR_CONFIG. */
pr_status_t pr_kl_parse(const char *name, pr_kl_t *out, pr_error_t *err);

/* The token's share of the loss, and its derivatives by lp into *grad and by the entropy h of its distribution into
 * *grad_h. With k1, ref is not used. */
double pr_token_loss(const pr_token_loss_t *l, double lp, double ref, double h, double *grad, double *grad_h);

/* KL(q || base) in nats per token, of tokens drawn from q: the mean of d = lp - ref, less that of a control variate v =
 * exp(-d) - 1, whose mean is 0 when q has the base model's whole support, times a coefficient that is fitted to the
 * tokens, between -1 (the mean of k3: best near the base model) and 0 (the mean of d: best far from it, where exp(-d)
 * is rarely large). */
typedef struct pr_kl_mean {
    double n, d, v, dv, vv; // sums, which may be added up over parts
} pr_kl_mean_t;
void pr_kl_mean_add(pr_kl_mean_t *m, double lp, double ref);
/* nucleus: q has a smaller support than the base model. */
double pr_kl_mean_of(const pr_kl_mean_t *m, bool nucleus);

#endif
