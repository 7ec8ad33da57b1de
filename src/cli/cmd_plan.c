// SPDX-License-Identifier: BSD-3-Clause
/* paretorank plan: checks a sweep's inputs and says what it would run. */
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/plan.h"
#include "jobs/job.h"
#include "objective/objective.h"
#include "report/text.h"
#include "store/results.h"
#include "sweeps/place.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *config;
    pr_texts_t set;
    int ranks;
    bool dump, load, json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("SWEEP", STRING, offsetof(options_t, config), "SWEEP.cfg|DIR",
                    "The sweep's configuration file, or a results directory."),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE", "Overrides a key of the file; may be repeated."),
    PR_ARG("--ranks", INT, offsetof(options_t, ranks), "N",
           "Ranks that would be started: one schedules, the others work, in teams where the sweep says so. Default: 1, "
           "which does both, or as few as make a team.",
           .min = 1, .max = 1000000),
    PR_ARG("--dump", BOOL, offsetof(options_t, dump), NULL,
           "Print the resolved configuration, every key with its value, and check nothing else."),
    PR_ARG(
        "--load", BOOL, offsetof(options_t, load), NULL,
        "Also load the model, start every objective, as a rank would, and print what each says of two responses of the "
        "base model. (The model is loaded for the time that the sweep takes too, unless it has more than 1 GiB.)"),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_plan = {
    .name = "plan",
    .synopsis = "SWEEP.cfg|DIR [--set KEY=VALUE]... [--ranks N] [--load] [--dump] [--json]",
    .summary = "Check a sweep and say what it would run: jobs, points per level, tokens, memory per rank, time.",
    .help = "Everything is checked that can be before an allocation is spent: the configuration, the model's and "
            "tokenizer's files, every prompt's length, the objectives' options and files, adapters, searches. The time "
            "is from a measurement of about a second here, for the ranks that "
            "--ranks names.",
    .args = args,
};

static int team_size(const pr_team_config_t *t)
{
    return t->rows * t->cols;
}

// Ranks that work in the phase of most.
static int workers(const pr_plan_t *p, int ranks)
{
    int most = 0;
    for (int i = 0; i < p->n_phase; i++) {
        int n = pr_team_count(&p->phase[i].team, ranks, NULL) * team_size(&p->phase[i].team);
        most = n > most ? n : most;
    }
    return most;
}

// Experts that a team makes one after the other.
static long long rounds(const pr_plan_t *p, int ranks)
{
    int teams = pr_team_count(&p->phase[0].team, ranks, NULL);
    return (p->finetune_jobs + teams - 1) / teams;
}

// As few ranks as every phase can do with.
static int least_ranks(const pr_plan_t *p)
{
    int most = 1;
    for (int i = 0; i < p->n_phase; i++)
        most = team_size(&p->phase[i].team) > most ? team_size(&p->phase[i].team) : most;
    return most > 1 ? most + 1 : 1;
}

static bool has_teams(const pr_plan_t *p)
{
    return p->n_phase > 1 || team_size(&p->phase[0].team) > 1;
}

/* ---- JSON ---- */

/* An objective that gives nothing for nothing, turned round, gives the most for it. */
static bool empty_is_best(const pr_objective_config_t *o)
{
    return o->minimize && pr_objective_type(o->type)->empty_is_lowest;
}

static json_t *objectives_json(const pr_plan_t *p)
{
    json_t *list = json_array();
    for (int k = 0; k < p->config->n_scored; k++) {
        const pr_objective_config_t *o = &p->config->objective[k];
        json_array_append_new(list, json_pack("{s:s, s:s, s:[o, o], s:b, s:b, s:b}", "name", o->name, "type", o->type,
                                              "range", pr_json_real(p->lo[k]), pr_json_real(p->hi[k]), "minimize",
                                              o->minimize, "empty_is_best", empty_is_best(o), "finetune",
                                              !o->adapter && !o->report));
        json_object_set_new(json_array_get(list, (size_t)k), "role", json_string(o->report ? "report" : "optimise"));
    }
    return list;
}

static json_t *searches_json(const pr_plan_t *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->config->n_searches; i++) {
        json_t *levels = json_array();
        for (int j = 0; j < p->search[i].levels; j++)
            json_array_append_new(levels, json_integer(p->search[i].points[j]));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:o, s:I, s:I}", "name", p->config->search[i].name,
                                        "aggregate", p->config->search[i].aggregate, "type", p->config->search[i].type,
                                        "points_per_level", levels, "points", (json_int_t)p->search[i].total, "prompts",
                                        (json_int_t)p->search[i].prompts));
    }
    return list;
}

