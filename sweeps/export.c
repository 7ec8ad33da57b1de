// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/export.h"
#include "base/file.h"
#include "base/tree.h"
#include "model/model_write.h"
#include "report/text.h"
#include "sweeps/export_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which form ---- */

pr_status_t pr_export_form(const pr_taken_t *t, const char *name, int rank, pr_export_form_t *out, pr_error_t *err)
{
    static const char *const forms[] = {"lora", "model", "parts"};
    pr_mix_kind_t kind = pr_taken_kind(t);
    bool one = kind == PR_MIX_ADAPTER, dense = kind == PR_MIX_DENSE;
    *out = one || rank > 0 ? PR_FORM_LORA : dense ? PR_FORM_MODEL : PR_FORM_PARTS;
    for (int i = 0; name && i < 3; i++)
        if (strcmp(name, forms[i]) == 0)
            *out = (pr_export_form_t)i;
    if (rank > 0 && *out != PR_FORM_LORA)
        return pr_fail(err, PR_ERR_USAGE, "--rank: found beside --as %s, expected --as lora", forms[*out]);
    if (t->spec.n == 0 && *out != PR_FORM_MODEL)
        return pr_fail(err, PR_ERR_USAGE, "this policy is the base model, which is no adapter; --as model writes it");
    if (one && *out == PR_FORM_PARTS)
        return pr_fail(err, PR_ERR_USAGE, "--as parts: this policy is one adapter; expected lora or model");
    if (dense && *out == PR_FORM_PARTS)
        return pr_fail(err, PR_ERR_USAGE,
                       "--as parts: mix %s merges its parts into other weights of the model; expected model, or lora "
                       "with --rank",
                       t->spec.mix->name);
    if (dense && *out == PR_FORM_LORA && rank == 0)
        return pr_fail(err, PR_ERR_USAGE,
                       "--as lora: mix %s makes a change that no rank holds exactly; expected --rank R, or --as model",
                       t->spec.mix->name);
    if (one || dense || *out == PR_FORM_PARTS || t->spec.n == 0)
        return PR_OK;
    char *reason = pr_export_reason(t);
    pr_fail(err, PR_ERR_USAGE, "--as %s: %s; --as parts writes its adapters with what combines them", forms[*out],
            reason);
    free(reason);
    return PR_ERR_USAGE;
}

/* ---- where it goes ---- */

/* What tells a form from the others. */
static const struct {
    const char *what, *file[2];
} marks[] = {[PR_FORM_LORA] = {"an adapter", {"adapter_model.safetensors", "adapter_config.json"}},
             [PR_FORM_MODEL] = {"a model", {"model.safetensors", "config.json"}},
             [PR_FORM_PARTS] = {"a policy of several adapters", {PR_EXPORT_POLICY, PR_EXPORT_POLICY}}};

static pr_status_t check_target(pr_export_form_t form, const char *out, bool force, pr_error_t *err)
{
    for (int i = 0; i < 3; i++) {
        if (!pr_file_exists_in(out, marks[i].file[0]) && !pr_file_exists_in(out, marks[i].file[1]))
            continue;
        if (i != (int)form)
            return pr_fail(err, PR_ERR_USAGE,
                           "%s: holds %s, among whose files this would lie; expected another directory", out,
                           marks[i].what);
        if (!force)
            return pr_fail(err, PR_ERR_USAGE, "%s: holds %s; --force overwrites it", out, marks[i].what);
    }
    return PR_OK;
}

/* ---- what is written ---- */

/* What is known of it, as texts. New reference. */
static json_t *metadata_of(const pr_taken_t *t)
{
    json_t *m = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)pr_taken_about(t), key, value)
    {
        pr_buf_t name = {0};
        char *text = json_is_string(value) ? pr_strdup(json_string_value(value))
                                           : pr_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
        pr_buf_printf(&name, "paretorank.%s", key);
        json_object_set_new(m, name.data, json_string(text));
        pr_buf_free(&name);
        free(text);
    }
    return m;
}

static pr_status_t write_text(const char *dir, const char *name, char *text, pr_error_t *err)
{
    char *path = pr_path_join(dir, name);
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    return status;
}

