#include "jobs/identity.h"
#include "base/file.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "objective/objective.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* Hashes the named files' hashes; a missing optional file counts as "-". */
static pr_status_t hash_files(const char *dir, const char *const *name, size_t n, char out[PR_HASH_HEX],
                              pr_error_t *err)
{
    pr_buf_t all = {0};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        char hex[PR_HASH_HEX] = "-";
        char *path = pr_path_join(dir, name[i]);
        if (pr_file_exists(path))
            status = pr_hash_file(path, hex, err);
        pr_buf_printf(&all, "%s %s\n", name[i], hex);
        free(path);
    }
    if (status == PR_OK)
        pr_hash_hex(all.data, all.len, out);
    pr_buf_free(&all);
    return status;
}

pr_status_t pr_adapter_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err)
{
    static const char *const files[] = {"adapter_config.json", "adapter_model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char *path = pr_path_join(dir, files[i]);
        bool there = pr_file_exists(path);
        free(path);
        if (!there)
            return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no %s in this directory", dir, files[i]);
    }
    return hash_files(dir, files, 2, out, err);
}

pr_status_t pr_model_dir_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err)
{
    char *pattern = pr_path_join(dir, "*.safetensors");
    glob_t found = {0};
    int rc = glob(pattern, 0, NULL, &found); // in order of name
    free(pattern);
    if (rc != 0 && rc != GLOB_NOMATCH)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot list the directory", dir);
    if (rc == GLOB_NOMATCH)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no model here (no *.safetensors)", dir);
    const char **name = pr_alloc(found.gl_pathc + 4, sizeof *name);
    size_t n = 0;
    name[n++] = "config.json";
    name[n++] = "generation_config.json";
    name[n++] = "tokenizer.json";
    name[n++] = "model.safetensors.index.json";
    for (size_t i = 0; i < found.gl_pathc; i++)
        name[n++] = strrchr(found.gl_pathv[i], '/') + 1;
    pr_status_t status = hash_files(dir, name, n, out, err);
    free(name);
    globfree(&found);
    return status;
}

static pr_status_t objective_identity(const pr_objective_config_t *o, const char *dir, json_t **out, pr_error_t *err)
{
    json_t *resolved = NULL;
    PR_TRY(pr_objective_resolve(o->name, o->type, o->options, dir, &resolved, err));
    pr_status_t status = pr_objective_identity(o->type, resolved, dir, out, err);
    json_decref(resolved);
    return status;
}

/* Heads, as experts, of other results directories are to be what those sweeps made. */
static pr_status_t check_head(const pr_config_t *c, const pr_objective_config_t *o, pr_error_t *err)
{
    bool known;
    const char *head = json_string_value(json_object_get(o->options, "head"));
    if (!head || strcmp(o->type, "linear_head") != 0)
        return PR_OK;
    char *path = pr_path_join(c->dir, head);
    pr_status_t status = pr_artifact_check(path, &known, err);
    free(path);
    return status;
}

pr_status_t pr_inputs_read(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    pr_inputs_t in = {.config = pr_config_json(c)};
    PR_GO(pr_model_dir_hash(c->model, in.model, err));
    if (c->train_prompts) // not needed when every objective brings its expert
        PR_GO(pr_hash_file(c->train_prompts, in.train, err));
    PR_GO(pr_hash_file(c->eval_prompts, in.eval, err));
    for (int k = 0; k < c->n_objectives; k++) {
        if (c->objective[k].adapter)
            PR_GO(pr_artifact_adapter_hash(c->objective[k].adapter, in.adapter[k], err));
        PR_GO(check_head(c, &c->objective[k], err));
        PR_GO(objective_identity(&c->objective[k], c->dir, &in.objective[k], err));
    }
done:
    if (status == PR_OK)
        *out = in;
    else
        pr_inputs_clear(&in);
    return status;
}

void pr_inputs_clear(pr_inputs_t *in)
{
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++)
        json_decref(in->objective[k]);
    json_decref(in->config);
    *in = (pr_inputs_t){0};
}

