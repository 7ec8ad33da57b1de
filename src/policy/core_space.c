// SPDX-License-Identifier: BSD-3-Clause
#include "policy/core_space.h"
#include "base/mem.h"
#include "parallel/lapack.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

bool pr_core_space_chosen(const json_t *options)
{
    return strcmp(pr_option_string(options, "space"), "core") == 0;
}

pr_mix_kind_t pr_core_space_kind(const json_t *options)
{
    return pr_core_space_chosen(options) ? PR_MIX_ADAPTER : PR_MIX_DENSE;
}

/* An orthonormal basis of one side: q [side,k] row-major of the left factors, [k,side] of the right ones. */
typedef struct basis {
    int side, k;
    double *q;
} basis_t;

static size_t ranks(const pr_mix_map_t *m)
{
    size_t r = 0;
    for (int k = 0; k < m->n; k++)
        r += (size_t)m->part[k].r;
    return r;
}

/* All left factors side by side [rows,R], or all right ones one below the other [R,cols]. */
static double *stacked(const pr_mix_map_t *m, bool left, size_t r)
{
    size_t rows = (size_t)m->rows, cols = (size_t)m->cols, at = 0;
    double *x = pr_alloc_matrix((left ? rows : cols) * r, sizeof *x);
    for (int k = 0; x && k < m->n; k++) {
        const pr_mix_part_t *p = &m->part[k];
        size_t own = (size_t)p->r;
        for (size_t i = 0; left && i < rows; i++)
            for (size_t j = 0; j < own; j++)
                x[i * r + at + j] = (double)p->left[i * own + j];
        for (size_t i = 0; !left && i < own * cols; i++)
            x[at * cols + i] = (double)p->right[i];
        at += own;
    }
    return x;
}

/* To LAPACK the left factors are [R,rows], of which the right singular vectors are asked for, and the right factors
 * [cols,R], of which the left ones are: either way what comes back is row-major as wanted. */
static bool basis_make(const pr_mix_map_t *m, bool left, basis_t *b)
{
    size_t r = ranks(m);
    int all = (int)r, side = left ? m->rows : m->cols, k = all < side ? all : side, info = 0, one = 1;
    int work_n = 8 * (all + side) + 64;
    double *x = stacked(m, left, r), *s = pr_alloc((size_t)k, sizeof *s),
           *work = pr_alloc((size_t)work_n, sizeof *work);
    *b = (basis_t){.side = side, .k = k, .q = pr_alloc_matrix((size_t)side * (size_t)k, sizeof(double))};
    bool room = x && b->q;
    if (room && left)
        dgesvd_("N", "S", &all, &side, x, &all, s, NULL, &one, b->q, &k, work, &work_n, &info, 1, 1);
    else if (room)
        dgesvd_("S", "N", &side, &all, x, &side, s, b->q, &side, NULL, &one, work, &work_n, &info, 1, 1);
    free(x);
    free(s);
    free(work);
    return room && info == 0;
}

static double *widened(const float *x, size_t n)
{
    double *y = pr_alloc_matrix(n, sizeof *y);
    for (size_t i = 0; y && i < n; i++)
        y[i] = (double)x[i];
    return y;
}

/* out [u.k,v.k] = Ut left right V of one part. */
static bool core_of(const pr_mix_map_t *m, const pr_mix_part_t *p, const basis_t *u, const basis_t *v, float *out)
{
    size_t n = (size_t)u->k * (size_t)v->k;
    double *left = widened(p->left, (size_t)m->rows * (size_t)p->r),
           *right = widened(p->right, (size_t)p->r * (size_t)m->cols),
           *a = pr_alloc_matrix((size_t)u->k * (size_t)p->r, sizeof *a),
           *b = pr_alloc_matrix((size_t)p->r * (size_t)v->k, sizeof *b), *c = pr_alloc_matrix(n, sizeof *c);
    bool room = left && right && a && b && c;
    if (room) {
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, u->k, p->r, m->rows, 1.0, u->q, u->k, left, p->r, 0.0, a,
                    p->r);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->r, v->k, m->cols, 1.0, right, m->cols, v->q, m->cols,
                    0.0, b, v->k);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, u->k, v->k, p->r, 1.0, a, p->r, b, v->k, 0.0, c, v->k);
        for (size_t i = 0; i < n; i++)
            out[i] = (float)c[i];
    }
    free(left);
    free(right);
    free(a);
    free(b);
    free(c);
    return room;
}

