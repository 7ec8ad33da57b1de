#include "cli/engine.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

pr_status_t pr_engine_tokenizer(const char *dir, pr_tokenizer_t **out, pr_error_t *err)
{
    char *path = pr_file_exists(dir) ? pr_strdup(dir) : pr_path_join(dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(path, out, err);
    free(path);
    return status;
}

static pr_status_t check_weights(const pr_engine_options_t *o, pr_error_t *err)
{
    int k = o->adapters.n, n = o->weights.n;
    if (k > 1 && n == 0)
        return pr_fail(err, PR_ERR_USAGE, "%d adapters: expected --weights with one number each", k);
    if (n > 0 && n != k)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d numbers, expected %d, one an --adapter", n, k);
    return PR_OK;
}

static pr_status_t read_adapters(const pr_engine_options_t *o, pr_engine_t *e, pr_error_t *err)
{
    e->adapter = pr_alloc((size_t)o->adapters.n, sizeof(pr_adapter_t *));
    for (; e->n_adapter < o->adapters.n; e->n_adapter++)
        PR_TRY(pr_adapter_read(o->adapters.item[e->n_adapter], &e->model->config, &e->adapter[e->n_adapter], err));
    return PR_OK;
}

pr_status_t pr_engine_open(const pr_engine_options_t *o, bool tokenizer, pr_engine_t *out, pr_error_t *err)
{
    *out = (pr_engine_t){.one = 1};
    PR_TRY(check_weights(o, err));
    pr_linalg_set_threads(o->threads);
    PR_TRY(pr_model_load(o->model, &out->model, err));
    if (tokenizer)
        PR_TRY(pr_engine_tokenizer(o->model, &out->tokenizer, err));
    if (out->model->config.n_label > 0 && o->adapters.n > 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: adapters on a classification model are not supported", o->model);
    PR_TRY(read_adapters(o, out, err));
    out->w = o->weights.n > 0 ? o->weights.item : &out->one;
    out->policy = (pr_policy_t){.model = out->model,
                                .la = pr_linalg_local(),
                                .n_expert = out->n_adapter,
                                .adapter = (const pr_adapter_t *const *)out->adapter,
                                .layer = o->layer,
                                .norm_before = strcmp(o->norm, "before") == 0};
    return pr_aggregate_parse(o->aggregate, &out->policy.mode, err);
}

void pr_engine_close(pr_engine_t *e)
{
    for (int i = 0; i < e->n_adapter; i++)
        pr_adapter_free(&e->adapter[i]);
    free(e->adapter);
    if (e->tokenizer)
        pr_tokenizer_free(&e->tokenizer);
    if (e->model)
        pr_model_free(&e->model);
    *e = (pr_engine_t){0};
}

pr_status_t pr_engine_ids(const pr_engine_t *e, const pr_ints_t *given, const char *text, int32_t **ids, size_t *n,
                          pr_error_t *err)
{
    int vocab = e->model->config.vocab;
    if (text) {
        PR_TRY(pr_tokenizer_encode(e->tokenizer, text, strlen(text), true, ids, n, err));
    } else {
        *n = (size_t)given->n;
        *ids = pr_alloc(*n, sizeof **ids);
        if (*n > 0)
            memcpy(*ids, given->item, *n * sizeof **ids);
    }
    pr_status_t status = *n > 0 ? PR_OK : pr_fail(err, PR_ERR_FORMAT, "found no token, expected one or more");
    for (size_t i = 0; i < *n && status == PR_OK; i++)
        if ((*ids)[i] < 0 || (*ids)[i] >= vocab)
            status = pr_fail(err, PR_ERR_FORMAT, "token %zu: found the id %d, expected 0 to %d, as the model has them",
                             i, (*ids)[i], vocab - 1);
    if (status != PR_OK) {
        free(*ids);
        *ids = NULL;
    }
    return status;
}

json_t *pr_cli_ids_json(const int32_t *ids, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return list;
}

json_t *pr_cli_text_json(const char *text, size_t len)
{
    json_t *v = json_stringn(text, len);
    return v ? v : json_null();
}
