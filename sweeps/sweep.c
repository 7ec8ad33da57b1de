#include "sweeps/sweep.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/prompts.h"
#include "objective/objective.h"
#include "report/text.h"
#include "sweeps/place.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *pr_sweep_dir(const pr_sweep_t *s)
{
    return pr_results_dir(s->results);
}

/* Ranges and reference point, turned so that larger is better. The reference point is the configured one, else the
 * worst declared value; where there is none it is found from the results (pr_sweep_fill_reference). */
static void declared_ranges(pr_sweep_t *s, const double *lo, const double *hi)
{
    const pr_config_t *c = s->config;
    for (int k = 0; k < c->n_objectives; k++) {
        double sign = pr_sweep_sign(s, k);
        s->lo[k] = sign > 0 ? lo[k] : -hi[k];
        s->hi[k] = sign > 0 ? hi[k] : -lo[k];
        s->reference[k] = c->n_reference ? sign * c->reference[k] : s->lo[k];
    }
}

static pr_status_t count_prompts(pr_sweep_t *s, pr_error_t *err)
{
    pr_prompts_t *p = NULL;
    PR_TRY(pr_prompts_load(s->config->eval_prompts, &p, err));
    int n = p->n, wanted = s->config->evaluate.prompts;
    pr_prompts_free(&p);
    if (wanted > n)
        return pr_fail(err, PR_ERR_CONFIG, "evaluate.prompts: found %d, %s has %d", wanted, s->config->eval_prompts, n);
    s->n_prompts = wanted > 0 ? wanted : n;
    return PR_OK;
}

void pr_sweep_take_expert(pr_expert_t *e, const json_t *result)
{
    snprintf(e->hash, sizeof e->hash, "%s", json_string_value(json_object_get(result, "expert")));
    e->job.state = PR_JOB_DONE;
    e->job.tokens = json_integer_value(json_object_get(result, "tokens"));
    e->job.seconds = json_number_value(json_object_get(result, "seconds"));
    e->reward = json_number_value(json_array_get(json_object_get(result, "reward"), (size_t)e->objective));
    e->step = e->steps;
}

void pr_sweep_take_head(pr_head_fit_t *f, const json_t *result)
{
    snprintf(f->hash, sizeof f->hash, "%s", json_string_value(json_object_get(result, "head")));
    f->job.state = PR_JOB_DONE;
    f->job.tokens = json_integer_value(json_object_get(result, "tokens"));
    f->job.seconds = json_number_value(json_object_get(result, "seconds"));
}

/* An earlier run's head counts when its file is still what that run wrote. */
static void recover_head(pr_sweep_t *s, pr_head_fit_t *f)
{
    const json_t *past = json_object_get(s->past_experts, f->job.id);
    const char *hash = json_string_value(json_object_get(past, "head"));
    char found[PR_HASH_HEX];
    if (!hash)
        return;
    char *path = pr_head_path(s->config, pr_sweep_dir(s), f->objective);
    if (pr_hash_file(path, found, NULL) == PR_OK && strcmp(found, hash) == 0) {
        pr_sweep_take_head(f, past);
        s->done++;
    } else {
        pr_log(PR_LOG_WARN, "%s: not what its fit_reward job wrote; it will be made again", path);
    }
    free(path);
}

static void make_fits(pr_sweep_t *s)
{
    const pr_config_t *c = s->config;
    s->fit = pr_alloc((size_t)c->n_objectives, sizeof *s->fit);
    for (int k = 0; k < c->n_objectives; k++) {
        if (!pr_objective_needs_fit(c->objective[k].type, c->objective[k].options))
            continue;
        pr_head_fit_t *f = &s->fit[s->n_fit++];
        json_t *spec = pr_fit_spec(c, &s->inputs, k);
        f->objective = k;
        snprintf(f->job.id, sizeof f->job.id, "%s", json_string_value(json_object_get(spec, "id")));
        json_decref(spec);
        recover_head(s, f);
        pr_sweep_take_costs(s, &f->job);
    }
}

