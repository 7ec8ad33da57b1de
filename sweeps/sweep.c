// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/sweep.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "report/text.h"
#include "sweeps/changes.h"
#include "sweeps/place.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *pr_sweep_dir(const pr_sweep_t *s)
{
    return pr_results_dir(s->results);
}

double pr_sweep_sign(const pr_sweep_t *s, int objective)
{
    return s->config->objective[objective].minimize ? -1 : 1;
}

bool pr_sweep_any_fidelity(const pr_config_t *c)
{
    for (int i = 0; i < c->n_searches; i++)
        if (c->search[i].n_fidelity > 0)
            return true;
    return false;
}

int64_t pr_point_number(const char *job)
{
    char digits[16] = {0};
    memcpy(digits, job, 15);
    return (int64_t)strtoull(digits, NULL, 16);
}

/* ---- the journal ---- */

/* As the journal will have the line, which gets its time there. */
static void fold_now(pr_sweep_t *s, const char *event, json_t *line)
{
    json_t *folded = json_copy(line);
    json_object_set_new(folded, "t", pr_json_real(pr_time_wall()));
    pr_fold_event(s->fold, event, folded);
    json_decref(folded);
}

void pr_sweep_tell(pr_sweep_t *s, const char *event, json_t *line)
{
    fold_now(s, event, line);
    json_array_append_new(s->pending, json_pack("[s, o]", event, line));
}

pr_status_t pr_sweep_tell_now(pr_sweep_t *s, const char *event, json_t *line, bool sync, pr_error_t *err)
{
    fold_now(s, event, line);
    pr_status_t status = pr_journal_append(s->journal, event, line, sync, err);
    json_decref(line);
    return status;
}

/* Once in a while: is the journal still the one that another run would find? */
static pr_status_t check_lock(pr_sweep_t *s, pr_error_t *err)
{
    double now = pr_time_monotonic();
    if (now - s->checked < 1)
        return PR_OK;
    s->checked = now;
    return pr_results_check(s->results, err);
}

/* Lines of jobs that ended are written together: the next job is not given before they are on disk. */
pr_status_t pr_sweep_commit(pr_sweep_t *s, pr_error_t *err)
{
    size_t n = json_array_size(s->pending);
    PR_TRY(check_lock(s, err));
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(s->pending, i);
        PR_TRY(pr_journal_append(s->journal, json_string_value(json_array_get(p, 0)), json_array_get(p, 1), i + 1 == n,
                                 err));
    }
    json_array_clear(s->pending);
    return PR_OK;
}

/* With nothing to be read, but results, a run would do everything again, and replace what is finished. */
static pr_status_t check_lines(const pr_sweep_t *s, const char *path, const pr_journal_stats_t *stats, pr_error_t *err)
{
    char damage[256], what[256];
    pr_journal_damage(stats, damage, sizeof damage);
    if (stats->lines == 0 && pr_results_has_work(pr_sweep_dir(s), what, sizeof what))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: %s%s, but %s is there: what was done here is not known any more; put the journal back, or "
                       "move the results away to begin anew",
                       path, damage[0] ? "no good line: " : "empty", damage, what);
    if (damage[0])
        pr_log(PR_LOG_WARN, "%s: %s; passed over: what they said is done again where it is needed", path, damage);
    return PR_OK;
}

/* The last run may have been another version's, where the first was not. */
pr_status_t pr_sweep_check_layout(const char *dir, const pr_fold_t *f, pr_error_t *err)
{
    return f->starts == 0 ? PR_OK : pr_results_known_layout(dir, f->layout, err);
}

/* The journal of earlier runs, folded. A run that was killed is told of. */
static pr_status_t replay(pr_sweep_t *s, const char *path, pr_error_t *err)
{
    pr_journal_stats_t stats;
    char age[32], *names = NULL;
    PR_TRY(pr_journal_read(path, pr_fold_line, s->fold, &stats, err));
    PR_TRY(check_lines(s, path, &stats, err));
    PR_TRY(pr_sweep_check_layout(pr_sweep_dir(s), s->fold, err));
    pr_duration_format(fmax(pr_time_wall() - s->fold->at, 0), age, sizeof age);
    if (pr_fold_ended(s->fold, &names))
        pr_log(PR_LOG_WARN,
               "%s: the last run was killed: the journal has no end of it, its last line is of %s ago; %s%s; what was "
               "done is not done again",
               pr_sweep_dir(s), age, names[0] ? "without an end: " : "no job was running", names);
    free(names);
    pr_rounds_take(s);
    return PR_OK;
}

