// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/scheduler.h"
#include "base/duration.h"
#include "base/hold.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct pr_worker {
    char *host;     // known once it has said hello
    int held;       // jobs sent and not answered
    size_t kind;    // of the last one
    pr_buf_t to_go; // specs to be sent, as a list that is not closed yet
} pr_worker_t;

/* How long jobs of a kind take. */
typedef struct pr_kind {
    char *name;
    bool known;
    double seconds; // moving average
} pr_kind_t;

typedef struct pr_schedule_state {
    pr_world_t *w;
    const pr_source_t *source;
    pr_schedule_options_t o;
    pr_worker_t *worker; // [size]
    pr_kind_t *kind;
    size_t n_kind;
    json_t *stash; // a job that takes too long to stand behind another: for the next worker that is free
    int running;
    bool stopped; // workers have been told to stop
    bool done;    // the source has no more
} pr_schedule_state_t;

/* ---- workers are the teams' first ranks ---- */

// One past the last worker; workers are first_worker, first_worker + team, ...
static int end_of_workers(const pr_schedule_state_t *s)
{
    return 1 + (pr_world_size(s->w) - 1) / s->o.team * s->o.team;
}

static size_t kind_of(pr_schedule_state_t *s, const json_t *spec)
{
    const char *name = json_string_value(json_object_get(spec, "kind"));
    name = name ? name : "";
    for (size_t i = 0; i < s->n_kind; i++)
        if (strcmp(s->kind[i].name, name) == 0)
            return i;
    s->kind = pr_realloc(s->kind, s->n_kind + 1, sizeof *s->kind);
    s->kind[s->n_kind] = (pr_kind_t){.name = pr_strdup(name)};
    return s->n_kind++;
}

static void learn(pr_kind_t *k, double seconds)
{
    k->seconds = k->known ? 0.8 * k->seconds + 0.2 * seconds : seconds;
    k->known = true;
}

static bool is_short(const pr_schedule_state_t *s, size_t kind)
{
    return s->kind[kind].known && s->kind[kind].seconds < s->o.short_seconds;
}

/* May this worker have one more? */
static bool has_room(const pr_schedule_state_t *s, const pr_worker_t *k)
{
    if (!k->host || k->held >= s->o.depth)
        return false;
    if (k->held == 0)
        return true;
    if (s->stash || !is_short(s, k->kind))
        return false;
    return k->held == 1 || k->held * s->kind[k->kind].seconds < s->o.ahead_seconds;
}

static pr_status_t give(pr_schedule_state_t *s, int rank, json_t *spec, pr_error_t *err)
{
    pr_worker_t *k = &s->worker[rank];
    char *text = pr_json_text(spec, JSON_COMPACT);
    pr_buf_puts(&k->to_go, k->to_go.len ? "," : "[");
    pr_buf_puts(&k->to_go, text);
    free(text);
    k->kind = kind_of(s, spec);
    k->held++;
    s->running++;
    return s->source->started(s->source->self, json_string_value(json_object_get(spec, "id")), rank, k->host, err);
}

/* The next job for this worker; *spec stays NULL when there is none for it now. */
static void next_for(pr_schedule_state_t *s, const pr_worker_t *k, json_t **spec)
{
    *spec = s->stash;
    if (s->stash) {
        s->stash = NULL;
        return;
    }
    pr_source_next_t next = s->source->next(s->source->self, spec);
    s->done = next == PR_SOURCE_DONE;
    if (next != PR_SOURCE_JOB) {
        *spec = NULL;
    } else if (k->held > 0 && !is_short(s, kind_of(s, *spec))) {
        s->stash = *spec;
        *spec = NULL;
    }
}

/* One job for everybody who holds `level` jobs and has room. *next_level: the fewest that somebody with room holds now;
 * the depth when there is nobody, or nothing more to give. */
static pr_status_t one_round(pr_schedule_state_t *s, int level, int *next_level, pr_error_t *err)
{
    *next_level = s->o.depth;
    for (int rank = 1; rank < end_of_workers(s); rank += s->o.team) {
        pr_worker_t *k = &s->worker[rank];
        if (k->held == level && has_room(s, k)) {
            json_t *spec;
            next_for(s, k, &spec);
            if (!spec) {
                *next_level = s->o.depth;
                return PR_OK;
            }
            pr_status_t status = give(s, rank, spec, err);
            json_decref(spec);
            if (status != PR_OK)
                return status;
        }
        if (k->held > level && k->held < *next_level && has_room(s, k))
            *next_level = k->held;
    }
    return PR_OK;
}

