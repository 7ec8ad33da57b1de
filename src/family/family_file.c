// SPDX-License-Identifier: BSD-3-Clause
/* A family's files. family.json says what it is:
 *
 *   {"format": 1, "objectives": K, "core": {"type": name, options},
 *    "maps": {"model.layers.0.self_attn.q_proj": {"ranks": [per block .., shared], "scales": [likewise]}, ..}}
 *
 * and family.safetensors holds of every map MODULE.lora_A [R,in], MODULE.lora_B [out,R] and MODULE.core [numbers]. */
#include "base/file.h"
#include "base/mem.h"
#include "family/family.h"
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, MAX_FILE = 64 << 20, NAME = 192, PER_MAP = 3 };

bool pr_family_there(const char *dir)
{
    return pr_file_exists_in(dir, PR_FAMILY_FILE);
}

/* ---- writing ---- */

static json_t *maps_json(const pr_family_t *f, const pr_model_config_t *c)
{
    json_t *maps = json_object();
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_family_map_t *m = &f->map[i];
        char module[128];
        json_t *ranks = json_array(), *scales = json_array();
        for (int b = 0; b <= f->k; b++) {
            json_array_append_new(ranks, json_integer(m->map.first[b + 1] - m->map.first[b]));
            json_array_append_new(scales, pr_json_real((double)m->scale[b]));
        }
        pr_slot_module(c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
        if (pr_core_ranks(&m->map) > 0)
            json_object_set_new(maps, module, json_pack("{s:O, s:O}", "ranks", ranks, "scales", scales));
        json_decref(ranks);
        json_decref(scales);
    }
    return maps;
}

static pr_status_t write_json(const char *dir, const pr_family_t *f, const pr_model_config_t *c, pr_error_t *err)
{
    json_t *core = json_copy(f->options);
    json_object_set_new(core, "type", json_string(f->core->name));
    json_t *root =
        json_pack("{s:i, s:i, s:o, s:o}", "format", FORMAT, "objectives", f->k, "core", core, "maps", maps_json(f, c));
    char *text = pr_json_text(root, JSON_INDENT(2) | JSON_SORT_KEYS), *path = pr_path_join(dir, PR_FAMILY_FILE);
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    json_decref(root);
    return status;
}