/* An earlier run's expert counts when its files are still what that run wrote. */
static void recover_expert(pr_sweep_t *s, pr_expert_t *e)
{
    const json_t *past = json_object_get(s->past_experts, e->job.id);
    char found[PR_HASH_HEX];
    if (!json_is_string(json_object_get(past, "expert")))
        return;
    char *dir = pr_expert_dir(s->config, pr_sweep_dir(s), e->objective, s->config->seeds[e->seed_index]);
    const char *hash = json_string_value(json_object_get(past, "expert"));
    if (pr_adapter_hash(dir, found, NULL) == PR_OK && strcmp(found, hash) == 0) {
        pr_sweep_take_expert(e, past);
        s->done++;
    } else {
        pr_log(PR_LOG_WARN, "%s: not what its fine-tune job wrote; it will be made again", dir);
    }
    free(dir);
}

static void make_experts(pr_sweep_t *s)
{
    const pr_config_t *c = s->config;
    s->n_expert = c->n_seeds * c->n_objectives;
    s->expert = pr_alloc((size_t)s->n_expert, sizeof *s->expert);
    for (int i = 0; i < s->n_expert; i++) {
        pr_expert_t *e = &s->expert[i];
        e->objective = i % c->n_objectives;
        e->seed_index = i / c->n_objectives;
        e->given = c->objective[e->objective].adapter != NULL;
        e->steps = c->finetune.steps;
        if (e->given) {
            memcpy(e->hash, s->inputs.adapter[e->objective], sizeof e->hash);
            memcpy(e->job.id, e->hash, sizeof e->job.id);
            e->job.state = PR_JOB_DONE;
            continue;
        }
        json_t *spec = pr_finetune_spec(c, &s->inputs, e->objective, c->seeds[e->seed_index]);
        snprintf(e->job.id, sizeof e->job.id, "%s", json_string_value(json_object_get(spec, "id")));
        json_decref(spec);
        recover_expert(s, e);
        pr_sweep_take_costs(s, &e->job);
    }
}

static void make_tracks(pr_sweep_t *s)
{
    const pr_config_t *c = s->config;
    s->n_track = c->n_searches * c->n_seeds;
    s->track = pr_alloc((size_t)s->n_track, sizeof *s->track);
    for (int i = 0; i < s->n_track; i++) {
        pr_track_t *t = &s->track[i];
        t->index = i;
        t->spec = &c->search[i / c->n_seeds];
        t->seed_index = i % c->n_seeds;
        t->search = (pr_search_t){.spec = t->spec,
                                  .k = c->n_objectives,
                                  .n_prompts = s->n_prompts,
                                  .seed = c->seed,
                                  .lo = s->lo,
                                  .hi = s->hi,
                                  .reference = t->reference};
        pr_policy_identity(c, &s->inputs, t->spec, t->policy);
        t->max_range = t->spec->n_fidelity + 1;
    }
}

static pr_status_t write_config(const pr_sweep_t *s, pr_error_t *err)
{
    char *text = pr_config_dump(s->config), *path = pr_results_path(pr_sweep_dir(s), "sweep.cfg");
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(text);
    free(path);
    return status;
}

static pr_status_t begin_journal(pr_sweep_t *s, pr_error_t *err)
{
    char *path = pr_results_path(pr_sweep_dir(s), "journal.jsonl");
    pr_status_t status = pr_sweep_replay(s, err);
    if (status == PR_OK)
        status = pr_journal_open(path, &s->journal, err);
    if (status == PR_OK)
        status = pr_results_check(s->results, err); // reading and closing the journal may have cost the lock
    free(path);
    return status;
}

