// SPDX-License-Identifier: BSD-3-Clause
#include "run/run.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/run_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- rank 0: jobs come from the sweep ---- */

static pr_source_next_t source_next(void *self, json_t **message)
{
    pr_run_state_t *r = self;
    static const pr_source_next_t map[] = {PR_SOURCE_JOB, PR_SOURCE_WAIT, PR_SOURCE_DONE};
    return map[pr_sweep_next(r->sweep, message)];
}

static pr_status_t source_started(void *self, const char *id, int rank, const char *host, pr_error_t *err)
{
    pr_run_state_t *r = self;
    return pr_sweep_started(r->sweep, id, &(pr_who_t){rank, host}, err);
}

static pr_status_t source_event(void *self, int rank, const char *host, const char *event, const json_t *fields,
                                pr_error_t *err)
{
    pr_run_state_t *r = self;
    return pr_sweep_event(r->sweep, &(pr_who_t){rank, host}, event, fields, err);
}

static pr_status_t source_finished(void *self, const char *id, int rank, const char *host, pr_status_t status,
                                   const char *text, const json_t *result, pr_error_t *err)
{
    pr_run_state_t *r = self;
    r->interrupted = r->interrupted || status == PR_ERR_INTERRUPTED;
    return pr_sweep_finished(r->sweep, id, &(pr_who_t){rank, host}, status, text, result, err);
}

static pr_status_t source_commit(void *self, pr_error_t *err)
{
    pr_run_state_t *r = self;
    return pr_sweep_commit(r->sweep, err);
}

static void source_signalled(void *self)
{
    pr_run_state_t *r = self;
    r->interrupted = true;
}

bool pr_run_stopping(void *self)
{
    pr_run_state_t *r = self;
    return r->interrupted || (r->hooks->stopping && r->hooks->stopping(r->hooks->self));
}

static void source_tick(void *self)
{
    pr_run_state_t *r = self;
    pr_progress_t p;
    double now = pr_time_monotonic();
    if (!r->hooks->progress || now - r->last_progress < 0.2)
        return;
    r->last_progress = now;
    pr_sweep_progress(r->sweep, &p);
    r->hooks->progress(r->hooks->self, &p);
    pr_sweep_show_so_far(r->sweep);
}

/* ---- ranks that work ---- */

pr_status_t pr_run_job(void *self, const json_t *message, const pr_runner_hooks_t *h, json_t **result, pr_error_t *err)
{
    pr_run_state_t *r = self;
    pr_job_hooks_t hooks = {h->cancel, h->event, h->self};
    double value[PR_MAX_OBJECTIVES];
    int64_t id;
    pr_status_t status = pr_job_run(r->env, message, &hooks, result, err);
    bool leader = !r->team || pr_team_is_leader(r->team);
    if (status == PR_OK && leader && pr_sweep_job_value(message, *result, value, &id))
        pr_archive_insert(r->archive, id, value);
    return status;
}

/* ---- the phases ---- */

/* JSON of rank 0 to the others: mine is rank 0's, *theirs a new reference on the others. */
pr_status_t pr_run_share_json(const pr_run_state_t *r, const char *what, const json_t *mine, json_t **theirs,
                              pr_error_t *err)
{
    char *text = r->t->rank == 0 ? pr_json_canonical(mine) : NULL;
    size_t n = text ? strlen(text) : 0;
    pr_status_t status = r->t->broadcast(r->t->self, &text, &n, err);
    if (status == PR_OK && r->t->rank != 0)
        status = pr_json_parse(text, n, what, theirs, err);
    free(text);
    return status;
}

/* Every rank gets rank 0's configuration. */
static pr_status_t share_config(pr_run_state_t *r, pr_error_t *err)
{
    json_t *v = r->t->rank == 0 ? pr_config_json(r->config) : NULL;
    pr_status_t status = pr_run_share_json(r, "configuration from rank 0", v, &v, err);
    if (status == PR_OK && r->t->rank != 0) {
        status = pr_config_from_json(v, &r->received, err);
        r->config = r->received;
    }
    json_decref(v);
    return r->t->agree(r->t->self, status, err);
}

