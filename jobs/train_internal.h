// SPDX-License-Identifier: BSD-3-Clause
/* The inside of the train job: its state, and the parts of a step. */
#ifndef PR_JOBS_TRAIN_INTERNAL_H
#define PR_JOBS_TRAIN_INTERNAL_H

#include "jobs/env.h"
#include "jobs/history.h"
#include "jobs/kind.h"
#include "jobs/train.h"
#include "learn/algorithm.h"
#include "learn/rules.h"
#include "learn/trainer.h"

/* What a training has taken so far, counted the same for every method; the validation's and the roll-outs' new tokens
 * beside it. Backward passes of several channels are one; what stands apart of them is another. */
typedef struct pr_ledger {
    int64_t prompts;  // prompt tokens of roll-outs, once per prompt
    int64_t scored;   // responses
    int64_t forward;  // tokens that were run to learn from them, by the policy and by the base model
    int64_t backward; // likewise
} pr_ledger_t;

typedef struct pr_training {
    pr_job_env_t *env;
    const pr_job_hooks_t *hooks;
    const char *id, *label;
    pr_train_inputs_t in;
    pr_train_how_t how;
    const pr_train_settings_t *f; // of in
    const pr_prompt_set_t *prompts;
    pr_scoring_t scoring;          // the objectives that are reported, and those of the reward among them
    int column[PR_MAX_OBJECTIVES]; // of each term, among those
    const pr_algorithm_t *algorithm;
    pr_rules_t rules;
    const pr_combiner_t *combiner; // of the rules, as the next
    const pr_weigher_t *weigher;
    double *weigh_state; // [n_weigh]; of a family the mean scores over preferences (pr_surface_at)
    size_t n_weigh;
    double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES]; // of each term as declared, turned
    double lambda[PR_MAX_OBJECTIVES];                    // of the last step, by term
    const pr_prompt_set_t *validation;                   // NULL: none are asked for
    int64_t validated;                                   // tokens generated on those
    double seen[PR_MAX_OBJECTIVES];                      // [n_term] what they gave
    long seen_step;                                      // at which step; -1: not yet
    /* Of a training that may end before its steps. */
    int patience, every, worse; // worse: looks without a gain since the best
    double min_gain, best;
    bool of_worst;
    long best_step; // -1: none yet
    long looked;    // the step of the last look; -1: none yet
    float *kept;    // [n_data] as it was then; NULL: it takes all its steps
    pr_kl_t kl_estimator;
    pr_rng_key_t prompt_key, rollout_key, weigh_key, pass_key;
    pr_adapter_t *adapter;
    /* Of a policy that is told the preference. adapter is then an instance, which holds whatever was last at work. */
    pr_family_t *family;
    pr_adapter_t **at; // [prompts_per_step] instances of a step's preferences
    pr_rng_key_t preference_key;
    pr_trainer_t *trainer;
    float *data; // [n_data] what is trained, the trainer's
    size_t n_data;
    char trajectory[PR_HASH_HEX];
    char *checkpoint; // path
    long step;        // steps done
    long tokens;      // generated so far
    pr_ledger_t ledger;
    double *reward;       // [scoring.n] means of the last step
    double cut;           // share of its responses that max_new_tokens cut
    int64_t taught;       // steps with two responses to one prompt of unlike reward; the leader's
    int *order;           // [prompts->n] permutation of the epoch
    pr_history_t history; // of all steps; the leader's
    long epoch;           // whose permutation `order` is; -1: none
} pr_training_t;

/* The B prompts of one step and what was sampled for them; what is left out is not among the sequences. */
typedef struct pr_step_batch {
    int n_seq;
    int *group;        // [B+1] first sequence of each prompt
    int *prompt;       // [B]
    int *prompt_of;    // [n_seq] of each sequence
    int *prompt_start; // [B+1]
    int32_t *prompt_ids;
    pr_decoded_t decoded;
    double *scores;    // [n_seq,K]
    double *turned;    // [n_seq,n_term] of the reward's terms: larger is better
    double *own;       // [n_channel][n_seq] the rewards that advantages are made of, where they are of the KL too
    double *advantage; // [n_channel][n_seq], the last channel with the KL; one, of all together, where the rule asks
                       // for no gradients
    int n_channel;
    double mean[PR_MAX_OBJECTIVES];                           // [n_term] of turned
    double covariance[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES]; // [n_term,n_term] within prompts
    double gram[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES];       // [n_term,n_term] where gradients were asked for
    double *ref; // [response tokens] log-probabilities under the base model
    /* Of a family: [B,n_term] the preference of each prompt, the weights that the rule makes of it; [n_seq,n_term] of each
     * sequence. */
    double *preference, *lambda, *sequence_preference;
    int *start;    // [n_seq+1] of prompt + response
    int *n_prompt; // [n_seq]
    int32_t *ids;
} pr_step_batch_t;

