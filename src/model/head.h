// SPDX-License-Identifier: BSD-3-Clause
/* What stands behind the last hidden state: the language-model head, its log-probabilities and their gradients, the
 * score head, and the choice of the next token. h is the state after the final norm. Everything up to the scores is
 * collective on the columns: h and dh hold this column's features, results are the same on all of them. */
#ifndef PR_MODEL_HEAD_H
#define PR_MODEL_HEAD_H

#include "base/rng.h"
#include "model/transformer.h"

/* logits [n,V] = h [n,d] Ht, all of the vocabulary. */
void pr_head_logits(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *logits);
/* In place: row-wise x - log sum exp(x). */
void pr_log_softmax(int n, int v, float *x);

/* logp[i] = log softmax(h_i Ht / temperature)[target[i]]; entropy[i] (nats; NULL: not wanted). Works in blocks of rows,
 * so that n x V floats are never held. */
pr_status_t pr_head_logp(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                         double temperature, float *logp, float *entropy, pr_error_t *err);
/* What a sequence classifier reads of a text's tokens id [*n], as Hugging Face's do: without the padding tokens at
 * their end, but at least one token; the score stands at the last. No token at all is read as one end-of-text token.
 * Returns id or nothing [1], where that token is put, and sets *n, which becomes at least 1. */
const int32_t *pr_head_scored(const pr_model_config_t *c, const int32_t *id, size_t *n, int32_t *nothing);
/* scores [n,n_label] = h [n,d] St of a sequence classifier (the caller picks each sequence's last token's row). */
void pr_head_scores(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *scores);

/* ---- the next token ---- */
/* The distribution q that a token is drawn from: softmax(logits / temperature), and with top_p < 1 that of its nucleus
 * alone, scaled to sum 1. The nucleus: the fewest most probable tokens (of equal ones those of smaller id) that
 * together have the probability top_p. */
typedef struct pr_sampling {
    bool greedy;
    double temperature; // > 0
    double top_p;       // (0,1]; 1: no truncation
} pr_sampling_t;

/* The next token from one row of logits [v] (destroyed), greedy (the first of equal maxima) or drawn from q with the
 * uniform number u, and its log q (greedy: that of softmax(logits)). */
int pr_choose_token(const pr_sampling_t *s, int v, float *logits, double u, float *logp);
/* keep [v]: is the token in the nucleus of this row of logits [v]? It is made large enough to hold token `must`: one
 * that was drawn from nearly the same logits is in it, whatever rounding says of the nucleus's edge. */
void pr_nucleus_keep(const pr_sampling_t *s, int v, const float *logits, int must, bool *keep);

/* Called by pr_head_backward on each block, with log q of the targets [n] and the entropy of q (nats) of rows
 * first..first+n-1: writes dloss/dlogp into g [n], and into g_entropy [n], which is 0 before, dloss/dentropy. */
typedef void (*pr_logp_grad_fn)(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                                float *g_entropy);
/* Forward and backward of the head in one pass: log q and entropy of the distribution q of s (not greedy), whose
 * nucleus holds the target and is taken as fixed; g from the callback, then dh [n,d] = dloss/dh, and, when dw is not
 * NULL, dw (laid out as the head's weight) += the head's gradient. */
pr_status_t pr_head_backward(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                             const pr_sampling_t *s, pr_logp_grad_fn grad, void *self, float *dh, float *dw,
                             pr_error_t *err);

#endif
