// SPDX-License-Identifier: BSD-3-Clause
/* The smallest rank that holds an adapter: of each map's B A the singular values, by QR of the factors and the SVD of
 * what is between them, in double precision. */
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "parallel/lapack.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* q [rows,k] with orthonormal columns and r [k,n], column-major, of a factor [rows,n]; k = min(rows, n). */
typedef struct qr {
    int rows, n, k;
    double *q, *r;
} qr_t;

static void qr_free(qr_t *x)
{
    free(x->q);
    free(x->r);
}

/* Of f [rows,n], or, transposed, of f [n,rows], both row-major. */
static bool qr_make(const float *f, int rows, int n, bool transposed, qr_t *x)
{
    int k = rows < n ? rows : n, wide = rows > n ? rows : n, work_n = 64 * wide, info = 0;
    *x = (qr_t){.rows = rows, .n = n, .k = k};
    x->q = pr_alloc((size_t)rows * (size_t)n, sizeof(double));
    x->r = pr_alloc((size_t)k * (size_t)n, sizeof(double));
    double *tau = pr_alloc((size_t)k, sizeof *tau), *work = pr_alloc((size_t)work_n, sizeof *work);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < rows; i++)
            x->q[(size_t)j * (size_t)rows + (size_t)i] =
                (double)(transposed ? f[(size_t)j * (size_t)rows + (size_t)i] : f[(size_t)i * (size_t)n + (size_t)j]);
    dgeqrf_(&rows, &n, x->q, &rows, tau, work, &work_n, &info);
    for (int j = 0; j < n; j++)
        for (int i = 0; i <= j && i < k; i++)
            x->r[(size_t)j * (size_t)k + (size_t)i] = x->q[(size_t)j * (size_t)rows + (size_t)i];
    if (info == 0)
        dorgqr_(&rows, &k, &k, x->q, &rows, tau, work, &work_n, &info);
    free(tau);
    free(work);
    return info == 0;
}

/* B A = Q_b U diag(s) Vt Q_aᵗ. */
typedef struct decomposition {
    qr_t a, b;          // of Aᵗ and B
    double *u, *s, *vt; // [kb,k], [k], [k,ka], column-major
    int k;
} decomposition_t;

static void decomposition_free(decomposition_t *d)
{
    qr_free(&d->a);
    qr_free(&d->b);
    free(d->u);
    free(d->s);
    free(d->vt);
    *d = (decomposition_t){0};
}

static bool decompose(const pr_lora_t *l, int out, int in, decomposition_t *d)
{
    *d = (decomposition_t){0};
    if (!qr_make(l->b, out, l->r, false, &d->b) || !qr_make(l->a, in, l->r, true, &d->a))
        return false;
    int m = d->b.k, n = d->a.k, info = 0, work_n = 10 * (m + n) + 64;
    d->k = m < n ? m : n;
    double *core = pr_alloc((size_t)m * (size_t)n, sizeof *core), *work = pr_alloc((size_t)work_n, sizeof *work);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++)
            for (int t = 0; t < l->r; t++)
                core[(size_t)j * (size_t)m + (size_t)i] +=
                    d->b.r[(size_t)t * (size_t)m + (size_t)i] * d->a.r[(size_t)t * (size_t)n + (size_t)j];
    d->u = pr_alloc((size_t)m * (size_t)d->k, sizeof(double));
    d->s = pr_alloc((size_t)d->k, sizeof(double));
    d->vt = pr_alloc((size_t)d->k * (size_t)n, sizeof(double));
    dgesvd_("S", "S", &m, &n, core, &m, d->s, d->u, &m, d->vt, &d->k, work, &work_n, &info, 1, 1);
    free(core);
    free(work);
    return info == 0;
}

static double norm(const double *v, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += v[i] * v[i];
    return sqrt(squares);
}

/* Singular values that the rounding of the factors to float does not hide; at least one, so that there is something to
 * write. */
static int rank_of(const decomposition_t *d)
{
    double hidden =
        0x1p-24 * norm(d->b.r, (size_t)d->b.k * (size_t)d->b.n) * norm(d->a.r, (size_t)d->a.k * (size_t)d->a.n);
    int r = 1;
    while (r < d->k && d->s[r] > hidden)
        r++;
    return r;
}

static double entry(const double *left, int rows, const double *right, int right_rows, int i, int j, int n)
{
    double sum = 0;
    for (int t = 0; t < n; t++)
        sum += left[(size_t)t * (size_t)rows + (size_t)i] * right[(size_t)j * (size_t)right_rows + (size_t)t];
    return sum;
}

/* The first r singular values and vectors as factors, the root of a value in each; scale 1 times the old one. */
static void put(const decomposition_t *d, pr_lora_t *to, double scale)
{
    int out = d->b.rows, in = d->a.rows;
    double *v = pr_alloc((size_t)d->a.k * (size_t)d->k, sizeof *v); // Vt transposed: [ka,k] column-major
    for (int j = 0; j < d->k; j++)
        for (int i = 0; i < d->a.k; i++)
            v[(size_t)j * (size_t)d->a.k + (size_t)i] = d->vt[(size_t)i * (size_t)d->k + (size_t)j];
    for (int j = 0; j < to->r; j++) {
        double root = j < d->k ? sqrt(d->s[j]) : 0;
        for (int i = 0; i < out; i++)
            to->b[(size_t)i * (size_t)to->r + (size_t)j] =
                root > 0 ? (float)(scale * root * entry(d->b.q, out, d->u, d->b.k, i, j, d->b.k)) : 0;
        for (int i = 0; i < in; i++)
            to->a[(size_t)j * (size_t)in + (size_t)i] =
                root > 0 ? (float)(root * entry(d->a.q, in, v, d->a.k, i, j, d->a.k)) : 0;
    }
    free(v);
}