static pr_status_t begin_journal(pr_sweep_t *s, pr_error_t *err)
{
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_JOURNAL);
    pr_status_t status = replay(s, path, err);
    if (status == PR_OK)
        status = pr_journal_open(path, &s->journal, err);
    if (status == PR_OK)
        status = pr_results_check(s->results, err); // reading and closing the journal may have cost the lock
    free(path);
    return status;
}

/* The configuration that the results are of: as the journal has it; of an earlier version's, as sweep.cfg does. New
 * reference. */
static pr_status_t config_before(const pr_sweep_t *s, json_t **out, pr_error_t *err)
{
    pr_config_t *c = NULL;
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_CONFIG);
    pr_status_t status = PR_OK;
    *out = json_incref(s->fold->config);
    if (!*out)
        status = pr_config_read(path, NULL, 0, &c, err);
    if (status != PR_OK)
        pr_fail_in(err, "%s: nothing tells what configuration the results are of (see --replace)", pr_sweep_dir(s));
    else if (!*out)
        *out = pr_config_json(c);
    pr_config_free(&c);
    free(path);
    return status;
}

static pr_status_t replace(pr_sweep_t *s, const json_t *changes, pr_error_t *err)
{
    char to[64];
    PR_TRY(pr_results_put_aside(s->results, to, sizeof to, err));
    pr_log(PR_LOG_INFO, "%s: the tables of the configuration before are in %s now", pr_sweep_dir(s), to);
    return pr_sweep_tell_now(s, "replaced", json_pack("{s:s, s:O}", "to", to, "changes", changes), true, err);
}

/* What is there may be added to, and is not overwritten unless that is asked for. */
static pr_status_t check_changes(pr_sweep_t *s, const json_t *config, const json_t *inputs, bool may_replace,
                                 pr_error_t *err)
{
    json_t *before = NULL;
    pr_changes_t changes = {0};
    if (s->fold->results == 0)
        return PR_OK;
    pr_status_t status = config_before(s, &before, err);
    if (status != PR_OK)
        return may_replace ? replace(s, json_null(), err) : status;
    pr_changes_find(&(pr_changes_side_t){before, s->fold->inputs, s->fold->prompts, s->fold->asked},
                    &(pr_changes_side_t){config, inputs, s->n_prompts, NULL}, &changes);
    if (json_array_size(changes.text) > 0)
        status = may_replace ? replace(s, changes.text, err) : pr_changes_refuse(pr_sweep_dir(s), &changes, err);
    pr_changes_clear(&changes);
    json_decref(before);
    return status;
}

static pr_status_t journal_config(pr_sweep_t *s, const json_t *config, pr_error_t *err)
{
    if (json_equal(config, s->fold->config) && s->fold->prompts == s->n_prompts)
        return PR_OK;
    return pr_sweep_tell_now(s, "config", json_pack("{s:O, s:i}", "config", config, "prompts", s->n_prompts), true,
                             err);
}

int64_t pr_sweep_forecast(const pr_sweep_t *s, int search)
{
    enum { LEVELS = 64 };
    int64_t counts[LEVELS], all = 0;
    int n = pr_search_forecast(&s->track[search * s->config->n_seeds].search, counts, LEVELS);
    for (int i = 0; i < n && i < LEVELS; i++)
        all += counts[i];
    return all;
}

/* {search: [points at most per seed, trainings per point]}. */
static json_t *forecast_json(const pr_sweep_t *s)
{
    json_t *v = json_object();
    for (int i = 0; i < s->config->n_searches; i++)
        json_object_set_new(
            v, s->config->search[i].name,
            json_pack("[I, i]", (json_int_t)pr_sweep_forecast(s, i), s->inputs->policy[i].per_point ? 1 : 0));
    return v;
}

