// SPDX-License-Identifier: BSD-3-Clause
#include "reward/data.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "objective/templated.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = 1 << 24, MAX_SAMPLES = 100000000 };

// Keeps NUL characters, which JSON may hold, out of texts that end at one.
static pr_status_t take_text(const json_t *object, const char *key, const char *where, char **out, pr_error_t *err)
{
    const json_t *v = json_object_get(object, key);
    size_t n = json_string_length(v);
    if (!json_is_string(v) || strlen(json_string_value(v)) != n || n > MAX_TEXT_BYTES)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected a text", where, key,
                       json_is_string(v) ? "one that holds NUL or is over 16 MiB"
                       : v               ? pr_json_type_name(v)
                                         : "nothing");
    *out = pr_strdup(json_string_value(v));
    return PR_OK;
}

static pr_status_t take_label(const json_t *object, const char *where, double *out, pr_error_t *err)
{
    const json_t *v = json_object_get(object, "label");
    *out = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
    if ((!json_is_boolean(v) && !json_is_number(v)) || !isfinite(*out))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'label': found %s, expected a number, true or false", where,
                       v ? pr_json_type_name(v) : "nothing");
    return PR_OK;
}

static pr_status_t take_margin(const json_t *object, const char *where, double *out, pr_error_t *err)
{
    const json_t *v = json_object_get(object, "margin");
    *out = json_number_value(v);
    if (!pr_json_is_none(v) && (!json_is_number(v) || !(*out >= 0) || !isfinite(*out)))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'margin': found %s, expected a number >= 0", where,
                       json_is_number(v) ? "one that is not" : pr_json_type_name(v));
    return PR_OK;
}

static pr_status_t take_pair(pr_reward_item_t *item, const json_t *object, const char *where, pr_error_t *err)
{
    if (json_object_get(object, "prompt"))
        PR_TRY(take_text(object, "prompt", where, &item->prompt, err));
    else
        item->prompt = pr_strdup("");
    PR_TRY(take_text(object, "chosen", where, &item->text, err));
    PR_TRY(take_margin(object, where, &item->label, err));
    return take_text(object, "rejected", where, &item->rejected, err);
}

static pr_status_t take_labelled(pr_reward_item_t *item, const json_t *object, const char *where, pr_error_t *err)
{
    if (json_object_get(object, "text")) {
        PR_TRY(take_text(object, "text", where, &item->text, err));
    } else {
        PR_TRY(take_text(object, "prompt", where, &item->prompt, err));
        PR_TRY(take_text(object, "response", where, &item->text, err));
    }
    return take_label(object, where, &item->label, err);
}

static pr_reward_item_t *append(pr_reward_data_t *d)
{
    if ((d->n & (d->n - 1)) == 0) // room doubles at powers of two
        d->item = pr_realloc(d->item, d->n ? 2 * (size_t)d->n : 1, sizeof *d->item);
    d->item[d->n] = (pr_reward_item_t){0};
    return &d->item[d->n++];
}

static pr_status_t take_object(void *self, const json_t *object, const char *where, pr_error_t *err)
{
    pr_reward_data_t *d = self;
    static const char expected[] = "\"prompt\", \"chosen\" and \"rejected\", or \"label\" and \"text\" or \"prompt\" "
                                   "and \"response\"";
    bool pair = json_object_get(object, "chosen") || json_object_get(object, "rejected");
    bool label = json_object_get(object, "label") != NULL;
    if (!json_is_object(object) || pair == label)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected %s", where,
                       !json_is_object(object) ? pr_json_type_name(object)
                       : pair                  ? "a pair with a label"
                                               : "neither a pair nor a label",
                       expected);
    if (d->n > 0 && pair != d->pairs)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found a %s, expected %s as on the lines before", where,
                       pair ? "pair" : "label", d->pairs ? "pairs" : "labels");
    if (d->n == MAX_SAMPLES)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found more than %d samples", where, MAX_SAMPLES);
    d->pairs = pair;
    pr_reward_item_t *item = append(d);
    PR_TRY(pair ? take_pair(item, object, where, err) : take_labelled(item, object, where, err));
    d->binary = d->binary && !pair && (item->label == 0 || item->label == 1);
    return PR_OK;
}

pr_status_t pr_reward_data_load(const char *path, pr_reward_data_t **out, pr_error_t *err)
{
    pr_reward_data_t *d = pr_alloc(1, sizeof *d);
    d->binary = true;
    pr_status_t status = pr_json_lines(path, (size_t)1 << 35, take_object, d, err);
    if (status == PR_OK && d->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found no sample", path);
    if (status == PR_OK)
        *out = d;
    else
        pr_reward_data_free(&d);
    return status;
}

void pr_reward_data_free(pr_reward_data_t **data)
{
    pr_reward_data_t *d = *data;
    if (!d)
        return;
    for (int i = 0; i < d->n; i++) {
        free(d->item[i].prompt);
        free(d->item[i].text);
        free(d->item[i].rejected);
    }
    free(d->item);
    free(d);
    *data = NULL;
}

bool pr_reward_data_held_out(const pr_reward_data_t *data, int i, double share)
{
    const pr_reward_item_t *item = &data->item[i];
    pr_rng_key_t key = pr_rng_key(0, "held-out", item->prompt && *item->prompt ? item->prompt : item->text);
    return pr_rng_uniform(&key, 0, 0, 0, 0) < share;
}

static pr_status_t check_item(const pr_reward_item_t *item, const pr_templated_t *how, const pr_tokenizer_t *t,
                              const pr_model_config_t *model, pr_error_t *err)
{
    PR_TRY(pr_templated_check(how, t, model, item->prompt, item->text, strlen(item->text), err));
    const char *other = item->rejected;
    return other ? pr_templated_check(how, t, model, item->prompt, other, strlen(other), err) : PR_OK;
}

pr_status_t pr_reward_data_check_tokens(const pr_reward_data_t *data, const char *file, const json_t *options,
                                        const pr_tokenizer_t *t, const pr_model_config_t *model, pr_error_t *err)
{
    pr_templated_t how = {0};
    if (pr_tokenizer_size(t) <= model->vocab)
        return PR_OK;
    PR_TRY(pr_templated_read(options, NULL, file, &how, err));
    pr_status_t status = PR_OK;
    for (int i = 0; i < data->n && status == PR_OK; i++)
        if ((status = check_item(&data->item[i], &how, t, model, err)) != PR_OK)
            pr_fail_in(err, "%s: sample %d", file, i + 1);
    pr_templated_clear(&how);
    return status;
}
