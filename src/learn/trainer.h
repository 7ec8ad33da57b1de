// SPDX-License-Identifier: BSD-3-Clause
/* One expert being fine-tuned: a LoRA adapter, its optimizer, and the policy-gradient step on sampled responses
 * (learn/loss.h says what it climbs). The reference of the KL is the base model without the adapter, so that there is
 * no second copy of the weights.
 *
 *   pr_trainer_new(model, team, adapter, &options, &t, err);
 *   for each step:
 *       pr_trainer_reference(t, &rollout, ref, err);           where the reward or the loss has a KL
 *       advantages of rewards, and rollout.ref = ref           learn/algorithm.h
 *       pr_trainer_step(t, &rollout, lr, &stats, err);         adapter is one step on
 *   pr_trainer_free(&t);                                       the adapter stays the caller's */
#ifndef PR_LEARN_TRAINER_H
#define PR_LEARN_TRAINER_H

#include "family/family.h"
#include "learn/critic.h"
#include "learn/loss.h"
#include "learn/optim.h"
#include "model/head.h"
#include "model/transformer.h"
#include "parallel/team.h"

#include <stdbool.h>

typedef struct pr_trainer pr_trainer_t;

typedef struct pr_trainer_options {
    double kl; // weight of the KL where it is a term of the loss: k2, k3
    pr_kl_t kl_estimator;
    double entropy;         // weight of the entropy bonus
    pr_sampling_t sampling; // what responses were drawn with, not greedy; log-probabilities and entropy are of it
    bool sequence_norm; // loss is summed over a response and averaged over responses, instead of averaged over tokens
    double clip_norm;   // global gradient norm; 0: off
    double beta1, beta2, eps, weight_decay;
    int micro_tokens; // rows of one forward/backward pass (at least one sequence)
    /* What is trained is a family, borrowed, and `adapter` an instance of it (pr_family_instance), which holds whatever
     * preference was last at work. NULL: the adapter itself. */
    pr_family_t *family;
    bool critic; // a value head is trained beside it
} pr_trainer_options_t;

/* What was sampled: sequences of prompt and response, packed. */
typedef struct pr_rollout {
    int n_seq;
    const int *start;    // [n_seq+1] first id of each sequence
    const int *n_prompt; // [n_seq] how many of its ids are the prompt
    const int32_t *ids;
    const double *advantage; // [n_seq]; with k1 the KL is part of it (pr_kl_advantages)
    const double *ref;       // [response tokens, one sequence after the other] of pr_trainer_reference; NULL: not known
    /* [n_seq,K] of a family: the preference that each was sampled under. Sequences that follow each other under the same
     * one are run together. */
    const double *preference;
    const pr_clipped_t *clipped; // of a critic, in place of advantage; or NULL
} pr_rollout_t;

typedef struct pr_step_stats {
    double loss;
    double kl;        // KL(policy || base), estimated (pr_kl_mean_of), in nats per token; NaN without ref
    double entropy;   // of the distribution drawn from, mean in nats per token
    double grad_norm; // before clipping, the critic's with it
    double value;     // the critic's part of the loss
    double held;      // share of its tokens whose ratio is clipped
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
/* The value head; NULL where there is none. */
pr_critic_t *pr_trainer_critic(pr_trainer_t *t);
/* How many numbers are trained, and where they are: the adapter's data, or the family's. */
float *pr_trainer_numbers(const pr_trainer_t *t, size_t *n);
/* Gradients of the last step, before scaling, laid out as these. */
const float *pr_trainer_gradient(const pr_trainer_t *t);
/* How many tokens of the roll-out are a response's. */
size_t pr_rollout_tokens(const pr_rollout_t *r);
/* ref [response tokens]: their log-probabilities under the base model at the sampling temperature, over its whole
 * vocabulary; the same on every rank. Advantages and ref of r are not used. Errors: PR_ERR_MEMORY. */
pr_status_t pr_trainer_reference(pr_trainer_t *t, const pr_rollout_t *r, double *ref, pr_error_t *err);
/* value [response tokens]: what the critic says of the states that they are drawn from, the same on every rank. Errors:
 * PR_ERR_MEMORY. */
pr_status_t pr_trainer_values(pr_trainer_t *t, const pr_rollout_t *r, double *value, pr_error_t *err);
/* divergence [n_seq]: the sum of logp - ref over each response's tokens, logp [response tokens] being the roll-out's
 * own. */
void pr_rollout_divergence(const pr_rollout_t *r, const float *logp, const double *ref, double *divergence);

/* The gradients of several losses that differ in their advantages alone, from one pass: advantage [n][n_seq], those of r
 * are not used. grad: n times the numbers that are trained, the trainer's until the next call. A KL in the loss (k2,
 * k3) or a bonus on entropy, which no advantage multiplies, takes a second pass and is a channel of its own, number n.
 * Then weights [n] say what of each is climbed. */
pr_status_t pr_trainer_channels(pr_trainer_t *t, const pr_rollout_t *r, int n, const double *advantage,
                                pr_step_stats_t *stats, const float **grad, pr_error_t *err);
/* Is there something in the loss that no advantage multiplies? */
bool pr_trainer_apart(const pr_trainer_t *t);
/* inner products [n,n] of the first n channels. */
void pr_trainer_gram(const pr_trainer_t *t, int n, double *gram);
/* A step, as pr_trainer_step takes it, along sum weight_k grad_k of the channels. stats: of pr_trainer_channels. */
pr_status_t pr_trainer_step_along(pr_trainer_t *t, int n, const double *weight, double lr, pr_step_stats_t *stats,
                                  pr_error_t *err);

/* Loss and gradient of the roll-out (the same on every rank), without changing the adapter. With k2 and k3 and a kl
 * above 0, r->ref is needed. Errors: PR_ERR_NUMERIC (a loss or gradient that is not finite). */
pr_status_t pr_trainer_loss(pr_trainer_t *t, const pr_rollout_t *r, pr_step_stats_t *stats, pr_error_t *err);
/* pr_trainer_loss, clipping, one AdamW step at learning rate lr. On error the adapter is unchanged. */
pr_status_t pr_trainer_step(pr_trainer_t *t, const pr_rollout_t *r, double lr, pr_step_stats_t *stats, pr_error_t *err);

#endif
