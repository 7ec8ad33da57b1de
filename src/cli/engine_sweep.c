// SPDX-License-Identifier: BSD-3-Clause
/* The engine on a policy of a sweep's results directory. */
#include "base/file.h"
#include "cli/engine.h"
#include "store/layout.h"
#include "sweeps/place.h"

#include <stdlib.h>
#include <string.h>

bool pr_cli_engine_is_sweep(const char *dir)
{
    return !pr_file_exists_in(dir, "config.json") &&
           (pr_file_exists_in(dir, PR_FILE_CONFIG) || pr_file_exists_in(dir, PR_FILE_JOURNAL));
}

static pr_status_t check_options(const pr_cli_engine_options_t *o, pr_error_t *err)
{
    const char *odd = o->adapters.n > 0                    ? "--adapter"
                      : o->gram_prompts                    ? "--gram-prompts"
                      : o->layer != PR_CLI_ENGINE_NO_LAYER ? "--layer"
                      : o->norm                            ? "--norm"
                      : o->point && o->weights             ? "--weights"
                      : o->point && o->mix                 ? "--aggregate"
                      : o->point && o->search              ? "--search"
                      : o->point && o->experts >= 0        ? "--experts"
                      : o->search && o->mix                ? "--aggregate"
                                                           : NULL;
    if (odd)
        return pr_fail(err, PR_ERR_USAGE, "%s: found beside %s, which says it already", odd,
                       o->point    ? "--point"
                       : o->search ? "--search"
                                   : "a results directory");
    if (!o->point && !o->weights)
        return pr_fail(err, PR_ERR_USAGE, "%s is a sweep's results directory: expected --point ID or --weights A,B,...",
                       o->model);
    return PR_OK;
}

pr_status_t pr_cli_take(const char *dir, const pr_cli_take_t *o, pr_config_t **sweep, pr_taken_t *out, pr_error_t *err)
{
    json_t *options = NULL;
    pr_take_wish_t wish = {.point = o->point,
                           .n_weights = o->weights->n,
                           .n_rows = o->weights->rows,
                           .weights = o->weights->item,
                           .search = o->search,
                           .seed = o->seed};
    for (int i = 0; i < o->weights->rows * o->weights->n && !o->mix; i++)
        if (o->weights->item[i] < 0)
            return pr_fail(err, PR_ERR_USAGE,
                           "--weights: found '%s', expected numbers >= 0, as searches have; --aggregate names a mix",
                           o->weights->text);
    if (o->mix && pr_mix_parse(o->mix, &wish.mix, &options, err) != PR_OK)
        return pr_fail_in(err, "--aggregate");
    if (o->mix && strchr(o->mix, ';')) // else as the configuration has it
        wish.mix_options = options;
    pr_status_t status = pr_sweep_config_read(dir, o->set->item, o->set->n, PR_PLACE_POLICY, sweep, err);
    if (status == PR_OK)
        status = pr_take(*sweep, &wish, out, err);
    json_decref(options);
    return status;
}

pr_status_t pr_cli_engine_open_sweep(const pr_cli_engine_options_t *o, bool tokenizer, pr_cli_engine_t *out,
                                     pr_error_t *err)
{
    pr_cli_take_t take = {.point = o->point,
                          .weights = &out->weights,
                          .search = o->search,
                          .mix = o->mix,
                          .seed = o->experts,
                          .set = &o->set};
    PR_TRY(check_options(o, err));
    PR_TRY(pr_cli_take(o->model, &take, &out->sweep, &out->taken, err));
    const pr_policy_spec_t *spec = &out->taken.spec;
    PR_TRY(pr_linalg_start(o->threads, err));
    PR_TRY(pr_model_load(out->sweep->model, &out->model, err));
    if (tokenizer)
        PR_TRY(pr_cli_engine_tokenizer(out->sweep->model, &out->tokenizer, err));
    static const pr_grams_t *const unmeasured[PR_MAX_PARTS] = {NULL}; // a part alone needs none
    double w[PR_MAX_PARTS * PR_MAX_BLOCKS];
    int blocks = pr_policy_blocks(spec);
    if (spec->condition) { // its family's adapter there
        out->adapter = pr_alloc(1, sizeof(pr_adapter_t *));
        PR_TRY(pr_taken_adapter(out->sweep, &out->taken, &out->model->config, &out->adapter[0], err));
        out->n_adapter = 1;
        out->mix = &pr_mix_params;
        w[0] = 1;
    } else if (spec->mix->grams && spec->n > 1) { // merged by what they read, as evaluations do it
        PR_TRY(pr_taken_merged(out->sweep, &out->taken, &out->model->config, &out->ready.merged, err));
        out->adapter = pr_alloc(1, sizeof(pr_adapter_t *));
        out->adapter[out->n_adapter++] = pr_merged_take_adapter(out->ready.merged);
        pr_merged_free(&out->ready.merged);
        out->mix = &pr_mix_params;
        w[0] = 1;
    } else {
        out->mix = spec->mix;
        out->mix_options = json_incref(spec->options);
        out->adapter = pr_alloc((size_t)spec->n, sizeof(pr_adapter_t *));
        for (; out->n_adapter < spec->n; out->n_adapter++) {
            int i = out->n_adapter;
            PR_TRY(pr_adapter_read(out->taken.part[i].dir, &out->model->config, &out->adapter[i], err));
            memcpy(w + (size_t)i * (size_t)blocks, spec->part[i].coefficient, (size_t)blocks * sizeof *w);
        }
    }
    pr_mix_parts_t parts = {.team = pr_team_local(),
                            .model = &out->model->config,
                            .n = out->n_adapter,
                            .adapter = (const pr_adapter_t *const *)out->adapter,
                            .w = w,
                            .grams = unmeasured,
                            .blocks = blocks};
    PR_TRY(pr_ready_make(out->model, pr_linalg_local(), out->mix, out->mix_options, &parts, &out->ready, err));
    out->policy = out->ready.policy;
    out->w = out->ready.w;
    return PR_OK;
}