/* A part of the configuration that a kind of job depends on, as pr_config_json has it, without what says how it is
 * done: how many ranks share a job, what goes through a model at once and how often it is saved. That changes nothing
 * but the rounding (which may flip a sampled token), so that a sweep can be continued with other teams and in less
 * memory. New reference. */
static json_t *config_part(const pr_inputs_t *in, const char *key)
{
    static const char *const how[] = {"team", "micro_tokens", "streams", "checkpoint_every"};
    json_t *part = json_deep_copy(json_object_get(in->config, key));
    for (size_t i = 0; i < sizeof how / sizeof *how && json_is_object(part); i++)
        json_object_del(part, how[i]);
    return part ? part : json_null();
}

/* What an objective's head depends on besides the model. New reference. */
static json_t *fit_inputs(const pr_inputs_t *in, int objective)
{
    json_t *fit = json_deep_copy(json_object_get(in->objective[objective], "options"));
    json_object_del(fit, "transform");
    return fit;
}

/* How many objectives before this one would have the same head; each has a file of its own. */
static int earlier_fits(const pr_config_t *c, const pr_inputs_t *in, int objective)
{
    json_t *mine = fit_inputs(in, objective);
    int n = 0;
    for (int k = 0; k < objective; k++) {
        json_t *other = fit_inputs(in, k);
        n += pr_objective_needs_fit(c->objective[k].type, c->objective[k].options) && json_equal(mine, other);
        json_decref(other);
    }
    json_decref(mine);
    return n;
}

json_t *pr_fit_spec(const pr_config_t *c, const pr_inputs_t *in, int objective)
{
    char id[PR_HASH_HEX];
    pr_buf_t label = {0};
    json_t *inputs = json_pack("{s:s, s:i, s:s, s:s, s:o, s:i}", "kind", "fit_reward", "format", 2, "model", in->model,
                               "type", c->objective[objective].type, "fit", fit_inputs(in, objective), "copy",
                               earlier_fits(c, in, objective));
    pr_json_hash(inputs, id);
    json_decref(inputs);
    pr_buf_printf(&label, "%s-head", c->objective[objective].name);
    json_t *spec = json_pack("{s:s, s:s, s:s, s:i, s:s}", "kind", "fit_reward", "id", id, "label", label.data,
                             "objective", objective, "model", in->model);
    pr_buf_free(&label);
    return spec;
}

char *pr_head_path(const pr_config_t *c, const char *results, int objective)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s/heads/%s.safetensors", results, c->objective[objective].name);
    return b.data;
}

/* How many objectives before this one would have the same fine-tune job; they get experts of their own. */
static int earlier_copies(const pr_config_t *c, const pr_inputs_t *in, int objective)
{
    int n = 0;
    for (int k = 0; k < objective; k++)
        n += !c->objective[k].adapter && c->objective[k].minimize == c->objective[objective].minimize &&
             json_equal(in->objective[k], in->objective[objective]);
    return n;
}

json_t *pr_finetune_spec(const pr_config_t *c, const pr_inputs_t *in, int objective, int64_t seed)
{
    char id[PR_HASH_HEX];
    pr_buf_t label = {0};
    json_t *finetune = config_part(in, "finetune");
    json_t *inputs =
        json_pack("{s:s, s:i, s:s, s:s, s:O, s:b, s:i, s:o, s:o, s:I, s:I}", "kind", "finetune", "format", 3, "model",
                  in->model, "prompts", in->train, "reward", in->objective[objective], "minimize",
                  c->objective[objective].minimize, "copy", earlier_copies(c, in, objective), "finetune", finetune,
                  "stop", config_part(in, "stop"), "sweep_seed", (json_int_t)c->seed, "seed", (json_int_t)seed);
    json_object_set_new(inputs, "truncated", config_part(in, "truncated"));
    pr_json_hash(inputs, id);
    json_decref(inputs);
    pr_buf_printf(&label, "%s-s%lld", c->objective[objective].name, (long long)seed);
    json_t *spec = json_pack("{s:s, s:s, s:s, s:i, s:I}", "kind", "finetune", "id", id, "label", label.data,
                             "objective", objective, "seed", (json_int_t)seed);
    pr_buf_free(&label);
    return spec;
}