/* A rank's host, and what it sees where the content's files are. */
typedef struct pr_view {
    char host[256], state[PR_HASH_HEX];
} pr_view_t;

static void view_of(const pr_run_state_t *r, pr_view_t *out)
{
    *out = (pr_view_t){.host = ""};
    snprintf(out->host, sizeof out->host, "%s", r->t->host);
    pr_content_state(r->content, out->state);
}

/* Is what the ranks of other nodes will open what rank 0 hashed? Of those that see the same, and are not on rank 0's host
 * seeing what it has hashed itself, the first looks. */
pr_status_t pr_run_check_content(pr_run_state_t *r, pr_error_t *err)
{
    int size = r->t->size;
    pr_view_t mine, *view = r->t->rank == 0 ? pr_alloc((size_t)size, sizeof *view) : NULL;
    char *look = r->t->rank == 0 ? pr_alloc((size_t)size, 1) : NULL, looks = 0;
    view_of(r, &mine);
    r->t->gather(r->t->self, &mine, sizeof mine, view);
    for (int rank = 1; view && rank < size; rank++) {
        look[rank] = 1;
        for (int other = 0; other < rank; other++)
            if (memcmp(&view[other], &view[rank], sizeof *view) == 0)
                look[rank] = 0;
    }
    r->t->scatter(r->t->self, look, 1, &looks);
    free(view);
    free(look);
    return r->t->agree(r->t->self, looks ? pr_content_check(r->content, r->t->host, err) : PR_OK, err);
}

pr_status_t pr_run_share_content(pr_run_state_t *r, pr_error_t *err)
{
    json_t *v = NULL;
    bool first = r->t->rank == 0;
    pr_status_t status =
        pr_run_share_json(r, "content from rank 0", first ? pr_content_json(r->content) : NULL, &v, err);
    if (status == PR_OK && !first) {
        status = pr_content_from_json(v, &r->content_received, err);
        r->content = r->content_received;
    }
    json_decref(v);
    return r->t->agree(r->t->self, status, err);
}

/* What jobs would fail on ends the run before the first of them. */
static pr_status_t read_inputs(pr_run_state_t *r, pr_error_t *err)
{
    pr_model_config_t model;
    PR_TRY(pr_inputs_read(r->config, &r->inputs, err));
    PR_TRY(pr_model_config_read(r->config->model, &model, err));
    pr_status_t status = pr_sweep_check_model(r->config, &model, err);
    pr_model_config_clear(&model);
    return status;
}

/* Rank 0 reads and hashes every input once; the others get what it found. */
static pr_status_t share_content(pr_run_state_t *r, pr_error_t *err)
{
    bool first = r->t->rank == 0;
    PR_TRY(r->t->agree(r->t->self, first ? read_inputs(r, err) : PR_OK, err));
    if (first)
        r->content = r->inputs.content;
    PR_TRY(pr_run_share_content(r, err));
    return r->t->size > 1 ? pr_run_check_content(r, err) : PR_OK;
}

static void tell_idle(const pr_run_state_t *r, const pr_team_config_t *t)
{
    int idle, teams = pr_team_count(t, r->t->size, &idle);
    if (r->t->rank == 0 && idle > 0)
        pr_log(PR_LOG_INFO, "teams of %d x %d ranks: %d team%s; %d rank%s fit%s none and stay%s idle", t->rows, t->cols,
               teams, teams == 1 ? "" : "s", idle, idle == 1 ? "" : "s", idle == 1 ? "s" : "", idle == 1 ? "s" : "");
}

/* Teams of that shape out of all ranks but 0, in place of those there are. Models, tokenizer, objectives and prompts on
 * every rank that works, so that bad input ends the run before its first job. */
