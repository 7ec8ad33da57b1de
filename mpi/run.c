#include "mpi/run.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/job.h"
#include "mpi/front.h"
#include "mpi/scheduler.h"
#include "mpi/team.h"
#include "sweeps/phases.h"

#include <stdlib.h>
#include <string.h>

/* What a rank holds during a run. */
typedef struct pr_run_state {
    pr_world_t *w;
    const pr_run_hooks_t *hooks;
    const pr_config_t *config;
    pr_config_t *received; // on ranks but 0
    pr_sweep_t *sweep;     // on rank 0
    pr_team_t *team;       // on ranks that are in one; NULL for one rank alone
    pr_phase_spec_t phase[PR_MAX_PHASES];
    int n_phase;
    pr_team_config_t shape; // of the teams there are
    bool idle;              // a rank that no team has use for
    pr_job_env_t *env;      // on ranks that work
    pr_archive_t *archive;  // of the points evaluated here
    bool interrupted;       // rank 0: a signal came to some rank
    double last_progress;
} pr_run_state_t;

/* ---- rank 0: jobs come from the sweep ---- */

static pr_source_next_t source_next(void *self, json_t **spec)
{
    pr_run_state_t *r = self;
    static const pr_source_next_t map[] = {PR_SOURCE_JOB, PR_SOURCE_WAIT, PR_SOURCE_DONE};
    return map[pr_sweep_next(r->sweep, spec)];
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

static bool stopping(void *self)
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
}

/* ---- ranks that work ---- */

static pr_status_t run_job(void *self, const json_t *spec, const pr_runner_hooks_t *h, json_t **result, pr_error_t *err)
{
    pr_run_state_t *r = self;
    pr_job_hooks_t hooks = {h->cancel, h->event, h->self};
    double value[PR_MAX_OBJECTIVES];
    int64_t id;
    pr_status_t status = pr_job_run(r->env, spec, &hooks, result, err);
    bool leader = !r->team || pr_team_is_leader(r->team);
    if (status == PR_OK && leader && pr_sweep_job_value(r->config, spec, *result, value, &id))
        pr_archive_insert(r->archive, id, value);
    return status;
}

/* ---- the phases ---- */

/* Every rank gets rank 0's configuration. */
static pr_status_t share_config(pr_run_state_t *r, pr_error_t *err)
{
    char *text = NULL;
    size_t n = 0;
    json_t *v = NULL;
    if (pr_world_rank(r->w) == 0) {
        v = pr_config_json(r->config);
        text = pr_json_canonical(v);
        n = strlen(text);
    }
    pr_status_t status = pr_world_broadcast(r->w, &text, &n, err);
    if (status == PR_OK && pr_world_rank(r->w) != 0) {
        status = pr_json_parse(text, n, "configuration from rank 0", &v, err);
        if (status == PR_OK)
            status = pr_config_from_json(v, &r->received, err);
        r->config = r->received;
    }
    json_decref(v);
    free(text);
    return pr_world_agree(r->w, status, err);
}

static void tell_idle(const pr_run_state_t *r, const pr_team_config_t *t)
{
    int idle, teams = pr_team_count(t, pr_world_size(r->w), &idle);
    if (pr_world_rank(r->w) == 0 && idle > 0)
        pr_log(PR_LOG_INFO, "teams of %d x %d ranks: %d team%s; %d rank%s fit%s none and stay%s idle", t->rows, t->cols,
               teams, teams == 1 ? "" : "s", idle, idle == 1 ? "" : "s", idle == 1 ? "s" : "", idle == 1 ? "s" : "");
}

/* Teams of that shape out of all ranks but 0, in place of those there are. Models, tokenizer, objectives and prompts on
 * every rank that works, so that bad input ends the run before its first job. */
static pr_status_t form_teams(pr_run_state_t *r, const pr_team_config_t *t, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    pr_team_t *old = r->team;
    bool works = pr_world_size(r->w) == 1;
    r->shape = *t;
    pr_world_barrier(r->w); // those with nothing to do wait here, and without burning a core
    if (!works) {
        pr_teams_open(r->w, 1, t->rows, t->cols, &r->team);
        works = r->team != NULL;
        r->idle = pr_world_rank(r->w) > 0 && !works;
    }
    const pr_team_t *team = r->team ? r->team : pr_team_local();
    if (r->env)
        pr_job_env_set_team(r->env, team);
    else if (works)
        r->env = pr_job_env_new(r->config, team);
    pr_teams_close(&old);
    if (works)
        status = pr_job_env_load(r->env, err);
    tell_idle(r, t);
    return pr_world_agree(r->w, status, err);
}

