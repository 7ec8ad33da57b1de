// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/mem.h"
#include "model/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *tensor_entry(const pr_tensor_t *t, json_int_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dim; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", t->dtype_name, "shape", shape, "data_offsets", begin,
                     begin + (json_int_t)t->bytes);
}

void pr_safetensors_header(const pr_tensor_t *tensors, size_t n, const json_t *metadata, pr_buf_t *out)
{
    size_t at = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    if (metadata)
        json_object_update_missing(json_object_get(header, "__metadata__"), (json_t *)(uintptr_t)metadata);
    for (size_t i = 0; i < n; i++) {
        json_object_set_new(header, tensors[i].name, tensor_entry(&tensors[i], (json_int_t)at));
        at += tensors[i].bytes;
    }
    char *text = pr_json_text(header, JSON_COMPACT);
    json_decref(header);
    size_t len = strlen(text), padded = (len + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        pr_buf_add(out, &(char){(char)(unsigned char)((uint64_t)padded >> (8 * i))}, 1);
    pr_buf_add(out, text, len);
    pr_buf_add(out, "       ", padded - len);
    free(text);
}

pr_status_t pr_safetensors_write(const char *path, const pr_tensor_t *tensors, size_t n, pr_error_t *err)
{
    return pr_safetensors_write_with(path, tensors, n, NULL, err);
}

pr_status_t pr_safetensors_write_with(const char *path, const pr_tensor_t *tensors, size_t n, const json_t *metadata,
                                      pr_error_t *err)
{
    pr_tensor_t *floats = pr_alloc(n, sizeof *floats);
    pr_buf_t b = {0};
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        floats[i] = tensors[i];
        floats[i].dtype_name = "F32";
        floats[i].bytes = (size_t)tensors[i].n * sizeof(float);
        bytes += floats[i].bytes;
    }
    pr_safetensors_header(floats, n, metadata, &b);
    // The whole file in one block of the right size, as there may be a model's worth of tensors.
    char *file = pr_alloc(b.len + bytes, 1), *at = file + b.len;
    memcpy(file, b.data, b.len);
    for (size_t i = 0; i < n; at += floats[i++].bytes)
        if (floats[i].bytes)
            memcpy(at, floats[i].data, floats[i].bytes);
    pr_status_t status = pr_file_write(path, file, b.len + bytes, err);
    free(file);
    free(floats);
    pr_buf_free(&b);
    return status;
}
