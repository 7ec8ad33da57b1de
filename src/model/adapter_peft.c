// SPDX-License-Identifier: BSD-3-Clause
/* Reading a PEFT directory. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "model/adapter_targets.h"
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 16 << 20 };

/* Keys that only record how the adapter was trained or where it came from, or that are read elsewhere. */
static const char *const known[] = {
    "alora_invocation_tokens",
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
};

/* Keys that change the function when they hold anything but null, false, {} or []. */
static const char *const must_be_off[] = {
    "alora_invocation_tokens",
    "arrow_config",
    "corda_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "lora_ga_config",
    "megatron_config",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
};

static bool is_off(const json_t *v)
{
    return pr_json_is_none(v) || json_is_false(v) || (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

// Initialisations that also change the base model's weights make an adapter that fits only the changed base.
static pr_status_t check_initialisation(const json_t *root, const char *path, pr_error_t *err)
{
    static const char *const harmless[] = {"gaussian", "eva", "orthogonal", "mica"};
    const json_t *v = json_object_get(root, "init_lora_weights");
    const char *name = json_string_value(v);
    if (pr_json_is_none(v) || json_is_boolean(v))
        return PR_OK;
    for (size_t i = 0; name && i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(name, harmless[i]) == 0)
            return PR_OK;
    return pr_json_unsupported(v, "init_lora_weights", "one that leaves the base model as it is (true, gaussian, ...)",
                               path, err);
}

static bool in_table(const char *const *table, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i], key) == 0)
            return true;
    return false;
}

static void warn_unknown(json_t *root, const char *path)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (!is_off(value) && !in_table(known, sizeof known / sizeof *known, key) &&
            !in_table(must_be_off, sizeof must_be_off / sizeof *must_be_off, key))
            pr_log(PR_LOG_WARN, "%s: key '%.100s' is not known and was ignored", path, key);
    }
}

static pr_status_t check_settings(json_t *root, const char *path, pr_error_t *err)
{
    const char *type, *bias;
    bool flag;
    PR_TRY(pr_json_get_string(root, "peft_type", NULL, &type, path, err));
    PR_TRY(pr_json_get_string(root, "bias", "none", &bias, path, err));
    PR_TRY(pr_json_get_bool(root, "fan_in_fan_out", false, &flag, path, err));
    if (!type)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'peft_type': found nothing, expected \"LORA\"", path);
    if (strcmp(type, "LORA") != 0)
        return pr_json_unsupported(json_object_get(root, "peft_type"), "peft_type", "\"LORA\"", path, err);
    if (strcmp(bias, "none") != 0)
        return pr_json_unsupported(json_object_get(root, "bias"), "bias", "\"none\"", path, err);
    for (size_t i = 0; i < sizeof must_be_off / sizeof *must_be_off; i++)
        if (!is_off(json_object_get(root, must_be_off[i])))
            return pr_json_unsupported(json_object_get(root, must_be_off[i]), must_be_off[i], "null or false", path,
                                       err);
    PR_TRY(check_initialisation(root, path, err));
    warn_unknown(root, path);
    return PR_OK;
}

static pr_status_t read_config(const char *path, const pr_model_config_t *c, pr_adapter_t *a, pr_error_t *err)
{
    json_t *root;
    PR_TRY(pr_json_load(path, MAX_CONFIG_BYTES, &root, err));
    pr_status_t status;
    if (!json_is_object(root))
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", path, pr_json_type_name(root)));
    PR_GO(check_settings(root, path, err));
    PR_GO(pr_adapter_read_targets(root, path, c, a, err));
done:
    json_decref(root);
    return status;
}

/* ---- tensors ---- */

static pr_status_t find_matrix(const pr_safetensors_t *st, const char *path, const char *module, const char *which,
                               int rows, int cols, const pr_tensor_t **out, pr_error_t *err)
{
    char name[256];
    snprintf(name, sizeof name, "base_model.model.%s.%s.weight", module, which);
    const pr_tensor_t *t = pr_safetensors_find(st, name);
    if (!t)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%s': found nothing, expected shape [%d,%d] as adapter_config.json targets it", path,
                       name, rows, cols);
    if (t->n_dim != 2 || t->shape[0] != rows || t->shape[1] != cols)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%s': found shape [%lld,%lld] of %d dimensions, expected [%d,%d]", path, name,
                       t->n_dim > 0 ? (long long)t->shape[0] : 1, t->n_dim > 1 ? (long long)t->shape[1] : 1, t->n_dim,
                       rows, cols);
    *out = t;
    return PR_OK;
}

