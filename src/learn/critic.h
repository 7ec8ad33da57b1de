// SPDX-License-Identifier: BSD-3-Clause
/* The critic of proximal policy optimisation: a linear value head on the policy's last hidden states, and of a policy that
 * is told the preference w also on that,
 *
 *   V(s_t) = v . h_t + u . w + b
 *
 * h_t the state that token t is drawn from; and what a step climbs by it (Schulman et al. 2016, "High-dimensional continuous
 * control using generalized advantage estimation"; 2017, "Proximal policy optimization algorithms"). With r_t the reward of
 * token t, which is the response's at its last token, and with k1 -kl (lp_t - ref_t) at each:
 *
 *   delta_t = r_t + gamma V_{t+1} - V_t,   A_t = sum_l (gamma lambda)^l delta_{t+l},   R_t = A_t + V_t
 *
 * V behind the last token is 0, also where max_new_tokens cut the response. As a loss on the tokens drawn, c the token's
 * weight, rho_t the ratio of its probability to what it was when drawn:
 *
 *   sum_t c [ -min(rho_t A_t, clip(rho_t, 1 -+ clip) A_t) + value_weight / 2 max((V_t - R_t)^2, (clip(V_t, V_t' -+ value_clip)
 *             - R_t)^2) + kl k_t - entropy H_t ]
 *
 * with the KL of k2, k3 and the entropy as in learn/loss.h. The gradient of the value's error goes on into the policy, as
 * they share the hidden states. */
#ifndef PR_LEARN_CRITIC_H
#define PR_LEARN_CRITIC_H

#include "learn/optim.h"
#include "parallel/team.h"

#include <stdbool.h>

typedef struct pr_critic {
    int d, k;        // features of a state, numbers of the preference
    size_t n;        // d + k + 1
    float *weight;   // [n] v, u, b
    float *gradient; // [n]
    pr_adamw_t adamw;
} pr_critic_t;

/* Says 0 of everything. Errors: PR_ERR_MEMORY. */
pr_status_t pr_critic_init(pr_critic_t *c, int d, int k, double beta1, double beta2, double eps, double weight_decay,
                           pr_error_t *err);
void pr_critic_clear(pr_critic_t *c);

/* value [n] of states h [n,own], features first .. first+own-1 of all, on every rank that splits them; preference [k], or
 * NULL of none. Collective on la. */
void pr_critic_values(const pr_critic_t *c, const pr_linalg_t *la, int n, int first, int own, const float *h,
                      const double *preference, float *value);
/* Adds to c->gradient what these features give of dvalue [n], and to dh [n,own] what goes on. Local; b's and u's part is
 * the first column's. */
void pr_critic_backward(pr_critic_t *c, const pr_linalg_t *la, int n, int first, int own, const float *h,
                        const double *preference, const float *dvalue, float *dh);

/* What a step climbs, per token of the roll-out, one response after the other: [response tokens] each. */
typedef struct pr_clipped {
    const double *advantage, *old_logp, *old_value, *goal; // goal: R
    double clip, value_clip, value_weight;
} pr_clipped_t;

/* -min(...) of one token, without c, and its derivative by lp into *grad; *clipped: it says nothing any more. */
double pr_clipped_policy(const pr_clipped_t *c, size_t token, double lp, double *grad, bool *clipped);
/* value_weight / 2 max(...) of one token, and its derivative by the value. */
double pr_clipped_value(const pr_clipped_t *c, size_t token, double value, double *grad);

/* advantage, goal [start[n_seq]] by generalised advantage estimation; reward, value likewise; start [n_seq+1] first token of
 * each response. */
void pr_advantage_estimates(int n_seq, const size_t *start, const double *reward, const double *value, double gamma,
                            double lambda, double *advantage, double *goal);
/* v [n] less its mean and over its deviation (with n - 1; 1e-8 more). */
void pr_whiten(size_t n, double *v);

#endif
