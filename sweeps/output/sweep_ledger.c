// SPDX-License-Identifier: BSD-3-Clause
/* ledger.csv: what each search's policies cost, counted the same for every method, so that methods can be compared: the
 * trainings that it needs, whoever else needs them too, and its points. Counts alone: the same at any number of workers,
 * after kills, and on any machine. */
#include "base/file.h"
#include "base/mem.h"
#include "model/config.h"
#include "report/text.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns of what trainings say, by the keys of their results; of a ledger's first. */
#define TRAINED(X)                                                                                                     \
    X("steps", "steps", false)                                                                                         \
    X("rollout_tokens", "tokens", false)                                                                               \
    X("prompt_tokens", "prompts", true)                                                                                \
    X("scored_responses", "scored", true)                                                                              \
    X("forward_tokens", "forward", true)                                                                               \
    X("backward_tokens", "backward", true)                                                                             \
    X("validation_tokens", "validation_tokens", false)                                                                 \
    X("parameters", "numbers", true) /* last: of those that serve points */
#define ONE(column, key, ledger) +1
enum { COLUMNS = 0 TRAINED(ONE) };

typedef struct sums {
    int64_t trainings, of[COLUMNS];
    bool unknown; // a training by an earlier version counted nothing
} sums_t;

static void add_result(const json_t *result, bool serves, sums_t *sum)
{
    static const struct {
        const char *key;
        bool ledger;
    } columns[COLUMNS] = {
#define ROW(column, name, in_ledger) {name, in_ledger},
        TRAINED(ROW)
#undef ROW
    };
    const json_t *ledger = json_object_get(result, "ledger");
    sum->trainings++;
    sum->unknown = sum->unknown || !ledger;
    for (int i = 0; i < (serves ? COLUMNS : COLUMNS - 1); i++)
        sum->of[i] += json_integer_value(json_object_get(columns[i].ledger ? ledger : result, columns[i].key));
}

/* A training and those that it is made of, each once. serves: points are made of it; the others' numbers need not be kept.
 */
static void add_node(const pr_sweep_t *s, uint32_t number, bool serves, bool *seen, sums_t *sum)
{
    const pr_node_t *n = s->graph.node[number];
    if (seen[number])
        return;
    seen[number] = true;
    for (int i = 0; i < n->n_needs; i++)
        add_node(s, n->needs[i], false, seen, sum);
    if (n->kind->steps && n->done && n->job->made)
        add_result(n->job->made->result, serves, sum);
}

/* Passes of the model for a token that a policy of all parts decodes; NaN where the model cannot be read any more. */
static double passes(const pr_sweep_t *s, const pr_sweep_policy_t *p, const pr_model_config_t *model)
{
    pr_mix_memory_t m;
    return model && pr_mix_memory(p->mix, p->mix_options, model, p->method->mixes ? s->config->n_objectives : 1, &m,
                                  NULL) == PR_OK
               ? m.streams
               : NAN;
}

static void put_track(const pr_sweep_t *s, const pr_track_t *t, const pr_model_config_t *model, pr_buf_t *b)
{
    sums_t sum = {0};
    bool *seen = pr_alloc(s->graph.n_node, sizeof *seen);
    size_t n, scored = 0;
    int64_t tokens = 0;
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    uint32_t *asked = pr_track_points(s, t, &n);
    for (size_t i = 0; i < t->wishes.n; i++)
        add_node(s, t->wishes.item[i].node, true, seen, &sum);
    for (size_t i = 0; i < n; i++) {
        pr_track_sum_t of;
        if (!pr_track_result(s, t, asked[i], mean, se, &of))
            continue;
        scored++;
        tokens += of.tokens;
    }
    pr_text_csv(b, t->spec->name);
    pr_buf_printf(b, ",%lld,%lld", (long long)s->config->seeds[t->seed_index], (long long)sum.trainings);
    for (int i = 0; i < COLUMNS; i++)
        if (sum.unknown)
            pr_buf_puts(b, ",");
        else
            pr_buf_printf(b, ",%lld", (long long)sum.of[i]);
    pr_buf_printf(b, ",%zu,%lld,", scored, (long long)tokens);
    double p = passes(s, t->policy, model);
    if (isfinite(p))
        pr_text_number(b, p);
    pr_buf_puts(b, "\n");
    free(asked);
    free(seen);
}

pr_status_t pr_sweep_write_ledger(const pr_sweep_t *s, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_model_config_t model;
    bool known = pr_model_config_read(s->config->model, &model, NULL) == PR_OK;
#define NAME(column, key, ledger) "," column
    pr_buf_puts(&b, "search,seed,trainings" TRAINED(NAME) ",points,evaluated_tokens,passes\n");
#undef NAME
    for (int i = 0; i < s->n_track; i++)
        put_track(s, &s->track[i], known ? &model : NULL, &b);
    if (known)
        pr_model_config_clear(&model);
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_LEDGER);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    free(path);
    return status;
}