static pr_status_t journal_start(pr_sweep_t *s, json_t *inputs, pr_error_t *err)
{
    json_t *seeds = json_array(), *names = json_array();
    for (int k = 0; k < s->config->n_objectives; k++)
        json_array_append_new(names, json_string(s->config->objective[k].name));
    for (int i = 0; i < s->config->n_seeds; i++)
        json_array_append_new(seeds, json_integer(s->config->seeds[i]));
    json_t *e = json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:i}", "name", s->config->name, "version", PR_VERSION,
                          "layout", PR_LAYOUT, "workers", s->workers, "objectives", names, "seeds", seeds, "searches",
                          s->config->n_searches);
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) == 0)
        json_object_set_new(e, "host", pr_text_json_string(host, strlen(host)));
    json_object_set_new(e, "pid", json_integer(getpid()));
    json_object_set(e, "inputs", inputs);
    json_object_set_new(e, "forecast", forecast_json(s));
    json_object_set_new(
        e, "evaluation_tokens",
        json_integer((json_int_t)s->n_prompts * s->config->evaluate.samples * s->config->evaluate.max_new_tokens));
    return pr_sweep_tell_now(s, "sweep_start", e, true, err);
}

static pr_status_t write_config(const pr_sweep_t *s, pr_error_t *err)
{
    char *text = pr_config_dump(s->config), *path = pr_results_path(pr_sweep_dir(s), PR_FILE_CONFIG);
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(text);
    free(path);
    return status;
}

/* A run begins, unless it would overwrite what is there. */
static pr_status_t begin_run(pr_sweep_t *s, bool may_replace, pr_error_t *err)
{
    json_t *config = pr_config_json(s->config), *inputs = pr_sweep_inputs_json(s->config, s->inputs);
    pr_status_t status;
    PR_GO(begin_journal(s, err));
    PR_GO(check_changes(s, config, inputs, may_replace, err));
    PR_GO(write_config(s, err));
    PR_GO(journal_start(s, inputs, err));
    PR_GO(journal_config(s, config, err));
done:
    json_decref(config);
    json_decref(inputs);
    return status;
}

/* ---- opening ---- */

/* Ranges and reference point, turned so that larger is better. The reference point is the configured one, else the
 * worst declared value; where there is none it is the base model's (pr_base_advance), else found from the results
 * (pr_sweep_fill_reference). */
static void declared_ranges(pr_sweep_t *s, const double *lo, const double *hi)
{
    const pr_config_t *c = s->config;
    s->scaled = true;
    for (int k = 0; k < c->n_objectives; k++) {
        double sign = pr_sweep_sign(s, k);
        s->lo[k] = sign > 0 ? lo[k] : -hi[k];
        s->hi[k] = sign > 0 ? hi[k] : -lo[k];
        s->reference[k] = c->n_reference ? sign * c->reference[k] : s->lo[k];
        s->low[k] = s->lo[k];
        s->high[k] = s->hi[k];
        s->scaled = s->scaled && isfinite(s->lo[k]) && isfinite(s->hi[k]) && isfinite(s->reference[k]);
    }
}

static pr_status_t count_prompts(pr_sweep_t *s, pr_error_t *err)
{
    int n = s->inputs->n_eval, wanted = s->config->evaluate.prompts;
    if (wanted > n)
        return pr_fail(err, PR_ERR_CONFIG, "evaluate.prompts: found %d, %s has %d", wanted, s->config->eval_prompts, n);
    s->n_prompts = wanted > 0 ? wanted : n;
    return PR_OK;
}

/* The heads of objectives, which all other jobs score with. */
static void make_heads(pr_sweep_t *s)
{
    for (int k = 0; k < s->config->n_scored; k++) {
        if (!s->inputs->head[k][0])
            continue;
        pr_buf_t label = {0};
        pr_buf_printf(&label, "%s-head", s->config->objective[k].name);
        uint32_t node = pr_graph_node(s, pr_inputs_fit(s->inputs, k), pr_inputs_how_fit(s->inputs, k), label.data,
                                      s->config->objective[k].name, 0, NULL);
        bool known = false;
        for (int i = 0; i < s->n_head; i++)
            known = known || s->head[i] == node;
        if (!known)
            s->head[s->n_head++] = node;
        pr_buf_free(&label);
    }
}

