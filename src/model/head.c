/* The language-model head on blocks of rows, so that rows x vocabulary floats are never held at once. */
#include "model/head.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

void pr_head_logits(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *logits)
{
    assert(m->head.data);
    la->forward(la, &m->head, n, h, m->head.in, logits, m->head.out, false);
}

void pr_head_scores(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, float *scores)
{
    assert(m->score.data);
    la->forward(la, &m->score, n, h, m->score.in, scores, m->score.out, false);
}

void pr_log_softmax(int n, int v, float *x)
{
    for (int i = 0; i < n; i++, x += v) {
        pr_k_lse_t r = pr_k_log_sum_exp(v, x, 1.0f, false);
        pr_k_subtract(v, r.max, (float)log(r.sum), x);
    }
}

// A block of logits and what is computed of each of its rows.
typedef struct block {
    int rows;      // that fit
    float *logits; // [rows,V]
    float *max;    // [rows] of the logits
    float *log_z;  // [rows] log sum exp((logits - max) / temperature)
    float *logp, *entropy, *g;
} block_t;

/* 4 MB of logits, which stay in a core's cache; at least 16 rows, so that the product is worth its while, and at most
 * 256. */
static pr_status_t block_new(int n, int v, block_t *b, pr_error_t *err)
{
    int rows = (1 << 20) / v;
    rows = rows < 16 ? 16 : rows > 256 ? 256 : rows;
    b->rows = rows < n ? rows : n;
    size_t r = (size_t)b->rows, width = (size_t)v;
    b->logits = pr_alloc_matrix(r * (width + 5), sizeof(float));
    if (!b->logits)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for %d rows of %d logits", b->rows, v);
    b->max = b->logits + r * width;
    b->log_z = b->max + r;
    b->logp = b->log_z + r;
    b->entropy = b->logp + r;
    b->g = b->entropy + r;
    return PR_OK;
}

static pr_status_t check(const pr_model_t *m, int n, const int32_t *target, double temperature, pr_error_t *err)
{
    if (!m->head.data)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "this model (%s) has no language-model head", m->config.arch_name);
    if (!(temperature > 0) || !isfinite(temperature))
        return pr_fail(err, PR_ERR_CONFIG, "temperature: found %g, expected a number above 0", temperature);
    for (int i = 0; i < n; i++)
        if (target[i] < 0 || target[i] >= m->head.out)
            return pr_fail(err, PR_ERR_FORMAT, "token id %d is outside the vocabulary of %d", target[i], m->head.out);
    return PR_OK;
}

static void block_logp(const pr_model_t *m, const pr_linalg_t *la, block_t *b, int n, const float *h,
                       const int32_t *target, float inverse_t, bool entropy)
{
    int v = m->head.out;
    pr_head_logits(m, la, n, h, b->logits);
    for (int i = 0; i < n; i++) {
        const float *x = b->logits + at(i, v);
        pr_k_lse_t r = pr_k_log_sum_exp(v, x, inverse_t, entropy);
        double log_z = log(r.sum);
        b->logp[i] = (float)((double)inverse_t * ((double)x[target[i]] - (double)r.max) - log_z);
        b->max[i] = r.max;
        b->log_z[i] = (float)log_z;
        b->entropy[i] = entropy ? (float)(log_z - r.mean) : 0.0f;
    }
}

pr_status_t pr_head_logp(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                         double temperature, float *logp, float *entropy, pr_error_t *err)
{
    block_t b = {0};
    PR_TRY(check(m, n, target, temperature, err));
    PR_TRY(block_new(n, m->head.out, &b, err));
    for (int r = 0, k; r < n; r += k) {
        k = n - r < b.rows ? n - r : b.rows;
        block_logp(m, la, &b, k, h + at(r, m->head.in), target + r, (float)(1.0 / temperature), entropy);
        for (int i = 0; i < k; i++) {
            logp[r + i] = b.logp[i];
            if (entropy)
                entropy[r + i] = b.entropy[i];
        }
    }
    free(b.logits);
    return PR_OK;
}

// Logits become dloss/dlogits = g/T (onehot - softmax).
static void block_dlogits(int n, int v, const int32_t *target, float inverse_t, block_t *b)
{
    for (int i = 0; i < n; i++) {
        float *x = b->logits + at(i, v), c = b->g[i] * inverse_t;
        pr_k_softmax_scaled(v, inverse_t, b->max[i], b->log_z[i], -c, x);
        x[target[i]] += c;
    }
}

pr_status_t pr_head_backward(const pr_model_t *m, const pr_linalg_t *la, int n, const float *h, const int32_t *target,
                             double temperature, pr_logp_grad_fn grad, void *self, float *dh, float *dw,
                             pr_error_t *err)
{
    block_t b = {0};
    PR_TRY(check(m, n, target, temperature, err));
    PR_TRY(block_new(n, m->head.out, &b, err));
    float inverse_t = (float)(1.0 / temperature);
    int v = m->head.out, d = m->head.in;
    for (int r = 0, k; r < n; r += k) {
        k = n - r < b.rows ? n - r : b.rows;
        block_logp(m, la, &b, k, h + at(r, d), target + r, inverse_t, true);
        grad(self, r, k, b.logp, b.entropy, b.g);
        block_dlogits(k, v, target + r, inverse_t, &b);
        la->backward_input(la, &m->head, k, b.logits, v, dh + at(r, d), d, false);
        if (dw)
            la->backward_weight(la, &m->head, k, h + at(r, d), d, b.logits, v, dw);
    }
    free(b.logits);
    return PR_OK;
}
