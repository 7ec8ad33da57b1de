// SPDX-License-Identifier: BSD-3-Clause
/* Writing a PEFT directory. The keys are those that every PEFT since 0.9 takes: an older one refuses keys it does not
 * know, and a newer one fills in what is missing. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

static void add_matrix(pr_tensor_t *t, const char *module, const char *which, int rows, int cols, const float *data)
{
    pr_buf_t name = {0};
    pr_buf_printf(&name, "base_model.model.%s.%s.weight", module, which);
    *t = (pr_tensor_t){.name = name.data,
                       .dtype = PR_DTYPE_F32,
                       .n_dim = 2,
                       .shape = {rows, cols},
                       .n = (int64_t)rows * cols,
                       .data = (const unsigned char *)data};
}

static pr_status_t write_tensors(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c,
                                 const json_t *metadata, pr_error_t *err)
{
    pr_tensor_t *t = pr_alloc(2 * (size_t)a->n_layer * PR_N_SLOT, sizeof *t);
    size_t n = 0;
    int out, in;
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            char module[128];
            const pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            if (l->r == 0 || !pr_slot_shape(c, (pr_slot_t)s, &out, &in))
                continue;
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            add_matrix(&t[n++], module, "lora_A", l->r, in, l->a);
            add_matrix(&t[n++], module, "lora_B", out, l->r, l->b);
        }
    char *path = pr_path_join(dir, "adapter_model.safetensors");
    pr_status_t status = pr_safetensors_write_with(path, t, n, metadata, err);
    free(path);
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)t[i].name);
    free(t);
    return status;
}

/* ---- configuration ---- */

static json_t *number(double v)
{
    return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : pr_json_real(v);
}

static bool same_setting(const pr_lora_t *x, const pr_lora_t *y)
{
    return x->r == y->r && x->alpha == y->alpha;
}

// The setting that most slots have becomes r and lora_alpha, so that the patterns stay short.
static const pr_lora_t *usual(const pr_adapter_t *a)
{
    const pr_lora_t *best = NULL;
    size_t best_count = 0, n = (size_t)a->n_layer * PR_N_SLOT;
    for (size_t i = 0; i < n && i < 2 * PR_N_SLOT; i++) {
        size_t count = 0;
        for (size_t j = 0; a->lora[i].r && j < n; j++)
            count += same_setting(&a->lora[i], &a->lora[j]);
        if (count > best_count) {
            best = &a->lora[i];
            best_count = count;
        }
    }
    for (size_t i = 0; i < n && !best; i++)
        best = a->lora[i].r ? &a->lora[i] : NULL;
    return best;
}

// Are the same slots adapted in every layer?
static bool is_uniform(const pr_adapter_t *a)
{
    for (int i = 1; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++)
            if (!pr_adapter_at(a, i, (pr_slot_t)s)->r != !pr_adapter_at(a, 0, (pr_slot_t)s)->r)
                return false;
    return true;
}

// "q_proj"; but "attn.c_proj" where GPT-2's other c_proj is not adapted.
static const char *short_name(const pr_adapter_t *a, const pr_model_config_t *c, pr_slot_t slot)
{
    const char *path = pr_slot_path(c, slot);
    bool both = pr_adapter_at(a, 0, PR_SLOT_O)->r && pr_adapter_at(a, 0, PR_SLOT_DOWN)->r;
    bool shared = c->arch == PR_ARCH_GPT2 && (slot == PR_SLOT_O || slot == PR_SLOT_DOWN);
    return shared && !both ? path : strrchr(path, '.') + 1;
}

static json_t *short_targets(const pr_adapter_t *a, const pr_model_config_t *c)
{
    json_t *list = json_array();
    for (int s = 0; s < PR_N_SLOT; s++) {
        bool twin = c->arch == PR_ARCH_GPT2 && s == PR_SLOT_DOWN && pr_adapter_at(a, 0, PR_SLOT_O)->r;
        if (pr_adapter_at(a, 0, (pr_slot_t)s)->r && !twin)
            json_array_append_new(list, json_string(short_name(a, c, (pr_slot_t)s)));
    }
    return list;
}