static void make_track(pr_sweep_t *s, int index)
{
    const pr_config_t *c = s->config;
    pr_track_t *t = &s->track[index];
    const pr_base_t *base = index < s->n_track ? NULL : &s->base[index - s->n_track];
    t->index = index;
    t->base = base;
    t->sweep = s;
    t->spec = base ? &base->spec : &c->search[index / c->n_seeds];
    t->policy = base ? &base->policy : &s->inputs->policy[index / c->n_seeds];
    t->seed_index = base ? base->seed_index : index % c->n_seeds;
    t->search = (pr_search_t){.spec = t->spec,
                              .k = c->n_objectives,
                              .domain = &t->policy->domain,
                              .n_prompts = s->n_prompts,
                              .seed = c->seed,
                              .lo = s->lo,
                              .hi = s->hi,
                              .reference = t->reference,
                              .stopping = s->hooks.stopping,
                              .self = s->hooks.self};
    if (!base && t->policy->per_point) {
        t->search.making = pr_training_prompts(c, t->policy->set);
        t->search.made = pr_graph_expert_makes;
        t->search.of = t;
    }
    t->max_range = t->spec->n_fidelity + 1;
}

static void make_tracks(pr_sweep_t *s)
{
    s->n_track = s->config->n_searches * s->config->n_seeds;
    s->base = pr_alloc((size_t)s->n_track, sizeof *s->base);
    s->n_base = pr_base_plan(s->inputs, s->base);
    s->track = pr_alloc((size_t)(s->n_track + s->n_base), sizeof *s->track);
    for (int i = 0; i < s->n_track + s->n_base; i++)
        make_track(s, i);
}

/* The base model and the experts alone first: jobs are given in the order in which they were asked for. */
static pr_status_t advance_all(pr_sweep_t *s, pr_error_t *err)
{
    PR_TRY(pr_base_advance(s, err));
    for (int i = 0; i < s->n_track; i++)
        PR_TRY(pr_track_advance(s, &s->track[i], err));
    return PR_OK;
}

pr_status_t pr_sweep_open(const pr_config_t *config, pr_inputs_t *inputs, int workers, const double *lo,
                          const double *hi, const pr_sweep_hooks_t *hooks, bool may_replace, pr_sweep_t **out,
                          pr_error_t *err)
{
    pr_sweep_t *s = pr_alloc(1, sizeof *s);
    pr_status_t status = PR_OK;
    *s = (pr_sweep_t){.config = config, .inputs = inputs, .workers = workers, .began = pr_time_monotonic()};
    if (hooks)
        s->hooks = *hooks;
    s->fold = pr_fold_new(config->n_scored);
    s->said = json_object();
    s->kept = json_object();
    s->pending = json_array();
    declared_ranges(s, lo, hi);
    pr_reference_check(s);
    PR_GO(pr_sweep_check_rules(inputs, lo, hi, err));
    PR_GO(count_prompts(s, err));
    make_tracks(s);
    // Before the journal, whose results it does not need: of millions of points the search takes much memory.
    for (int i = 0; i < s->n_track; i++)
        PR_GO(pr_track_first(s, &s->track[i], err));
    PR_GO(pr_results_open(config->results, &s->results, err));
    pr_results_sweep_temporaries(s->results);
    PR_GO(begin_run(s, may_replace, err));
    make_heads(s);
    for (int i = 0; i < s->n_base; i++)
        if (s->base[i].experts)
            PR_GO(pr_track_begin(s, &s->track[s->n_track + i], err));
    for (int i = 0; i < s->n_track; i++)
        PR_GO(pr_track_begin(s, &s->track[i], err));
    s->graph.n_first = s->graph.n_node;
    PR_GO(advance_all(s, err));
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
    for (int i = 0; s->track && i < s->n_track + s->n_base; i++)
        pr_track_clear(&s->track[i]);
    free(s->track);
    free(s->base);
    pr_graph_clear(&s->graph);
    pr_fold_free(&s->fold);
    pr_segment_index_close(&s->segments);
    json_decref(s->rounds);
    json_decref(s->ends);
    json_decref(s->said);
    json_decref(s->kept);
    free(s->again);
    json_decref(s->pending);
    json_decref(s->indicators);
    json_decref(s->warnings);
    pr_journal_close(&s->journal);
    pr_results_close(&s->results);
    free(s);
    *p = NULL;
}