/* The cores as a map whose right factors are the identity. */
typedef struct cores {
    pr_mix_map_t m;
    pr_mix_part_t *part;
    float **core;    // [parts] [u.k,v.k]
    float *identity; // [v.k,v.k]
    float *merged;   // [u.k,v.k]
} cores_t;

static void cores_free(cores_t *c)
{
    for (int k = 0; c->core && k < c->m.n; k++)
        free(c->core[k]);
    free(c->core);
    free(c->part);
    free(c->identity);
    free(c->merged);
}

static bool cores_make(const pr_mix_map_t *m, const basis_t *u, const basis_t *v, cores_t *c)
{
    size_t n = (size_t)u->k * (size_t)v->k, side = (size_t)v->k;
    c->m = (pr_mix_map_t){.name = m->name, .rows = u->k, .cols = v->k, .n = m->n};
    c->part = pr_alloc((size_t)m->n, sizeof *c->part);
    c->core = pr_alloc((size_t)m->n, sizeof *c->core);
    c->identity = pr_alloc(side * side, sizeof *c->identity);
    c->merged = pr_alloc(n, sizeof *c->merged);
    c->m.part = c->part;
    for (size_t i = 0; i < side; i++)
        c->identity[i * side + i] = 1;
    for (int k = 0; k < m->n; k++) {
        c->part[k] = m->part[k];
        if (m->part[k].r == 0)
            continue;
        c->core[k] = pr_alloc_matrix(n, sizeof(float));
        if (!c->core[k] || !core_of(m, &m->part[k], u, v, c->core[k]))
            return false;
        c->part[k].r = v->k;
        c->part[k].left = c->core[k];
        c->part[k].right = c->identity;
    }
    return true;
}

/* U M Vt with M on the side that leaves the fewer ranks. */
static bool spread(const pr_mix_map_t *m, const basis_t *u, const basis_t *v, const float *core, pr_mix_factors_t *out)
{
    int r = u->k < v->k ? u->k : v->k;
    size_t n_left = (size_t)m->rows * (size_t)r, n_right = (size_t)r * (size_t)m->cols;
    bool on_right = u->k <= v->k;
    double *c = widened(core, (size_t)u->k * (size_t)v->k),
           *product = pr_alloc_matrix(on_right ? n_right : n_left, sizeof *product);
    *out = (pr_mix_factors_t){.r = r};
    out->left = pr_alloc_matrix(n_left, sizeof(float));
    out->right = pr_alloc_matrix(n_right, sizeof(float));
    bool room = c && product && out->left && out->right;
    if (room && on_right)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, r, m->cols, v->k, 1.0, c, v->k, v->q, m->cols, 0.0,
                    product, m->cols);
    else if (room)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m->rows, r, u->k, 1.0, u->q, u->k, c, v->k, 0.0, product,
                    r);
    for (size_t i = 0; room && i < n_left; i++)
        out->left[i] = (float)(on_right ? u->q[i] : product[i]);
    for (size_t i = 0; room && i < n_right; i++)
        out->right[i] = (float)(on_right ? product[i] : v->q[i]);
    free(c);
    free(product);
    return room;
}

pr_status_t pr_core_space_factors(pr_status_t (*change)(const json_t *options, const pr_mix_map_t *m, float *w,
                                                        pr_error_t *err),
                                  const json_t *options, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    basis_t u = {0}, v = {0};
    cores_t c = {.part = NULL};
    pr_status_t status = PR_OK;
    *out = (pr_mix_factors_t){.r = 0};
    if (!basis_make(m, true, &u) || !basis_make(m, false, &v))
        PR_GO(
            pr_fail(err, PR_ERR_NUMERIC, "tensor '%s': the singular vectors of the adapters were not found", m->name));
    if (!cores_make(m, &u, &v, &c))
        PR_GO(pr_mix_no_memory(m, err));
    PR_GO(change(options, &c.m, c.merged, err));
    if (!spread(m, &u, &v, c.merged, out))
        PR_GO(pr_mix_no_memory(m, err));
done:
    cores_free(&c);
    free(u.q);
    free(v.q);
    return status;
}
