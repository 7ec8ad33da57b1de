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

#include <stddef.h>

typedef enum { PR_METHOD_RLOO, PR_METHOD_SCST, PR_METHOD_GRPO } pr_method_t;

/* "rloo", "scst", "grpo". Errors: PR_ERR_CONFIG. */
pr_status_t pr_method_parse(const char *name, pr_method_t *out, pr_error_t *err);
/* advantage [groups,k] of reward [groups,k]; k >= 2 for rloo and grpo. */
void pr_advantages(pr_method_t method, int groups, int k, const double *reward, double *advantage);
/* The share of E[r]'s gradient that the method's baseline leaves: (k-1)/k for scst, else 1. What stands beside the
 * reward gets the same share, so that it weighs against the reward as it is documented to. */
double pr_reward_share(pr_method_t method, int k);

/* k1: the KL to the base model in the reward, with a baseline. Token t of a response costs beta log_ratio_t, log_ratio
 * [tokens] being log q - log base of the n responses' tokens, response i's from start[i] on; start [n+1]. What a token
 * can still change are the costs from it on: advantage [tokens] becomes minus their sum, plus the mean of that sum over
 * the other responses that reach this position (rewards to go: Sutton et al. 2000; with the whole response's sum at
 * every token the expectation is the same and the variance larger). For all methods alike, not divided by the deviation
 * of the rewards. The expectation of the gradient is that of -beta KL(q || base) of whole responses. */
void pr_kl_advantages(int n, const size_t *start, double beta, const double *log_ratio, double *advantage);

#endif