/* Tensors of one map, their names into name. */
static size_t map_tensors(const pr_family_t *f, const pr_model_config_t *c, int i, char (*name)[NAME], pr_tensor_t *t)
{
    static const char *const what[PER_MAP] = {"lora_A", "lora_B", "core"};
    const pr_lora_t *l = &f->factors->lora[i];
    const pr_family_map_t *m = &f->map[i];
    char module[128];
    int out, in;
    if (l->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
        return 0;
    pr_slot_module(c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
    const float *data[PER_MAP] = {l->a, l->b, f->data + m->first};
    const int64_t shape[PER_MAP][2] = {{l->r, in}, {out, l->r}, {(int64_t)m->n, 0}};
    size_t n = m->n > 0 ? PER_MAP : PER_MAP - 1;
    for (size_t x = 0; x < n; x++) {
        int64_t count = x < 2 ? shape[x][0] * shape[x][1] : shape[x][0];
        snprintf(name[x], NAME, "%s.%s", module, what[x]);
        t[x] = (pr_tensor_t){.name = name[x],
                             .dtype = PR_DTYPE_F32,
                             .n_dim = x < 2 ? 2 : 1,
                             .shape = {shape[x][0], shape[x][1]},
                             .n = count,
                             .data = (const unsigned char *)data[x],
                             .bytes = (size_t)count * sizeof(float)};
    }
    return n;
}

pr_status_t pr_family_write(const char *dir, const pr_family_t *f, const pr_model_config_t *c, pr_error_t *err)
{
    size_t most = (size_t)c->n_layer * PR_N_SLOT * PER_MAP, n = 0;
    char(*name)[NAME] = pr_alloc(most, sizeof *name);
    pr_tensor_t *t = pr_alloc(most, sizeof *t);
    char *path = pr_path_join(dir, PR_FAMILY_TENSORS);
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++)
        n += map_tensors(f, c, i, name + n, t + n);
    pr_status_t status = pr_mkdirs(dir, err);
    if (status == PR_OK)
        status = pr_safetensors_write(path, t, n, err);
    if (status == PR_OK)
        status = write_json(dir, f, c, err);
    free(path);
    free(name);
    free(t);
    return status;
}

/* ---- reading ---- */

typedef struct reader {
    const char *path; // of the JSON file
    const pr_model_config_t *c;
    const json_t *maps;
    int k;
} reader_t;

static const json_t *map_of(const reader_t *r, int layer, int slot)
{
    char module[128];
    pr_slot_module(r->c, layer, (pr_slot_t)slot, module, sizeof module);
    return json_object_get(r->maps, module);
}

static void lay_read(const void *self, int layer, int slot, pr_family_map_t *m)
{
    const reader_t *r = self;
    const json_t *map = map_of(r, layer, slot);
    for (int b = 0; b <= r->k && map; b++) {
        m->map.first[b + 1] =
            m->map.first[b] + (int)json_integer_value(json_array_get(json_object_get(map, "ranks"), (size_t)b));
        m->scale[b] = (float)json_number_value(json_array_get(json_object_get(map, "scales"), (size_t)b));
    }
}

/* Every map is one of the model's, with a rank and a scale for each block. */
static pr_status_t check_maps(const reader_t *r, pr_error_t *err)
{
    enum { MOST_RANK = 1 << 15 };
    size_t known = 0;
    for (int i = 0; i < r->c->n_layer * PR_N_SLOT; i++) {
        int out, in;
        char module[128];
        const json_t *map =
            pr_slot_shape(r->c, (pr_slot_t)(i % PR_N_SLOT), &out, &in) ? map_of(r, i / PR_N_SLOT, i % PR_N_SLOT) : NULL;
        if (!map)
            continue;
        known++;
        pr_slot_module(r->c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
        const json_t *ranks = json_object_get(map, "ranks"), *scales = json_object_get(map, "scales");
        bool fits = json_array_size(ranks) == (size_t)r->k + 1 && json_array_size(scales) == (size_t)r->k + 1;
        for (int b = 0; b <= r->k && fits; b++) {
            const json_t *rank = json_array_get(ranks, (size_t)b);
            fits = json_is_integer(rank) && json_integer_value(rank) >= 0 && json_integer_value(rank) <= MOST_RANK &&
                   json_is_number(json_array_get(scales, (size_t)b));
        }
        if (!fits)
            return pr_fail(err, PR_ERR_FORMAT, "%s: maps.%s: expected lists ranks and scales of %d numbers", r->path,
                           module, r->k + 1);
    }
    if (known == 0 || known != json_object_size(r->maps))
        return pr_fail(err, PR_ERR_CONFIG, "%s: maps: found %zu, of which this model has %zu", r->path,
                       json_object_size(r->maps), known);
    return PR_OK;
}

static pr_status_t read_tensors(const char *path, pr_family_t *f, const pr_model_config_t *c, pr_error_t *err)
{
    char name[PER_MAP][NAME];
    pr_tensor_t want[PER_MAP];
    pr_safetensors_t *st = NULL;
    size_t used = 0;
    PR_TRY(pr_safetensors_open(path, &st, err));
    pr_status_t status = PR_OK;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        size_t n = map_tensors(f, c, i, name, want);
        for (size_t x = 0; x < n; x++) {
            const pr_tensor_t *t = pr_safetensors_find(st, name[x]);
            if (!t)
                PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%s': missing", path, name[x]));
            if (t->n_dim != want[x].n_dim || t->shape[0] != want[x].shape[0] ||
                (t->n_dim == 2 && t->shape[1] != want[x].shape[1]))
                PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%s': not of the shape that %s says", path, name[x],
                              PR_FAMILY_FILE));
            PR_GO(pr_tensor_read(t, 0, t->n, (float *)(uintptr_t)want[x].data, err));
            used++;
        }
    }
    if (used != pr_safetensors_count(st))
        status =
            pr_fail(err, PR_ERR_FORMAT, "%s: found %zu tensors, expected %zu", path, pr_safetensors_count(st), used);
done:
    pr_safetensors_close(&st);
    return status;
}

static pr_status_t from_json(const char *dir, const json_t *root, const char *path, const pr_model_config_t *c,
                             pr_family_t **out, pr_error_t *err)
{
    int64_t format, k;
    pr_family_t *f = NULL;
    PR_TRY(pr_json_get_int(root, "format", -1, &format, path, err));
    PR_TRY(pr_json_get_int(root, "objectives", 0, &k, path, err));
    if (format != FORMAT || k < 1 || k > PR_MAX_OBJECTIVES)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found format %lld of %lld objectives, expected format %d of 1 to %d",
                       path, (long long)format, (long long)k, FORMAT, PR_MAX_OBJECTIVES);
    reader_t r = {path, c, json_object_get(root, "maps"), (int)k};
    PR_TRY(check_maps(&r, err));
    if (pr_family_allocate(c, r.k, json_object_get(root, "core"), lay_read, &r, &f, err) != PR_OK)
        return pr_fail_in(err, "%s: core", path);
    char *tensors = pr_path_join(dir, PR_FAMILY_TENSORS);
    pr_status_t status = read_tensors(tensors, f, c, err);
    free(tensors);
    if (status == PR_OK)
        *out = f;
    else
        pr_family_free(&f);
    return status;
}

pr_status_t pr_family_read(const char *dir, const pr_model_config_t *c, pr_family_t **out, pr_error_t *err)
{
    char *path = pr_path_join(dir, PR_FAMILY_FILE);
    json_t *root = NULL;
    pr_status_t status = pr_json_load(path, MAX_FILE, &root, err);
    if (status == PR_OK)
        status = from_json(dir, root, path, c, out, err);
    json_decref(root);
    free(path);
    return status;
}