static pr_status_t journal_start(pr_sweep_t *s, pr_error_t *err)
{
    json_t *seeds = json_array(), *names = json_array();
    for (int k = 0; k < s->config->n_objectives; k++)
        json_array_append_new(names, json_string(s->config->objective[k].name));
    for (int i = 0; i < s->config->n_seeds; i++)
        json_array_append_new(seeds, json_integer(s->config->seeds[i]));
    int to_tune = 0, tuned = 0;
    for (int i = 0; i < s->n_expert; i++) {
        to_tune += !s->expert[i].given;
        tuned += !s->expert[i].given && s->expert[i].job.state == PR_JOB_DONE;
    }
    int fitted = 0;
    for (int i = 0; i < s->n_fit; i++)
        fitted += s->fit[i].job.state == PR_JOB_DONE;
    json_t *e =
        json_pack("{s:s, s:s, s:i, s:o, s:o, s:i, s:i, s:i, s:i, s:i}", "name", s->config->name, "version", PR_VERSION,
                  "workers", s->workers, "objectives", names, "seeds", seeds, "searches", s->config->n_searches,
                  "experts", to_tune, "experts_done", tuned, "heads", s->n_fit, "heads_done", fitted);
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) == 0)
        json_object_set_new(e, "host", pr_text_json_string(host, strlen(host)));
    json_object_set_new(e, "pid", json_integer(getpid()));
    json_object_set_new(e, "inputs", pr_sweep_inputs_json(s->config, &s->inputs));
    pr_status_t status = pr_journal_append(s->journal, "sweep_start", e, true, err);
    json_decref(e);
    return status;
}

pr_status_t pr_sweep_open(const pr_config_t *config, int workers, const double *lo, const double *hi, pr_sweep_t **out,
                          pr_error_t *err)
{
    pr_sweep_t *s = pr_alloc(1, sizeof *s);
    pr_status_t status = PR_OK;
    *s = (pr_sweep_t){.config = config, .workers = workers, .began = pr_time_monotonic()};
    s->past_experts = json_object();
    s->steps = json_object();
    s->said = json_object();
    s->kept = json_object();
    s->pending = json_array();
    s->failures = json_array();
    PR_GO(pr_inputs_read(config, &s->inputs, err));
    declared_ranges(s, lo, hi);
    PR_GO(count_prompts(s, err));
    PR_GO(pr_results_open(config->results, &s->results, err));
    pr_results_sweep_temporaries(s->results);
    PR_GO(begin_journal(s, err));
    PR_GO(write_config(s, err));
    make_fits(s);
    make_experts(s);
    make_tracks(s);
    PR_GO(journal_start(s, err));
    for (int i = 0; i < s->n_track; i++)
        PR_GO(pr_track_advance(s, &s->track[i], err));
    PR_GO(pr_sweep_commit(s, err));
    *out = s;
    return PR_OK;
done:
    pr_sweep_free(&s);
    return status;
}

void pr_sweep_free(pr_sweep_t **p)
{
    pr_sweep_t *s = *p;
    if (!s)
        return;
    for (int i = 0; s->track && i < s->n_track; i++) {
        free(s->track[i].eval);
        free(s->track[i].asked);
        free(s->track[i].asked_eval);
    }
    for (size_t i = 0; i < s->n_evaluation; i++)
        free(pr_sweep_eval(s, i)->prompt);
    for (size_t i = 0; i < s->n_evaluation; i += PR_SWEEP_CHUNK)
        free(s->chunk[i / PR_SWEEP_CHUNK]);
    for (size_t i = 0; i < s->n_block; i++)
        free(s->block[i]);
    for (int i = 0; i < s->n_host; i++)
        free(s->host[i]);
    free(s->host);
    free(s->chunk);
    free(s->block);
    free(s->past);
    free(s->by_id.slot);
    free(s->past_by_id.slot);
    free(s->track);
    free(s->expert);
    free(s->fit);
    json_decref(s->past_experts);
    json_decref(s->steps);
    json_decref(s->tables);
    json_decref(s->said);
    json_decref(s->kept);
    free(s->again);
    json_decref(s->pending);
    json_decref(s->failures);
    json_decref(s->indicators);
    pr_inputs_clear(&s->inputs);
    pr_journal_close(&s->journal);
    pr_results_close(&s->results);
    free(s);
    *p = NULL;
}