static json_t *fits_json(const pr_plan_t *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->fit_jobs; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "objective",
                                              p->config->objective[p->fit[i].objective].name, "kind",
                                              p->fit[i].pairs ? "pairs" : "labels", "samples", p->fit[i].samples,
                                              "held_out", p->fit[i].held_out));
    return list;
}

static json_t *teams_json(const pr_plan_t *p, int ranks)
{
    static const char *const names[] = {
        [PR_PHASE_ALL] = "all", [PR_PHASE_TUNE] = "finetune", [PR_PHASE_EVALUATE] = "evaluate"};
    json_t *list = json_array();
    for (int i = 0; i < p->n_phase; i++) {
        const pr_team_config_t *t = &p->phase[i].team;
        int idle, teams = pr_team_count(t, ranks, &idle);
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:i, s:i}", "phase", names[p->phase[i].phase], "rows",
                                              t->rows, "cols", t->cols, "teams", teams, "idle_ranks", idle));
    }
    return list;
}

/* Bytes of all ranks, were they on one node. */
static double memory_of_all(const pr_plan_t *p, int ranks)
{
    int n = workers(p, ranks);
    return (double)p->shared + n * (double)(p->memory - p->shared) + (double)p->first +
           (ranks - n) * (double)PR_PLAN_RANK;
}

/* samples (NULL: none were asked for) as pr_job_env_try has them, with the objectives' names. New reference. */
static json_t *samples_json(const pr_plan_t *p, const pr_inputs_t *in, const json_t *samples)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)samples, i, one)
    {
        json_t *v = json_copy(one), *scores = json_object();
        for (int k = 0; k < p->config->n_scored; k++)
            json_object_set(scores, p->config->objective[k].name,
                            json_object_get(json_object_get(one, "scores"), in->objective_hash[k]));
        json_object_set_new(v, "scores", scores);
        json_array_append_new(list, v);
    }
    return list;
}

/* samples: NULL where none were asked for. */
static void print_json(const pr_plan_t *p, int ranks, const json_t *samples)
{
    const pr_config_t *c = p->config;
    json_t *v = json_pack("{s:s, s:s, s:{s:s, s:I, s:I}, s:{s:i, s:i}}", "name", c->name, "results", c->results,
                          "model", "dir", c->model, "parameters", (json_int_t)p->params, "file_bytes",
                          (json_int_t)p->file_bytes, "prompts", "train", p->n_train, "eval", p->prompts);
    json_object_set(v, "changes", p->changes.text);
    json_object_set_new(v, "objectives", objectives_json(p));
    json_object_set_new(v, "searches", searches_json(p));
    json_object_set_new(v, "fit_reward", fits_json(p));
    json_object_set_new(v, "finetune",
                        json_pack("{s:I, s:I, s:I}", "jobs", (json_int_t)p->finetune_jobs, "tokens",
                                  (json_int_t)p->finetune_tokens, "rounds", (json_int_t)rounds(p, ranks)));
    json_object_set_new(v, "evaluate",
                        json_pack("{s:I, s:I, s:I}", "points", (json_int_t)p->evaluate_points, "base",
                                  (json_int_t)p->base_points, "tokens", (json_int_t)p->evaluate_tokens));
    json_object_set_new(v, "ranks", json_integer(ranks));
    json_object_set_new(v, "workers", json_integer(workers(p, ranks)));
    json_object_set_new(v, "teams", teams_json(p, ranks));
    json_object_set_new(v, "memory_per_rank", json_integer((json_int_t)p->memory));
    json_object_set_new(v, "memory_shared", json_integer((json_int_t)p->shared));
    json_object_set_new(v, "memory_rank0",
                        json_integer((json_int_t)(p->first + (ranks > 1 ? PR_PLAN_RANK : p->memory))));
    json_object_set_new(v, "time",
                        p->decode_rate > 0
                            ? json_pack("{s:o, s:o, s:o, s:o}", "seconds_least", pr_json_real(p->seconds_least),
                                        "seconds_most", pr_json_real(p->seconds_most), "new_tokens_per_second",
                                        pr_json_real(p->decode_rate), "learnt_tokens_per_second",
                                        pr_json_real(p->learn_rate))
                            : json_null());
    json_object_set_new(v, "memory_one_node", json_integer((json_int_t)memory_of_all(p, ranks)));
    json_object_set(v, "samples", (json_t *)(uintptr_t)samples); // a missing list is not set
    pr_cli_print_json(v);
    json_decref(v);
}

