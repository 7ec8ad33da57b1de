#include "jobs/identity.h"
#include "base/file.h"
#include "base/mem.h"
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

static pr_status_t hash_model(const char *dir, char out[PR_HASH_HEX], pr_error_t *err)
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

pr_status_t pr_inputs_read(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    pr_inputs_t in = {.config = pr_config_json(c)};
    PR_GO(hash_model(c->model, in.model, err));
    if (c->train_prompts) // not needed when every objective brings its expert
        PR_GO(pr_hash_file(c->train_prompts, in.train, err));
    PR_GO(pr_hash_file(c->eval_prompts, in.eval, err));
    for (int k = 0; k < c->n_objectives; k++) {
        if (c->objective[k].adapter)
            PR_GO(pr_adapter_hash(c->objective[k].adapter, in.adapter[k], err));
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

/* A part of the configuration that a kind of job depends on, as pr_config_json has it, without the key `except` (or
 * NULL). */
static json_t *config_part(const pr_inputs_t *in, const char *key, const char *except)
{
    json_t *part = json_deep_copy(json_object_get(in->config, key));
    if (except)
        json_object_del(part, except);
    return part ? part : json_null();
}

/* Gives the spec its identity: the hash of the inputs (consumed), which also hold what the spec itself says. */
static json_t *with_identity(json_t *spec, json_t *inputs, const char *label)
{
    char id[PR_HASH_HEX];
    json_object_update(inputs, spec);
    json_object_set_new(inputs, "format", json_integer(1));
    pr_json_hash(inputs, id);
    json_decref(inputs);
    json_object_set_new(spec, "id", json_string(id));
    json_object_set_new(spec, "label", json_string(label));
    return spec;
}

json_t *pr_finetune_spec(const pr_config_t *c, const pr_inputs_t *in, int objective, int64_t seed)
{
    pr_buf_t label = {0};
    pr_buf_printf(&label, "%s-s%lld", c->objective[objective].name, (long long)seed);
    // How often it is saved does not change what is learned.
    json_t *finetune = config_part(in, "finetune", "checkpoint_every");
    json_t *inputs = json_pack("{s:s, s:s, s:O, s:o, s:o, s:I}", "model", in->model, "prompts", in->train, "reward",
                               in->objective[objective], "finetune", finetune, "stop", config_part(in, "stop", NULL),
                               "sweep_seed", (json_int_t)c->seed);
    json_t *spec =
        with_identity(json_pack("{s:s, s:I}", "kind", "finetune", "seed", (json_int_t)seed), inputs, label.data);
    json_object_set_new(spec, "objective", json_integer(objective));
    pr_buf_free(&label);
    return spec;
}

json_t *pr_evaluate_spec(const pr_config_t *c, const pr_inputs_t *in, const pr_policy_spec_t *p,
                         const char *const *expert, const char *point, int first, int count)
{
    pr_buf_t label = {0};
    pr_buf_printf(&label, "%s (%s)", p->search->aggregate, point);
    json_t *objectives = json_array(), *experts = json_array();
    for (int k = 0; k < c->n_objectives; k++) {
        json_array_append(objectives, in->objective[k]);
        json_array_append_new(experts, json_string(expert[k]));
    }
    json_t *evaluate = config_part(in, "evaluate", "prompts"); // the job says which prompts
    json_t *inputs = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "model", in->model, "prompts", in->eval,
                               "objectives", objectives, "experts", experts, "evaluate", evaluate, "stop",
                               config_part(in, "stop", NULL), "sweep_seed", (json_int_t)c->seed);
    bool states = strcmp(p->search->aggregate, "states") == 0;
    json_t *spec =
        json_pack("{s:s, s:s, s:i, s:b, s:I, s:s, s:i, s:i}", "kind", "evaluate", "aggregate", p->search->aggregate,
                  "layer", states ? p->search->layer : -1, "norm_before", states && p->search->norm_before, "seed",
                  (json_int_t)p->seed, "point", point, "first", first, "count", count);
    with_identity(spec, inputs, label.data);
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