static pr_status_t load(pr_run_state_t *r, pr_error_t *err)
{
    const pr_config_t *c = r->config;
    pr_status_t status = PR_OK;
    r->archive = pr_archive_new(c->n_objectives);
    r->n_phase = pr_sweep_phases(c, r->phase);
    if (pr_world_rank(r->w) == 0)
        status = pr_sweep_check_ranks(c, pr_world_size(r->w), err);
    PR_TRY(pr_world_agree(r->w, status, err));
    PR_TRY(form_teams(r, &r->phase[0].team, err));
    if (r->env && pr_world_rank(r->w) <= 1) // rank 0 has none where others work
        pr_job_env_tell(r->env);
    return PR_OK;
}

/* Rank 0 learns the objectives' ranges from a rank that has them open, and opens the sweep. */
static pr_status_t open_sweep(pr_run_state_t *r, pr_error_t *err)
{
    double range[2 * PR_MAX_OBJECTIVES] = {0};
    int rank = pr_world_rank(r->w), size = pr_world_size(r->w);
    pr_status_t status = PR_OK;
    if (r->env) // on others than a team's leader there are gaps
        pr_job_env_ranges(r->env, range, range + PR_MAX_OBJECTIVES);
    if (rank == 1)
        status = pr_world_send(r->w, 0, PR_TAG_RANGES, range, sizeof range, err);
    if (rank == 0 && size > 1) {
        pr_message_t m;
        pr_world_wait(r->w, 1, PR_TAG_RANGES, &m);
        memcpy(range, m.bytes, m.n < sizeof range ? m.n : sizeof range);
        free(m.bytes);
    }
    if (rank == 0)
        status = pr_sweep_open(r->config, pr_team_count(&r->shape, size, NULL), range, range + PR_MAX_OBJECTIVES,
                               &r->sweep, err);
    return pr_world_agree(r->w, status, err);
}

static pr_status_t one_phase(pr_run_state_t *r, pr_phase_t phase, pr_error_t *err)
{
    pr_runner_t runner = {run_job, stopping, r};
    pr_schedule_options_t o = PR_SCHEDULE_DEFAULTS;
    pr_status_t status = PR_OK;
    pr_source_t source = {source_next,     source_started,   source_event,
                          source_finished, source_commit,    source_tick,
                          stopping,        source_signalled, r};
    o.team = r->shape.rows * r->shape.cols;
    if (r->sweep)
        pr_sweep_set_phase(r->sweep, phase);
    if (pr_world_rank(r->w) == 0)
        status = pr_schedule(r->w, &source, &runner, &o, err);
    else if (!r->idle)
        pr_work(r->w, o.team, &runner);
    return pr_world_agree(r->w, status, err);
}

// Rank 0 knows whether the run was stopped.
static bool goes_on(pr_run_state_t *r)
{
    pr_status_t status = pr_world_rank(r->w) == 0 && stopping(r) ? PR_ERR_INTERRUPTED : PR_OK;
    return pr_world_agree(r->w, status, NULL) == PR_OK;
}

static pr_status_t work(pr_run_state_t *r, pr_error_t *err)
{
    for (int i = 0; i < r->n_phase; i++) {
        if (i > 0) {
            if (!goes_on(r))
                return PR_OK;
            PR_TRY(form_teams(r, &r->phase[i].team, err));
        }
        PR_TRY(one_phase(r, r->phase[i].phase, err));
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
    PR_TRY(pr_front_reduce(r->w, r->archive, err));
    pr_status_t status = PR_OK;
    if (r->sweep) {
        bool interrupted = stopping(r);
        pr_sweep_set_end_hooks(r->sweep, &(pr_end_hooks_t){stopping, source_tick, r});
        status = pr_sweep_write(r->sweep, pr_archive_points(r->archive), pr_archive_size(r->archive), err);
        if (status == PR_OK)
            status = pr_sweep_end(r->sweep, interrupted, err);
        if (r->hooks->finished && (status == PR_OK || status == PR_ERR_INTERRUPTED || status == PR_ERR_INCOMPLETE))
            r->hooks->finished(r->hooks->self, r->sweep, status == PR_OK);
    }
    return pr_world_agree(r->w, status, err);
}

pr_status_t pr_run_sweep(pr_world_t *w, const pr_config_t *config, pr_status_t open_status, const pr_run_hooks_t *hooks,
                         pr_error_t *err)
{
    pr_run_state_t r = {.w = w, .hooks = hooks, .config = config};
    pr_status_t status = open_status;
    PR_GO(pr_world_agree(w, status, err));
    PR_GO(share_config(&r, err));
    PR_GO(load(&r, err));
    PR_GO(open_sweep(&r, err));
    PR_GO(work(&r, err));
    PR_GO(finish(&r, err));
done:
    pr_archive_free(&r.archive);
    pr_job_env_free(&r.env); // before the team, whose provider it uses
    pr_teams_close(&r.team);
    pr_sweep_free(&r.sweep);
    pr_config_free(&r.received);
    return status;
}
