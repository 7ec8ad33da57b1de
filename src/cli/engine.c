// SPDX-License-Identifier: BSD-3-Clause
#include "cli/engine.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/chat.h"
#include "config/config.h"
#include "jobs/artifact.h"
#include "model/prompts.h"
#include "policy/gram.h"

#include <stdlib.h>
#include <string.h>

pr_status_t pr_cli_engine_tokenizer(const char *dir, pr_tokenizer_t **out, pr_error_t *err)
{
    if (!pr_file_exists(dir))
        PR_TRY(pr_model_dir_check(dir, err));
    char *path = pr_file_exists(dir) ? pr_strdup(dir) : pr_path_join(dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(path, out, err);
    free(path);
    return status;
}

void pr_cli_weights_free(pr_cli_weights_t *w)
{
    free(w->item);
    w->item = NULL;
}

/* One row, text [len]. */
static pr_status_t read_row(const char *text, size_t len, pr_cli_weights_t *w, pr_error_t *err)
{
    static const pr_option_t numbers = {.key = "--weights", .kind = PR_OPT_REALS, .min = -1e9, .max = 1e9};
    char *row = pr_strndup(text, len), expected[256];
    json_t *given = pr_option_parse(&numbers, row), *value = NULL;
    pr_status_t status = PR_OK;
    pr_option_expected(&numbers, expected, sizeof expected);
    if (!given || pr_option_check(&numbers, given, NULL, &value, NULL, NULL) != PR_OK)
        status = pr_fail(err, PR_ERR_USAGE, "--weights: found '%s', expected %s, with commas between", row, expected);
    int n = (int)json_array_size(value);
    if (status == PR_OK && w->rows > 0 && n != w->n)
        status = pr_fail(err, PR_ERR_USAGE, "--weights: row %d: found %d numbers, expected %d, as in the first",
                         w->rows + 1, n, w->n);
    if (status == PR_OK) {
        size_t at = (size_t)w->rows++ * (size_t)n;
        w->n = n;
        w->item = pr_realloc(w->item, at + (size_t)n, sizeof *w->item);
        for (int i = 0; i < n; i++)
            w->item[at + (size_t)i] = json_number_value(json_array_get(value, (size_t)i));
    }
    json_decref(given);
    json_decref(value);
    free(row);
    return status;
}

pr_status_t pr_cli_weights_read(pr_cli_weights_t *w, pr_error_t *err)
{
    for (const char *p = w->text; p;) {
        size_t len = strcspn(p, ";");
        if (w->rows == PR_MAX_BLOCKS)
            return pr_fail(err, PR_ERR_USAGE, "--weights: found more than %d rows", PR_MAX_BLOCKS);
        PR_TRY(read_row(p, len, w, err));
        p = p[len] ? p + len + 1 : NULL;
    }
    return PR_OK;
}

static pr_status_t check_weights(const pr_cli_engine_options_t *o, const pr_cli_engine_t *e, pr_error_t *err)
{
    int k = o->adapters.n, n = e->weights.n, blocks = pr_mix_blocks(e->mix, e->mix_options);
    if (k > 1 && n == 0)
        return pr_fail(err, PR_ERR_USAGE, "%d adapters: expected --weights with one number each", k);
    if (n > 0 && n != k)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d numbers, expected %d, one per --adapter", n, k);
    if (n > 0 && e->weights.rows != blocks)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d row%s, expected %d, one per block (blocks = %d)",
                       e->weights.rows, e->weights.rows == 1 ? "" : "s", blocks, blocks);
    return PR_OK;
}

/* w [adapters,blocks] of the rows; the caller frees. */
static double *by_adapter(const pr_cli_engine_t *e, int n, int blocks)
{
    double *w = pr_alloc((size_t)n * (size_t)blocks, sizeof *w);
    for (int k = 0; k < n; k++)
        for (int b = 0; b < blocks; b++)
            w[k * blocks + b] = e->weights.item ? e->weights.item[b * n + k] : 1;
    return w;
}

