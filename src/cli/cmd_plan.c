// SPDX-License-Identifier: BSD-3-Clause
/* paretorank plan: checks a sweep's inputs and says what it would run. */
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/plan.h"
#include "jobs/job.h"
#include "objective/objective.h"
#include "store/results.h"
#include "sweeps/place.h"

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
    PR_ARG("--load", BOOL, offsetof(options_t, load), NULL,
           "Also load the model and start every objective, as a rank would."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_plan = {
    .name = "plan",
    .synopsis = "SWEEP.cfg|DIR [--set KEY=VALUE]... [--ranks N] [--load] [--dump] [--json]",
    .summary = "Check a sweep and say what it would run: jobs, points per level, tokens, memory per rank.",
    .help = "Everything is checked that can be before an allocation is spent: the configuration, the model's and "
            "tokenizer's files, every prompt's length, the objectives' options and files, adapters, searches.",
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
    for (int k = 0; k < p->config->n_objectives; k++) {
        const pr_objective_config_t *o = &p->config->objective[k];
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", o->name, "type", o->type, "minimize",
                                              o->minimize, "empty_is_best", empty_is_best(o), "finetune",
                                              o->adapter == NULL));
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

static void print_json(const pr_plan_t *p, int ranks)
{
    const pr_config_t *c = p->config;
    json_t *v = json_pack("{s:s, s:s, s:{s:s, s:I, s:I}, s:{s:i, s:i}}", "name", c->name, "results", c->results,
                          "model", "dir", c->model, "parameters", (json_int_t)p->params, "file_bytes",
                          (json_int_t)p->file_bytes, "prompts", "train", p->n_train, "eval", p->prompts);
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
    json_object_set_new(v, "memory_one_node", json_integer((json_int_t)memory_of_all(p, ranks)));
    pr_cli_print_json(v);
    json_decref(v);
}

/* ---- text ---- */

// What a search's points are: a mix of parts, or what a method makes that has one.
static const char *policy_of(const pr_sweep_policy_t *p)
{
    return p->method->mixes ? p->mix->name : p->method->name;
}

static void print_searches(const pr_plan_t *p)
{
    for (int i = 0; i < p->config->n_searches; i++) {
        const pr_search_spec_t *s = &p->config->search[i];
        printf("search      %s: %s %s over the %s,", s->name, s->type, policy_of(&p->inputs.policy[i]), s->domain);
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

static void print_training(const pr_plan_training_t *t, int n_seeds)
{
    const pr_finetune_config_t *f = t->set;
    printf("fine-tune   ");
    if (t->policy)
        printf("%s: ", t->policy);
    if (t->per_point)
        printf("at most %lld trainings, one per point", (long long)t->jobs);
    else
        printf("%lld expert%s (%lld per seed)", (long long)t->jobs, t->jobs == 1 ? "" : "s",
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
        printf(", before them the base model and %lld experts alone,", (long long)p->base_points - 1);
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

static void print_objective(const pr_plan_t *p, int k)
{
    const pr_objective_config_t *o = &p->config->objective[k];
    printf("objective   %s", o->name);
    if (strcmp(o->name, o->type) != 0)
        printf(" (%s)", o->type);
    printf(": %s, %s; ", pr_objective_type(o->type)->range, o->minimize ? "minimized" : "maximized");
    printf(o->adapter ? "expert %s\n" : "to be fine-tuned\n", o->adapter);
    if (empty_is_best(o))
        printf("            minimized, an empty response has the best value that there is\n");
}

static void print_text(const pr_plan_t *p, int ranks)
{
    const pr_config_t *c = p->config;
    char bytes[32];
    char *journal = pr_results_path(c->results, PR_FILE_JOURNAL);
    printf("sweep       %s\nresults     %s%s\n", c->name, c->results,
           pr_file_exists(journal) ? " (there already: what is done is not done again)" : "");
    printf("model       %s: %s, %.4g million parameters, %s\n", c->model, p->model.arch_name, (double)p->params * 1e-6,
           pr_cli_bytes((double)p->file_bytes, bytes));
    printf("prompts     ");
    if (c->train_prompts)
        printf("%d for fine-tuning (%.1f tokens, at most %d), ", p->n_train, p->mean_train, p->longest_train);
    printf("%d of %d for evaluation (%.1f tokens, at most %d)\n", p->prompts, p->n_eval, p->mean_eval, p->longest_eval);
    for (int k = 0; k < c->n_objectives; k++)
        print_objective(p, k);
    print_searches(p);
    print_fits(p);
    print_jobs(p, ranks);
    free(journal);
}

/* ---- the verb ---- */

static pr_status_t load(const pr_config_t *c, pr_error_t *err)
{
    pr_inputs_t in;
    pr_job_env_t *env = NULL;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status == PR_OK) {
        env = pr_job_env_new(in.content, pr_team_local());
        status = pr_job_env_load(env, err);
    }
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    return status;
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_config_t *c = NULL;
    pr_plan_t plan = {0};
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
        PR_GO(load(c, err));
    if (o->json)
        print_json(&plan, ranks);
    else
        print_text(&plan, ranks);
done:
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
