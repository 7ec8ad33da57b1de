#include "base/file.h"
#include "base/mem.h"
#include "model/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *tensor_entry(const pr_tensor_t *t, json_int_t begin, json_int_t end)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dim; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", begin, end);
}

static char *header_text(const pr_tensor_t *tensors, size_t n)
{
    size_t at = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    for (size_t i = 0; i < n; i++) {
        size_t bytes = (size_t)tensors[i].n * sizeof(float);
        json_object_set_new(header, tensors[i].name,
                            tensor_entry(&tensors[i], (json_int_t)at, (json_int_t)(at + bytes)));
        at += bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static void add_header(pr_buf_t *b, const char *text)
{
    static const char spaces[] = "        ";
    size_t len = strlen(text), pad = (8 - len % 8) % 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)(len + pad) >> (8 * i));
    pr_buf_add(b, prefix, sizeof prefix);
    pr_buf_add(b, text, len);
    pr_buf_add(b, spaces, pad);
}

pr_status_t pr_safetensors_write(const char *path, const pr_tensor_t *tensors, size_t n, pr_error_t *err)
{
    pr_buf_t file = {0};
    char *text = header_text(tensors, n);
    if (!text)
        return pr_fail(err, PR_ERR_FORMAT, "%s: a tensor's name is not UTF-8", path);
    add_header(&file, text);
    free(text);
    for (size_t i = 0; i < n; i++)
        pr_buf_add(&file, tensors[i].data, (size_t)tensors[i].n * sizeof(float));
    pr_status_t status = pr_file_write(path, file.data, file.len, err);
    pr_buf_free(&file);
    return status;
}