static pr_status_t read_adapters(const pr_cli_engine_options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    e->adapter = pr_alloc((size_t)o->adapters.n, sizeof(pr_adapter_t *));
    bool known;
    for (; e->n_adapter < o->adapters.n; e->n_adapter++) {
        PR_TRY(pr_artifact_check(o->adapters.item[e->n_adapter], &known, err)); // an expert of a results directory
        PR_TRY(pr_adapter_read(o->adapters.item[e->n_adapter], &e->model->config, &e->adapter[e->n_adapter], err));
    }
    return PR_OK;
}

/* ---- the mix ---- */

// "a, b" of the mixes that have the option (or make Gram matrices, where key is NULL). The caller frees.
static char *mixes_with(const char *key)
{
    size_t n;
    const pr_mix_t *const *mix = pr_mix_all(&n);
    pr_buf_t names = {0};
    for (size_t i = 0; i < n; i++)
        if (key ? pr_option_find(mix[i]->options, key) != NULL : mix[i]->grams != NULL)
            pr_buf_printf(&names, "%s%s", names.len ? ", " : "", mix[i]->name);
    return names.data;
}

// An option that has a flag of its own. value is taken over.
static pr_status_t set_option(const pr_mix_t *mix, json_t *options, const char *key, json_t *value, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    if (!pr_option_find(mix->options, key)) {
        char *names = mixes_with(key);
        status = pr_fail(err, PR_ERR_USAGE, "--%s goes with --aggregate %s, found %s", key, names, mix->name);
        free(names);
    }
    json_object_set_new(options, key, value);
    return status;
}

static pr_status_t read_mix(const pr_cli_engine_options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    if (pr_mix_parse(o->mix ? o->mix : "states", &e->mix, &e->mix_options, err) != PR_OK)
        return pr_fail_in(err, "--aggregate");
    if (o->layer != PR_CLI_ENGINE_NO_LAYER)
        PR_TRY(set_option(e->mix, e->mix_options, "layer", json_integer(o->layer), err));
    if (o->norm)
        PR_TRY(set_option(e->mix, e->mix_options, "norm", json_string(o->norm), err));
    if (e->mix->grams || !o->gram_prompts)
        return PR_OK;
    char *names = mixes_with(NULL);
    pr_fail(err, PR_ERR_USAGE, "--gram-prompts goes with --aggregate %s, found %s", names, e->mix->name);
    free(names);
    return PR_ERR_USAGE;
}

static pr_status_t check_gram_prompts(const pr_cli_engine_options_t *o, const pr_cli_engine_t *e, const double *w,
                                      pr_error_t *err)
{
    int active = 0;
    for (int k = 0; k < e->n_adapter; k++)
        active += w[k] != 0;
    if (e->mix->grams && active > 1 && !o->gram_prompts)
        return pr_fail(err, PR_ERR_USAGE,
                       "--aggregate %s: expected --gram-prompts FILE, as experts are weighed by what their maps "
                       "read on prompts",
                       e->mix->name);
    return PR_OK;
}

// Tokens of a file's prompts, packed. The caller frees start and ids.
static pr_status_t encode_prompts(const pr_cli_engine_t *e, const char *dir, const char *path, int *n, int **start,
                                  int32_t **ids, pr_error_t *err)
{
    static const pr_ints_t none = {0};
    pr_prompts_t *p = NULL;
    static const pr_cli_chat_options_t plain = {0};
    pr_prompt_chat_t chat = pr_cli_chat(dir, &plain, e->sweep);
    PR_TRY(pr_prompts_load_chat(path, &chat, &p, err));
    pr_status_t status = PR_OK;
    *n = p->n;
    *start = pr_alloc((size_t)p->n + 1, sizeof **start);
    for (int i = 0; i < p->n && status == PR_OK; i++) {
        int32_t *one;
        size_t len, at = (size_t)(*start)[i];
        status = p->chat ? pr_cli_engine_chat_ids(e, p->text[i], strlen(p->text[i]), &one, &len, err)
                         : pr_cli_engine_ids(e, &none, p->text[i], &one, &len, err);
        if (status == PR_OK && len > (size_t)INT_MAX - at) {
            free(one);
            status = pr_fail(err, PR_ERR_FORMAT, "too many tokens");
        }
        if (status != PR_OK) {
            pr_fail_in(err, "%s: prompt %d", path, i + 1);
            break;
        }
        *ids = pr_realloc(*ids, at + len, sizeof **ids);
        memcpy(*ids + at, one, len * sizeof **ids);
        (*start)[i + 1] = (int)(at + len);
        free(one);
    }
    pr_prompts_free(&p);
    return status;
}

