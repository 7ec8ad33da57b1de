/* Advantages of the k samples of a prompt: how much better a response is than its group.
 *
 *   rloo  r_i - mean of the other k-1 rewards          (Kool et al. 2019; Ahmadian et al. 2024, "Back to basics")
 *   scst  r_i - mean of the k rewards                  (Rennie et al. 2017, self-critical training, with the samples'
 *                                                      mean as baseline)
 *   grpo  (r_i - mean of the k rewards) / (their std + 1e-4)
 *                                                      (Shao et al. 2024, DeepSeekMath; std with k-1, as in TRL)
 *
 * With rloo the gradient has the expectation of that of E[r]. The baseline of scst holds the response itself: its
 * gradient is (k-1)/k of that. grpo's is in units of the group's deviation. */
#ifndef PR_LEARN_ADVANTAGE_H
#define PR_LEARN_ADVANTAGE_H

#include "base/error.h"

typedef enum { PR_METHOD_RLOO, PR_METHOD_SCST, PR_METHOD_GRPO } pr_method_t;

/* "rloo", "scst", "grpo". Errors: PR_ERR_CONFIG. */
pr_status_t pr_method_parse(const char *name, pr_method_t *out, pr_error_t *err);
/* advantage [groups,k] of reward [groups,k]; k >= 2 for rloo and grpo. */
void pr_advantages(pr_method_t method, int groups, int k, const double *reward, double *advantage);
/* The share of E[r]'s gradient that the method's baseline leaves: (k-1)/k for scst, else 1. What stands beside the
 * reward in the loss gets the same share, so that it weighs against the reward as it is documented to. */
double pr_reward_share(pr_method_t method, int k);
/* Takes a KL of weight beta out of the reward after the fact: adds to advantage [groups,k] what -beta divergence
 * [groups,k] gives in the reward, divergence being the sum of log q - log base over a response's tokens. The baseline
 * is the method's own, so that rloo and scst climb E[r - beta divergence]. grpo's deviation is that of the rewards and
 * would change beta from group to group: there the KL is not divided by it, and has rloo's baseline, so that its
 * gradient is that of beta KL in nats. k as above. */
void pr_kl_advantages(pr_method_t method, int groups, int k, double beta, const double *divergence, double *advantage);

#endif