typedef struct {
    const pr_safetensors_t *st;
    const char *path;
    const pr_model_config_t *c;
    bool *used;
} tensors_t;

/* What is done with the two matrices of an adapted slot. */
typedef pr_status_t (*visit_fn)(const tensors_t *x, const pr_tensor_t *t, float *to, pr_error_t *err);

static pr_status_t visit_all(const tensors_t *x, pr_adapter_t *a, visit_fn visit, pr_error_t *err)
{
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            const pr_tensor_t *ta, *tb;
            char module[128];
            int out, in;
            if (l->r == 0 || !pr_slot_shape(x->c, (pr_slot_t)s, &out, &in))
                continue;
            pr_slot_module(x->c, i, (pr_slot_t)s, module, sizeof module);
            PR_TRY(find_matrix(x->st, x->path, module, "lora_A", l->r, in, &ta, err));
            PR_TRY(find_matrix(x->st, x->path, module, "lora_B", out, l->r, &tb, err));
            PR_TRY(visit(x, ta, l->a, err));
            PR_TRY(visit(x, tb, l->b, err));
        }
    return PR_OK;
}

static pr_status_t mark(const tensors_t *x, const pr_tensor_t *t, float *to, pr_error_t *err)
{
    (void)err, (void)to;
    x->used[t - pr_safetensors_at(x->st, 0)] = true;
    return PR_OK;
}

static pr_status_t copy(const tensors_t *x, const pr_tensor_t *t, float *to, pr_error_t *err)
{
    (void)x;
    return pr_tensor_read(t, 0, t->n, to, err);
}

static pr_status_t check_all_used(const tensors_t *x, pr_error_t *err)
{
    for (size_t i = 0; i < pr_safetensors_count(x->st); i++)
        if (!x->used[i])
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s: tensor '%.300s': found it, expected none of that name as adapter_config.json does not "
                           "target such a linear map of this %s model",
                           x->path, pr_safetensors_at(x->st, i)->name, pr_arch_name(x->c->arch));
    return PR_OK;
}

// The shapes are checked before memory is taken for what the configuration claims.
static pr_status_t read_tensors(const char *path, const pr_model_config_t *c, pr_adapter_t *a, pr_error_t *err)
{
    pr_safetensors_t *st;
    pr_status_t status;
    PR_TRY(pr_safetensors_open(path, &st, err));
    tensors_t x = {st, path, c, pr_alloc(pr_safetensors_count(st), sizeof *x.used)};
    PR_GO(visit_all(&x, a, mark, err));
    PR_GO(check_all_used(&x, err));
    PR_GO(pr_adapter_allocate(a, c, err));
    PR_GO(visit_all(&x, a, copy, err));
done:
    free(x.used);
    pr_safetensors_close(&st);
    return status;
}

static pr_status_t check_present(const char *dir, const char *tensors, pr_error_t *err)
{
    char *old = pr_path_join(dir, "adapter_model.bin");
    bool only_old = !pr_file_exists(tensors) && pr_file_exists(old);
    free(old);
    if (only_old)
        return pr_fail(err, PR_ERR_UNSUPPORTED,
                       "%s: found adapter_model.bin, expected adapter_model.safetensors (convert it with peft's "
                       "save_pretrained)",
                       dir);
    return PR_OK;
}

pr_status_t pr_adapter_read(const char *dir, const pr_model_config_t *c, pr_adapter_t **out, pr_error_t *err)
{
    char *config = pr_path_join(dir, "adapter_config.json"), *tensors = pr_path_join(dir, "adapter_model.safetensors");
    pr_adapter_t *a = pr_adapter_empty(c);
    pr_status_t status;
    PR_GO(read_config(config, c, a, err));
    PR_GO(check_present(dir, tensors, err));
    PR_GO(read_tensors(tensors, c, a, err));
    *out = a;
    a = NULL;
done:
    pr_adapter_free(&a);
    free(config);
    free(tensors);
    return status;
}
