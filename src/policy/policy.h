// SPDX-License-Identifier: BSD-3-Clause
/* One policy out of K experts and a weight vector, and decoding from it.
 *
 * Experts are LoRA adapters over one base model; w [K] are their weights, non-negative for most mixes. How experts and
 * weights make one distribution is the mix's business (policy/mix.h; `paretorank help mixes`). With x the tokens so
 * far, h_k the hidden state after the final norm of expert k, z_k the state before it, H the language-model head:
 *   params   W = W0 + sum w_k s_k B_k A_k, never merged: the adapters' outputs are added row by row
 *   logits   softmax(sum w_k log p_k(.|x)), which is softmax(H sum w_k h_k)
 *   probs    sum (w_k / sum w) p_k(.|x)
 *   states   softmax(H sum w_k h_k), or with norm = before softmax(H norm(sum w_k z_k)). With layer = l < n_layer the
 *            states are combined earlier: layers 0..l-1 run once per expert, then z = sum (w_k / sum w) z_k (normalised,
 *            so that the residual stream keeps its scale) goes once through the later layers, the final norm and the
 *            head, with the adapters merged by w as in `params`. So layer = 0 is `params`, and norm says nothing there.
 *   regmean  a linear map of the layers is W = inv(sum w_k G_k) sum w_k G_k W_k, G_k the Gram matrix of its inputs in
 *            expert k. That is one adapter: a mix that merges makes it of experts and weights, and it is then run as
 *            `params` with weight 1; the functions here do not take such a mix with experts
 * An expert with w_k = 0 is not run. With K = 0 every mix is the base model.
 *
 * With a provider that splits features every function is collective on its columns, which pass the same and get the
 * same. Nothing here depends on rank, time or the order of calls; a sequence's random numbers are a function of (key,
 * prompt, sample, token) only. */
#ifndef PR_POLICY_POLICY_H
#define PR_POLICY_POLICY_H

#include "model/head.h"
#include "model/transformer.h"
#include "parallel/team.h"
#include "policy/mix.h"

/* What is common to all points. Plain data; owns nothing. */
typedef struct pr_policy {
    const pr_model_t *model;
    const pr_linalg_t *la;
    int n_expert;                       // K
    const pr_adapter_t *const *adapter; // [K]
    const pr_mix_t *mix;                // NULL is enough where K = 0
    const json_t *mix_options;          // of the mix; what is not there, or all (NULL), has its default
} pr_policy_t;

/* Can these weight vectors w [n_point,K] be used with the policy? They must be finite, and non-negative where the mix
 * does not say otherwise; a mix that normalises them, as whatever combines states before the last layer does, needs a
 * positive sum (`params` with all zero is the base model; `logits` and `states` with all zero are the uniform
 * distribution, as defined). The mix's options must fit the model, which must have a language-model head. Errors:
 * PR_ERR_CONFIG; PR_ERR_UNSUPPORTED for experts with a mix that merges them. */
pr_status_t pr_policy_check(const pr_policy_t *p, int n_point, const double *w, pr_error_t *err);

/* Next-token logits (log-probabilities up to a constant a row; `probs`: log-probabilities) of full sequences, without a
 * cache. ids: n_seq sequences packed, seq_start [n_seq+1]. w [K]. out: all positions: [T,V], row i predicts the token
 * after ids[i]; else the last of each sequence: [n_seq,V].
 * Errors: PR_ERR_CONFIG (weights), PR_ERR_FORMAT (empty or too long sequence, id outside the vocabulary),
 * PR_ERR_MEMORY. */
pr_status_t pr_policy_logits(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids, const double *w,
                             bool all_positions, float *out, pr_error_t *err);
/* The same with the constants that the mix's formula has and decoding can do without (`logits`: sum w_k log p_k), for
 * who shows the numbers. */
pr_status_t pr_policy_logits_exact(const pr_policy_t *p, int n_seq, const int *seq_start, const int32_t *ids,
                                   const double *w, bool all_positions, float *out, pr_error_t *err);

