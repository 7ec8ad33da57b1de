// SPDX-License-Identifier: BSD-3-Clause
/* The language-model head on blocks of rows, so that rows x vocabulary floats are never held at once. */
#include "model/head.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

// Whole rows of logits [n,V] of every column's own, whose rows are ld apart.
static void gather_logits(const pr_model_t *m, const pr_linalg_t *la, int n, const float *own, int ld, float *logits)
{
    int *bounds = pr_alloc((size_t)la->cols + 1, sizeof *bounds);
    pr_part_bounds(&m->config, la->cols, PR_SPACE_VOCAB, bounds);
    la->gather(la, n, own, ld, bounds, logits);
    free(bounds);
}

void pr_head_logits(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *logits)
{
    assert(m->head.data);
    int v = m->config.vocab;
    float *own = logits + m->part.vocab.first;
    la->forward(la, &m->head, n, h, m->head.in, own, v, false);
    if (la->cols > 1)
        gather_logits(m, la, n, own, v, logits);
}

const int32_t *pr_head_scored(const pr_model_config_t *c, const int32_t *id, size_t *n, int32_t *nothing)
{
    if (*n == 0) {
        *nothing = c->n_eos ? c->eos[0] : c->bos >= 0 ? c->bos : c->pad >= 0 ? c->pad : 0;
        *n = 1;
        return nothing;
    }
    while (*n > 1 && id[*n - 1] == c->pad)
        --*n;
    return id;
}

void pr_head_scores(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *scores)
{
    assert(m->score.data);
    la->forward(la, &m->score, n, h, m->score.in, scores, m->score.out, false);
    la->sum(la, scores, (size_t)n * (size_t)m->score.out);
}

void pr_log_softmax(int n, int v, float *x)
{
    for (int i = 0; i < n; i++, x += v) {
        pr_k_lse_t r = pr_k_log_sum_exp(v, x, 1.0f, false);
        pr_k_subtract(v, r.max, (float)log(r.sum), x);
    }
}

/* A block of logits and what is computed of each of its rows. With a vocabulary that is split, logits are this
 * column's; the rest is of the whole row. */
typedef struct block {
    int rows;      // that fit
    float *logits; // [rows,V]
    float *max;    // [rows] of the logits
    float *log_z;  // [rows] log sum exp((logits - max) / temperature)
    float *logp, *entropy, *g, *g_entropy;
    float *own;  // [rows] this column's maximum
    float *join; // [3,rows] what is added up over the columns
    float *full; // [rows,V] all columns' logits, or NULL when they are not wanted
    bool *keep;  // [V] a row's nucleus, or NULL
} block_t;

/* 4 MB of logits, which stay in a core's cache; at least 64 rows, so that the product is worth its while, and at most
 * the rows of a layer's products. */
static pr_status_t block_new(const pr_linalg_t *la, int n, int v, block_t *b, pr_error_t *err)
{
    int most = la->row_block, rows = (1 << 20) / (v > 0 ? v : 1) * (la->cols > 1 ? 4 : 1);
    rows = rows < 64 ? 64 : rows > most ? most : rows;
    b->rows = rows < n ? rows : n;
    size_t r = (size_t)b->rows, width = (size_t)v;
    b->logits = pr_alloc_matrix(r * (width + 10), sizeof(float));
    pr_status_t status =
        b->logits ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for %d rows of %d logits", b->rows, v);
    status = la->agree(la, status, err);
    if (status != PR_OK) {
        free(b->logits);
        return status;
    }
    b->max = b->logits + r * width;
    b->log_z = b->max + r;
    b->logp = b->log_z + r;
    b->entropy = b->logp + r;
    b->g = b->entropy + r;
    b->g_entropy = b->g + r;
    b->own = b->g_entropy + r;
    b->join = b->own + r;
    return PR_OK;
}

static void block_clear(block_t *b)
{
    free(b->logits);
    free(b->full);
    free(b->keep);
}