/* ---- text ---- */

// What a search's points are: a mix of parts, or what a method makes that has one.
static const char *policy_of(const pr_sweep_policy_t *p)
{
    return p->method->mixes ? p->mix->name : p->method->name;
}

static void print_domain(const pr_domain_t *d)
{
    const char *name = d->cube ? "cube" : "simplex";
    if (d->rows == 1)
        printf("the %s", name);
    else
        printf("%d %s%s (one per block of layers)", d->rows, name, d->cube ? "s" : "es");
    for (int i = 0; i < d->n_axes; i++) {
        const pr_axis_t *a = &d->axis[i];
        if (a->real)
            printf(" and %s from %g to %g", a->name, a->lo, a->hi);
        else
            printf(" and %d values of %s", pr_axis_count(a), a->name);
    }
    printf(",");
}

static void print_searches(const pr_plan_t *p)
{
    for (int i = 0; i < p->config->n_searches; i++) {
        const pr_search_spec_t *s = &p->config->search[i];
        printf("search      %s: %s %s over ", s->name, s->type, policy_of(&p->inputs.policy[i]));
        print_domain(&p->inputs.policy[i].domain);
        for (int j = 0; j < p->search[i].levels; j++)
            printf("%s %lld", j ? " +" : " at most", (long long)p->search[i].points[j]);
        printf(" points%s%s", p->search[i].levels > 1 ? " (a level each)" : "",
               p->search[i].proposed ? ", as no budget is given" : "");
        if (s->recheck > 0)
            printf(", on at most %lld prompts in all", (long long)p->search[i].prompts);
        printf("\n");
    }
}

static void print_fits(const pr_plan_t *p)
{
    for (int i = 0; i < p->fit_jobs; i++) {
        const pr_plan_fit_t *f = &p->fit[i];
        printf("fit-reward  %s: a head on %d %s, %d of them held out; everything else waits for it\n",
               p->config->objective[f->objective].name, f->samples, f->pairs ? "pairs" : "labels", f->held_out);
    }
}

static void print_teams(const pr_phase_spec_t *phase, int ranks)
{
    static const char *const names[] = {
        [PR_PHASE_ALL] = "all jobs", [PR_PHASE_TUNE] = "fine-tuning", [PR_PHASE_EVALUATE] = "evaluation"};
    int idle, teams = pr_team_count(&phase->team, ranks, &idle);
    printf("teams       %s: %d of %d x %d rank%s", names[phase->phase], teams, phase->team.rows, phase->team.cols,
           team_size(&phase->team) == 1 ? "" : "s");
    if (idle > 0)
        printf("; %d rank%s fit%s none and stay%s idle", idle, idle == 1 ? "" : "s", idle == 1 ? "s" : "",
               idle == 1 ? "s" : "");
    printf("\n");
}

static void print_memory(const pr_plan_t *p, int ranks)
{
    char a[32], b[32], c[32];
    printf("memory      about %s per working rank", pr_cli_bytes((double)p->memory, a));
    if (p->shared > 0)
        printf(" (%s of it weights, once per node)", pr_cli_bytes((double)p->shared, b));
    printf(", %s more on rank 0 for points; %s in all on one node\n", pr_cli_bytes((double)p->first, c),
           pr_cli_bytes(memory_of_all(p, ranks), a));
}

/* What objectives take is not known here. why: it is not measured. */
static void print_time(const pr_plan_t *p, int ranks, const char *why)
{
    char least[32], most[32];
    pr_duration_format(p->seconds_least, least, sizeof least);
    pr_duration_format(p->seconds_most, most, sizeof most);
    if (p->decode_rate > 0)
        printf("time        about %s to %s on %d rank%s, were each as fast as this one is now (%.3g new tokens/s, %.3g "
               "tokens/s learnt from), and without what objectives take\n",
               least, most, ranks, ranks == 1 ? "" : "s", p->decode_rate, p->learn_rate);
    else
        printf("time        not measured: %s\n", why);
}