/* ---- what is sampled (train_batch.c) ---- */
void pr_step_batch_clear(pr_step_batch_t *b);
/* The step's prompts, in an order of each epoch's own. */
void pr_train_prompts(pr_training_t *t, pr_step_batch_t *b);
/* Samples responses. Collective on the team, as all that follows. */
pr_status_t pr_train_roll_out(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err);
/* Scores, without what truncated = "drop" leaves out; t->reward, t->cut. */
pr_status_t pr_train_score(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err);
/* Prompt and response of every sequence, one after the other, as the trainer wants them. */
void pr_train_join(pr_training_t *t, pr_step_batch_t *b);
/* t->seen: means of the reward's terms, turned, of one response to each validation prompt, by the most likely tokens; once
 * per step. */
pr_status_t pr_train_validate(pr_training_t *t, pr_error_t *err);

/* ---- a policy that is told the preference (train_family.c) ---- */
/* t->family and its instances, new or of experts, in place of an adapter. */
pr_status_t pr_train_family(pr_training_t *t, const pr_job_t *job, const pr_adapter_options_t *o,
                            const pr_rng_key_t *key, pr_error_t *err);
void pr_train_family_clear(pr_training_t *t);
/* t->adapter becomes that of equal weights. */
void pr_train_centre(pr_training_t *t);
/* b->preference of the step. */
void pr_train_preferences(pr_training_t *t, pr_step_batch_t *b);
/* The adapters t->at[0 .. n-1] of the step's preferences; w [B,n]: 1 for each prompt's. Returns n. Caller frees. */
int pr_train_family_weights(pr_training_t *t, const pr_step_batch_t *b, double **w);
/* [n_seq,n_term]. Caller frees. */
double *pr_train_sequence_preferences(const pr_training_t *t, const pr_step_batch_t *b);
/* b->lambda, and in t->lambda their mean. */
pr_status_t pr_train_weigh_each(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err);

/* ---- what is climbed (train_reward.c) ---- */
pr_status_t pr_train_rules(pr_training_t *t, pr_error_t *err);
/* Whose baseline advantages have, and what stands beside the reward: grpo's where a combiner makes them. */
const pr_algorithm_t *pr_train_baseline(const pr_training_t *t);
/* Before the first step. */
pr_status_t pr_train_rules_begin(pr_training_t *t, pr_error_t *err);
/* From scores to advantages. */
pr_status_t pr_train_advantages(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err);
/* Looks at the validation prompts when it is time; *end: nothing is gained any more. */
pr_status_t pr_train_look(pr_training_t *t, bool *end, pr_error_t *err);
/* Takes the best step's adapter, once all steps are taken. */
void pr_train_keep_best(pr_training_t *t);
/* One step of the optimizer on what was sampled. */
pr_status_t pr_train_climb(pr_training_t *t, pr_step_batch_t *b, pr_step_stats_t *stats, pr_error_t *err);

/* ---- with a critic (train_critic.c) ---- */
/* The updates of a step; b->advantage is each response's reward. */
pr_status_t pr_train_climb_clipped(pr_training_t *t, pr_step_batch_t *b, const pr_rollout_t *r, double lr,
                                   pr_step_stats_t *stats, pr_error_t *err);

/* ---- what is kept (train_state.c) ---- */
/* The means of the last step. New reference. */
json_t *pr_train_reward_json(const pr_training_t *t);
/* New reference. */
json_t *pr_train_ledger_json(const pr_training_t *t);
/* Which objectives they are of. New reference. */
json_t *pr_train_objectives_json(const pr_training_t *t);
/* Every rank holds the whole adapter, so a checkpoint is the leader's and fits any team. */
pr_status_t pr_train_save(pr_training_t *t, pr_error_t *err);
/* The leader reads, so that all continue at the same step. */
void pr_train_restore(pr_training_t *t);

#endif