/* Full names of the adapted modules: as target list, rank_pattern and alpha_pattern. */
typedef struct {
    json_t *targets, *ranks, *alphas;
} named_t;

static named_t name_modules(const pr_adapter_t *a, const pr_model_config_t *c, const pr_lora_t *dflt)
{
    named_t x = {json_array(), json_object(), json_object()};
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            char module[128];
            const pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            if (l->r == 0)
                continue;
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            json_array_append_new(x.targets, json_string(module));
            if (l->r != dflt->r)
                json_object_set_new(x.ranks, module, json_integer(l->r));
            if (l->alpha != dflt->alpha)
                json_object_set_new(x.alphas, module, number((double)l->alpha));
        }
    return x;
}

static json_t *config_object(const pr_adapter_t *a, const pr_model_config_t *c, const char *base, const pr_lora_t *dflt)
{
    named_t x = name_modules(a, c, dflt);
    json_t *targets = is_uniform(a) ? short_targets(a, c) : json_incref(x.targets);
    json_t *root = json_object();
    json_object_set_new(root, "alpha_pattern", x.alphas);
    json_object_set_new(root, "auto_mapping", json_null());
    json_object_set_new(root, "base_model_name_or_path", base ? json_string(base) : json_null());
    json_object_set_new(root, "bias", json_string("none"));
    json_object_set_new(root, "fan_in_fan_out", json_boolean(c->arch == PR_ARCH_GPT2));
    json_object_set_new(root, "inference_mode", json_true());
    json_object_set_new(root, "init_lora_weights", json_true());
    json_object_set_new(root, "layers_pattern", json_null());
    json_object_set_new(root, "layers_to_transform", json_null());
    json_object_set_new(root, "loftq_config", json_object());
    json_object_set_new(root, "lora_alpha", number((double)dflt->alpha));
    json_object_set_new(root, "lora_dropout", pr_json_real(0.0));
    json_object_set_new(root, "megatron_config", json_null());
    json_object_set_new(root, "megatron_core", json_string("megatron.core"));
    json_object_set_new(root, "modules_to_save", json_null());
    json_object_set_new(root, "peft_type", json_string("LORA"));
    json_object_set_new(root, "r", json_integer(dflt->r));
    json_object_set_new(root, "rank_pattern", x.ranks);
    json_object_set_new(root, "revision", json_null());
    json_object_set_new(root, "target_modules", targets);
    json_object_set_new(root, "task_type", json_string(c->n_label ? "SEQ_CLS" : "CAUSAL_LM"));
    json_object_set_new(root, "use_dora", json_false());
    json_object_set_new(root, "use_rslora", json_boolean(a->rslora));
    json_decref(x.targets);
    return root;
}

static pr_status_t write_config(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c, const char *base,
                                const pr_lora_t *dflt, pr_error_t *err)
{
    json_t *root = config_object(a, c, base, dflt);
    char *text = pr_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    char *path = pr_path_join(dir, "adapter_config.json");
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    json_decref(root);
    return status;
}

pr_status_t pr_adapter_write(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c, const char *base,
                             pr_error_t *err)
{
    return pr_adapter_write_with(dir, a, c, base, NULL, err);
}

pr_status_t pr_adapter_write_with(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c, const char *base,
                                  const json_t *metadata, pr_error_t *err)
{
    const pr_lora_t *dflt = usual(a);
    if (!dflt)
        return pr_fail(err, PR_ERR_CONFIG, "%s: an adapter that adapts nothing cannot be written", dir);
    PR_TRY(pr_mkdirs(dir, err));
    PR_TRY(write_tensors(dir, a, c, metadata, err));
    return write_config(dir, a, c, base, dflt, err);
}
