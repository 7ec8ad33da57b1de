// SPDX-License-Identifier: BSD-3-Clause
/* Gram matrices of one expert: G = Xt X of what its linear maps read while it works on its own data, which is prompts
 * followed by its own greedy responses. Maps that read the same input share a matrix, so a layer has at most four: of
 * q, k and v (d x d), of attention's output (q x q, the query heads' features), of the MLP's first maps (d x d) and of
 * its last (ff x ff).
 *
 * As Jin et al. 2023 do, what stands off the diagonal is shrunk; and a share of the mean diagonal is added to the
 * diagonal, so that inputs that never occur leave the matrix invertible: G' = c G + (1 - c) diag(G) + ridge tr(G)/d I.
 *
 * Memory: the sum over the layers of (2 d^2 + q^2 + ff^2) doubles per expert (of the groups wanted), shared among the
 * ranks of a team by its dense provider; and a batch's rows while they are made. */
#ifndef PR_POLICY_GRAM_H
#define PR_POLICY_GRAM_H

#include "model/transformer_internal.h"
#include "parallel/team.h"
#include "policy/policy.h"

typedef struct pr_gram_options {
    int n_prompt;            // >= 1, the same for all ranks; each row of the team takes its share
    const int *prompt_start; // [n_prompt+1]
    const int32_t *prompt_ids;
    int max_new_tokens; // longest response
    int streams;        // as of pr_decode_options_t
    bool (*stop)(void *self, int seq, const int32_t *ids, int n);
    bool (*cancel)(void *self); // asked while responses are decoded
    void *self;
    double off_diagonal; // c, 0 to 1
    double ridge;        // >= 0
} pr_gram_options_t;

/* Ors into need [n_layer][PR_N_GROUP]: the groups in which an adapter has a map. Others have no part in merging.
 * Local. */
void pr_gram_groups(const pr_adapter_t *a, bool *need);

/* Decodes the expert's responses and sums over all their positions but a response's last token, which nothing reads. A
 * function of model, expert, team shape and options only; a group's matrix does not depend on what else is needed.
 * Collective on the team. Errors: those of pr_decode; PR_ERR_MEMORY. */
pr_status_t pr_grams_new(const pr_model_t *m, const pr_team_t *team, const pr_adapter_t *expert, const bool *need,
                         const pr_gram_options_t *o, pr_grams_t **out, pr_error_t *err);
/* Collective on the team. */
void pr_grams_free(pr_grams_t **g);
/* Are all groups that are needed there? Local. */
bool pr_grams_have(const pr_grams_t *g, const bool *need);
/* One of the matrices, or NULL when it was not needed; belongs to g. Local. */
const pr_spd_t *pr_grams_matrix(const pr_grams_t *g, int layer, pr_group_t group);
/* Memory of one expert's matrices, of all ranks of a team together. Local. */
size_t pr_gram_bytes(const pr_model_config_t *c, const bool *need);
/* Width of what the maps of a group read. Local. */
int pr_gram_width(const pr_model_config_t *c, pr_group_t group);

#endif
