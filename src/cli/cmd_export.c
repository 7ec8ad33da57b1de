// SPDX-License-Identifier: BSD-3-Clause
/* paretorank export: the adapter of a weight vector, exactly. It is the policy that a search evaluates, of any method
 * (--search); or what a mix that is one adapter makes of the experts: `params`, by concatenating ranks, or `regmean`. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "config/config.h"
#include "jobs/artifact.h"
#include "model/adapter.h"
#include "policy/mix.h"
#include "sweeps/inputs.h"
#include "sweeps/merge.h"
#include "sweeps/place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *dir, *out, *search, *aggregate;
    const pr_mix_t *mix; // of that name
    pr_texts_t set;
    pr_reals_t weights;
    int64_t seed; // -1: the sweep's first
    bool force;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, dir), "DIR", "The results directory."),
    PR_ARG_REQUIRED("--weights", REALS, offsetof(options_t, weights), "A,B,...",
                    "Preference weights, one per objective, in the sweep's order: 0.5,0.25,0.25 or 1/2,1/4,1/4.",
                    .min = 0, .max = 1e9),
    PR_ARG_REQUIRED("--out", STRING, offsetof(options_t, out), "ADAPTER_DIR", "Where the PEFT adapter is written."),
    PR_ARG(
        "--search", STRING, offsetof(options_t, search), "NAME",
        "The adapter that this search of the sweep evaluates at the weights, by its own policy: the column \"search\" "
        "of the front. Not with --aggregate."),
    PR_ARG("--aggregate", STRING, offsetof(options_t, aggregate), "MIX",
           "What is made of the experts; any that is one adapter (paretorank help mixes): params, the weighted sum; "
           "regmean, the merging by Gram matrices as the sweep's regmean.* say. Default: params."),
    PR_ARG("--seed", INT64, offsetof(options_t, seed), "S", "Which experts. Default: those of the first of seeds.",
           .min = 0, .max = INT32_MAX),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE",
           "Overrides a key of the sweep's configuration, such as a model that has moved; may be repeated."),
    PR_ARG("--force", BOOL, offsetof(options_t, force), NULL, "Overwrite an adapter that is there."),
    {0},
};

const pr_command_t pr_command_export = {
    .name = "export",
    .synopsis = "DIR --weights A,B,... --out ADAPTER_DIR [--search NAME] [--aggregate MIX] [--seed S] "
                "[--set KEY=VALUE]... [--force]",
    .summary = "Write the PEFT adapter of one weight vector.",
    .help =
        "The adapter is exactly the weighted sum of the experts (aggregation \"params\"): their ranks are "
        "concatenated, where fewer do not hold the same. Python's peft loads it. With --aggregate regmean it is "
        "the adapter that a regmean search "
        "evaluates at the point; this runs the experts on training prompts first. With --search it is the policy of "
        "that search, such as the training of a point of method \"single\". An expert that is not what its "
        "fine-tune job wrote, by the journal's hash, is refused; `paretorank run DIR` makes it again.",
    .args = args,
};

typedef struct experts {
    int n;
    pr_adapter_t *adapter[PR_MAX_OBJECTIVES];
    double w[PR_MAX_OBJECTIVES];
} experts_t;

static void experts_clear(experts_t *e)
{
    for (int i = 0; i < e->n; i++)
        pr_adapter_free(&e->adapter[i]);
}

static pr_status_t pick_seed(const pr_config_t *c, int64_t wanted, int64_t *seed, pr_error_t *err)
{
    *seed = wanted < 0 ? c->seeds[0] : wanted;
    for (int i = 0; i < c->n_seeds; i++)
        if (c->seeds[i] == *seed)
            return PR_OK;
    return pr_fail(err, PR_ERR_USAGE, "--seed: found %lld, which is not one of the sweep's seeds", (long long)wanted);
}

/* Without a journal nobody knows what an expert should be, which is said. */
static pr_status_t check_expert(const char *results, const char *dir, bool given, pr_error_t *err)
{
    bool known;
    PR_TRY(pr_artifact_check(dir, &known, err));
    if (!known && !given)
        pr_log(PR_LOG_WARN, "%s: no journal in %s, so that nothing tells whether the expert is whole", dir, results);
    return PR_OK;
}

