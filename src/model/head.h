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
/* Called by pr_head_backward on each block, with logp [n] (and entropy) of rows first..first+n-1: writes dloss/dlogp
 * into g [n]. */
typedef void (*pr_logp_grad_fn)(void *self, int first, int n, const float *logp, const float *entropy, float *g);
/* Forward and backward of the head in one pass: logp as above, g from the callback, then dh [n,d] = dloss/dh, and, when
 * dw is not NULL, dw (laid out as the head's weight) += the head's gradient. */
pr_status_t pr_head_backward(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                             double temperature, pr_logp_grad_fn grad, void *self, float *dh, float *dw,
                             pr_error_t *err);

/* What a sequence classifier reads of a text's tokens id [*n], as Hugging Face's do: without the padding tokens at
 * their end, but at least one token; the score stands at the last. No token at all is read as one end-of-text token.
 * Returns id or nothing [1], where that token is put, and sets *n, which becomes at least 1. */
const int32_t *pr_head_scored(const pr_model_config_t *c, const int32_t *id, size_t *n, int32_t *nothing);
/* scores [n,n_label] = h [n,d] St of a sequence classifier (the caller picks each sequence's last token's row). */
void pr_head_scores(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *scores);

/* ---- the next token ---- */
typedef struct pr_sampling {
    bool greedy;
    double temperature; // > 0
    double top_p;       // (0,1]; 1: no truncation
} pr_sampling_t;

/* The next token from one row of logits [v] (destroyed), greedy (the first of equal maxima) or sampled with the uniform
 * number u, and its log-probability under softmax(logits / temperature) before top-p truncation (greedy: temperature
 * 1). */
int pr_choose_token(const pr_sampling_t *s, int v, float *logits, double u, float *logp);

#endif