static void name_maps(const pr_model_config_t *model, pr_exported_t *told)
{
    char name[128];
    int out, in;
    told->maps = model->n_layer * PR_N_SLOT;
    told->loss = pr_alloc((size_t)told->maps, sizeof *told->loss);
    told->module = pr_alloc((size_t)told->maps, sizeof *told->module);
    for (int i = 0; i < told->maps; i++)
        if (pr_slot_shape(model, (pr_slot_t)(i % PR_N_SLOT), &out, &in)) {
            pr_slot_module(model, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), name, sizeof name);
            told->module[i] = pr_strdup(name);
        }
}

double pr_exported_loss(const pr_exported_t *e)
{
    double lost = 0, whole = 0;
    for (int i = 0; i < e->maps; i++) {
        lost += e->loss[i].lost;
        whole += e->loss[i].whole;
    }
    return whole > 0 ? sqrt(lost / whole) : 0;
}

void pr_exported_clear(pr_exported_t *e)
{
    for (int i = 0; i < e->maps; i++)
        free(e->module[i]);
    free(e->module);
    free(e->loss);
    *e = (pr_exported_t){.parts = 0};
}

/* The adapter with as few ranks as hold the same, or with so many at most. */
static pr_status_t make_adapter(const pr_config_t *c, const pr_taken_t *t, int rank, const pr_model_config_t *model,
                                pr_adapter_t **out, pr_exported_t *told, pr_error_t *err)
{
    PR_TRY(pr_taken_adapter(c, t, model, out, err));
    told->sum = pr_adapter_rank(*out);
    if (t->spec.n > 1) // one alone stays what it is
        PR_TRY(pr_adapter_reduce(out, model, err));
    if (rank > 0) {
        name_maps(model, told);
        PR_TRY(pr_adapter_truncate(out, model, rank, told->loss, err));
    }
    told->rank = pr_adapter_rank(*out);
    return PR_OK;
}

/* Of a policy that is other weights of the model. */
static pr_status_t write_dense(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, int rank,
                               const pr_model_config_t *model, const char *dir, const json_t *metadata,
                               pr_exported_t *told, pr_error_t *err)
{
    pr_merged_t *merged = NULL;
    pr_adapter_t *adapter = NULL;
    pr_status_t status;
    PR_GO(pr_taken_merged(c, t, model, &merged, err));
    const pr_delta_t *delta = pr_merged_delta(merged);
    if (form == PR_FORM_MODEL) {
        status = pr_model_write_changed(c->model, model, delta, dir, metadata, &told->rounding, err);
        goto done;
    }
    if (delta->of_weights)
        PR_GO(pr_fail(err, PR_ERR_UNSUPPORTED,
                      "--as lora: with space = \"weights\" mix %s changes whole weights; expected --as model",
                      t->spec.mix->name));
    name_maps(model, told);
    PR_GO(pr_delta_truncate(delta, model, rank, told->loss, &adapter, err));
    told->sum = told->rank = pr_adapter_rank(adapter);
    status = pr_adapter_write_with(dir, adapter, model, c->model_name, metadata, err);
done:
    pr_adapter_free(&adapter);
    pr_merged_free(&merged);
    return status;
}

static pr_status_t write_one(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, int rank,
                             const pr_model_config_t *model, const char *dir, pr_exported_t *told, pr_error_t *err)
{
    pr_adapter_t *adapter = NULL;
    json_t *metadata = metadata_of(t);
    pr_status_t status = PR_OK;
    if (t->spec.n > 0 && pr_taken_kind(t) == PR_MIX_DENSE) {
        status = write_dense(c, t, form, rank, model, dir, metadata, told, err);
        goto done;
    }
    if (t->spec.n > 0)
        PR_GO(make_adapter(c, t, rank, model, &adapter, told, err));
    status = form == PR_FORM_LORA
                 ? pr_adapter_write_with(dir, adapter, model, c->model_name, metadata, err)
                 : pr_model_write_merged(c->model, model, adapter, dir, metadata, &told->rounding, err);
done:
    pr_adapter_free(&adapter);
    json_decref(metadata);
    return status;
}

