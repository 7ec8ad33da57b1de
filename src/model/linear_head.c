// SPDX-License-Identifier: BSD-3-Clause
#include "model/linear_head.h"
#include "base/mem.h"
#include "model/safetensors.h"

#include <limits.h>
#include <stdlib.h>

static const char *const kept[] = {"template", "max_tokens", "truncate", "special_tokens", "trim", "kind", "about"};

static pr_status_t read_tensors(const char *path, const pr_safetensors_t *st, pr_linear_head_t *h, pr_error_t *err)
{
    const pr_tensor_t *w = pr_safetensors_find(st, "weight"), *b = pr_safetensors_find(st, "bias");
    if (!w || !b || pr_safetensors_count(st) != 2)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %zu tensors, expected the two of a linear head: weight, bias",
                       path, pr_safetensors_count(st));
    if (w->n_dim != 2 || w->shape[0] != 1 || w->shape[1] < 1 || w->shape[1] > INT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor 'weight': found %d dimensions and %lld elements, expected [1,d]",
                       path, w->n_dim, (long long)w->n);
    if (b->n != 1)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor 'bias': found %lld elements, expected 1", path, (long long)b->n);
    h->d = (int)w->shape[1];
    h->weight = pr_alloc((size_t)h->d, sizeof *h->weight);
    PR_TRY(pr_tensor_read(w, 0, w->n, h->weight, err));
    return pr_tensor_read(b, 0, 1, &h->bias, err);
}

pr_status_t pr_linear_head_read(const char *path, pr_linear_head_t **out, pr_error_t *err)
{
    pr_safetensors_t *st = NULL;
    PR_TRY(pr_safetensors_open(path, &st, err));
    pr_linear_head_t *h = pr_alloc(1, sizeof *h);
    pr_status_t status = read_tensors(path, st, h, err);
    h->metadata = json_object();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (pr_safetensors_metadata(st, kept[i]))
            json_object_set_new(h->metadata, kept[i], json_string(pr_safetensors_metadata(st, kept[i])));
    pr_safetensors_close(&st);
    if (status == PR_OK)
        *out = h;
    else
        pr_linear_head_free(&h);
    return status;
}

pr_status_t pr_linear_head_write(const char *path, const pr_linear_head_t *head, pr_error_t *err)
{
    float bias = head->bias;
    const pr_tensor_t tensors[] = {
        {.name = "weight", .n_dim = 2, .shape = {1, head->d}, .n = head->d, .data = (const void *)head->weight},
        {.name = "bias", .n_dim = 1, .shape = {1}, .n = 1, .data = (const void *)&bias}};
    return pr_safetensors_write_with(path, tensors, 2, head->metadata, err);
}

void pr_linear_head_free(pr_linear_head_t **head)
{
    if (!*head)
        return;
    json_decref((*head)->metadata);
    free((*head)->weight);
    free(*head);
    *head = NULL;
}

double pr_linear_head_score(const pr_linear_head_t *head, const float *h)
{
    double sum = (double)head->bias;
    for (int i = 0; i < head->d; i++)
        sum += (double)head->weight[i] * (double)h[i];
    return sum;
}
