// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf_convert.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/tree.h"
#include "gguf/gguf_model.h"
#include "gguf/gguf_tokenizer.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 18 }; // numbers that are held at a time, unless a row has more

typedef struct writer {
    const pr_gguf_t *g;
    pr_dtype_t dtype;
    const char *path;
    int fd;
    float *values;        // [room]
    unsigned char *bytes; // [room] of the dtype
    size_t room;
} writer_t;

static size_t dtype_bytes(pr_dtype_t dtype)
{
    return dtype == PR_DTYPE_F32 ? 4 : 2;
}

/* As safetensors and as config.json write it. */
static const char *dtype_name(pr_dtype_t dtype, bool config)
{
    return dtype == PR_DTYPE_F32    ? (config ? "float32" : "F32")
           : dtype == PR_DTYPE_BF16 ? (config ? "bfloat16" : "BF16")
                                    : (config ? "float16" : "F16");
}

static int64_t count(const pr_gguf_tensor_t *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->n_dim; i++)
        n *= t->shape[i];
    return n;
}

/* A tensor as rows; a vector has rows of one number. */
static int64_t row_of(const pr_gguf_tensor_t *t)
{
    return t->n_dim == 1 ? 1 : t->shape[t->n_dim - 1];
}

/* ---- one weight ---- */

/* Rows [from, from + n) of the weight as numbers. Rows that keep their order are read in one go. */
static void read_rows(const pr_gguf_weight_t *w, int64_t from, int64_t n, float *out)
{
    const pr_gguf_tensor_t *t = w->tensor;
    int64_t row = row_of(t);
    size_t block = (size_t)t->type->block, bytes = (size_t)t->type->bytes;
    if (w->heads == 0) {
        t->type->to_float(t->data + (size_t)(from * row) / block * bytes, (size_t)(n * row) / block, out);
        return;
    }
    for (int64_t r = 0; r < n; r++)
        t->type->to_float(t->data + (size_t)(pr_gguf_weight_row(w, from + r) * row) / block * bytes,
                          (size_t)row / block, out + r * row);
}

static pr_status_t check_and_put(writer_t *w, const pr_gguf_weight_t *weight, int64_t first, int64_t n, pr_error_t *err)
{
    pr_tensor_t name = {.name = weight->tensor->name, .file = pr_gguf_path(w->g)};
    int64_t at;
    PR_TRY(pr_tensor_check_finite(&name, first, n, w->values, err));
    pr_status_t status = pr_tensor_from_float(w->dtype, w->values, n, w->bytes, &at);
    if (status != PR_OK)
        return pr_fail(err, status, "%s: tensor '%.200s': element %lld is %g, for which %s has no place",
                       pr_gguf_path(w->g), weight->tensor->name, (long long)(first + at), (double)w->values[at],
                       dtype_name(w->dtype, true));
    return pr_fd_put(w->fd, w->path, w->bytes, (size_t)n * dtype_bytes(w->dtype), err);
}

static pr_status_t put_weight(writer_t *w, const pr_gguf_weight_t *weight, pr_error_t *err)
{
    const pr_gguf_tensor_t *t = weight->tensor;
    int64_t row = row_of(t), rows = count(t) / row, step = row < PIECE ? PIECE / row : 1;
    if ((size_t)(step * row) > w->room) {
        w->room = (size_t)(step * row);
        free(w->values);
        free(w->bytes);
        w->values = pr_alloc_matrix(w->room, sizeof *w->values);
        w->bytes = pr_alloc_matrix(w->room, dtype_bytes(w->dtype));
        if (!w->values || !w->bytes)
            return pr_fail(err, PR_ERR_MEMORY, "no memory for a row of tensor '%.200s' (%lld numbers)", t->name,
                           (long long)row);
    }
    for (int64_t at = 0, n; at < rows; at += n) {
        n = rows - at < step ? rows - at : step;
        read_rows(weight, at, n, w->values);
        PR_TRY(check_and_put(w, weight, at * row, n * row, err));
    }
    pr_gguf_release(w->g, t, 0, t->bytes);
    return PR_OK;
}

/* ---- all of them ---- */

static pr_tensor_t described(const writer_t *w, const pr_gguf_weight_t *weight)
{
    const pr_gguf_tensor_t *t = weight->tensor;
    pr_tensor_t d = {.name = weight->name,
                     .dtype = w->dtype,
                     .dtype_name = dtype_name(w->dtype, false),
                     .n_dim = t->n_dim,
                     .n = count(t),
                     .bytes = (size_t)count(t) * dtype_bytes(w->dtype)};
    memcpy(d.shape, t->shape, (size_t)t->n_dim * sizeof *d.shape);
    return d;
}

static pr_status_t put_header(writer_t *w, const pr_gguf_weight_t *weight, size_t n, pr_error_t *err)
{
    pr_tensor_t *t = pr_alloc(n, sizeof *t);
    pr_buf_t b = {0};
    for (size_t i = 0; i < n; i++)
        t[i] = described(w, &weight[i]);
    pr_safetensors_header(t, n, NULL, &b);
    pr_status_t status = pr_fd_put(w->fd, w->path, b.data, b.len, err);
    pr_buf_free(&b);
    free(t);
    return status;
}