static pr_status_t send_jobs(pr_schedule_state_t *s, bool *did, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    for (int rank = 1; rank < end_of_workers(s); rank += s->o.team) {
        pr_buf_t *b = &s->worker[rank].to_go;
        if (b->len == 0)
            continue;
        *did = true;
        pr_buf_puts(b, "]");
        pr_status_t sent = pr_world_send(s->w, rank, PR_TAG_JOB, b->data, b->len, status == PR_OK ? err : NULL);
        status = status == PR_OK ? sent : status;
        b->len = 0;
    }
    return status;
}

/* Gives jobs to whoever can take one: first everybody's first, then the second ones, and so on. */
static pr_status_t hand_out(pr_schedule_state_t *s, bool *did, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    for (int level = 0; status == PR_OK && level < s->o.depth && !s->stopped;)
        status = one_round(s, level, &level, err);
    pr_status_t sent = send_jobs(s, did, status == PR_OK ? err : NULL);
    return status == PR_OK ? sent : status;
}

// Every rank of every team.
static void tell_all(const pr_schedule_state_t *s, pr_tag_t tag)
{
    for (int rank = 1; rank < end_of_workers(s); rank++)
        pr_world_send(s->w, rank, tag, "", 0, NULL);
}

/* Has running jobs saved and nothing more begun. */
static void stop(pr_schedule_state_t *s)
{
    if (s->stopped)
        return;
    s->stopped = true;
    tell_all(s, PR_TAG_STOP);
}

/* A job's result; of one that gave none, what it cost: the seconds, and what it said itself. New reference. */
static json_t *outcome(json_t *result, pr_status_t status, json_t *seconds)
{
    if (status == PR_OK)
        return json_incref(result);
    json_t *costs = result ? json_copy(result) : json_object();
    json_object_set(costs, "seconds", seconds);
    return costs;
}

static pr_status_t on_result(pr_schedule_state_t *s, int rank, const json_t *m, pr_error_t *err)
{
    const char *id = json_string_value(json_object_get(m, "id")),
               *text = json_string_value(json_object_get(m, "error"));
    const char *reason = json_string_value(json_object_get(m, "status"));
    pr_worker_t *k = &s->worker[rank];
    pr_status_t status = pr_status_from_reason(reason ? reason : "");
    k->held--;
    s->running--;
    if (status != PR_ERR_INTERRUPTED)
        learn(&s->kind[kind_of(s, m)], json_number_value(json_object_get(m, "seconds")));
    json_t *result = outcome(json_object_get(m, "result"), status, json_object_get(m, "seconds"));
    pr_status_t told =
        s->source->finished(s->source->self, id ? id : "", rank, k->host, status, text ? text : "", result, err);
    json_decref(result);
    return told;
}

static pr_status_t on_results(pr_schedule_state_t *s, int rank, const json_t *list, pr_error_t *err)
{
    size_t i;
    json_t *m;
    pr_status_t status = PR_OK;
    json_array_foreach(list, i, m)
    {
        // All are told of, so that what ended is kept whatever becomes of one of them.
        pr_status_t told = on_result(s, rank, m, status == PR_OK ? err : NULL);
        status = status == PR_OK ? told : status;
    }
    return status;
}

static pr_status_t on_message(pr_schedule_state_t *s, const pr_message_t *m, pr_error_t *err)
{
    json_t *v = NULL;
    pr_status_t status = PR_OK;
    pr_worker_t *k = &s->worker[m->from];
    if (m->tag == PR_TAG_SIGNAL) {
        s->source->signalled(s->source->self);
        stop(s);
        return PR_OK;
    }
    PR_TRY(pr_json_parse(m->bytes, m->n, "message from a worker", &v, err));
    const char *host = json_string_value(json_object_get(v, "host")),
               *event = json_string_value(json_object_get(v, "event"));
    if (m->tag == PR_TAG_HELLO && !k->host)
        k->host = pr_strdup(host ? host : "?");
    else if (m->tag == PR_TAG_EVENT && event)
        status = s->source->event(s->source->self, m->from, k->host, event, json_object_get(v, "fields"), err);
    else if (m->tag == PR_TAG_RESULT)
        status = on_results(s, m->from, v, err);
    json_decref(v);
    return status;
}

/* Takes what has come, then keeps what ended, in one go. */
static pr_status_t drain(pr_schedule_state_t *s, bool *did, pr_error_t *err)
{
    pr_message_t m;
    pr_status_t status = PR_OK;
    while (status == PR_OK && pr_world_poll(s->w, -1, (pr_tag_t)0, &m)) {
        *did = true;
        status = on_message(s, &m, err);
        free(m.bytes);
    }
    if (!*did)
        return status;
    pr_status_t kept = s->source->commit(s->source->self, status == PR_OK ? err : NULL);
    return status == PR_OK ? kept : status;
}

