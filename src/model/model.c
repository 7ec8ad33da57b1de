// SPDX-License-Identifier: BSD-3-Clause
#include "model/model.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/model_parts.h"
#include "model/model_share.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 20 }; // elements converted before their pages are given back

typedef struct {
    const char *dir;
    int cols, col;
    pr_model_t *m;
    pr_safetensors_t *files;
    bool *used;                 // [tensors in files]
    bool mapped;                // something is used straight from the map
    pr_file_id_t config;        // the state that config.json was in before it was read
    pr_model_share_t share;     // of a whole model: what the node's processes have in common
    const pr_tensor_t *reading; // of a part: the tensor being read, and how many of its bytes are behind
    size_t released;
} loader_t;

static int64_t converted; // floats, by this process

int64_t pr_model_converted(void)
{
    return converted;
}

/* ---- tensors ---- */

static const pr_tensor_t *find_tensor(const loader_t *l, const pr_model_spec_t *s)
{
    const pr_tensor_t *t = pr_safetensors_find(l->files, s->name);
    return t || !s->prefix ? t : pr_safetensors_find(l->files, s->name + s->prefix);
}

static void shape_text(const int64_t *shape, int n_dim, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n_dim && at < size; i++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): no shape has more than n_dim numbers
        at += (size_t)snprintf(out + at, size - at, "%s%" PRId64, i ? "," : "", shape[i]);
    if (at < size)
        snprintf(out + at, size - at, "]");
}

static pr_status_t wrong_tensor(const char *file, const char *name, const char *found, const pr_model_spec_t *s,
                                pr_error_t *err)
{
    char expected[64];
    shape_text((int64_t[]){s->shape[0], s->shape[1]}, s->n_dim, expected, sizeof expected);
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': found %s, config.json says shape %s", file, name, found,
                   expected);
}

static pr_status_t check_tensor(const pr_tensor_t *t, const pr_model_spec_t *s, pr_error_t *err)
{
    bool same = t->n_dim == s->n_dim;
    for (int i = 0; same && i < s->n_dim; i++)
        same = t->shape[i] == s->shape[i];
    if (!same) {
        char found[200] = "shape ";
        shape_text(t->shape, t->n_dim, found + 6, sizeof found - 6);
        return wrong_tensor(t->file, t->name, found, s, err);
    }
    if (t->dtype != PR_DTYPE_F32 && t->dtype != PR_DTYPE_F16 && t->dtype != PR_DTYPE_BF16)
        return pr_tensor_unsupported(t, err);
    return PR_OK;
}

// Converts piece by piece and gives the pages back behind it, so that both copies are never resident as a whole.
static pr_status_t convert(loader_t *l, const pr_tensor_t *t, float *out, pr_error_t *err)
{
    size_t width = t->n ? t->bytes / (size_t)t->n : 0;
    for (int64_t at = 0; at < t->n; at += CHUNK) {
        int64_t n = t->n - at < CHUNK ? t->n - at : CHUNK;
        PR_TRY(pr_tensor_read(t, at, n, out + at, err));
        pr_tensor_release_part(l->files, t, (size_t)at * width, (size_t)n * width);
        if (l->share.block)
            pr_shared_block_progress(l->share.block);
    }
    converted += t->n;
    return PR_OK;
}

static void use_mapped(loader_t *l, const pr_model_spec_t *s, const pr_tensor_t *t)
{
    *s->at = (const float *)(const void *)t->data;
    l->mapped = true;
    l->m->bytes += t->bytes;
    l->m->shared_bytes += t->bytes;
}

// Checks a tensor, and converts it to out, or, where that is NULL and it has to be, to a block of its own.
static pr_status_t load_tensor(loader_t *l, const pr_model_spec_t *s, const pr_tensor_t *t, float *out, pr_error_t *err)
{
    if (pr_model_is_mapped(t)) {
        use_mapped(l, s, t);
        PR_TRY(pr_tensor_check_finite(t, 0, t->n, *s->at, err));
    } else {
        if (!out)
            *s->at = out = pr_model_block(l->m, (size_t)t->n);
        if (!out)
            return pr_fail(err, PR_ERR_MEMORY, "%s: tensor '%.200s': no memory for %" PRId64 " floats", t->file,
                           t->name, t->n);
        PR_TRY(convert(l, t, out, err));
    }
    return PR_OK;
}

/* ---- a whole model ---- */