static double sweep_default(const char *key)
{
    json_t *v = pr_option_default(pr_option_find(pr_config_keys, key));
    double x = json_number_value(v);
    json_decref(v);
    return x;
}

static pr_status_t make_grams(const pr_cli_engine_options_t *o, const pr_cli_engine_t *e, const double *w,
                              pr_grams_t **grams, pr_error_t *err)
{
    int n = 0, *start = NULL;
    int32_t *ids = NULL;
    bool *need = pr_alloc((size_t)e->model->config.n_layer * PR_N_GROUP, sizeof *need);
    pr_status_t status;
    for (int k = 0; k < e->n_adapter; k++)
        if (w[k] != 0)
            pr_gram_groups(e->adapter[k], need);
    PR_GO(encode_prompts(e, o->model, o->gram_prompts, &n, &start, &ids, err));
    pr_mix_grams_t wish;
    e->mix->grams(e->mix_options, &wish);
    pr_gram_options_t g = {.n_prompt = wish.prompts < n ? wish.prompts : n,
                           .prompt_start = start,
                           .prompt_ids = ids,
                           .max_new_tokens = (int)sweep_default("evaluate.max_new_tokens"),
                           .off_diagonal = wish.off_diagonal,
                           .ridge = wish.ridge};
    for (int k = 0; k < e->n_adapter; k++)
        if (w[k] != 0)
            PR_GO(pr_grams_new(e->model, pr_team_local(), e->adapter[k], need, &g, &grams[k], err));
done:
    free(start);
    free(ids);
    free(need);
    return status;
}

// The policy of the adapters and their weights w [adapters,blocks].
static pr_status_t make_ready(const pr_cli_engine_options_t *o, pr_cli_engine_t *e, const double *w, pr_error_t *err)
{
    pr_grams_t **grams = pr_alloc((size_t)e->n_adapter, sizeof(pr_grams_t *));
    pr_status_t status;
    PR_GO(check_gram_prompts(o, e, w, err));
    if (!e->tokenizer && o->gram_prompts)
        PR_GO(pr_cli_engine_tokenizer(o->model, &e->tokenizer, err));
    if (o->gram_prompts)
        PR_GO(make_grams(o, e, w, grams, err));
    pr_mix_parts_t parts = {.team = pr_team_local(),
                            .model = &e->model->config,
                            .n = e->n_adapter,
                            .adapter = (const pr_adapter_t *const *)e->adapter,
                            .w = w,
                            .grams = (const pr_grams_t *const *)grams,
                            .blocks = pr_mix_blocks(e->mix, e->mix_options)};
    status = pr_ready_make(e->model, pr_linalg_local(), e->mix, e->mix_options, &parts, &e->ready, err);
    e->policy = e->ready.policy;
    e->w = e->ready.w;
done:
    for (int k = 0; k < e->n_adapter; k++)
        pr_grams_free(&grams[k]);
    free(grams);
    return status;
}

