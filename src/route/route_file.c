// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "model/safetensors.h"
#include "route/route.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 4 };
static const char *const names[PARTS] = {"weight", "mean", "level", "theta"};

/* The tensors' shapes, and where their numbers are. */
static void layout(const pr_route_t *r, pr_tensor_t *t, double **at)
{
    const int64_t p = r->points, k = r->k, d = r->d;
    const pr_tensor_t shapes[PARTS] = {{.n_dim = 2, .shape = {p, k}, .n = p * k},
                                       {.n_dim = 1, .shape = {d}, .n = d},
                                       {.n_dim = 2, .shape = {p, k}, .n = p * k},
                                       {.n_dim = 3, .shape = {p, k, d}, .n = p * k * d}};
    double *const from[PARTS] = {r->weight, r->mean, r->level, r->theta};
    for (int i = 0; i < PARTS; i++) {
        t[i] = shapes[i];
        t[i].name = names[i];
        t[i].dtype = PR_DTYPE_F32;
        t[i].bytes = (size_t)t[i].n * sizeof(float);
        at[i] = from[i];
    }
}

pr_status_t pr_route_write(const char *path, const pr_route_t *r, pr_error_t *err)
{
    pr_tensor_t t[PARTS];
    double *at[PARTS];
    float *data[PARTS];
    layout(r, t, at);
    for (int i = 0; i < PARTS; i++) {
        data[i] = pr_alloc((size_t)t[i].n, sizeof *data[i]);
        for (int64_t j = 0; j < t[i].n; j++)
            data[i][j] = (float)at[i][j];
        t[i].data = (const unsigned char *)data[i];
    }
    char *about = r->about ? pr_json_text(r->about, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_t *metadata = about ? json_pack("{s:s}", "about", about) : NULL;
    pr_status_t status = pr_safetensors_write_with(path, t, PARTS, metadata, err);
    json_decref(metadata);
    free(about);
    for (int i = 0; i < PARTS; i++)
        free(data[i]);
    return status;
}

static pr_status_t take(const char *path, const pr_safetensors_t *st, const pr_tensor_t *expected, double *to,
                        pr_error_t *err)
{
    const pr_tensor_t *t = pr_safetensors_find(st, expected->name);
    bool same = t && t->n_dim == expected->n_dim;
    for (int i = 0; same && i < t->n_dim; i++)
        same = t->shape[i] == expected->shape[i];
    if (!same)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%s': missing, or of a shape that does not fit the others", path,
                       expected->name);
    float *data = pr_alloc((size_t)t->n, sizeof *data);
    pr_status_t status = pr_tensor_read(t, 0, t->n, data, err);
    for (int64_t i = 0; i < t->n && status == PR_OK; i++)
        to[i] = (double)data[i];
    free(data);
    return status;
}

pr_status_t pr_route_read(const char *path, pr_route_t **out, pr_error_t *err)
{
    enum { MOST = 1 << 24 };
    pr_safetensors_t *st = NULL;
    pr_route_t *r = NULL;
    PR_TRY(pr_safetensors_open(path, &st, err));
    pr_status_t status = PR_OK;
    const pr_tensor_t *theta = pr_safetensors_find(st, "theta");
    if (!theta || theta->n_dim != 3 || theta->n < 1 || theta->shape[1] > PR_MAX_OBJECTIVES || theta->shape[0] > MOST ||
        theta->shape[2] > MOST)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: tensor 'theta': expected [points, objectives, features]", path));
    r = pr_alloc(1, sizeof *r);
    *r = (pr_route_t){.points = (int)theta->shape[0], .k = (int)theta->shape[1], .d = (int)theta->shape[2]};
    pr_tensor_t t[PARTS];
    double *at[PARTS];
    r->weight = pr_alloc((size_t)(r->points * r->k), sizeof(double));
    r->mean = pr_alloc((size_t)r->d, sizeof(double));
    r->level = pr_alloc((size_t)(r->points * r->k), sizeof(double));
    r->theta = pr_alloc((size_t)theta->n, sizeof(double));
    layout(r, t, at);
    for (int i = 0; i < PARTS; i++)
        PR_GO(take(path, st, &t[i], at[i], err));
    *out = r;
    r = NULL;
done:
    pr_route_free(&r);
    pr_safetensors_close(&st);
    return status;
}
