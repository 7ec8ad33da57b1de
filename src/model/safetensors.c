// SPDX-License-Identifier: BSD-3-Clause
#include "model/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/safetensors_parse.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    char *path;
    pr_map_t map;
} file_t;

struct pr_safetensors {
    file_t *file;
    size_t n_file;
    pr_tensor_t *tensor; // sorted by name
    size_t n_tensor;
    json_t *metadata;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const pr_tensor_t *)a)->name, ((const pr_tensor_t *)b)->name);
}

// Maps one more file and takes in its tensors, unsorted.
static pr_status_t add_file(pr_safetensors_t *st, const char *path, pr_error_t *err)
{
    pr_map_t map;
    PR_TRY(pr_map_open(path, &map, err));
    st->file = pr_realloc(st->file, st->n_file + 1, sizeof *st->file);
    file_t *f = &st->file[st->n_file++];
    *f = (file_t){pr_strdup(path), map};
    if (!st->metadata)
        st->metadata = json_object();
    return pr_safetensors_parse(f->path, &f->map, &st->tensor, &st->n_tensor, st->metadata, err);
}

static pr_status_t sort_and_check(pr_safetensors_t *st, pr_error_t *err)
{
    if (st->n_tensor)
        qsort(st->tensor, st->n_tensor, sizeof *st->tensor, by_name);
    for (size_t i = 1; i < st->n_tensor; i++)
        if (strcmp(st->tensor[i - 1].name, st->tensor[i].name) == 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s' is also in %s, expected it once",
                           st->tensor[i].file, st->tensor[i].name, st->tensor[i - 1].file);
    return PR_OK;
}

pr_status_t pr_safetensors_open(const char *path, pr_safetensors_t **out, pr_error_t *err)
{
    pr_safetensors_t *st = pr_alloc(1, sizeof *st);
    pr_status_t status = add_file(st, path, err);
    if (status == PR_OK)
        status = sort_and_check(st, err);
    if (status == PR_OK)
        *out = st;
    else
        pr_safetensors_close(&st);
    return status;
}

static bool is_shard_name(const char *name)
{
    static const char suffix[] = ".safetensors";
    size_t n = strlen(name), m = sizeof suffix - 1;
    return n > m && strcmp(name + n - m, suffix) == 0 && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

// The distinct shard names of a weight map, sorted; the strings belong to the map.
static pr_status_t shard_names(const char *index, json_t *weight_map, json_t **names, pr_error_t *err)
{
    const char *tensor;
    json_t *file, *set = json_object();
    json_object_foreach(weight_map, tensor, file)
    {
        const char *name = json_string_value(file);
        if (!name || strlen(name) != json_string_length(file) || !is_shard_name(name)) {
            json_decref(set);
            return pr_fail(
                err, PR_ERR_FORMAT,
                "%s: weight_map: tensor '%.200s': found %s '%.200s', expected the name of a .safetensors file "
                "in the same directory",
                index, tensor, pr_json_type_name(file), name ? name : "");
        }
        json_object_set(set, name, file);
    }
    *names = set;
    return PR_OK;
}

static pr_status_t add_shards(pr_safetensors_t *st, const char *dir, const char *index, const json_t *names,
                              pr_error_t *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)names, name, value)
    {
        char *path = pr_path_join(dir, name);
        pr_status_t status = add_file(st, path, err);
        free(path);
        if (status != PR_OK)
            return pr_fail_in(err, "%s: weight_map", index);
    }
    return PR_OK;
}

// Every tensor of the index must be in the file that the index says.
static pr_status_t check_index(const pr_safetensors_t *st, const char *index, json_t *weight_map, pr_error_t *err)
{
    const char *name;
    json_t *file;
    json_object_foreach(weight_map, name, file)
    {
        const pr_tensor_t *t = pr_safetensors_find(st, name);
        const char *base = t ? strrchr(t->file, '/') : NULL;
        base = base ? base + 1 : t ? t->file : NULL;
        if (!t || strcmp(base, json_string_value(file)) != 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s: weight_map: tensor '%.200s': found it in %s, expected it in '%s'",
                           index, name, base ? base : "no file", json_string_value(file));
    }
    return PR_OK;
}

