// SPDX-License-Identifier: BSD-3-Clause
#include "policy/map.h"
#include "base/mem.h"
#include "model/kernels_exp.h"

#include <stdlib.h>
#include <string.h>

/* ---- elements ---- */

enum { CHUNK = 256 }; // columns whose sums stay near while all ranks are added

/* out [n] += l[0] right[0] + ... + l[3] right[3], rows of right ld apart. */
PR_INLINE void add_four(int n, const float *l, const float *right, size_t ld, float *out)
{
    const float *a = right, *b = right + ld, *c = right + 2 * ld, *d = right + 3 * ld;
    float p = l[0], q = l[1], r = l[2], s = l[3];
    PR_SIMD
    for (int j = 0; j < n; j++)
        out[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
}

PR_INLINE void add_one(int n, float l, const float *right, float *out)
{
    PR_SIMD
    for (int j = 0; j < n; j++)
        out[j] += l * right[j];
}

/* out [n,cols] (+)= left [n,r] right [r,cols]. */
PR_CLONES static void multiply(int n, int r, int cols, const float *left, const float *right, float *out)
{
    size_t ld = (size_t)cols;
    for (int at = 0; at < cols; at += CHUNK) {
        int width = cols - at < CHUNK ? cols - at : CHUNK;
        for (int i = 0; i < n; i++) {
            const float *l = left + (size_t)i * (size_t)r;
            float *o = out + (size_t)i * ld + at;
            int t = 0;
            for (; t + 4 <= r; t += 4)
                add_four(width, l + t, right + (size_t)t * ld + at, ld, o);
            for (; t < r; t++)
                add_one(width, l[t], right + (size_t)t * ld + at, o);
        }
    }
}

void pr_mix_tile(const pr_mix_map_t *m, int part, int row, int n, float *out)
{
    const pr_mix_part_t *p = &m->part[part];
    memset(out, 0, (size_t)n * (size_t)m->cols * sizeof *out);
    if (p->r > 0)
        multiply(n, p->r, m->cols, p->left + (size_t)row * (size_t)p->r, p->right, out);
}

void pr_mix_tiles(const pr_mix_map_t *m, int row, int n, float *tile)
{
    for (int k = 0; k < m->n; k++)
        pr_mix_tile(m, k, row, n, tile + (size_t)k * PR_MIX_TILE * (size_t)m->cols);
}

float *pr_mix_tiles_new(const pr_mix_map_t *m)
{
    return pr_alloc_matrix((size_t)m->n * PR_MIX_TILE * (size_t)m->cols, sizeof(float));
}

pr_status_t pr_mix_no_memory(const pr_mix_map_t *m, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_MEMORY, "no memory to merge tensor '%s' [%d,%d]", m->name, m->rows, m->cols);
}

/* ---- inner products ---- */

/* g [ra,rb] = a [ra,n] b [rb,n]t. */
static void gram_of_rows(int n, int ra, const float *a, int rb, const float *b, double *g)
{
    for (int i = 0; i < ra; i++)
        for (int j = 0; j < rb; j++) {
            const float *x = a + (size_t)i * (size_t)n, *y = b + (size_t)j * (size_t)n;
            double sum = 0;
            for (int t = 0; t < n; t++)
                sum += (double)x[t] * (double)y[t];
            g[i * rb + j] = sum;
        }
}

/* g [ra,rb] = a [n,ra]t b [n,rb]. */
static void gram_of_cols(int n, int ra, const float *a, int rb, const float *b, double *g)
{
    memset(g, 0, (size_t)ra * (size_t)rb * sizeof *g);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < ra; i++)
            for (int j = 0; j < rb; j++)
                g[i * rb + j] +=
                    (double)a[(size_t)t * (size_t)ra + (size_t)i] * (double)b[(size_t)t * (size_t)rb + (size_t)j];
}

void pr_mix_inner_rows(const pr_mix_map_t *m, int a, int b, double *out)
{
    const pr_mix_part_t *p = &m->part[a], *q = &m->part[b];
    double *g = pr_alloc((size_t)p->r * (size_t)q->r, sizeof *g);
    gram_of_rows(m->cols, p->r, p->right, q->r, q->right, g);
    for (int t = 0; t < m->rows; t++) {
        double sum = 0;
        for (int i = 0; i < p->r; i++)
            for (int j = 0; j < q->r; j++)
                sum += (double)p->left[(size_t)t * (size_t)p->r + (size_t)i] * g[i * q->r + j] *
                       (double)q->left[(size_t)t * (size_t)q->r + (size_t)j];
        out[t] = sum;
    }
    free(g);
}

void pr_mix_inner_cols(const pr_mix_map_t *m, int a, int b, double *out)
{
    const pr_mix_part_t *p = &m->part[a], *q = &m->part[b];
    double *g = pr_alloc((size_t)p->r * (size_t)q->r, sizeof *g);
    gram_of_cols(m->rows, p->r, p->left, q->r, q->left, g);
    memset(out, 0, (size_t)m->cols * sizeof *out);
    for (int i = 0; i < p->r; i++)
        for (int j = 0; j < q->r; j++)
            for (int t = 0; t < m->cols; t++)
                out[t] += (double)p->right[(size_t)i * (size_t)m->cols + (size_t)t] * g[i * q->r + j] *
                          (double)q->right[(size_t)j * (size_t)m->cols + (size_t)t];
    free(g);
}

/* tr(Aᵗ B) of A = l r, B = l' r': the sum over (lᵗ l') times (r r'ᵗ). */
static double inner(const pr_mix_map_t *m, const pr_mix_part_t *p, const pr_mix_part_t *q)
{
    size_t n = (size_t)p->r * (size_t)q->r;
    double *x = pr_alloc(n, sizeof *x), *y = pr_alloc(n, sizeof *y), sum = 0;
    gram_of_cols(m->rows, p->r, p->left, q->r, q->left, x);
    gram_of_rows(m->cols, p->r, p->right, q->r, q->right, y);
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    free(x);
    free(y);
    return sum;
}

void pr_mix_inner(const pr_mix_map_t *m, double *gram)
{
    for (int a = 0; a < m->n; a++)
        for (int b = a; b < m->n; b++)
            gram[a * m->n + b] = gram[b * m->n + a] = inner(m, &m->part[a], &m->part[b]);
}

/* ---- sums ---- */

pr_status_t pr_mix_sum_factors(const pr_mix_map_t *m, const double *c, pr_mix_factors_t *out, pr_error_t *err)
{
    size_t r = 0, at = 0, cols = (size_t)m->cols;
    for (int k = 0; k < m->n; k++)
        r += (size_t)m->part[k].r;
    *out = (pr_mix_factors_t){.r = (int)r};
    out->left = pr_alloc_matrix((size_t)m->rows * r, sizeof(float));
    out->right = pr_alloc_matrix(r * cols, sizeof(float));
    if (!out->left || !out->right)
        return pr_mix_no_memory(m, err);
    for (int k = 0; k < m->n; k++) {
        const pr_mix_part_t *p = &m->part[k];
        size_t own = (size_t)p->r;
        for (size_t i = 0; i < (size_t)m->rows; i++)
            for (size_t j = 0; j < own; j++)
                out->left[i * r + at + j] = (float)(c[k] * (double)p->left[i * own + j]);
        if (own > 0)
            memcpy(out->right + at * cols, p->right, own * cols * sizeof(float));
        at += own;
    }
    return PR_OK;
}