enum { PR_GROUP_ROWS = 4096 }; // rows of whole sequences that pass through the layers together

/* ---- decoding ---- */
typedef struct pr_decode_options {
    pr_sampling_t sampling;
    bool paired;               // point i is prompt i's alone: n_point = n_prompt, sequences are (prompt, sample)
    int samples;               // sequences a (point, prompt); 0 counts as 1. Greedy samples are all alike
    int max_new_tokens;        // > 0
    bool ignore_eos;           // continue after end-of-text tokens
    bool no_cache;             // run whole sequences again for every token (for tests: same result up to rounding)
    bool want_logp;            // fill logp
    int streams;               // sequences decoded together, cut in canonical order; 0: 256. Affects rounding only
    pr_rng_key_t key;          // the uniform number of a token is (key; prompt_id, sample0 + sample, token index, draw)
    const uint64_t *prompt_id; // [n_prompt] who a prompt is to the random numbers; NULL: its index
    uint64_t sample0;          // number of the first sample (when samples are split over calls)
    uint64_t draw;             // last counter, such as the step of training
    /* After each new token of sequence seq: should it end here? ids: its n new tokens so far. NULL: no. */
    bool (*stop)(void *self, int seq, const int32_t *ids, int n);
    /* Asked once per step; true ends the call with PR_ERR_INTERRUPTED. NULL: no. */
    bool (*cancel)(void *self);
    void *self;
} pr_decode_options_t;

typedef enum {
    PR_FINISH_EOS,    // the last token is an end-of-text token
    PR_FINISH_STOP,   // the stop callback said so after the last token
    PR_FINISH_LENGTH, // max_new_tokens, or the model's longest sequence
} pr_finish_t;
const char *pr_finish_name(pr_finish_t f); // "eos", "stop", "length"

/* Sequence (point, prompt, sample) has number (point * n_prompt + prompt) * samples + sample. */
typedef struct pr_decoded {
    int n_seq;
    size_t *start;       // [n_seq+1]: sequence s has new tokens ids[start[s]] .. ids[start[s+1]-1], never none
    int32_t *ids;        // without the prompt, with the end-of-text token that ended a sequence
    float *logp;         // as ids: log-probability of the token in the distribution that it was drawn from (greedy:
                         // temperature 1), or NULL when not wanted
    pr_finish_t *finish; // [n_seq]
    int64_t generated;   // tokens in ids
    int64_t prefilled;   // prompt tokens run (counted once per expert that ran them)
} pr_decoded_t;

/* Decodes samples of n_prompt prompts (packed ids, prompt_start [n_prompt+1]) at n_point weight vectors w [n_point,K]
 * (K = 0: w may be NULL and n_point is 1). A prompt is run once per expert (`params`: once per point), not once per sample.
 * The caller clears *out with pr_decoded_clear. Errors: PR_ERR_CONFIG (weights, options), PR_ERR_FORMAT (empty prompt,
 * prompt that leaves no room for a token, id outside the vocabulary), PR_ERR_MEMORY, PR_ERR_NUMERIC (logits that are
 * not finite), PR_ERR_INTERRUPTED. */
pr_status_t pr_decode(const pr_policy_t *p, int n_point, const double *w, int n_prompt, const int *prompt_start,
                      const int32_t *prompt_ids, const pr_decode_options_t *o, pr_decoded_t *out, pr_error_t *err);
/* The same at one point by a team: every row decodes its share of the prompts, then all get all of it. w [K] or NULL; of
 * points that are paired with prompts [n_prompt,K].
 * o->prompt_id may not be NULL. Collective on the team. */
pr_status_t pr_decode_team(const pr_team_t *team, const pr_policy_t *p, const double *w, int n_prompt,
                           const int *prompt_start, const int32_t *prompt_ids, const pr_decode_options_t *o,
                           pr_decoded_t *out, pr_error_t *err);
void pr_decoded_clear(pr_decoded_t *d);

#endif
