// SPDX-License-Identifier: BSD-3-Clause
/* Policy gradient algorithms: what the samples of one prompt say to the gradient. One file each (algorithm_NAME.c), one
 * word of PR_ALGORITHM_LIST; who trains knows none by name. A configuration names one, or says {"type": name, options}.
 *
 *   rloo  r_i - mean of the other k-1 rewards          (Kool et al. 2019; Ahmadian et al. 2024, "Back to basics")
 *   scst  r_i - mean of the k rewards                  (Rennie et al. 2017, self-critical training, with the samples'
 *                                                      mean as baseline)
 *   grpo  (r_i - mean of the k rewards) / (their std + 1e-4)
 *                                                      (Shao et al. 2024, DeepSeekMath; std with k-1, as in TRL)
 *   odpo  the best against the worst of the k responses, by direct preference optimisation
 *   ppo   token by token, of a critic (learn/critic.h)
 *
 * With rloo the gradient has the expectation of that of E[r]. The baseline of scst holds the response itself: its
 * gradient is (k-1)/k of that. grpo's is in units of the group's deviation. */
#ifndef PR_LEARN_ALGORITHM_H
#define PR_LEARN_ALGORITHM_H

#include "base/error.h"
#include "option/option.h"

#include <stddef.h>

typedef struct pr_algorithm {
    const char *name;
    const char *formula; // one line
    const char *help;
    const pr_option_t *options; // ends with a NULL key
    int least;                  // samples of a prompt that it needs; a group of fewer gets no advantages
    /* advantage [k] of reward [k], one group. */
    void (*advantages)(int k, const double *reward, double *advantage);
    /* The share of E[r]'s gradient that its baseline leaves. What stands beside the reward in the loss gets the same
     * share, so that it weighs against the reward as it is documented to. */
    double (*share)(int k);
    /* Takes a KL of weight beta out of the reward after the fact: adds to advantage [k] what -beta divergence [k] gives
     * in the reward, divergence being the sum of log q - log base over a response's tokens. The baseline is its own, so
     * that rloo and scst climb E[r - beta divergence]. grpo's deviation is that of the rewards and would change beta
     * from group to group: there the KL is not divided by it, and has rloo's baseline, so that its gradient is that of
     * beta KL in nats. NULL where the KL is taken otherwise. */
    void (*kl_advantages)(int k, double beta, const double *divergence, double *advantage);
    /* In place of both, of rewards and divergences together: the loss has no other KL, and beta has to be above 0. */
    void (*preferences)(int k, const double *reward, double beta, const double *divergence, double *advantage);
    bool critic; // `advantages` is the reward, of which a critic makes each token's; several updates per step
} pr_algorithm_t;

/* Every algorithm's word, in the order of help. */
#define PR_ALGORITHM_LIST(X) X(rloo) X(scst) X(grpo) X(odpo) X(ppo)
#define PR_ALGORITHM_DECLARE(name) extern const pr_algorithm_t pr_algorithm_##name;
PR_ALGORITHM_LIST(PR_ALGORITHM_DECLARE)
#undef PR_ALGORITHM_DECLARE

/* All, in order of help. */
const pr_algorithm_t *const *pr_algorithms(size_t *n);
/* Errors: PR_ERR_CONFIG, naming them all. */
pr_status_t pr_algorithm_find(const char *name, const pr_algorithm_t **out, pr_error_t *err);

/* For algorithms: mean [1] and standard deviation [1] (with k-1; 0 of one) of r [k]. */
void pr_group_moments(int k, const double *r, double *mean, double *std);
/* Adds -beta factor (d_i - mean d) to advantage [k]. */
void pr_group_kl(int k, double beta, double factor, const double *divergence, double *advantage);

/* Of baselines that leave the response itself out, as `share` and `kl_advantages`. */
double pr_group_share_whole(int k);
void pr_group_kl_others(int k, double beta, const double *divergence, double *advantage);

#endif