static void print_training(const pr_plan_training_t *t, int n_seeds)
{
    const pr_finetune_config_t *f = t->set;
    if (t->makes == PR_FITS_ROUTE) {
        printf("fit routes  %s: %lld (%lld per seed), %d divisions of mixing weights, at most %.3g tokens\n", t->policy,
               (long long)t->jobs, (long long)t->jobs / n_seeds, pr_option_int(t->of->options, "divisions"),
               (double)t->tokens);
        return;
    }
    printf("fine-tune   ");
    if (t->policy)
        printf("%s: ", t->policy);
    if (t->per_point)
        printf("at most %lld trainings, one per point", (long long)t->jobs);
    else
        printf("%lld %s (%lld per seed)", (long long)t->jobs,
               t->makes == PR_TRAINS_ADAPTER ? t->jobs == 1 ? "expert" : "experts"
               : t->jobs == 1                ? "family of adapters"
                                             : "families of adapters",
               (long long)t->jobs / n_seeds);
    printf(", %d steps of %d x %d responses, at most %.3g tokens\n", f->steps, f->prompts_per_step, f->samples,
           (double)t->tokens);
}

static void print_jobs(const pr_plan_t *p, int ranks)
{
    const pr_config_t *c = p->config;
    for (int i = 0; i < p->n_training; i++)
        print_training(&p->training[i], c->n_seeds);
    printf("evaluate    at most %lld points (%d seed%s)", (long long)p->evaluate_points, c->n_seeds,
           c->n_seeds == 1 ? "" : "s");
    if (p->base_points > 1)
        printf(", before them the base model and %lld expert%s alone,", (long long)p->base_points - 1,
               p->base_points == 2 ? "" : "s");
    else if (p->base_points > 0)
        printf(", before them the base model,");
    printf(" on %d prompts, at most %.3g tokens\n", p->prompts, (double)p->evaluate_tokens);
    int n = workers(p, ranks);
    printf("ranks       %d: %d work%s", ranks, n, n == 1 ? "s" : "");
    if (p->finetune_jobs > 0)
        printf("; adapters are made in %lld round%s", rounds(p, ranks), rounds(p, ranks) == 1 ? "" : "s");
    printf("\n");
    for (int i = 0; has_teams(p) && i < p->n_phase; i++)
        print_teams(&p->phase[i], ranks);
    print_memory(p, ranks);
}

/* The declared range. Where an end is missing, the base model's scores say what counts as far. */
static void print_range(double lo, double hi)
{
    if (isfinite(lo) && isfinite(hi))
        printf("[%g, %g]", lo, hi);
    else if (isfinite(lo))
        printf("%g or more (scaled by the base model's scores)", lo);
    else if (isfinite(hi))
        printf("at most %g (scaled by the base model's scores)", hi);
    else
        printf("any number (scaled by the base model's scores)");
}

static void print_objective(const pr_plan_t *p, int k)
{
    const pr_objective_config_t *o = &p->config->objective[k];
    printf("objective   %s", o->name);
    if (strcmp(o->name, o->type) != 0)
        printf(" (%s)", o->type);
    printf(": ");
    print_range(p->lo[k], p->hi[k]);
    if (o->report)
        printf(", %s is better; reported, not optimised\n", o->minimize ? "smaller" : "larger");
    else if (o->adapter)
        printf(", %s; expert %s\n", o->minimize ? "minimized" : "maximized", o->adapter);
    else
        printf(", %s; to be fine-tuned\n", o->minimize ? "minimized" : "maximized");
    if (empty_is_best(o) && !o->report)
        printf("            minimized, an empty response has the best value that there is\n");
}

/* The hypervolume's: what sweeps compare by. */
static void print_reference(const pr_config_t *c)
{
    printf("reference   ");
    for (int k = 0; k < c->n_reference; k++)
        printf("%s%s %.15g", k ? ", " : "", c->objective[k].name, c->reference[k]);
    printf("%s\n", c->n_reference ? ""
                                  : "the declared worst values; of objectives that declare none, from the base model's "
                                    "scores, with which no other sweep's hypervolumes compare");
}

/* What the base model said, and what it scores. */
static void print_samples(const json_t *samples)
{
    json_t *one, *score;
    size_t i;
    const char *name;
    int columns = pr_cli_columns() - 22;
    json_array_foreach((json_t *)(uintptr_t)samples, i, one)
    {
        pr_buf_t prompt = {0}, response = {0};
        bool first = true;
        pr_text_cut(&prompt, json_string_value(json_object_get(one, "prompt")), columns > 20 ? columns : 20);
        pr_text_cut(&response, json_string_value(json_object_get(one, "response")), columns > 20 ? columns : 20);
        printf("sample      prompt    %s\n            response  %s%s\n            scores    ", prompt.data,
               response.len ? response.data : "(empty)",
               json_is_true(json_object_get(one, "cut")) ? " (cut at evaluate.max_new_tokens)" : "");
        json_object_foreach(json_object_get(one, "scores"), name, score)
        {
            printf("%s%s ", first ? "" : ", ", name);
            json_is_number(score) ? printf("%.4g", json_number_value(score)) : printf("(its head is yet to be fitted)");
            first = false;
        }
        printf("\n");
        pr_buf_free(&prompt);
        pr_buf_free(&response);
    }
}