int pr_adapter_rank(const pr_adapter_t *a)
{
    int most = 0;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        most = a->lora[i].r > most ? a->lora[i].r : most;
    return most;
}

static pr_status_t decompose_all(const pr_adapter_t *a, const pr_model_config_t *c, decomposition_t *d, int *rank,
                                 pr_error_t *err)
{
    int out, in;
    *rank = 0;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++) {
        pr_slot_t slot = (pr_slot_t)(i % PR_N_SLOT);
        if (a->lora[i].r == 0 || !pr_slot_shape(c, slot, &out, &in))
            continue;
        if (!decompose(&a->lora[i], out, in, &d[i]))
            return pr_fail(err, PR_ERR_NUMERIC, "layer %d, %s: the singular values of the adapter were not found",
                           i / PR_N_SLOT, pr_slot_path(c, slot));
        int r = rank_of(&d[i]);
        *rank = r > *rank ? r : *rank;
    }
    return PR_OK;
}

pr_status_t pr_adapter_reduce(pr_adapter_t **adapter, const pr_model_config_t *c, pr_error_t *err)
{
    const pr_adapter_t *a = *adapter;
    size_t n = (size_t)a->n_layer * PR_N_SLOT;
    decomposition_t *d = pr_alloc(n, sizeof *d);
    pr_adapter_t *small = NULL;
    int rank = 0;
    pr_status_t status;
    PR_GO(decompose_all(a, c, d, &rank, err));
    if (rank >= pr_adapter_rank(a)) // as it is, to the last digit
        goto done;
    small = pr_adapter_empty(c);
    for (size_t i = 0; i < n; i++)
        if (a->lora[i].r > 0) {
            int r = a->lora[i].r < rank ? a->lora[i].r : rank;
            pr_lora_set(&small->lora[i], r, r, false);
        }
    PR_GO(pr_adapter_allocate(small, c, err));
    for (size_t i = 0; i < n; i++)
        if (a->lora[i].r > 0)
            put(&d[i], &small->lora[i], (double)a->lora[i].scale);
    pr_adapter_free(adapter);
    *adapter = small;
    small = NULL;
done:
    pr_adapter_free(&small);
    for (size_t i = 0; i < n; i++)
        decomposition_free(&d[i]);
    free(d);
    return status;
}

/* ---- fewer ranks than hold it ---- */

static pr_rank_loss_t loss_of(const decomposition_t *d, int r, double scale)
{
    pr_rank_loss_t loss = {0, 0};
    for (int i = 0; i < d->k; i++) {
        double square = d->s[i] * d->s[i] * scale * scale;
        loss.whole += square;
        loss.lost += i >= r ? square : 0;
    }
    return loss;
}

bool pr_lora_truncate(const pr_lora_t *l, int out, int in, pr_lora_t *to, pr_rank_loss_t *loss)
{
    decomposition_t d;
    bool found = decompose(l, out, in, &d);
    if (found) {
        put(&d, to, (double)l->scale);
        *loss = loss_of(&d, to->r, (double)l->scale);
    }
    decomposition_free(&d);
    return found;
}

/* The squared norm of s B A, by the Gram matrices of its factors. */
static double square_of(const pr_lora_t *l, int out, int in)
{
    double sum = 0;
    for (int i = 0; i < l->r; i++)
        for (int j = 0; j < l->r; j++) {
            double a = 0, b = 0;
            for (int t = 0; t < in; t++)
                a +=
                    (double)l->a[(size_t)i * (size_t)in + (size_t)t] * (double)l->a[(size_t)j * (size_t)in + (size_t)t];
            for (int t = 0; t < out; t++)
                b += (double)l->b[(size_t)t * (size_t)l->r + (size_t)i] *
                     (double)l->b[(size_t)t * (size_t)l->r + (size_t)j];
            sum += a * b;
        }
    return sum * (double)l->scale * (double)l->scale;
}

pr_status_t pr_adapter_truncate(pr_adapter_t **adapter, const pr_model_config_t *c, int rank, pr_rank_loss_t *loss,
                                pr_error_t *err)
{
    const pr_adapter_t *a = *adapter;
    int n = a->n_layer * PR_N_SLOT, out, in;
    pr_adapter_t *small = pr_adapter_empty(c);
    pr_status_t status;
    for (int i = 0; i < n; i++)
        if (a->lora[i].r > rank)
            pr_lora_set(&small->lora[i], rank, rank, false);
        else
            small->lora[i] = a->lora[i];
    PR_GO(pr_adapter_allocate(small, c, err));
    for (int i = 0; i < n; i++) {
        pr_lora_t *from = &a->lora[i], *to = &small->lora[i];
        pr_rank_loss_t one = {0, 0};
        if (from->r > 0 && pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in)) {
            if (to->r == from->r) {
                memcpy(to->a, from->a, (size_t)from->r * (size_t)in * sizeof *to->a);
                memcpy(to->b, from->b, (size_t)from->r * (size_t)out * sizeof *to->b);
                one.whole = loss ? square_of(from, out, in) : 0;
            } else if (!pr_lora_truncate(from, out, in, to, &one)) {
                PR_GO(pr_fail(err, PR_ERR_NUMERIC, "layer %d, %s: the singular values of the adapter were not found",
                              i / PR_N_SLOT, pr_slot_path(c, (pr_slot_t)(i % PR_N_SLOT))));
            }
        }
        if (loss)
            loss[i] = one;
    }
    pr_adapter_free(adapter);
    *adapter = small;
    small = NULL;
done:
    pr_adapter_free(&small);
    return status;
}