/* ---- jobs ---- */

void pr_sweep_set_phase(pr_sweep_t *s, pr_phase_t phase)
{
    s->phase = phase;
}

pr_next_t pr_sweep_next(pr_sweep_t *s, json_t **message)
{
    *message = pr_graph_next(s);
    if (!*message && s->running == 0 && s->phase != PR_PHASE_TUNE && !s->asked_again) {
        s->asked_again = true;
        if (pr_sweep_ask_again(s))
            *message = pr_graph_next(s);
    }
    if (!*message)
        return s->running ? PR_NEXT_WAIT : PR_NEXT_DONE;
    // It counts as running from here on; the fold says so when somebody has it.
    pr_fold_find(s->fold, json_string_value(json_object_get(*message, "id")))->state = PR_JOB_RUNNING;
    s->running++;
    return PR_NEXT_JOB;
}

bool pr_sweep_has_more(const pr_sweep_t *s)
{
    return s->graph.ready_node.n > 0 || s->graph.ready_evaluation.n > 0;
}

/* Everything a journal line says of a job, whatever its kind. New reference. */
static json_t *job_line(const pr_sweep_t *s, const char *id, const pr_who_t *who)
{
    const pr_job_record_t *r = pr_fold_find(s->fold, id);
    const pr_node_t *n = pr_graph_find_node(s, r);
    const pr_evaluation_t *e = pr_graph_find_evaluation(s, r);
    char *label = n ? pr_strdup(n->label) : e ? pr_evaluation_label(s, e) : pr_strdup("");
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:i, s:s}", "job", id, "kind", n ? n->kind->name : pr_job_kind_evaluating()->name,
                  "label", label, "rank", who->rank, "host", who->host);
    if (e) {
        json_object_set_new(line, "search", json_string(s->track[e->track].spec->name));
        json_object_set_new(line, "seed", json_integer(s->config->seeds[s->track[e->track].seed_index]));
        json_object_set_new(line, "first", json_integer(e->first));
        json_object_set_new(line, "count", json_integer(e->count));
    }
    free(label);
    return line;
}

pr_status_t pr_sweep_started(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_error_t *err)
{
    const pr_job_record_t *r = pr_fold_find(s->fold, job);
    json_t *line = job_line(s, job, who);
    json_object_set_new(line, "attempt", json_integer(r ? r->tries + 1 : 1));
    return pr_sweep_tell_now(s, "job_start", line, false, err);
}

pr_status_t pr_sweep_event(pr_sweep_t *s, const pr_who_t *who, const char *event, const json_t *fields, pr_error_t *err)
{
    (void)who;
    PR_TRY(check_lock(s, err));
    s->scored = s->scored || strcmp(event, "step") == 0;
    return pr_sweep_tell_now(s, event, json_copy((json_t *)(uintptr_t)fields), false, err);
}

/* Is it a result of its kind, for this sweep? */
static bool is_result(const pr_sweep_t *s, const pr_job_record_t *r, const json_t *result)
{
    double value[2 * PR_MAX_OBJECTIVES + 1];
    const pr_node_t *n = pr_graph_find_node(s, r);
    if (!n)
        return pr_job_kind_evaluating()->is_result(result) && pr_fold_value(s->config->n_scored, result, value);
    return json_is_object(result) && (!n->kind->is_result || n->kind->is_result(result)) &&
           (n->kind->artifact == PR_ARTIFACT_NONE || json_is_string(json_object_get(result, "artifact")));
}

/* Is another try worth it? What is wrong with the configuration stays wrong, and so does what went wrong twice in the
 * same words, and an objective that fails on its first sample while nobody has scored any. */
static bool worth_a_try(const pr_sweep_t *s, const pr_job_record_t *r, pr_status_t why, const char *text)
{
    return r->tries <= s->config->retries && !(why == PR_ERR_FIRST_SAMPLE && !s->scored) &&
           r->failure != pr_fold_failure(pr_status_reason(why), text) && why != PR_ERR_CONFIG && why != PR_ERR_USAGE;
}