static bool workers_known(const pr_schedule_state_t *s)
{
    for (int rank = 1; rank < end_of_workers(s); rank += s->o.team)
        if (!s->worker[rank].host)
            return false;
    return true;
}

static pr_status_t with_workers(pr_schedule_state_t *s, pr_error_t *err)
{
    pr_backoff_t backoff = {0};
    while (!workers_known(s) || s->running > 0 || !(s->done || s->stopped)) {
        bool did = false;
        if (s->source->stopping(s->source->self))
            stop(s);
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

/* After an error of the source nothing can be kept any more: waits for the workers to stop, passing over what they
 * say. */
static void abandon(pr_schedule_state_t *s)
{
    stop(s);
    while (s->running > 0 || !workers_known(s)) {
        pr_message_t m;
        json_t *v = NULL;
        pr_world_wait(s->w, -1, (pr_tag_t)0, &m);
        if (m.tag == PR_TAG_RESULT && pr_json_parse(m.bytes, m.n, "message from a worker", &v, NULL) == PR_OK)
            s->running -= (int)json_array_size(v);
        if (m.tag == PR_TAG_HELLO && !s->worker[m.from].host)
            s->worker[m.from].host = pr_strdup("?");
        json_decref(v);
        free(m.bytes);
    }
}

static pr_status_t schedule_workers(pr_schedule_state_t *s, pr_error_t *err)
{
    int size = pr_world_size(s->w);
    s->worker = pr_alloc((size_t)size, sizeof(pr_worker_t));
    pr_status_t status = with_workers(s, err);
    if (status != PR_OK)
        abandon(s);
    tell_all(s, PR_TAG_BYE);
    for (int i = 0; i < size; i++) {
        free(s->worker[i].host);
        pr_buf_free(&s->worker[i].to_go);
    }
    for (size_t i = 0; i < s->n_kind; i++)
        free(s->kind[i].name);
    free(s->kind);
    json_decref(s->stash);
    free(s->worker);
    return status;
}

/* ---- one rank that does both ---- */

typedef struct pr_alone {
    pr_world_t *w;
    const pr_source_t *source;
    const pr_runner_t *runner;
    pr_status_t status; // of what the source said to events
    pr_error_t err;
} pr_alone_t;

static bool alone_cancel(void *self)
{
    const pr_alone_t *a = self;
    a->source->tick(a->source->self);
    return a->status != PR_OK || a->source->stopping(a->source->self);
}

static void alone_event(void *self, const char *event, const json_t *fields)
{
    pr_alone_t *a = self;
    if (a->status == PR_OK)
        a->status = a->source->event(a->source->self, 0, pr_world_host(a->w), event, fields, &a->err);
    pr_hold_at("told", event, a->source->stopping, a->source->self);
    a->source->tick(a->source->self);
}

static pr_status_t run_here(pr_alone_t *a, const json_t *spec, pr_error_t *err)
{
    pr_runner_hooks_t hooks = {alone_cancel, alone_event, a};
    pr_error_t why = {0};
    json_t *result = NULL;
    const char *id = json_string_value(json_object_get(spec, "id")), *host = pr_world_host(a->w);
    PR_TRY(a->source->started(a->source->self, id, 0, host, err));
    double begin = pr_time_monotonic();
    pr_status_t status = a->runner->run(a->runner->self, spec, &hooks, &result, &why);
    json_t *seconds = pr_json_real(pr_time_monotonic() - begin), *told_of = outcome(result, status, seconds);
    json_decref(seconds);
    json_decref(result);
    if (a->status != PR_OK) {
        json_decref(told_of);
        return pr_fail(err, a->status, "%s", a->err.text);
    }
    pr_status_t told = a->source->finished(a->source->self, id, 0, host, status, why.text, told_of, err);
    json_decref(told_of);
    pr_status_t kept = a->source->commit(a->source->self, told == PR_OK ? err : NULL);
    return told == PR_OK ? kept : told;
}

static pr_status_t alone(pr_alone_t *a, pr_error_t *err)
{
    json_t *spec;
    const pr_source_t *source = a->source;
    while (!source->stopping(source->self) && source->next(source->self, &spec) == PR_SOURCE_JOB) {
        pr_status_t status = run_here(a, spec, err);
        json_decref(spec);
        if (status != PR_OK)
            return status;
        source->tick(source->self);
    }
    return PR_OK;
}

pr_status_t pr_schedule(pr_world_t *w, const pr_source_t *source, const pr_runner_t *runner,
                        const pr_schedule_options_t *o, pr_error_t *err)
{
    if (pr_world_size(w) == 1)
        return alone(&(pr_alone_t){.w = w, .source = source, .runner = runner}, err);
    assert(o->team >= 1);
    return schedule_workers(&(pr_schedule_state_t){.w = w, .source = source, .o = *o}, err);
}