static bool combines_states(const pr_search_spec_t *search)
{
    return strcmp(search->aggregate, "states") == 0;
}

void pr_policy_identity(const pr_config_t *c, const pr_inputs_t *in, const pr_search_spec_t *search,
                        char out[PR_HASH_HEX])
{
    json_t *objectives = json_array(), *evaluate = config_part(in, "evaluate");
    for (int k = 0; k < c->n_objectives; k++)
        json_array_append(objectives, in->objective[k]);
    json_object_del(evaluate, "prompts"); // the job says which prompts
    if (c->evaluate.greedy) {             // and then nothing is drawn
        json_object_del(evaluate, "temperature");
        json_object_del(evaluate, "top_p");
        json_object_del(evaluate, "samples");
    }
    bool states = combines_states(search);
    json_t *inputs = json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:i, s:b}", "kind", "evaluate", "format",
                               3, "model", in->model, "prompts", in->eval, "objectives", objectives, "evaluate",
                               evaluate, "stop", config_part(in, "stop"), "sweep_seed",
                               (json_int_t)(c->evaluate.greedy ? 0 : c->seed), "aggregate", search->aggregate, "layer",
                               states ? search->layer : -1, "norm_before", states && search->norm_before);
    json_object_set_new(inputs, "truncated", config_part(in, "truncated"));
    if (strcmp(c->truncated, "worst") == 0) { // which value is the worst
        json_t *minimize = json_array();
        for (int k = 0; k < c->n_objectives; k++)
            json_array_append_new(minimize, json_boolean(c->objective[k].minimize));
        json_object_set_new(inputs, "minimize", minimize);
    }
    if (strcmp(search->aggregate, "regmean") == 0) {
        json_object_set_new(inputs, "regmean", config_part(in, "regmean"));
        json_object_set_new(inputs, "train", json_string(in->train));
    }
    pr_json_hash(inputs, out);
    json_decref(inputs);
}

void pr_evaluate_identity(const pr_evaluate_key_t *key, char out[PR_HASH_HEX])
{
    char text[128];
    pr_buf_t all = {0};
    pr_buf_puts(&all, key->policy);
    pr_buf_puts(&all, key->point);
    snprintf(text, sizeof text, " %d %d", key->first, key->count);
    pr_buf_puts(&all, text);
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++)
        if (key->expert[k]) {
            snprintf(text, sizeof text, " %d:%s", k, key->expert[k]);
            pr_buf_puts(&all, text);
        }
    pr_hash_hex(all.data, all.len, out);
    pr_buf_free(&all);
}

json_t *pr_evaluate_spec(const pr_search_spec_t *search, int64_t seed, const pr_evaluate_key_t *key, const char *id)
{
    pr_buf_t label = {0};
    bool states = combines_states(search);
    pr_buf_printf(&label, "%s (%s)", search->aggregate, key->point);
    json_t *spec = json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:I, s:s, s:i, s:i}", "kind", "evaluate", "id", id,
                             "label", label.data, "aggregate", search->aggregate, "layer", states ? search->layer : -1,
                             "norm_before", states && search->norm_before, "seed", (json_int_t)seed, "point",
                             key->point, "first", key->first, "count", key->count);
    pr_buf_free(&label);
    return spec;
}

char *pr_expert_dir(const pr_config_t *c, const char *results, int objective, int64_t seed)
{
    if (c->objective[objective].adapter)
        return pr_strdup(c->objective[objective].adapter);
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s/experts/%s-s%lld", results, c->objective[objective].name, (long long)seed);
    return b.data;
}
