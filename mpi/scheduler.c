#include "mpi/scheduler.h"
#include "base/duration.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct pr_worker {
    char *host; // known once it has said hello
    int held;   // jobs sent and not answered
    bool fast;  // its last job was short
} pr_worker_t;

typedef struct pr_schedule_state {
    pr_world_t *w;
    const pr_source_t *source;
    const pr_runner_t *runner;
    pr_schedule_options_t o;
    pr_worker_t *worker; // [size]
    int running;
    bool stopped; // workers have been told to stop
    bool done;    // the source has no more
} pr_schedule_state_t;

static pr_status_t send_job(pr_schedule_state_t *s, int rank, json_t *spec, pr_error_t *err)
{
    const char *id = json_string_value(json_object_get(spec, "id"));
    char *text = json_dumps(spec, JSON_COMPACT);
    pr_status_t status = s->source->started(s->source->self, id, rank, s->worker[rank].host, err);
    if (status == PR_OK)
        status = pr_world_send(s->w, rank, PR_TAG_JOB, text, strlen(text), err);
    free(text);
    s->worker[rank].held++;
    s->running++;
    return status;
}

/* Gives jobs to whoever can take one; first everybody's first, then the second ones. */
static pr_status_t hand_out(pr_schedule_state_t *s, bool *did, pr_error_t *err)
{
    int size = pr_world_size(s->w);
    for (int depth = 1; depth <= s->o.depth && !s->stopped; depth++) {
        for (int rank = 1; rank < size; rank++) {
            pr_worker_t *k = &s->worker[rank];
            json_t *spec;
            if (!k->host || k->held >= depth || (depth > 1 && !k->fast))
                continue;
            pr_source_next_t next = s->source->next(s->source->self, &spec);
            s->done = next == PR_SOURCE_DONE;
            if (next != PR_SOURCE_JOB)
                return PR_OK;
            *did = true;
            pr_status_t status = send_job(s, rank, spec, err);
            json_decref(spec);
            if (status != PR_OK)
                return status;
        }
    }
    return PR_OK;
}

static void tell_all(pr_schedule_state_t *s, pr_tag_t tag)
{
    for (int rank = 1; rank < pr_world_size(s->w); rank++)
        pr_world_send(s->w, rank, tag, "", 0, NULL);
}

static pr_status_t on_result(pr_schedule_state_t *s, int rank, const json_t *m, pr_error_t *err)
{
    const char *id = json_string_value(json_object_get(m, "id")),
               *text = json_string_value(json_object_get(m, "error"));
    const char *reason = json_string_value(json_object_get(m, "status"));
    pr_worker_t *k = &s->worker[rank];
    k->held--;
    s->running--;
    k->fast = json_number_value(json_object_get(m, "seconds")) < s->o.short_seconds;
    pr_status_t status = pr_status_from_reason(reason ? reason : "");
    if (status == PR_ERR_INTERRUPTED &&
        !s->stopped) { // a signal came to that rank alone: it takes no more jobs, so all end
        s->stopped = true;
        tell_all(s, PR_TAG_STOP);
    }
    return s->source->finished(s->source->self, id ? id : "", rank, k->host, status, text ? text : "",
                               json_object_get(m, "result"), err);
}

static pr_status_t on_message(pr_schedule_state_t *s, const pr_message_t *m, pr_error_t *err)
{
    json_t *v;
    pr_status_t status = PR_OK;
    PR_TRY(pr_json_parse(m->bytes, m->n, "message from a worker", &v, err));
    pr_worker_t *k = &s->worker[m->from];
    const char *host = json_string_value(json_object_get(v, "host")),
               *event = json_string_value(json_object_get(v, "event"));
    if (m->tag == PR_TAG_HELLO && !k->host)
        k->host = pr_strdup(host ? host : "?");
    else if (m->tag == PR_TAG_EVENT && event)
        status = s->source->event(s->source->self, m->from, k->host, event, json_object_get(v, "fields"), err);
    else if (m->tag == PR_TAG_RESULT)
        status = on_result(s, m->from, v, err);
    json_decref(v);
    return status;
}

