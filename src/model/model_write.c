// SPDX-License-Identifier: BSD-3-Clause
#include "model/model_write.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/tree.h"
#include "model/safetensors.h"

#include <cblas.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one tensor ---- */

/* Which map of the model a tensor is the weight of; false: of none that is adapted. Files may leave out the first part of
 * a name. */
static bool find_slot(const pr_model_config_t *c, const pr_adapter_t *a, const char *name, int *layer, pr_slot_t *slot)
{
    for (int i = 0; a && i < c->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            char module[128], whole[160];
            if (pr_adapter_at(a, i, (pr_slot_t)s)->r == 0)
                continue;
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            snprintf(whole, sizeof whole, "%s.weight", module);
            if (strcmp(name, whole) == 0 || strcmp(name, strchr(whole, '.') + 1) == 0) {
                *layer = i;
                *slot = (pr_slot_t)s;
                return true;
            }
        }
    return false;
}

/* w [out,in] (gpt2: [in,out]) += s B A. */
static void add_lora(const pr_lora_t *l, bool transposed, int out, int in, float *w)
{
    if (transposed)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasTrans, in, out, l->r, l->scale, l->a, in, l->b, l->r, 1.0f, w, out);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out, in, l->r, l->scale, l->b, l->r, l->a, in, 1.0f, w,
                    in);
}

/* The merged weight as the file has it: bytes [t->bytes]. */
static pr_status_t merge_tensor(const pr_model_config_t *c, const pr_lora_t *l, pr_slot_t slot, const pr_tensor_t *t,
                                void *bytes, pr_error_t *err)
{
    bool transposed = c->arch == PR_ARCH_GPT2;
    int out, in;
    int64_t at;
    pr_slot_shape(c, slot, &out, &in);
    int rows = transposed ? in : out, cols = transposed ? out : in;
    if (t->n_dim != 2 || t->shape[0] != rows || t->shape[1] != cols)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': expected the shape [%d,%d], by config.json", t->file,
                       t->name, rows, cols);
    float *w = pr_alloc_matrix((size_t)t->n, sizeof *w);
    if (!w)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for tensor '%.200s' (%lld floats)", t->name, (long long)t->n);
    pr_status_t status = pr_tensor_read(t, 0, t->n, w, err);
    if (status == PR_OK) {
        add_lora(l, transposed, out, in, w);
        status = pr_tensor_from_float(t->dtype, w, t->n, bytes, &at);
        if (status == PR_ERR_NUMERIC)
            pr_fail(err, status, "%s: tensor '%.200s': element %lld is %g with the adapter, for which %s has no place",
                    t->file, t->name, (long long)at, (double)w[at], t->dtype_name);
        else if (status != PR_OK)
            status = pr_tensor_unsupported(t, err);
    }
    free(w);
    return status;
}

/* ---- one file ---- */

typedef struct writer {
    const pr_model_config_t *c;
    const pr_adapter_t *a;
    const pr_safetensors_t *st;
    const json_t *metadata;
    int merged; // maps so far
} writer_t;

static int by_place(const void *a, const void *b)
{
    const unsigned char *x = (*(const pr_tensor_t *const *)a)->data, *y = (*(const pr_tensor_t *const *)b)->data;
    return (x > y) - (x < y);
}

/* Its tensors in the order in which they lie; caller frees. */
static const pr_tensor_t **tensors_of(const writer_t *w, const char *file, size_t *n)
{
    const pr_tensor_t **list = pr_alloc(pr_safetensors_count(w->st), sizeof *list);
    *n = 0;
    for (size_t i = 0; i < pr_safetensors_count(w->st); i++)
        if (strcmp(pr_safetensors_at(w->st, i)->file, file) == 0)
            list[(*n)++] = pr_safetensors_at(w->st, i);
    if (*n > 1)
        qsort(list, *n, sizeof *list, by_place);
    return list;
}

