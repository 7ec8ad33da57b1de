// SPDX-License-Identifier: BSD-3-Clause
/* RegMean: K experts and weights made one by regression (Jin, Ren, Preotiuc-Pietro, Cheng 2023, "Dataless Knowledge
 * Fusion by Merging Weights of Language Models").
 *
 * Of each linear map y = x W the merged one is as close as can be, in the weighted sum of squares over the inputs that
 * the experts' own maps read, to what each expert's map says of them:
 *   W = inv(sum w_k G_k) sum w_k G_k W_k,   G_k = Xt X of expert k's inputs, shrunk (policy/gram.h)
 * With W_k = W0 + s_k At_k Bt_k, W0 drops out and what remains is one adapter of rank sum r_k: B_k side by side with
 * s_k folded in, and
 *   A'_k = w_k A_k G_k inv(sum_j w_j G_j)
 * one below the other. An expert that does not adapt a map (Delta_k = 0) has no rank in it, but its inputs count in the
 * sum over j: they speak for the base model's map there. w counts up to a common factor only; one expert alone is
 * itself, whatever its weight; with equal Gram matrices this is `params` with weights of sum 1. */
#ifndef PR_POLICY_REGMEAN_H
#define PR_POLICY_REGMEAN_H

#include "policy/gram.h"

/* The merged adapter of experts [n] with weights w [n] (finite, >= 0) and Gram matrices grams [n] of all groups in
 * which an expert with w_k > 0 has a map; an expert with w_k = 0 has no part, and its grams may be NULL, as may the
 * grams of an expert that is alone. With no weight above 0 the adapter changes nothing: the base model, as in `params`.
 * To be run with weight 1. Collective on the team. Errors: PR_ERR_CONFIG (weights, rank), PR_ERR_NUMERIC (a sum of Gram
 * matrices that cannot be inverted; names the map), PR_ERR_MEMORY. Caller frees. */
pr_status_t pr_regmean(const pr_team_t *team, const pr_model_config_t *c, int n, const pr_adapter_t *const *expert,
                       const double *w, const pr_grams_t *const *grams, pr_adapter_t **out, pr_error_t *err);

#endif