static pr_status_t drain(pr_schedule_state_t *s, bool *did, pr_error_t *err)
{
    pr_message_t m;
    while (pr_world_poll(s->w, -1, (pr_tag_t)0, &m)) {
        *did = true;
        pr_status_t status = on_message(s, &m, err);
        free(m.bytes);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

static bool workers_known(const pr_schedule_state_t *s)
{
    for (int rank = 1; rank < pr_world_size(s->w); rank++)
        if (!s->worker[rank].host)
            return false;
    return true;
}

static pr_status_t with_workers(pr_schedule_state_t *s, pr_error_t *err)
{
    pr_backoff_t backoff = {0};
    while (!workers_known(s) || s->running > 0 || !(s->done || s->stopped)) {
        bool did = false;
        if (!s->stopped && s->source->stopping(s->source->self)) {
            s->stopped = true;
            tell_all(s, PR_TAG_STOP);
        }
        PR_TRY(drain(s, &did, err));
        PR_TRY(hand_out(s, &did, err));
        s->source->tick(s->source->self);
        if (did)
            pr_backoff_reset(&backoff);
        else
            pr_backoff_sleep(&backoff);
    }
    return PR_OK;
}

/* ---- one rank that does both ---- */

typedef struct pr_alone {
    pr_schedule_state_t *s;
    pr_status_t status; // of what the source said to events
    pr_error_t err;
} pr_alone_t;

static bool alone_cancel(void *self)
{
    const pr_alone_t *a = self;
    a->s->source->tick(a->s->source->self);
    return a->status != PR_OK || a->s->source->stopping(a->s->source->self);
}

static void alone_event(void *self, const char *event, const json_t *fields)
{
    pr_alone_t *a = self;
    if (a->status == PR_OK)
        a->status = a->s->source->event(a->s->source->self, 0, pr_world_host(a->s->w), event, fields, &a->err);
    a->s->source->tick(a->s->source->self);
}

static pr_status_t run_here(pr_schedule_state_t *s, const json_t *spec, pr_error_t *err)
{
    pr_alone_t a = {.s = s};
    pr_runner_hooks_t hooks = {alone_cancel, alone_event, &a};
    pr_error_t why = {0};
    json_t *result = NULL;
    const char *id = json_string_value(json_object_get(spec, "id")), *host = pr_world_host(s->w);
    PR_TRY(s->source->started(s->source->self, id, 0, host, err));
    pr_status_t status = s->runner->run(s->runner->self, spec, &hooks, &result, &why);
    if (a.status != PR_OK) {
        json_decref(result);
        return pr_fail(err, a.status, "%s", a.err.text);
    }
    pr_status_t told = s->source->finished(s->source->self, id, 0, host, status, why.text, result, err);
    json_decref(result);
    return told;
}

static pr_status_t alone(pr_schedule_state_t *s, pr_error_t *err)
{
    json_t *spec;
    while (!s->source->stopping(s->source->self) && s->source->next(s->source->self, &spec) == PR_SOURCE_JOB) {
        pr_status_t status = run_here(s, spec, err);
        json_decref(spec);
        if (status != PR_OK)
            return status;
        s->source->tick(s->source->self);
    }
    return PR_OK;
}

pr_status_t pr_schedule(pr_world_t *w, const pr_source_t *source, const pr_runner_t *runner,
                        const pr_schedule_options_t *o, pr_error_t *err)
{
    int size = pr_world_size(w);
    if (size == 1)
        return alone(&(pr_schedule_state_t){.w = w, .source = source, .runner = runner, .o = *o}, err);
    pr_schedule_state_t s = {.w = w, .source = source, .o = *o, .worker = pr_alloc((size_t)size, sizeof(pr_worker_t))};
    pr_status_t status = with_workers(&s, err);
    if (status == PR_OK)
        tell_all(&s, PR_TAG_BYE);
    for (int i = 0; i < size; i++)
        free(s.worker[i].host);
    free(s.worker);
    return status;
}