/* Room for nuclei of whole rows, which a column alone does not see. */
static pr_status_t block_new_nucleus(const pr_model_t *m, const pr_linalg_t *la, block_t *b, pr_error_t *err)
{
    size_t v = (size_t)m->config.vocab;
    b->keep = pr_alloc(v, sizeof *b->keep);
    b->full = la->cols > 1 ? pr_alloc_matrix((size_t)b->rows * v, sizeof(float)) : NULL;
    pr_status_t status = la->cols == 1 || b->full
                             ? PR_OK
                             : pr_fail(err, PR_ERR_MEMORY, "no memory for %d rows of %zu logits", b->rows, v);
    return la->agree(la, status, err);
}

static pr_status_t check(const pr_model_t *m, int n, const int32_t *target, double temperature, pr_error_t *err)
{
    if (!m->head.data)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "this model (%s) has no language-model head", m->config.arch_name);
    if (!(temperature > 0) || !isfinite(temperature))
        return pr_fail(err, PR_ERR_CONFIG, "temperature: found %g, expected a number above 0", temperature);
    for (int i = 0; i < n; i++)
        if (target[i] < 0 || target[i] >= m->config.vocab)
            return pr_fail(err, PR_ERR_FORMAT, "token id %d is outside the vocabulary of %d", target[i],
                           m->config.vocab);
    return PR_OK;
}

// The target's index among this column's logits, or -1.
static int own_index(const pr_model_t *m, int32_t target)
{
    int i = target - m->part.vocab.first;
    return i >= 0 && i < m->part.vocab.n ? i : -1;
}

static void finish_row(block_t *b, int i, double sum, double mean, double target, float inverse_t, bool entropy)
{
    double log_z = log(sum);
    b->logp[i] = (float)((double)inverse_t * target - log_z);
    b->log_z[i] = (float)log_z;
    b->entropy[i] = entropy ? (float)(log_z - mean) : 0.0f;
}

static void whole_rows(const pr_model_t *m, block_t *b, int n, const int32_t *target, float inverse_t, bool entropy)
{
    int v = m->head.out;
    for (int i = 0; i < n; i++) {
        const float *x = b->logits + at(i, v);
        pr_k_lse_t r = pr_k_log_sum_exp(v, x, inverse_t, entropy);
        b->max[i] = r.max;
        finish_row(b, i, r.sum, r.mean, (double)x[target[i]] - (double)r.max, inverse_t, entropy);
    }
}

/* Every column's maximum, sum of exponentials, mean and, where it has it, target, joined over the columns. */
static void split_rows(const pr_model_t *m, const pr_linalg_t *la, block_t *b, int n, const int32_t *target,
                       float inverse_t, bool entropy)
{
    int v = m->head.out;
    float *sum = b->join, *mean = sum + n, *goal = mean + n;
    for (int i = 0; i < n; i++) {
        pr_k_lse_t r =
            v > 0 ? pr_k_log_sum_exp(v, b->logits + at(i, v), inverse_t, entropy) : (pr_k_lse_t){.max = -INFINITY};
        b->max[i] = b->own[i] = r.max;
        sum[i] = (float)r.sum;
        mean[i] = entropy ? (float)r.mean : 0.0f;
    }
    la->max(la, b->max, (size_t)n);
    for (int i = 0; i < n; i++) {
        int k = own_index(m, target[i]);
        float below = v > 0 ? inverse_t * (b->own[i] - b->max[i]) : 0.0f;
        sum[i] *= expf(below);
        mean[i] = (mean[i] + below) * sum[i];
        goal[i] = k >= 0 ? b->logits[at(i, v) + (size_t)k] - b->max[i] : 0.0f;
    }
    la->sum(la, b->join, 3 * (size_t)n);
    for (int i = 0; i < n; i++)
        finish_row(b, i, (double)sum[i], (double)mean[i] / (double)sum[i], (double)goal[i], inverse_t, entropy);
}

/* What is outside a row's nucleus is put so far down that it has no probability, and no part in sums: 1000 nats, and
 * finite, so that what multiplies it stays a number. */