static pr_status_t write_part(const pr_taken_t *t, int i, const char *dir, pr_error_t *err)
{
    static const char *const files[] = {"adapter_config.json", "adapter_model.safetensors"};
    char *folder = pr_export_part_folder(t, i), *relative = pr_path_join(PR_EXPORT_PARTS, folder),
         *part = pr_path_join(dir, relative);
    pr_status_t status = pr_mkdirs(part, err);
    for (int f = 0; f < 2 && status == PR_OK; f++) {
        char *from = pr_path_join(t->part[i].dir, files[f]), *to = pr_path_join(part, files[f]);
        status = pr_tree_copy(from, to, err);
        free(from);
        free(to);
    }
    free(folder);
    free(relative);
    free(part);
    return status;
}

/* {"format": 1, "mix", "mix_options", "parts": [{"adapter": folder, "coefficient"}], "from": pr_taken_about}. */
static pr_status_t write_policy(const pr_taken_t *t, const char *dir, pr_error_t *err)
{
    json_t *parts = json_array();
    for (int i = 0; i < t->spec.n; i++) {
        char *folder = pr_export_part_folder(t, i), *relative = pr_path_join(PR_EXPORT_PARTS, folder);
        json_array_append_new(parts, json_pack("{s:s, s:o}", "adapter", relative, "coefficient",
                                               pr_json_real(t->spec.part[i].coefficient[0])));
        free(folder);
        free(relative);
    }
    json_t *v = json_pack("{s:i, s:s, s:o, s:o, s:O}", "format", 1, "mix", t->spec.mix->name, "mix_options",
                          t->spec.options ? json_incref(t->spec.options) : json_object(), "parts", parts, "from",
                          pr_taken_about(t));
    char *path = pr_path_join(dir, PR_EXPORT_POLICY);
    pr_status_t status = pr_text_json_write(path, v, 2, err);
    free(path);
    json_decref(v);
    return status;
}

static pr_status_t write_parts(const pr_taken_t *t, const char *python, const char *dir, pr_error_t *err)
{
    for (int i = 0; i < t->spec.n; i++)
        PR_TRY(write_part(t, i, dir, err));
    if (python)
        PR_TRY(write_text(dir, PR_EXPORT_PROCESSOR, pr_export_processor(t, python), err));
    return write_policy(t, dir, err);
}

static pr_status_t write_all(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, int rank,
                             const char *dir, pr_exported_t *told, pr_error_t *err)
{
    pr_model_config_t model = {0};
    pr_mix_plan_t plan;
    const char *python = NULL;
    pr_status_t status = pr_model_config_read(c->model, &model, err);
    if (status != PR_OK)
        return status;
    PR_GO(pr_mkdirs(dir, err));
    if (form == PR_FORM_PARTS) {
        PR_GO(pr_mix_plan(t->spec.mix, t->spec.options, &model, &plan, err));
        python = t->spec.mix->python ? t->spec.mix->python(&plan, &model) : NULL;
        told->processor = python != NULL;
        PR_GO(write_parts(t, python, dir, err));
    } else {
        PR_GO(write_one(c, t, form, rank, &model, dir, told, err));
        char *recipe = form == PR_FORM_MODEL ? pr_export_mergekit(c, t, &model) : NULL;
        if (recipe)
            PR_GO(write_text(dir, PR_EXPORT_MERGEKIT, recipe, err));
    }
    status = write_text(dir, "README.md", pr_export_card(c, t, form, python, told), err);
done:
    pr_model_config_clear(&model);
    return status;
}

pr_status_t pr_export(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, int rank, const char *out,
                      bool force, pr_exported_t *told, pr_error_t *err)
{
    *told = (pr_exported_t){.parts = t->spec.n};
    PR_TRY(check_target(form, out, force, err));
    char *tmp = pr_tree_beside(out);
    pr_status_t status = write_all(c, t, form, rank, tmp, told, err);
    if (status == PR_OK)
        status = pr_tree_put(tmp, out, err);
    if (status != PR_OK)
        pr_tree_remove(tmp);
    free(tmp);
    return status;
}