pr_status_t pr_run_form_teams(pr_run_state_t *r, const pr_team_config_t *t, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    pr_team_t *old = r->team;
    bool works = r->t->size == 1;
    r->shape = *t;
    r->t->barrier(r->t->self); // those with nothing to do wait here, and without burning a core
    if (!works) {
        r->t->open_teams(r->t->self, t->rows, t->cols, &r->team);
        works = r->team != NULL;
        r->idle = r->t->rank > 0 && !works;
    }
    const pr_team_t *team = r->team ? r->team : pr_team_local();
    if (r->env)
        pr_job_env_set_team(r->env, team);
    else if (works)
        r->env = pr_job_env_new(r->content, team);
    r->t->close_team(&old);
    if (works)
        status = pr_job_env_load(r->env, err);
    tell_idle(r, t);
    return r->t->agree(r->t->self, status, err);
}

static pr_status_t load(pr_run_state_t *r, pr_error_t *err)
{
    const pr_config_t *c = r->config;
    pr_status_t status = PR_OK;
    r->archive = pr_archive_new(c->n_objectives);
    r->n_phase = pr_sweep_phases(c, r->phase);
    if (r->t->rank == 0)
        status = pr_sweep_check_ranks(c, r->t->size, err);
    PR_TRY(r->t->agree(r->t->self, status, err));
    PR_TRY(pr_run_form_teams(r, &r->phase[0].team, err));
    if (r->env && r->t->rank <= 1) // rank 0 has none where others work
        pr_job_env_tell(r->env);
    return PR_OK;
}

/* The ranges that a rank knows. */
typedef struct pr_ranges {
    int n;
    pr_objective_range_t range[PR_MAX_OBJECTIVES];
} pr_ranges_t;

/* Rank 0 learns the objectives' ranges from a rank that has them, and opens the sweep. */
static pr_status_t open_sweep(pr_run_state_t *r, pr_error_t *err)
{
    double lo[PR_MAX_OBJECTIVES] = {0}, hi[PR_MAX_OBJECTIVES] = {0};
    int size = r->t->size;
    bool first = r->t->rank == 0;
    pr_ranges_t mine = {.n = 0}, *all = first ? pr_alloc((size_t)size, sizeof *all) : NULL;
    const pr_objective_range_t *range = NULL;
    pr_status_t status = PR_OK;
    if (r->env) {
        mine.n = pr_job_env_ranges(r->env, &range);
        memcpy(mine.range, range, (size_t)mine.n * sizeof *range);
    }
    r->t->gather(r->t->self, &mine, sizeof mine, all);
    for (int k = 0; first && k < r->config->n_objectives; k++) {
        const pr_ranges_t *known = &all[size > 1 ? 1 : 0];
        for (int i = 0; i < known->n; i++)
            if (strcmp(known->range[i].objective, r->inputs.objective_hash[k]) == 0) {
                lo[k] = known->range[i].lo;
                hi[k] = known->range[i].hi;
            }
    }
    free(all);
    if (first)
        status =
            pr_sweep_open(r->config, &r->inputs, pr_team_count(&r->shape, size, NULL), lo, hi,
                          &(pr_sweep_hooks_t){pr_run_stopping, source_tick, r}, r->hooks->may_replace, &r->sweep, err);
    if (first && status == PR_OK && r->hooks->started) {
        char *text =
            pr_sweep_started_text(r->sweep, size, pr_team_count(&r->shape, size, NULL), r->shape.rows, r->shape.cols);
        r->hooks->started(r->hooks->self, text);
        free(text);
    }
    return r->t->agree(r->t->self, status, err);
}

