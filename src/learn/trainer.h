/* One expert being fine-tuned: a LoRA adapter, its optimizer, and the policy-gradient step on sampled responses. The
 * reference of the KL term is the base model without the adapter, so that there is no second copy of the weights. */
#ifndef PR_LEARN_TRAINER_H
#define PR_LEARN_TRAINER_H

#include "learn/optim.h"
#include "model/head.h"
#include "model/team.h"
#include "model/transformer.h"

#include <stdbool.h>

typedef struct pr_trainer pr_trainer_t;

typedef struct pr_trainer_options {
    double kl;          // beta
    double entropy;     // weight of the entropy bonus
    double temperature; // of the policy that samples; log-probabilities are taken at it
    bool sequence_norm; // loss is summed over a response and averaged over responses, instead of averaged over tokens
    double clip_norm;   // global gradient norm; 0: off
    double beta1, beta2, eps, weight_decay;
    int micro_tokens; // rows of one forward/backward pass (at least one sequence)
} pr_trainer_options_t;

/* What was sampled: sequences of prompt and response, packed. */
typedef struct pr_rollout {
    int n_seq;
    const int *start;    // [n_seq+1] first id of each sequence
    const int *n_prompt; // [n_seq] how many of its ids are the prompt
    const int32_t *ids;
    const double *advantage; // [n_seq]
} pr_rollout_t;

typedef struct pr_step_stats {
    double loss, kl, entropy; // kl: mean k3 a token; entropy: mean nats a token
    double grad_norm;         // before clipping
    double lr;
    long tokens; // response tokens trained on
} pr_step_stats_t;

/* adapter is borrowed and changed by steps; every rank of the team holds all of it and takes the same steps, on the
 * part of the model and of the sequences that is its own. Collective on the team, as are losses and steps. Errors:
 * PR_ERR_MEMORY. */
pr_status_t pr_trainer_new(const pr_model_t *m, const pr_team_t *team, pr_adapter_t *adapter,
                           const pr_trainer_options_t *o, pr_trainer_t **out, pr_error_t *err);
void pr_trainer_free(pr_trainer_t **t);
/* The optimizer, for checkpoints. */
pr_adamw_t *pr_trainer_optimizer(pr_trainer_t *t);
/* Gradients of the last step, before scaling, laid out as adapter->data. */
const float *pr_trainer_gradient(const pr_trainer_t *t);
/* Loss and gradient of the roll-out (the same on every rank), without changing the adapter. Errors: PR_ERR_NUMERIC (a
 * loss or gradient that is not finite). */
pr_status_t pr_trainer_loss(pr_trainer_t *t, const pr_rollout_t *r, pr_step_stats_t *stats, pr_error_t *err);
/* pr_trainer_loss, clipping, one AdamW step at learning rate lr. On error the adapter is unchanged. */
pr_status_t pr_trainer_step(pr_trainer_t *t, const pr_rollout_t *r, double lr, pr_step_stats_t *stats, pr_error_t *err);

#endif
