// SPDX-License-Identifier: BSD-3-Clause
#include "model/model_write.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/tree.h"
#include "model/safetensors.h"

#include <assert.h>
#include <cblas.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one tensor ---- */

/* Which map of the model a tensor is the weight of; false: of none that is changed. Files may leave out the first part
 * of a name. */
static bool find_slot(const pr_model_config_t *c, const pr_delta_t *d, const char *name, int *layer, pr_slot_t *slot)
{
    for (int i = 0; d && i < c->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            char module[128], whole[160];
            if (!d->has(d->self, i, (pr_slot_t)s))
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

/* Adds what rounding to t's type cost: w is what should stand there, bytes what does, before [t->n] what did. */
static pr_status_t add_rounding(const pr_tensor_t *t, const float *w, const float *before, const void *bytes,
                                pr_rounding_t *r, pr_error_t *err)
{
    pr_tensor_t written = *t;
    float *back = pr_alloc_matrix((size_t)t->n, sizeof *back);
    written.data = bytes;
    pr_status_t status =
        back ? pr_tensor_read(&written, 0, t->n, back, err) : pr_fail(err, PR_ERR_MEMORY, "no memory for a tensor");
    for (int64_t i = 0; i < t->n && status == PR_OK; i++) {
        double lost = (double)back[i] - (double)w[i], whole = (double)w[i] - (double)before[i];
        r->lost += lost * lost;
        r->whole += whole * whole;
    }
    free(back);
    return status;
}

/* The changed weight as the file has it: bytes [t->bytes]. */
static pr_status_t change_tensor(const pr_model_config_t *c, const pr_delta_t *d, int layer, pr_slot_t slot,
                                 const pr_tensor_t *t, void *bytes, pr_rounding_t *rounding, pr_error_t *err)
{
    int rows, cols;
    int64_t at;
    bool rounds = rounding && t->dtype != PR_DTYPE_F32;
    assert(d);
    pr_slot_stored(c, slot, &rows, &cols);
    if (t->n_dim != 2 || t->shape[0] != rows || t->shape[1] != cols)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': expected the shape [%d,%d], by config.json", t->file,
                       t->name, rows, cols);
    float *w = pr_alloc_matrix((size_t)t->n, sizeof *w),
          *before = rounds ? pr_alloc_matrix((size_t)t->n, sizeof *before) : NULL;
    pr_status_t status =
        w && (before || !rounds)
            ? pr_tensor_read(t, 0, t->n, w, err)
            : pr_fail(err, PR_ERR_MEMORY, "no memory for tensor '%.200s' (%lld floats)", t->name, (long long)t->n);
    if (status == PR_OK && before)
        memcpy(before, w, (size_t)t->n * sizeof *w);
    if (status == PR_OK)
        status = d->change(d->self, layer, slot, w, err);
    if (status == PR_OK) {
        status = pr_tensor_from_float(t->dtype, w, t->n, bytes, &at);
        if (status == PR_ERR_NUMERIC)
            pr_fail(err, status, "%s: tensor '%.200s': element %lld is %g with the adapter, for which %s has no place",
                    t->file, t->name, (long long)at, (double)w[at], t->dtype_name);
        else if (status != PR_OK)
            status = pr_tensor_unsupported(t, err);
    }
    if (status == PR_OK && before)
        status = add_rounding(t, w, before, bytes, rounding, err);
    free(w);
    free(before);
    return status;
}

/* ---- one file ---- */

typedef struct writer {
    const pr_model_config_t *c;
    const pr_delta_t *d; // NULL: nothing is changed
    const pr_safetensors_t *st;
    const json_t *metadata;
    int changed; // maps so far
    pr_rounding_t *rounding;
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

static pr_status_t put_header(const writer_t *w, const pr_tensor_t *const *t, size_t n, int fd, const char *path,
                              pr_error_t *err)
{
    pr_tensor_t *list = pr_alloc(n, sizeof *list);
    pr_buf_t b = {0};
    for (size_t i = 0; i < n; i++)
        list[i] = *t[i];
    pr_safetensors_header(list, n, w->metadata, &b);
    pr_status_t status = pr_fd_put(fd, path, b.data, b.len, err);
    pr_buf_free(&b);
    free(list);
    return status;
}

static pr_status_t put_tensor(writer_t *w, const pr_tensor_t *t, int fd, const char *path, pr_error_t *err)
{
    int layer;
    pr_slot_t slot;
    if (!find_slot(w->c, w->d, t->name, &layer, &slot))
        return pr_fd_put(fd, path, t->data, t->bytes, err);
    char *bytes = pr_alloc_matrix(t->bytes, 1);
    if (!bytes)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for tensor '%.200s' (%zu bytes)", t->name, t->bytes);
    pr_status_t status = change_tensor(w->c, w->d, layer, slot, t, bytes, w->rounding, err);
    if (status == PR_OK)
        status = pr_fd_put(fd, path, bytes, t->bytes, err);
    free(bytes);
    w->changed++;
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

static int count_changed(const pr_model_config_t *c, const pr_delta_t *d)
{
    int n = 0, out, in;
    for (int i = 0; d && i < c->n_layer * PR_N_SLOT; i++)
        n += pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in) &&
             d->has(d->self, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT));
    return n;
}

pr_status_t pr_model_write_changed(const char *from, const pr_model_config_t *c, const pr_delta_t *d, const char *to,
                                   const json_t *metadata, pr_rounding_t *rounding, pr_error_t *err)
{
    pr_safetensors_t *st = NULL;
    pr_file_id_t id;
    pr_status_t status;
    PR_TRY(pr_safetensors_open_model(from, &st, err));
    writer_t w = {.c = c, .d = d, .st = st, .metadata = metadata, .rounding = rounding};
    if (rounding)
        *rounding = (pr_rounding_t){0, 0};
    for (size_t i = 0; i < pr_safetensors_files(st); i++)
        PR_GO(write_file(&w, pr_safetensors_file(st, i, &id), to, err));
    if (w.changed != count_changed(c, d))
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: found %d of the %d linear maps that the adapter adapts", from, w.changed,
                      count_changed(c, d)));
    status = copy_others(from, to, err);
done:
    pr_safetensors_close(&st);
    return status;
}

/* ---- of an adapter ---- */

typedef struct adapted {
    const pr_model_config_t *c;
    const pr_adapter_t *a;
} adapted_t;

static bool adapts(const void *self, int layer, pr_slot_t slot)
{
    return pr_adapter_at(((const adapted_t *)self)->a, layer, slot)->r > 0;
}

/* w [out,in] (gpt2: [in,out]) += s B A. */
static pr_status_t add_lora(const void *self, int layer, pr_slot_t slot, float *w, pr_error_t *err)
{
    const adapted_t *s = self;
    const pr_lora_t *l = pr_adapter_at(s->a, layer, slot);
    int out, in;
    (void)err;
    pr_slot_shape(s->c, slot, &out, &in);
    if (s->c->arch == PR_ARCH_GPT2)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasTrans, in, out, l->r, l->scale, l->a, in, l->b, l->r, 1.0f, w, out);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, out, in, l->r, l->scale, l->b, l->r, l->a, in, 1.0f, w,
                    in);
    return PR_OK;
}

pr_status_t pr_model_write_merged(const char *from, const pr_model_config_t *c, const pr_adapter_t *a, const char *to,
                                  const json_t *metadata, pr_rounding_t *rounding, pr_error_t *err)
{
    adapted_t self = {c, a};
    pr_delta_t d = {.has = adapts, .change = add_lora, .self = &self};
    return pr_model_write_changed(from, c, a ? &d : NULL, to, metadata, rounding, err);
}