// All of it, the converted into the block that is being made or into memory of this process alone.
static pr_status_t read_whole(loader_t *l, const pr_model_spec_t *spec, const pr_tensor_t *const *tensor, size_t n,
                              pr_error_t *err)
{
    l->m->bytes = l->m->shared_bytes = 0;
    for (size_t i = 0; i < n; i++)
        PR_TRY(load_tensor(l, &spec[i], tensor[i], l->share.block ? pr_model_share_tensor(&l->share, i) : NULL, err));
    return PR_OK;
}

// Points the model at the shared block, which whoever made it has checked, mapped tensors included.
static void use_shared(loader_t *l, const pr_model_spec_t *spec, const pr_tensor_t *const *tensor, size_t n)
{
    l->m->bytes = l->m->shared_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (pr_model_is_mapped(tensor[i])) {
            use_mapped(l, &spec[i], tensor[i]);
            continue;
        }
        *spec[i].at = pr_model_share_tensor(&l->share, i);
        l->m->bytes += (size_t)tensor[i]->n * sizeof(float);
        l->m->shared_bytes += (size_t)tensor[i]->n * sizeof(float);
    }
    l->m->storage->shared = l->share.block;
    l->share.block = NULL;
}

static pr_status_t load_whole(loader_t *l, const pr_model_spec_t *spec, const pr_tensor_t *const *tensor, size_t n,
                              pr_error_t *err)
{
    pr_shared_t got = pr_model_share_open(&l->share, l->dir, &l->config, l->files, tensor, n);
    bool made = got == PR_SHARED_MADE;
    if (got == PR_SHARED_MAKE) {
        PR_TRY(read_whole(l, spec, tensor, n, err));
        made = pr_model_share_publish(&l->share, l->dir, &l->config, l->files);
    }
    if (made) {
        use_shared(l, spec, tensor, n);
        return PR_OK;
    }
    pr_model_share_clear(&l->share);
    return read_whole(l, spec, tensor, n, err);
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

// Constants that older versions saved beside the weights, and the second copy of a tied head.
static bool is_harmless(const pr_model_config_t *c, const char *name)
{
    if (c->arch == PR_ARCH_GPT2 && (ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias")))
        return true;
    return ends_with(name, ".rotary_emb.inv_freq") || (c->tied_head && strcmp(name, "lm_head.weight") == 0);
}

static void warn_unused(const loader_t *l)
{
    size_t count = 0;
    const char *first = NULL;
    for (size_t i = 0; i < pr_safetensors_count(l->files); i++) {
        const pr_tensor_t *t = pr_safetensors_at(l->files, i);
        if (l->used[i] || is_harmless(&l->m->config, t->name))
            continue;
        first = first ? first : t->name;
        count++;
    }
    if (count)
        pr_log(PR_LOG_WARN, "%s: %zu tensors are not part of the model and were not loaded (such as '%.200s')", l->dir,
               count, first);
}

/* ---- the model ---- */

// Values of a part, straight from the mapped file; pages are given back as a tensor is passed.
static pr_status_t read_file(void *self, const pr_model_spec_t *s, size_t first, size_t n, float *out, pr_error_t *err)
{
    loader_t *l = self;
    const pr_tensor_t *t = find_tensor(l, s);
    size_t width = t->bytes / (size_t)t->n, at = first * width;
    PR_TRY(pr_tensor_read(t, (int64_t)first, (int64_t)n, out, err));
    if (t != l->reading || at < l->released) {
        l->reading = t;
        l->released = 0;
    }
    if (at - l->released > CHUNK) {
        pr_tensor_release_part(l->files, t, l->released, at - l->released);
        l->released = at;
    }
    return PR_OK;
}

static pr_status_t load_tensors(loader_t *l, pr_error_t *err)
{
    size_t n;
    pr_status_t status = PR_OK;
    pr_model_spec_t *spec = pr_model_specs(l->m, &n);
    const pr_tensor_t **tensor = pr_alloc(n, sizeof(pr_tensor_t *));
    // All are looked for before the first is converted: a broken file is refused at once.
    for (size_t i = 0; i < n; i++) {
        tensor[i] = find_tensor(l, &spec[i]);
        PR_GO(tensor[i] ? check_tensor(tensor[i], &spec[i], err)
                        : wrong_tensor(l->dir, spec[i].name, "nothing", &spec[i], err));
        l->used[tensor[i] - pr_safetensors_at(l->files, 0)] = true;
    }
    if (l->cols > 1) {
        PR_GO(pr_model_read_part(l->m, spec, n, read_file, l, err));
        goto done;
    }
    PR_GO(load_whole(l, spec, tensor, n, err));
    pr_model_tie(l->m);
done:
    free(tensor);
    free(spec);
    return status;
}

static pr_status_t identify_config(loader_t *l, pr_error_t *err)
{
    char *path = pr_path_join(l->dir, "config.json");
    pr_status_t status = pr_file_id(path, &l->config, err);
    free(path);
    return status;
}

static pr_status_t load(loader_t *l, pr_error_t *err)
{
    pr_status_t identified = identify_config(l, err);
    PR_TRY(pr_model_config_read(l->dir, &l->m->config, err)); // which says best what is wrong
    PR_TRY(identified);
    if (l->cols > 1 && pr_part_check(&l->m->config, l->cols, err) != PR_OK)
        return pr_fail_in(err, "%s", l->dir);
    l->m->part = pr_part(&l->m->config, l->cols, l->col);
    l->m->embed_ld = l->m->config.d_model;
    l->m->layer = pr_alloc((size_t)l->m->config.n_layer, sizeof *l->m->layer);
    PR_TRY(pr_safetensors_open_model(l->dir, &l->files, err));
    l->used = pr_alloc(pr_safetensors_count(l->files), sizeof *l->used);
    PR_TRY(load_tensors(l, err));
    warn_unused(l);
    if (l->mapped) {
        l->m->storage->files = l->files;
        l->files = NULL;
    }
    return PR_OK;
}

pr_model_t *pr_model_new(void)
{
    pr_model_t *m = pr_alloc(1, sizeof *m);
    m->storage = pr_alloc(1, sizeof *m->storage);
    return m;
}

pr_status_t pr_model_load(const char *dir, pr_model_t **out, pr_error_t *err)
{
    return pr_model_load_part(dir, 1, 0, out, err);
}

pr_status_t pr_model_load_part(const char *dir, int cols, int col, pr_model_t **out, pr_error_t *err)
{
    loader_t l = {.dir = dir, .m = pr_model_new(), .cols = cols, .col = col};
    pr_status_t status = load(&l, err);
    pr_model_share_clear(&l.share);
    pr_safetensors_close(&l.files);
    free(l.used);
    if (status == PR_OK)
        *out = l.m;
    else
        pr_model_free(&l.m);
    return status;
}

void pr_model_free(pr_model_t **m)
{
    if (!*m)
        return;
    pr_model_storage_t *s = (*m)->storage;
    for (size_t i = 0; i < s->n_block; i++)
        free(s->block[i]);
    free(s->block);
    pr_shared_block_close(&s->shared);
    pr_safetensors_close(&s->files);
    bool borrows = s->borrows;
    free(s);
    free((*m)->rope_cos);
    free((*m)->rope_sin);
    free((*m)->layer);
    if (!borrows)
        pr_model_config_clear(&(*m)->config);
    free(*m);
    *m = NULL;
}

/* ---- rotary positions ---- */

static void fill_rope(const pr_model_config_t *c, int n_pos, float *cosines, float *sines)
{
    int half = c->head_dim / 2;
    float *freq = pr_alloc((size_t)half, sizeof *freq);
    pr_model_config_rope(c, freq);
    for (int p = 0; p < n_pos; p++)
        for (int i = 0; i < half; i++) {
            size_t at = (size_t)p * (size_t)half + (size_t)i;
            float angle = (float)p * freq[i];
            cosines[at] = (float)cos((double)angle);
            sines[at] = (float)sin((double)angle);
        }
    free(freq);
}

pr_status_t pr_model_rope_reserve(const pr_model_t *model, int n_pos, pr_error_t *err)
{
    enum { LEAST = 256 };
    pr_model_t *m = (pr_model_t *)(uintptr_t)model;
    const pr_model_config_t *c = &m->config;
    if (n_pos > c->max_pos)
        return pr_fail(err, PR_ERR_FORMAT, "a sequence of %d tokens: the model has %d positions", n_pos, c->max_pos);
    if (c->rope == PR_ROPE_NONE || n_pos <= m->storage->rope_len)
        return PR_OK;
    int64_t len = 2 * (int64_t)m->storage->rope_len;
    len = len < LEAST ? LEAST : len;
    len = len < n_pos ? n_pos : len;
    len = len > c->max_pos ? c->max_pos : len;
    size_t size = (size_t)len * (size_t)(c->head_dim / 2);
    float *cosines = pr_alloc_matrix(size, sizeof *cosines), *sines = pr_alloc_matrix(size, sizeof *sines);
    if (!cosines || !sines) {
        free(cosines);
        free(sines);
        return pr_fail(err, PR_ERR_MEMORY, "no memory for the rotary tables of %d positions", n_pos);
    }
    fill_rope(c, (int)len, cosines, sines);
    free(m->rope_cos);
    free(m->rope_sin);
    m->rope_cos = cosines;
    m->rope_sin = sines;
    m->storage->rope_len = (int)len;
    return PR_OK;
}