pr_status_t pr_cli_engine_open(const pr_cli_engine_options_t *o, bool tokenizer, pr_cli_engine_t *out, pr_error_t *err)
{
    *out = (pr_cli_engine_t){.weights = {.text = o->weights}};
    PR_TRY(pr_cli_weights_read(&out->weights, err));
    if (o->sweeps && pr_cli_engine_is_sweep(o->model))
        return pr_cli_engine_open_sweep(o, tokenizer, out, err);
    if (o->point || o->search || o->experts >= 0 || o->set.n > 0)
        return pr_fail(err, PR_ERR_USAGE, "%s goes with a sweep's results directory, which %s is not",
                       o->point          ? "--point"
                       : o->search       ? "--search"
                       : o->experts >= 0 ? "--experts"
                                         : "--set",
                       o->model);
    if (o->adapters.n > PR_MAX_PARTS)
        return pr_fail(err, PR_ERR_USAGE, "--adapter: found %d, expected at most %d", o->adapters.n, PR_MAX_PARTS);
    PR_TRY(read_mix(o, out, err));
    PR_TRY(check_weights(o, out, err));
    int n = o->adapters.n, blocks = pr_mix_blocks(out->mix, out->mix_options);
    double *w = by_adapter(out, n, blocks);
    pr_status_t status;
    PR_GO(pr_mix_check(out->mix, out->mix_options, n, blocks, w, err));
    PR_GO(pr_linalg_start(o->threads, err));
    PR_GO(pr_model_load(o->model, &out->model, err));
    if (tokenizer)
        PR_GO(pr_cli_engine_tokenizer(o->model, &out->tokenizer, err));
    if (out->model->config.n_label > 0 && n > 0)
        PR_GO(pr_fail(err, PR_ERR_UNSUPPORTED, "%s: adapters on a classification model are not supported", o->model));
    PR_GO(read_adapters(o, out, err));
    status = make_ready(o, out, w, err);
done:
    free(w);
    return status;
}

void pr_cli_engine_close(pr_cli_engine_t *e)
{
    pr_ready_clear(&e->ready);
    for (int i = 0; i < e->n_adapter; i++)
        pr_adapter_free(&e->adapter[i]);
    free(e->adapter);
    json_decref(e->mix_options);
    pr_cli_weights_free(&e->weights);
    if (e->tokenizer)
        pr_tokenizer_free(&e->tokenizer);
    if (e->model)
        pr_model_free(&e->model);
    pr_taken_clear(&e->taken);
    pr_config_free(&e->sweep);
    *e = (pr_cli_engine_t){0};
}

/* Frees them where the model does not have them. text: NULL where ids were given. */
static pr_status_t check_ids(const pr_cli_engine_t *e, const char *text, int32_t **ids, size_t n, pr_error_t *err)
{
    int vocab = e->model->config.vocab;
    pr_status_t status = PR_OK;
    if (n == 0 && e->model->config.n_label == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "found %sno token, expected one or more",
                         text && !*text ? "an empty text, of which the tokenizer makes " : "");
    for (size_t i = 0; i < n && status == PR_OK; i++)
        if ((*ids)[i] < 0 || (*ids)[i] >= vocab)
            status = pr_fail(err, PR_ERR_FORMAT, "token %zu: found the id %d, expected 0 to %d, as the model has them",
                             i, (*ids)[i], vocab - 1);
    if (status != PR_OK) {
        free(*ids);
        *ids = NULL;
    }
    return status;
}

pr_status_t pr_cli_engine_ids(const pr_cli_engine_t *e, const pr_ints_t *given, const char *text, int32_t **ids,
                              size_t *n, pr_error_t *err)
{
    if (text) {
        PR_TRY(pr_tokenizer_encode(e->tokenizer, text, strlen(text), true, ids, n, err));
    } else {
        *n = (size_t)given->n;
        *ids = pr_alloc(*n, sizeof **ids);
        if (*n > 0)
            memcpy(*ids, given->item, *n * sizeof **ids);
    }
    return check_ids(e, text, ids, *n, err);
}

pr_status_t pr_cli_engine_chat_ids(const pr_cli_engine_t *e, const char *text, size_t len, int32_t **ids, size_t *n,
                                   pr_error_t *err)
{
    PR_TRY(pr_tokenizer_encode(e->tokenizer, text, len, false, ids, n, err));
    return check_ids(e, text, ids, *n, err);
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