static pr_status_t write_weights(const pr_gguf_t *g, const pr_gguf_weight_t *weight, size_t n, pr_dtype_t dtype,
                                 const char *path, pr_error_t *err)
{
    writer_t w = {.g = g, .dtype = dtype, .path = path};
    w.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w.fd < 0)
        return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    pr_status_t status = put_header(&w, weight, n, err);
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = put_weight(&w, &weight[i], err);
    if ((fsync(w.fd) != 0) + (close(w.fd) != 0) > 0 && status == PR_OK)
        status = pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    free(w.values);
    free(w.bytes);
    return status;
}

/* ---- the directory ---- */

static void set_tokens(json_t *v, const pr_gguf_tokenizer_t *t)
{
    json_object_set_new(v, "bos_token_id", t->bos < 0 ? json_null() : json_integer(t->bos));
    json_object_set(v, "eos_token_id", t->eos);
    json_object_set_new(v, "pad_token_id", t->pad < 0 ? json_null() : json_integer(t->pad));
}

/* value is taken over. */
static pr_status_t write_json(const char *dir, const char *name, json_t *value, pr_error_t *err)
{
    char *path = pr_path_join(dir, name), *text = pr_json_text(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s\n", text);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    free(path);
    free(text);
    json_decref(value);
    return status;
}

static pr_status_t write_texts(const pr_gguf_model_t *m, pr_gguf_tokenizer_t *t, pr_dtype_t dtype, const char *dir,
                               pr_error_t *err)
{
    json_t *config = pr_gguf_model_config(m), *generation = json_object();
    json_object_set_new(config, "torch_dtype", json_string(dtype_name(dtype, true)));
    set_tokens(config, t);
    set_tokens(generation, t);
    pr_status_t status = write_json(dir, "config.json", config, err);
    if (status == PR_OK)
        status = write_json(dir, "generation_config.json", generation, err);
    else
        json_decref(generation);
    if (status == PR_OK)
        status = write_json(dir, "tokenizer.json", json_incref(t->json), err);
    return status == PR_OK ? write_json(dir, "tokenizer_config.json", json_incref(t->config), err) : status;
}

/* What was written is read as every model is, so that what cannot be is told now and by the name of the file that it came
 * from. */
static pr_status_t check_written(const char *path, const char *dir, pr_error_t *err)
{
    pr_model_config_t c;
    pr_tokenizer_t *t = NULL;
    if (pr_model_config_read(dir, &c, err) != PR_OK)
        return pr_fail_in(err, "%s: what it says cannot be used", path);
    pr_model_config_clear(&c);
    char *file = pr_path_join(dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(file, &t, err);
    if (status != PR_OK)
        pr_fail_in(err, "%s: its tokenizer cannot be used", path);
    else
        pr_tokenizer_free(&t);
    free(file);
    return status;
}

static pr_status_t check_target(const char *out, pr_error_t *err)
{
    char **names = NULL;
    size_t n = 0;
    if (pr_file_exists(out) && !pr_dir_exists(out))
        return pr_fail(err, PR_ERR_USAGE, "%s: found a file, expected a directory that is not there or empty", out);
    pr_status_t status = pr_dir_names(out, &names, &n, err);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    if (status == PR_OK && n > 0)
        status =
            pr_fail(err, PR_ERR_USAGE, "%s: found %zu files, expected a directory that is not there or empty", out, n);
    return status;
}

static pr_status_t write_all(const pr_gguf_t *g, const pr_gguf_model_t *m, const pr_gguf_weight_t *weight, size_t n,
                             pr_gguf_tokenizer_t *t, const char *out, pr_dtype_t dtype, pr_error_t *err)
{
    char *tmp = pr_tree_beside(out), *path = pr_path_join(tmp, "model.safetensors");
    pr_status_t status;
    PR_GO(pr_mkdirs(tmp, err));
    PR_GO(write_texts(m, t, dtype, tmp, err));
    PR_GO(check_written(pr_gguf_path(g), tmp, err));
    PR_GO(write_weights(g, weight, n, dtype, path, err));
    status = pr_tree_put(tmp, out, err);
done:
    if (status != PR_OK)
        pr_tree_remove(tmp);
    free(tmp);
    free(path);
    return status;
}

static void tell(const pr_gguf_model_t *m, const pr_gguf_weight_t *weight, size_t n, pr_dtype_t dtype,
                 pr_gguf_told_t *told)
{
    *told = (pr_gguf_told_t){.tensors = n};
    snprintf(told->arch, sizeof told->arch, "%s", m->arch);
    for (size_t i = 0; i < n; i++)
        told->parameters += (double)count(weight[i].tensor);
    told->bytes = told->parameters * (double)dtype_bytes(dtype);
}

pr_status_t pr_gguf_convert(const char *path, const char *out, pr_dtype_t dtype, pr_gguf_told_t *told, pr_error_t *err)
{
    pr_gguf_t *g = NULL;
    pr_gguf_model_t m;
    pr_gguf_weight_t *weight = NULL;
    pr_gguf_tokenizer_t t = {.bos = -1, .pad = -1};
    size_t n = 0;
    pr_status_t status;
    PR_GO(check_target(out, err));
    PR_GO(pr_gguf_open(path, &g, err));
    PR_GO(pr_gguf_model_read(g, &m, err));
    PR_GO(pr_gguf_model_weights(g, &m, &weight, &n, err));
    PR_GO(pr_gguf_tokenizer_read(g, m.vocab, m.context, &t, err));
    PR_GO(write_all(g, &m, weight, n, &t, out, dtype, err));
    tell(&m, weight, n, dtype, told);
done:
    pr_gguf_tokenizer_clear(&t);
    free(weight);
    pr_gguf_close(&g);
    return status;
}