/* costs: what the job said beside its failure, {"seconds", "tokens"}, or NULL. */
static pr_status_t job_failed(pr_sweep_t *s, pr_job_record_t *r, const char *id, const pr_who_t *who, pr_status_t why,
                              const char *text, const json_t *costs, pr_error_t *err)
{
    bool stopped = why == PR_ERR_INTERRUPTED;
    json_t *line = job_line(s, id, who), *error = pr_text_json_string(text, strlen(text));
    // As the journal will have the words, so that a later look at it compares the same.
    bool again = stopped || worth_a_try(s, r, why, json_string_value(error));
    json_object_set_new(line, "reason", json_string(pr_status_reason(why)));
    json_object_set_new(line, "error", error);
    json_object_set_new(line, "attempt", json_integer(r->tries));
    json_object_set_new(line, "retry", json_boolean(again));
    json_object_set(line, "seconds", json_object_get(costs, "seconds")); // a missing key is not set
    json_object_set(line, "tokens", json_object_get(costs, "tokens"));
    if (!stopped)
        pr_log(PR_LOG_WARN, "%s failed (%s)%s: %s", json_string_value(json_object_get(line, "label")),
               pr_status_reason(why), again ? ", will be tried again" : ", given up", text);
    if (!again)
        s->why = s->fold->failed == 0 || s->why == why ? why : PR_ERR_INCOMPLETE;
    pr_sweep_tell(s, stopped ? "job_interrupted" : "job_failed", line);
    if (again) {
        pr_graph_again(s, r);
        return PR_OK;
    }
    pr_graph_done(s, r);
    return advance_all(s, err);
}

pr_status_t pr_sweep_finished(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_status_t status, const char *text,
                              const json_t *result, pr_error_t *err)
{
    pr_job_record_t *r = pr_fold_find(s->fold, job);
    if (!r || !r->owner || r->state != PR_JOB_RUNNING)
        return PR_OK; // answered twice, or not one of ours: nothing to change
    s->running--;
    if (status == PR_OK && !is_result(s, r, result)) {
        status = PR_ERR_FORMAT;
        text = "the job's answer is not a result of its kind";
    }
    if (status != PR_OK)
        return job_failed(s, r, job, who, status, text, result, err);
    if (pr_graph_find_evaluation(s, r) &&
        r->value) { // it was done again: its values may be others, on another machine, and so may be the front
        json_object_del(s->said, job);
        s->asked_again = false;
    }
    s->scored = s->scored || pr_graph_find_evaluation(s, r);
    json_t *line = job_line(s, job, who);
    json_object_set(line, "result", (json_t *)(uintptr_t)result);
    pr_sweep_tell(s, "job_done", line);
    pr_graph_done(s, r);
    return advance_all(s, err);
}

void pr_sweep_progress(const pr_sweep_t *s, pr_progress_t *out)
{
    pr_fold_progress(s->fold, true, pr_time_wall(), out);
    if (!s->fold->ending)
        return;
    out->jobs_done = s->end_done;
    out->jobs_total = s->end_total;
    out->step = out->step_total = out->jobs_most = 0;
    out->n_jobs = 0;
    out->tokens_per_second = out->seconds_left = out->seconds_left_least = out->reward = NAN;
}

bool pr_sweep_job_value(const json_t *message, const json_t *result, double *value, int64_t *id)
{
    const json_t *mean = json_object_get(result, "mean"),
                 *minimize = json_object_get(json_object_get(message, "how"), "minimize");
    const char *job = json_string_value(json_object_get(message, "id"));
    size_t k_n = json_array_size(minimize); // 0 where a job may be a part of a point's prompts only
    if (!job || k_n == 0 || k_n > PR_MAX_OBJECTIVES || json_array_size(mean) < k_n)
        return false;
    for (size_t k = 0; k < k_n; k++)
        value[k] = (json_is_true(json_array_get(minimize, k)) ? -1 : 1) * json_number_value(json_array_get(mean, k));
    *id = pr_point_number(job);
    return true;
}

void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference)
{
    size_t k_n = (size_t)s->config->n_objectives;
    for (size_t k = 0; k < k_n; k++) {
        bool found = false;
        reference[k] = s->reference[k];
        for (size_t i = 0; i < n && !isfinite(s->reference[k]); i++) {
            double v = value[i * k_n + k];
            if (isfinite(v) && (!found || v < reference[k])) {
                reference[k] = v;
                found = true;
            }
        }
    }
}