static pr_status_t put(int fd, const char *path, const void *bytes, size_t n, pr_error_t *err)
{
    if (pr_fd_write(fd, bytes, n) == 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
}

static pr_status_t put_header(const writer_t *w, const pr_tensor_t *const *t, size_t n, int fd, const char *path,
                              pr_error_t *err)
{
    pr_tensor_t *list = pr_alloc(n, sizeof *list);
    pr_buf_t b = {0};
    for (size_t i = 0; i < n; i++)
        list[i] = *t[i];
    pr_safetensors_header(list, n, w->metadata, &b);
    pr_status_t status = put(fd, path, b.data, b.len, err);
    pr_buf_free(&b);
    free(list);
    return status;
}

static pr_status_t put_tensor(writer_t *w, const pr_tensor_t *t, int fd, const char *path, pr_error_t *err)
{
    int layer;
    pr_slot_t slot;
    if (!find_slot(w->c, w->a, t->name, &layer, &slot))
        return put(fd, path, t->data, t->bytes, err);
    char *bytes = pr_alloc_matrix(t->bytes, 1);
    if (!bytes)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for tensor '%.200s' (%zu bytes)", t->name, t->bytes);
    pr_status_t status = merge_tensor(w->c, pr_adapter_at(w->a, layer, slot), slot, t, bytes, err);
    if (status == PR_OK)
        status = put(fd, path, bytes, t->bytes, err);
    free(bytes);
    w->merged++;
    pr_tensor_release_part(w->st, t, 0, t->bytes);
    return status;
}

static pr_status_t write_file(writer_t *w, const char *file, const char *to, pr_error_t *err)
{
    size_t n;
    const char *slash = strrchr(file, '/');
    char *path = pr_path_join(to, slash ? slash + 1 : file);
    const pr_tensor_t **t = tensors_of(w, file, &n);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    pr_status_t status = fd >= 0 ? PR_OK : pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status == PR_OK)
        status = put_header(w, t, n, fd, path, err);
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = put_tensor(w, t[i], fd, path, err);
    if (fd >= 0 && (fsync(fd) != 0) + (close(fd) != 0) > 0 && status == PR_OK)
        status = pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    free(t);
    free(path);
    return status;
}

/* ---- the directory ---- */

static pr_status_t copy_others(const char *from, const char *to, pr_error_t *err)
{
    static const char *const names[] = {"config.json",     "generation_config.json",
                                        "tokenizer.json",  "tokenizer_config.json",
                                        "vocab.json",      "special_tokens_map.json",
                                        "merges.txt",      "added_tokens.json",
                                        "tokenizer.model", "chat_template.jinja",
                                        "vocab.txt",       "chat_template.json",
                                        "LICENSE",         "LICENSE.txt",
                                        "LICENSE.md",      "NOTICE",
                                        "USE_POLICY.md",   "model.safetensors.index.json"};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == PR_OK; i++) {
        char *source = pr_path_join(from, names[i]), *target = pr_path_join(to, names[i]);
        if (pr_file_exists(source))
            status = pr_tree_copy(source, target, err);
        free(source);
        free(target);
    }
    return status;
}

static int count_adapted(const pr_adapter_t *a)
{
    int n = 0;
    for (int i = 0; a && i < a->n_layer * PR_N_SLOT; i++)
        n += a->lora[i].r > 0;
    return n;
}

pr_status_t pr_model_write_merged(const char *from, const pr_model_config_t *c, const pr_adapter_t *a, const char *to,
                                  const json_t *metadata, pr_error_t *err)
{
    pr_safetensors_t *st = NULL;
    pr_file_id_t id;
    pr_status_t status;
    PR_TRY(pr_safetensors_open_model(from, &st, err));
    writer_t w = {.c = c, .a = a, .st = st, .metadata = metadata};
    for (size_t i = 0; i < pr_safetensors_files(st); i++)
        PR_GO(write_file(&w, pr_safetensors_file(st, i, &id), to, err));
    if (w.merged != count_adapted(a))
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: found %d of the %d linear maps that the adapter adapts", from, w.merged,
                      count_adapted(a)));
    status = copy_others(from, to, err);
done:
    pr_safetensors_close(&st);
    return status;
}