pr_status_t pr_run_schedule(pr_run_state_t *r, const pr_source_t *source, pr_error_t *err)
{
    pr_runner_t runner = {pr_run_job, pr_run_stopping, r};
    pr_schedule_options_t o = PR_SCHEDULE_DEFAULTS;
    pr_status_t status = PR_OK;
    o.team = r->shape.rows * r->shape.cols;
    if (r->t->rank == 0)
        status = r->t->schedule(r->t->self, source, &runner, &o, err);
    else if (!r->idle)
        r->t->work(r->t->self, o.team, &runner);
    return r->t->agree(r->t->self, status, err);
}

static pr_status_t one_phase(pr_run_state_t *r, pr_phase_t phase, pr_error_t *err)
{
    pr_source_t source = {source_next,     source_started,   source_event,
                          source_finished, source_commit,    source_tick,
                          pr_run_stopping, source_signalled, r};
    if (r->sweep)
        pr_sweep_set_phase(r->sweep, phase);
    return pr_run_schedule(r, &source, err);
}

/* Rank 0 knows whether the run was stopped; and, where that is asked, whether there is a job that could be given. */
static bool goes_on(pr_run_state_t *r, bool ask)
{
    pr_status_t status = PR_OK;
    if (r->t->rank == 0 && (pr_run_stopping(r) || (ask && !pr_sweep_has_more(r->sweep))))
        status = PR_ERR_INTERRUPTED;
    return r->t->agree(r->t->self, status, NULL) == PR_OK;
}

/* Each phase in turn, with teams of its shape, until neither leaves anything to do: where points are trainings of their
 * own, what was evaluated decides what is trained next. */
static pr_status_t work(pr_run_state_t *r, pr_error_t *err)
{
    PR_TRY(one_phase(r, r->phase[0].phase, err));
    for (int i = 1; r->n_phase > 1 && goes_on(r, i % r->n_phase == 0); i++) {
        const pr_phase_spec_t *p = &r->phase[i % r->n_phase];
        PR_TRY(pr_run_form_teams(r, &p->team, err));
        PR_TRY(one_phase(r, p->phase, err));
    }
    return PR_OK;
}

/* Points of earlier runs are in no rank's archive; rank 0 offers them. */
static pr_status_t finish(pr_run_state_t *r, pr_error_t *err)
{
    if (r->sweep) {
        pr_sweep_points_t p;
        pr_sweep_points(r->sweep, true, &p);
        pr_archive_insert_many(r->archive, p.id, p.value, p.n);
        pr_sweep_points_clear(&p);
    }
    PR_TRY(r->t->reduce(r->t->self, r->archive, err));
    pr_status_t status = PR_OK;
    if (r->sweep) {
        bool interrupted = pr_run_stopping(r);
        status = pr_sweep_write(r->sweep, pr_archive_points(r->archive), pr_archive_size(r->archive), err);
        if (status == PR_OK)
            status = pr_sweep_end(r->sweep, interrupted, err);
        if (r->hooks->finished && (status == PR_OK || status == PR_ERR_INTERRUPTED || status == PR_ERR_INCOMPLETE))
            r->hooks->finished(r->hooks->self, r->sweep, status == PR_OK);
    }
    return r->t->agree(r->t->self, status, err);
}

pr_status_t pr_run_sweep(const pr_transport_t *t, const pr_config_t *config, pr_status_t open_status,
                         const pr_run_hooks_t *hooks, pr_error_t *err)
{
    pr_run_state_t r = {.t = t, .hooks = hooks, .config = config};
    pr_status_t status = open_status;
    PR_GO(t->agree(t->self, status, err));
    PR_GO(share_config(&r, err));
    PR_GO(share_content(&r, err));
    PR_GO(load(&r, err));
    PR_GO(open_sweep(&r, err));
    PR_GO(work(&r, err));
    PR_GO(finish(&r, err));
done:
    pr_archive_free(&r.archive);
    pr_job_env_free(&r.env); // before the team, whose provider it uses
    t->close_team(&r.team);
    pr_sweep_free(&r.sweep);
    pr_inputs_clear(&r.inputs);
    pr_content_free(&r.content_received);
    pr_config_free(&r.received);
    return status;
}
