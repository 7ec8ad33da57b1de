// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/mem.h"
#include "model/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static size_t tensor_bytes(const pr_tensor_t *t)
{
    return (size_t)t->n * sizeof(float);
}

static json_t *tensor_entry(const pr_tensor_t *t, json_int_t begin, json_int_t end)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dim; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", begin, end);
}

static char *header_text(const pr_tensor_t *tensors, size_t n, const json_t *metadata)
{
    size_t at = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    if (metadata)
        json_object_update_missing(json_object_get(header, "__metadata__"), (json_t *)(uintptr_t)metadata);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = tensor_bytes(&tensors[i]);
        json_object_set_new(header, tensors[i].name,
                            tensor_entry(&tensors[i], (json_int_t)at, (json_int_t)(at + bytes)));
        at += bytes;
    }
    char *text = pr_json_text(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

// The whole file in one block of the right size, as there may be a model's worth of tensors.
static char *file_bytes(const char *header, const pr_tensor_t *tensors, size_t n, size_t *len)
{
    size_t text = strlen(header), padded = (text + 7) / 8 * 8, total = 8 + padded;
    for (size_t i = 0; i < n; i++)
        total += tensor_bytes(&tensors[i]);
    char *file = pr_alloc(total, 1), *at = file;
    for (int i = 0; i < 8; i++)
        *at++ = (char)(unsigned char)((uint64_t)padded >> (8 * i));
    memset(at, ' ', padded);
    memcpy(at, header, text);
    at += padded;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].n)
            memcpy(at, tensors[i].data, tensor_bytes(&tensors[i]));
        at += tensor_bytes(&tensors[i]);
    }
    *len = total;
    return file;
}

pr_status_t pr_safetensors_write(const char *path, const pr_tensor_t *tensors, size_t n, pr_error_t *err)
{
    return pr_safetensors_write_with(path, tensors, n, NULL, err);
}

pr_status_t pr_safetensors_write_with(const char *path, const pr_tensor_t *tensors, size_t n, const json_t *metadata,
                                      pr_error_t *err)
{
    size_t len;
    char *header = header_text(tensors, n, metadata);
    if (!header)
        return pr_fail(err, PR_ERR_FORMAT, "%s: a tensor's name is not UTF-8", path);
    char *file = file_bytes(header, tensors, n, &len);
    free(header);
    pr_status_t status = pr_file_write(path, file, len, err);
    free(file);
    return status;
}
