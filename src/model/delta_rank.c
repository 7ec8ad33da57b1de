// SPDX-License-Identifier: BSD-3-Clause
/* A dense change as an adapter: of each map the largest singular values, by the eigenvectors of its smaller Gram
 * matrix. With U those of D Dt, the nearest of rank r is U_r (U_rt D) (Eckart and Young 1936). */
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "model/delta.h"
#include "parallel/eigen.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void pr_slot_stored(const pr_model_config_t *c, pr_slot_t slot, int *rows, int *cols)
{
    bool transposed = c->arch == PR_ARCH_GPT2;
    pr_slot_shape(c, slot, transposed ? cols : rows, transposed ? rows : cols);
}

void pr_lora_put(const pr_model_config_t *c, pr_lora_t *to, int rows, int cols, const float *left, const float *right)
{
    size_t r = (size_t)to->r, n_row = (size_t)rows, n_col = (size_t)cols;
    if (c->arch != PR_ARCH_GPT2) {
        memcpy(to->b, left, n_row * r * sizeof *left);
        memcpy(to->a, right, r * n_col * sizeof *right);
        return;
    }
    for (size_t j = 0; j < r; j++) {
        for (size_t i = 0; i < n_row; i++)
            to->a[j * n_row + i] = left[i * r + j];
        for (size_t i = 0; i < n_col; i++)
            to->b[i * r + j] = right[j * n_col + i];
    }
}

/* One map d [rows,cols] in double, its Gram matrix, eigenvectors, and the other factor. */
typedef struct one {
    int rows, cols, m, r;
    double *d, *g, *v, *u, *other; // [rows,cols], [m,m], [r], [r,m], [r, the other side]
    float *left, *right;           // [rows,r], [r,cols]
} one_t;

static void one_free(one_t *o)
{
    free(o->d);
    free(o->g);
    free(o->v);
    free(o->u);
    free(o->other);
    free(o->left);
    free(o->right);
}

static bool one_make(int rows, int cols, int rank, const float *w, one_t *o)
{
    int m = rows < cols ? rows : cols, r = rank < m ? rank : m;
    size_t n = (size_t)rows * (size_t)cols;
    *o = (one_t){.rows = rows, .cols = cols, .m = m, .r = r};
    o->d = pr_alloc_matrix(n, sizeof(double));
    o->g = pr_alloc_matrix((size_t)m * (size_t)m, sizeof(double));
    o->v = pr_alloc((size_t)r, sizeof(double));
    o->u = pr_alloc_matrix((size_t)r * (size_t)m, sizeof(double));
    o->other = pr_alloc_matrix((size_t)r * (n / (size_t)m), sizeof(double));
    o->left = pr_alloc_matrix((size_t)rows * (size_t)r, sizeof(float));
    o->right = pr_alloc_matrix((size_t)r * (size_t)cols, sizeof(float));
    for (size_t i = 0; o->d && i < n; i++)
        o->d[i] = (double)w[i];
    return o->d && o->g && o->u && o->other && o->left && o->right;
}

static bool one_solve(one_t *o, pr_rank_loss_t *loss)
{
    bool tall = o->rows > o->cols; // then the eigenvectors are of Dt D
    size_t r = (size_t)o->r, rows = (size_t)o->rows, cols = (size_t)o->cols;
    cblas_dsyrk(CblasRowMajor, CblasUpper, tall ? CblasTrans : CblasNoTrans, o->m, tall ? o->rows : o->cols, 1.0, o->d,
                o->cols, 0.0, o->g, o->m);
    *loss = (pr_rank_loss_t){0, 0};
    for (int i = 0; i < o->m; i++)
        loss->whole += o->g[(size_t)i * (size_t)o->m + (size_t)i];
    if (pr_eigen_largest(o->m, o->r, o->g, o->v, o->u, NULL) != PR_OK)
        return false;
    loss->lost = loss->whole;
    for (int i = 0; i < o->r; i++)
        loss->lost -= o->v[i];
    loss->lost = fmax(loss->lost, 0);
    if (tall) // [r,rows] = u Dt
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, o->r, o->rows, o->m, 1.0, o->u, o->m, o->d, o->cols, 0.0,
                    o->other, o->rows);
    else // [r,cols] = u D
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, o->r, o->cols, o->m, 1.0, o->u, o->m, o->d, o->cols, 0.0,
                    o->other, o->cols);
    const double *of_rows = tall ? o->other : o->u, *of_cols = tall ? o->u : o->other;
    for (size_t j = 0; j < r; j++)
        for (size_t i = 0; i < rows; i++)
            o->left[i * r + j] = (float)of_rows[j * rows + i];
    for (size_t i = 0; i < r * cols; i++)
        o->right[i] = (float)of_cols[i];
    return true;
}

static pr_status_t truncate_one(const pr_delta_t *d, const pr_model_config_t *c, int layer, pr_slot_t slot,
                                pr_lora_t *to, pr_rank_loss_t *loss, pr_error_t *err)
{
    int rows, cols;
    one_t o = {0};
    pr_slot_stored(c, slot, &rows, &cols);
    size_t n = (size_t)rows * (size_t)cols;
    float *w = pr_alloc_matrix(n, sizeof *w);
    pr_status_t status = w ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for the change of one map (%zu floats)", n);
    if (w)
        memset(w, 0, n * sizeof *w);
    if (status == PR_OK)
        status = d->change(d->self, layer, slot, w, err);
    if (status == PR_OK && !one_make(rows, cols, to->r, w, &o))
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for the singular values of one map (%zu floats)", n);
    if (status == PR_OK && !one_solve(&o, loss))
        status = pr_fail(err, PR_ERR_NUMERIC, "layer %d, %s: the singular values of the change were not found", layer,
                         pr_slot_path(c, slot));
    if (status == PR_OK)
        pr_lora_put(c, to, rows, cols, o.left, o.right);
    one_free(&o);
    free(w);
    return status;
}

pr_status_t pr_delta_truncate(const pr_delta_t *d, const pr_model_config_t *c, int rank, pr_rank_loss_t *loss,
                              pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_t *a = pr_adapter_empty(c);
    int n = c->n_layer * PR_N_SLOT, rows, cols;
    pr_status_t status;
    for (int i = 0; i < n; i++)
        if (pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &rows, &cols) &&
            d->has(d->self, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT))) {
            int most = rows < cols ? rows : cols, r = rank < most ? rank : most;
            pr_lora_set(&a->lora[i], r, r, false);
        }
    PR_GO(pr_adapter_allocate(a, c, err));
    for (int i = 0; i < n; i++) {
        loss[i] = (pr_rank_loss_t){0, 0};
        if (a->lora[i].r > 0)
            PR_GO(truncate_one(d, c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), &a->lora[i], &loss[i], err));
    }
    *out = a;
    a = NULL;
done:
    pr_adapter_free(&a);
    return status;
}
