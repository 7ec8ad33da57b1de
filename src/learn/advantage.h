/* Advantages of k samples a prompt: how much better a response is than its group.
 *
 *   rloo  r_i - mean of the other k-1 rewards                       (Kool et al. 2019; Ahmadian et al. 2024, "Back to
 * basics") scst  r_i - mean of the k rewards                               (Rennie et al. 2017, self-critical training,
 * with sampled baseline) grpo  (r_i - mean of the k rewards) / (their std + 1e-4)        (Shao et al. 2024,
 * DeepSeekMath; std with k-1, as in TRL)
 */
#ifndef PR_LEARN_ADVANTAGE_H
#define PR_LEARN_ADVANTAGE_H

#include "base/error.h"

typedef enum { PR_METHOD_RLOO, PR_METHOD_SCST, PR_METHOD_GRPO } pr_method_t;

/* "rloo", "scst", "grpo". Errors: PR_ERR_CONFIG. */
pr_status_t pr_method_parse(const char *name, pr_method_t *out, pr_error_t *err);
/* advantage [groups,k] of reward [groups,k]; k >= 2 for rloo and grpo. */
void pr_advantages(pr_method_t method, int groups, int k, const double *reward, double *advantage);

#endif