static pr_status_t read_experts(const pr_config_t *c, const options_t *o, const pr_model_config_t *model, int64_t seed,
                                experts_t *e, pr_error_t *err)
{
    for (int k = 0; k < c->n_objectives; k++) {
        if (o->weights.item[k] == 0)
            continue;
        char *dir = pr_sweep_expert_dir(c, o->dir, k, seed);
        pr_status_t status = check_expert(o->dir, dir, c->objective[k].adapter != NULL, err);
        if (status == PR_OK)
            status = pr_adapter_read(dir, model, &e->adapter[e->n], err);
        free(dir);
        if (status != PR_OK)
            return status;
        e->w[e->n++] = o->weights.item[k];
    }
    return PR_OK;
}

static pr_status_t check_target(const options_t *o, pr_error_t *err)
{
    static const char *const names[] = {"adapter_model.safetensors", "adapter_config.json"};
    bool there = false;
    for (int i = 0; i < 2; i++) {
        char *path = pr_path_join(o->out, names[i]);
        there = there || pr_file_exists(path);
        free(path);
    }
    return there && !o->force ? pr_fail(err, PR_ERR_USAGE, "%s: holds an adapter; --force overwrites it", o->out)
                              : PR_OK;
}

static pr_status_t sum_experts(const pr_config_t *c, const options_t *o, const pr_model_config_t *model, int64_t seed,
                               pr_adapter_t **out, pr_error_t *err)
{
    experts_t e = {0};
    pr_status_t status;
    PR_GO(read_experts(c, o, model, seed, &e, err));
    status = pr_adapter_concat((const pr_adapter_t *const *)e.adapter, e.w, e.n, model, out, err);
done:
    experts_clear(&e);
    return status;
}

static int count_experts(const options_t *o)
{
    int n = 0;
    for (int k = 0; k < o->weights.n; k++)
        n += o->weights.item[k] != 0;
    return n;
}

/* What those who serve adapters take by default. */
static void note_limits(int rank)
{
    enum { DEFAULT = 16, MOST = 512 };
    static const int sizes[] = {8, 16, 32, 64, 128, 256, 320, MOST}; // that vLLM has
    size_t i = 0;
    while (i + 1 < sizeof sizes / sizeof *sizes && sizes[i] < rank)
        i++;
    if (rank > MOST)
        pr_log(PR_LOG_WARN, "rank %d is more than vLLM can serve (%d at most)", rank, MOST);
    else if (rank > DEFAULT)
        pr_log(PR_LOG_WARN, "rank %d is more than vLLM serves by default (%d): start it with --max-lora-rank %d", rank,
               DEFAULT, sizes[i]);
}

/* *search: -1 where none is named. */
static pr_status_t find_search(const pr_config_t *c, const options_t *o, int *search, pr_error_t *err)
{
    pr_buf_t names = {0};
    *search = -1;
    for (int i = 0; o->search && i < c->n_searches; i++) {
        pr_buf_printf(&names, "%s%s", i ? ", " : "", c->search[i].name);
        if (strcmp(c->search[i].name, o->search) == 0)
            *search = i;
    }
    pr_status_t status = !o->search || *search >= 0
                             ? PR_OK
                             : pr_fail(err, PR_ERR_USAGE, "--search: found \"%s\", expected one of: %s", o->search,
                                       (const char *)names.data);
    pr_buf_free(&names);
    return status;
}