static pr_status_t open_sharded(const char *dir, const char *index, pr_safetensors_t **out, pr_error_t *err)
{
    json_t *root = NULL, *names = NULL;
    pr_safetensors_t *st = pr_alloc(1, sizeof *st);
    pr_status_t status;
    PR_GO(pr_json_load(index, (size_t)1 << 28, &root, err));
    json_t *weight_map = json_object_get(root, "weight_map");
    if (!json_is_object(weight_map) || json_object_size(weight_map) == 0)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: key 'weight_map': found %s, expected an object {tensor: file}", index,
                      json_is_object(weight_map) ? "an empty object" : pr_json_type_name(weight_map)));
    PR_GO(shard_names(index, weight_map, &names, err));
    PR_GO(add_shards(st, dir, index, names, err));
    PR_GO(sort_and_check(st, err));
    PR_GO(check_index(st, index, weight_map, err));
    *out = st;
    st = NULL;
done:
    pr_safetensors_close(&st);
    json_decref(names);
    json_decref(root);
    return status;
}

static pr_status_t no_weights(const char *dir, pr_error_t *err)
{
    static const char *const other[] = {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5",
                                        "flax_model.msgpack"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char *path = pr_path_join(dir, other[i]);
        bool there = pr_file_exists(path);
        free(path);
        if (there)
            return pr_fail(err, PR_ERR_UNSUPPORTED,
                           "%s: found %s, expected model.safetensors (convert it with "
                           "transformers' save_pretrained)",
                           dir, other[i]);
    }
    return pr_fail(err, PR_ERR_NOT_FOUND, "%s: found neither model.safetensors nor model.safetensors.index.json", dir);
}

pr_status_t pr_safetensors_open_model(const char *dir, pr_safetensors_t **out, pr_error_t *err)
{
    char *single = pr_path_join(dir, "model.safetensors");
    char *index = pr_path_join(dir, "model.safetensors.index.json");
    pr_status_t status;
    if (pr_file_exists(single))
        status = pr_safetensors_open(single, out, err);
    else if (pr_file_exists(index))
        status = open_sharded(dir, index, out, err);
    else
        status = no_weights(dir, err);
    free(single);
    free(index);
    return status;
}

void pr_safetensors_close(pr_safetensors_t **st)
{
    if (!*st)
        return;
    for (size_t i = 0; i < (*st)->n_tensor; i++)
        free((void *)(uintptr_t)(*st)->tensor[i].name);
    for (size_t i = 0; i < (*st)->n_file; i++) {
        pr_map_close(&(*st)->file[i].map);
        free((*st)->file[i].path);
    }
    json_decref((*st)->metadata);
    free((*st)->tensor);
    free((*st)->file);
    free(*st);
    *st = NULL;
}

size_t pr_safetensors_count(const pr_safetensors_t *st)
{
    return st->n_tensor;
}

const pr_tensor_t *pr_safetensors_at(const pr_safetensors_t *st, size_t i)
{
    return &st->tensor[i];
}

const pr_tensor_t *pr_safetensors_find(const pr_safetensors_t *st, const char *name)
{
    pr_tensor_t key = {.name = name};
    return st->n_tensor ? bsearch(&key, st->tensor, st->n_tensor, sizeof *st->tensor, by_name) : NULL;
}

const char *pr_safetensors_metadata(const pr_safetensors_t *st, const char *key)
{
    return json_string_value(json_object_get(st->metadata, key));
}

size_t pr_safetensors_files(const pr_safetensors_t *st)
{
    return st->n_file;
}

const char *pr_safetensors_file(const pr_safetensors_t *st, size_t i, pr_file_id_t *id)
{
    *id = st->file[i].map.id;
    return st->file[i].path;
}

size_t pr_safetensors_bytes(const pr_safetensors_t *st)
{
    size_t bytes = 0;
    for (size_t i = 0; i < st->n_file; i++)
        bytes += st->file[i].map.len;
    return bytes;
}

void pr_tensor_release_part(const pr_safetensors_t *st, const pr_tensor_t *t, size_t offset, size_t len)
{
    const unsigned char *p = t->data + offset;
    for (size_t i = 0; i < st->n_file; i++) {
        const pr_map_t *map = &st->file[i].map;
        if (strcmp(st->file[i].path, t->file) == 0) {
            pr_map_release(map, (size_t)(p - map->data), len);
            return;
        }
    }
}