static void keep_nuclei(const pr_model_t *m, const pr_linalg_t *la, block_t *b, int n, const int32_t *target,
                        const pr_sampling_t *s)
{
    int v = m->config.vocab, own = m->head.out, first = la->cols == 1 ? 0 : m->part.vocab.first;
    const float *full = la->cols == 1 ? b->logits : b->full;
    if (la->cols > 1)
        gather_logits(m, la, n, b->logits, own, b->full);
    for (int i = 0; i < n; i++) {
        float *x = b->logits + at(i, own);
        float low = pr_k_max(v, full + at(i, v)) - (float)(1000 * fmax(s->temperature, 1));
        pr_nucleus_keep(s, v, full + at(i, v), target[i], b->keep);
        for (int j = 0; j < own; j++)
            x[j] = b->keep[first + j] ? x[j] : low;
    }
}

static void block_logp(const pr_model_t *m, const pr_linalg_t *la, block_t *b, int n, const float *h,
                       const int32_t *target, const pr_sampling_t *s, bool entropy)
{
    float inverse_t = (float)(1.0 / s->temperature);
    la->forward(la, &m->head, n, h, m->head.in, b->logits, m->head.out, false);
    if (b->keep)
        keep_nuclei(m, la, b, n, target, s);
    if (la->cols == 1)
        whole_rows(m, b, n, target, inverse_t, entropy);
    else
        split_rows(m, la, b, n, target, inverse_t, entropy);
}

pr_status_t pr_head_logp(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                         double temperature, float *logp, float *entropy, pr_error_t *err)
{
    block_t b = {0};
    const pr_sampling_t s = {.temperature = temperature, .top_p = 1};
    PR_TRY(check(m, n, target, temperature, err));
    PR_TRY(block_new(la, n, m->head.out, &b, err));
    for (int r = 0, k; r < n; r += k) {
        k = n - r < b.rows ? n - r : b.rows;
        block_logp(m, la, &b, k, h + at(r, m->head.in), target + r, &s, entropy);
        for (int i = 0; i < k; i++) {
            logp[r + i] = b.logp[i];
            if (entropy)
                entropy[r + i] = b.entropy[i];
        }
    }
    block_clear(&b);
    return PR_OK;
}

// Logits become dloss/dlogits = 1/T [ g (onehot - q) - g_entropy q (log q + entropy) ].
static void block_dlogits(const pr_model_t *m, int n, const int32_t *target, float inverse_t, block_t *b)
{
    int v = m->head.out;
    for (int i = 0; i < n; i++) {
        float *x = b->logits + at(i, v), c = b->g[i] * inverse_t, e = b->g_entropy[i] * inverse_t;
        int k = own_index(m, target[i]);
        if (e == 0.0f)
            pr_k_softmax_scaled(v, inverse_t, b->max[i], b->log_z[i], -c, x);
        else
            pr_k_softmax_tilted(v, inverse_t, b->max[i], b->log_z[i], -c - e * b->entropy[i], -e, x);
        if (k >= 0)
            x[k] += c;
    }
}

pr_status_t pr_head_backward(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                             const pr_sampling_t *s, pr_logp_grad_fn grad, void *self, float *dh, float *dw,
                             pr_error_t *err)
{
    block_t b = {0};
    pr_status_t status = PR_OK;
    PR_TRY(check(m, n, target, s->temperature, err));
    if (!(s->top_p > 0 && s->top_p <= 1))
        return pr_fail(err, PR_ERR_CONFIG, "top_p: found %g, expected a number in (0,1]", s->top_p);
    PR_TRY(block_new(la, n, m->head.out, &b, err));
    if (s->top_p < 1)
        PR_GO(block_new_nucleus(m, la, &b, err));
    float inverse_t = (float)(1.0 / s->temperature);
    int v = m->head.out, d = m->head.in;
    for (int r = 0, k; r < n; r += k) {
        k = n - r < b.rows ? n - r : b.rows;
        block_logp(m, la, &b, k, h + at(r, d), target + r, s, true);
        memset(b.g_entropy, 0, (size_t)k * sizeof *b.g_entropy);
        grad(self, r, k, b.logp, b.entropy, b.g, b.g_entropy);
        block_dlogits(m, k, target + r, inverse_t, &b);
        la->backward_input(la, &m->head, k, b.logits, v, dh + at(r, d), d, false);
        if (dw)
            la->backward_weight(la, &m->head, k, h + at(r, d), d, b.logits, v, dw);
    }
done:
    block_clear(&b);
    return status;
}