/* Weights that no search of the sweep could have asked for are taken as they are, and that is said. */
static void note_domain(const pr_config_t *c, const pr_reals_t *w)
{
    double sum = 0, most = 0;
    bool simplex = true;
    for (int k = 0; k < w->n; k++) {
        sum += w->item[k];
        most = w->item[k] > most ? w->item[k] : most;
    }
    for (int i = 0; i < c->n_searches; i++)
        simplex = simplex && strcmp(c->search[i].domain, "cube") != 0;
    if (simplex && fabs(sum - 1) > 1e-6)
        pr_log(PR_LOG_WARN,
               "--weights: their sum is %.6g, while the sweep's weights sum to 1; they are taken as they are", sum);
    else if (!simplex && most > 1)
        pr_log(PR_LOG_WARN, "--weights: found %.6g, while the sweep's weights are 0 to 1; they are taken as they are",
               most);
}

static pr_status_t export(const pr_config_t *c, const options_t *o, pr_error_t *err)
{
    pr_model_config_t model = {0};
    pr_adapter_t *adapter = NULL;
    int64_t seed;
    pr_status_t status;
    int n = count_experts(o), search;
    if (o->weights.n != c->n_objectives)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d numbers, expected %d, one per objective", o->weights.n,
                       c->n_objectives);
    if (n == 0)
        return pr_fail(err, PR_ERR_USAGE, "--weights: expected at least one that is not 0");
    PR_TRY(check_target(o, err));
    PR_TRY(pick_seed(c, o->seed, &seed, err));
    PR_TRY(find_search(c, o, &search, err));
    PR_TRY(pr_model_config_read(c->model, &model, err));
    if (search >= 0)
        PR_GO(pr_sweep_search_adapter(c, search, seed, o->weights.item, &adapter, &n, err));
    else
        PR_GO(o->mix->merge ? pr_sweep_merge(c, o->mix, seed, o->weights.item, &adapter, err)
                            : sum_experts(c, o, &model, seed, &adapter, err));
    int sum = pr_adapter_rank(adapter);
    if (n > 1) // one expert stays what it is
        PR_GO(pr_adapter_reduce(&adapter, &model, err));
    PR_GO(pr_adapter_write(o->out, adapter, &model, c->model_name, err));
    fprintf(stderr, "paretorank export: %s: %d %s%s, rank %d\n", o->out, n, search < 0 ? "expert" : "adapter",
            n == 1 ? "" : "s", pr_adapter_rank(adapter));
    if (pr_adapter_rank(adapter) < sum)
        fprintf(stderr, "paretorank export: the sum of their ranks is %d; fewer hold the same policy\n", sum);
    note_limits(pr_adapter_rank(adapter));
    note_domain(c, &o->weights);
done:
    pr_adapter_free(&adapter);
    pr_model_config_clear(&model);
    return status;
}

static pr_status_t find_mix(options_t *o, pr_error_t *err)
{
    if (o->search && o->aggregate)
        return pr_fail(err, PR_ERR_USAGE, "--aggregate: found beside --search, which says how adapters are combined");
    if (pr_mix_find(o->aggregate ? o->aggregate : "params", &o->mix, err) != PR_OK)
        return pr_fail_in(err, "--aggregate");
    if (!o->mix->one_adapter)
        return pr_fail(err, PR_ERR_USAGE, "--aggregate: a policy of %s is not one adapter; see paretorank help mixes",
                       o->mix->name);
    return PR_OK;
}

static pr_status_t run(options_t *o, pr_error_t *err)
{
    pr_config_t *c = NULL;
    PR_TRY(find_mix(o, err));
    if (!pr_dir_exists(o->dir))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", o->dir);
    PR_TRY(pr_sweep_config_read(o->dir, o->set.item, o->set.n, PR_PLACE_POLICY, &c, err));
    pr_status_t status = export(c, o, err);
    pr_config_free(&c);
    return status;
}

int pr_cmd_export(int argc, char **argv)
{
    options_t o = {.seed = -1};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_export, argc, argv, &o, &code) && run(&o, &err) != PR_OK)
        code = pr_cli_fail(argv[0], &err);
    pr_cli_free(&pr_command_export, &o);
    return code;
}