static void print_text(const pr_plan_t *p, int ranks, const char *why)
{
    const pr_config_t *c = p->config;
    char bytes[32];
    char *journal = pr_results_path(c->results, PR_FILE_JOURNAL);
    printf("sweep       %s\nresults     %s%s\n", c->name, c->results,
           pr_file_exists(journal) ? " (there already: what is done is not done again)" : "");
    if (json_array_size(p->changes.text) > 0) {
        char *line = pr_changes_line(&p->changes);
        printf("changed     %s: its results are of another configuration; run refuses this without --replace\n", line);
        free(line);
    }
    printf("model       %s: %s, %.4g million parameters, %s\n", c->model, p->model.arch_name, (double)p->params * 1e-6,
           pr_cli_bytes((double)p->file_bytes, bytes));
    printf("prompts     ");
    if (c->train_prompts)
        printf("%d for fine-tuning (%.1f tokens, at most %d), ", p->n_train, p->mean_train, p->longest_train);
    if (c->validation_prompts)
        printf("%d for validation (%.1f tokens, at most %d), ", p->n_validation, p->mean_validation,
               p->longest_validation);
    printf("%d of %d for evaluation (%.1f tokens, at most %d)\n", p->prompts, p->n_eval, p->mean_eval, p->longest_eval);
    for (int k = 0; k < c->n_scored; k++)
        print_objective(p, k);
    print_reference(c);
    print_searches(p);
    print_fits(p);
    print_jobs(p, ranks);
    print_time(p, ranks, why);
    free(journal);
}

/* ---- the verb ---- */

/* *samples: what the base model said, and what it scores. New reference. */
static pr_status_t load(const pr_plan_t *p, json_t **samples, pr_error_t *err)
{
    enum { SAMPLES = 2 };
    const pr_config_t *c = p->config;
    pr_inputs_t in;
    json_t *said = NULL;
    pr_job_env_t *env = NULL;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status == PR_OK) {
        env = pr_job_env_new(in.content, pr_team_local());
        status = pr_job_env_try(env, in.task, SAMPLES, &said, err);
    }
    if (status == PR_OK)
        *samples = samples_json(p, &in, said);
    json_decref(said);
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    return status;
}

/* A larger model is loaded, and so measured, only when asked for. */
static const size_t MEASURED = (size_t)1 << 30;

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_config_t *c = NULL;
    pr_plan_t plan = {0};
    json_t *samples = NULL;
    pr_status_t status;
    PR_TRY(pr_sweep_config_read(o->config, o->set.item, o->set.n, PR_PLACE_ALL, &c, err));
    if (o->dump) {
        char *text = pr_config_dump(c);
        fputs(text, stdout);
        free(text);
        pr_config_free(&c);
        return PR_OK;
    }
    PR_GO(pr_plan_make(c, &plan, err));
    int ranks = o->ranks > 0 ? o->ranks : least_ranks(&plan);
    PR_GO(pr_sweep_check_ranks(c, ranks, err));
    if (o->load)
        PR_GO(load(&plan, &samples, err));
    pr_error_t why = {.text = "the model is large: --load measures it"};
    if (o->load)
        PR_GO(pr_plan_time(&plan, ranks, err));
    else if (plan.file_bytes <= MEASURED)
        pr_plan_time(&plan, ranks, &why); // a plan is one without it too
    if (o->json) {
        print_json(&plan, ranks, samples);
    } else {
        print_text(&plan, ranks, why.text);
        print_samples(samples);
    }
done:
    json_decref(samples);
    pr_plan_clear(&plan);
    pr_config_free(&c);
    return status;
}

int pr_cmd_plan(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_plan, argc, argv, &o, &code) && run(&o, &err) != PR_OK)
        code = pr_cli_fail(argv[0], &err);
    pr_cli_free(&pr_command_plan, &o);
    return code;
}
