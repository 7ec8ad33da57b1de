// SPDX-License-Identifier: BSD-3-Clause
#include "run/run_judging.h"
#include "base/duration.h"
#include "run/run_internal.h"

#include <string.h>

/* Rank 0's. */
typedef struct pr_judging_source {
    pr_run_state_t r;
    pr_run_hooks_t stop; // what a run asks of the hooks
    const pr_judging_hooks_t *hooks;
    pr_judging_t *j;
} pr_judging_source_t;

static pr_source_next_t source_next(void *self, json_t **message)
{
    static const pr_source_next_t map[] = {PR_SOURCE_JOB, PR_SOURCE_WAIT, PR_SOURCE_DONE};
    pr_judging_source_t *s = self;
    return map[pr_judging_next(s->j, message)];
}

static pr_status_t source_started(void *self, const char *id, int rank, const char *host, pr_error_t *err)
{
    pr_judging_source_t *s = self;
    return pr_judging_started(s->j, id, &(pr_who_t){rank, host}, err);
}

static pr_status_t source_event(void *self, int rank, const char *host, const char *event, const json_t *fields,
                                pr_error_t *err)
{
    pr_judging_source_t *s = self;
    (void)rank, (void)host;
    return pr_judging_event(s->j, event, fields, err);
}

static pr_status_t source_finished(void *self, const char *id, int rank, const char *host, pr_status_t status,
                                   const char *text, const json_t *result, pr_error_t *err)
{
    pr_judging_source_t *s = self;
    s->r.interrupted = s->r.interrupted || status == PR_ERR_INTERRUPTED;
    return pr_judging_finished(s->j, id, &(pr_who_t){rank, host}, status, text, result, err);
}

static pr_status_t source_commit(void *self, pr_error_t *err)
{
    pr_judging_source_t *s = self;
    return pr_judging_commit(s->j, err);
}

static void source_signalled(void *self)
{
    pr_judging_source_t *s = self;
    s->r.interrupted = true;
}

static bool source_stopping(void *self)
{
    pr_judging_source_t *s = self;
    return pr_run_stopping(&s->r);
}

static void source_tick(void *self)
{
    pr_judging_source_t *s = self;
    pr_progress_t p;
    double now = pr_time_monotonic();
    if (!s->hooks->progress || now - s->r.last_progress < 0.2)
        return;
    s->r.last_progress = now;
    pr_judging_progress(s->j, &p);
    s->hooks->progress(s->hooks->self, &p);
}

/* The others learn what jobs name by hash, and the teams' shape. */
static pr_status_t share(pr_judging_source_t *s, pr_team_config_t *team, pr_error_t *err)
{
    pr_run_state_t *r = &s->r;
    bool first = r->t->rank == 0;
    json_t *shape = NULL;
    if (first) {
        *team = *pr_judging_team(s->j);
        r->content = pr_judging_content(s->j);
        shape = json_pack("[i, i]", team->rows, team->cols);
    }
    pr_status_t status = pr_run_share_content(r, err);
    if (status == PR_OK)
        status = pr_run_share_json(r, "teams from rank 0", shape, &shape, err);
    if (status == PR_OK && !first)
        *team = (pr_team_config_t){(int)json_integer_value(json_array_get(shape, 0)),
                                   (int)json_integer_value(json_array_get(shape, 1))};
    json_decref(shape);
    PR_TRY(r->t->agree(r->t->self, status, err));
    return r->t->size > 1 ? pr_run_check_content(r, err) : PR_OK;
}

static pr_status_t work(pr_judging_source_t *s, pr_error_t *err)
{
    pr_source_t source = {source_next,     source_started,   source_event,
                          source_finished, source_commit,    source_tick,
                          source_stopping, source_signalled, s};
    return pr_run_schedule(&s->r, &source, err);
}

pr_status_t pr_run_judging(const pr_transport_t *t, pr_judging_t *j, pr_status_t open_status,
                           const pr_judging_hooks_t *hooks, pr_error_t *err)
{
    pr_judging_source_t s = {.stop = {.stopping = hooks->stopping, .self = hooks->self}, .hooks = hooks, .j = j};
    pr_team_config_t team = {1, 1};
    bool first = t->rank == 0;
    pr_status_t status;
    s.r = (pr_run_state_t){.t = t, .hooks = &s.stop};
    PR_GO(t->agree(t->self, open_status, err));
    PR_GO(t->agree(t->self, first ? pr_judging_check_ranks(j, t->size, err) : PR_OK, err));
    PR_GO(share(&s, &team, err));
    PR_GO(pr_run_form_teams(&s.r, &team, err));
    if (s.r.env && t->rank <= 1) // rank 0 has none where others work
        pr_job_env_tell(s.r.env);
    PR_GO(t->agree(t->self, first ? pr_judging_begin(j, pr_team_count(&team, t->size, NULL), err) : PR_OK, err));
    PR_GO(work(&s, err));
    PR_GO(t->agree(t->self, first ? pr_judging_end(j, pr_run_stopping(&s.r), err) : PR_OK, err));
done:
    pr_job_env_free(&s.r.env); // before the team, whose provider it uses
    t->close_team(&s.r.team);
    pr_content_free(&s.r.content_received);
    return status;
}
