// SPDX-License-Identifier: BSD-3-Clause
#include "base/duration.h"
#include "base/hold.h"
#include "base/mem.h"
#include "mpi/scheduler.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct pr_work_state {
    pr_world_t *w;
    const pr_runner_t *runner;
    int team, leader; // ranks of the team, and the first of them
    json_t *queue;    // specs not begun
    json_t *results;  // not sent yet
    double last_sent; // when results were
    bool stop;        // rank 0 or a signal said so: begin nothing more
    bool signalled;   // and rank 0 has been told of the signal
    bool bye;
} pr_work_state_t;

static void send_json(pr_work_state_t *s, pr_tag_t tag, json_t *v)
{
    char *text = pr_json_text(v, JSON_COMPACT);
    pr_error_t err;
    if (!text || pr_world_send(s->w, 0, tag, text, strlen(text), &err) != PR_OK)
        pr_world_abort(s->w, pr_status_exit_code(PR_ERR_ENV)); // rank 0 would wait for ever
    free(text);
}

static void send_results(pr_work_state_t *s)
{
    s->last_sent = pr_time_monotonic();
    if (json_array_size(s->results) == 0)
        return;
    send_json(s, PR_TAG_RESULT, s->results);
    json_array_clear(s->results);
}

static void check_signal(pr_work_state_t *s)
{
    if (s->signalled || !s->runner->stopping(s->runner->self))
        return;
    s->signalled = s->stop = true;
    pr_world_send(s->w, 0, PR_TAG_SIGNAL, "", 0, NULL);
}

static bool check_stop(void *self)
{
    pr_work_state_t *s = self;
    pr_message_t m;
    if (!s->stop && pr_world_poll(s->w, 0, PR_TAG_STOP, &m)) {
        free(m.bytes);
        s->stop = true;
    }
    check_signal(s);
    return s->stop;
}

static void tell_event(void *self, const char *event, const json_t *fields)
{
    pr_work_state_t *s = self;
    if (pr_world_rank(s->w) != s->leader)
        return;
    send_results(s); // so that rank 0 hears in the order of events
    json_t *v = json_pack("{s:s, s:O}", "event", event, "fields", fields);
    send_json(s, PR_TAG_EVENT, v);
    json_decref(v);
    pr_hold_at("told", event, check_stop, s);
}

static json_t *answer(const json_t *spec, pr_status_t status, const char *text, double seconds, json_t *result)
{
    json_t *m = json_pack("{s:s, s:o}", "status", pr_status_reason(status), "seconds", pr_json_real(seconds)),
           *error = NULL;
    if (status != PR_OK)
        error = json_string(text);
    if (status != PR_OK)
        json_object_set_new(m, "error", error ? error : json_string("(the message is not UTF-8)"));
    json_object_set(m, "id", json_object_get(spec, "id"));
    if (json_object_get(spec, "kind"))
        json_object_set(m, "kind", json_object_get(spec, "kind"));
    if (result)
        json_object_set_new(m, "result", result);
    return m;
}

static bool leads(const pr_work_state_t *s)
{
    return pr_world_rank(s->w) == s->leader;
}

// The team's other ranks do the job too.
static void hand_on(pr_work_state_t *s, const json_t *spec)
{
    json_t *list = s->team > 1 ? json_pack("[O]", spec) : NULL;
    char *text = list ? pr_json_text(list, JSON_COMPACT) : NULL;
    for (int rank = s->leader + 1; rank < s->leader + s->team; rank++)
        if (!text || pr_world_send(s->w, rank, PR_TAG_JOB, text, strlen(text), NULL) != PR_OK)
            pr_world_abort(s->w, pr_status_exit_code(PR_ERR_ENV)); // the team would wait for ever
    free(text);
    json_decref(list);
}

static pr_status_t run(pr_work_state_t *s, const json_t *spec, const pr_runner_hooks_t *hooks, json_t **result,
                       pr_error_t *err)
{
    if (leads(s)) {
        if (check_stop(s))
            return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before it began");
        hand_on(s, spec);
    }
    return s->runner->run(s->runner->self, spec, hooks, result, err);
}

static void do_job(pr_work_state_t *s, const json_t *spec)
{
    pr_runner_hooks_t hooks = {check_stop, tell_event, s};
    pr_error_t err = {0};
    json_t *result = NULL;
    double begin = pr_time_monotonic();
    pr_status_t status = run(s, spec, &hooks, &result, &err);
    double end = pr_time_monotonic();
    if (!leads(s)) { // the leader answers for all
        json_decref(result);
        return;
    }
    json_array_append_new(s->results, answer(spec, status, err.text, end - begin, result));
    // Results of very short jobs travel together, but none waits for a longer one behind it.
    if (json_array_size(s->queue) == 0 || end - begin > 1e-3 || end - s->last_sent > 1e-3)
        send_results(s);
}

static void on_message(pr_work_state_t *s, const pr_message_t *m)
{
    json_t *list = NULL;
    if (m->tag == PR_TAG_STOP)
        s->stop = true;
    else if (m->tag == PR_TAG_BYE)
        s->bye = true;
    else if (m->tag == PR_TAG_JOB && pr_json_parse(m->bytes, m->n, "jobs", &list, NULL) == PR_OK)
        json_array_extend(s->queue, list);
    json_decref(list);
}

static bool receive(pr_work_state_t *s)
{
    pr_message_t m;
    if (!pr_world_poll(s->w, -1, (pr_tag_t)0, &m))
        return false;
    on_message(s, &m);
    free(m.bytes);
    return true;
}

static void do_next(pr_work_state_t *s)
{
    json_t *spec = json_incref(json_array_get(s->queue, 0));
    json_array_remove(s->queue, 0);
    do_job(s, spec);
    json_decref(spec);
}

void pr_work(pr_world_t *w, int team, const pr_runner_t *runner)
{
    pr_work_state_t s = {.w = w, .runner = runner, .team = team, .queue = json_array(), .results = json_array()};
    pr_backoff_t backoff = {0};
    s.leader = pr_world_rank(w) - (pr_world_rank(w) - 1) % team;
    json_t *hello =
        json_pack("{s:i, s:s, s:i}", "rank", pr_world_rank(w), "host", pr_world_host(w), "pid", (int)getpid());
    if (leads(&s))
        send_json(&s, PR_TAG_HELLO, hello);
    json_decref(hello);
    while (!s.bye || json_array_size(s.queue) > 0) {
        bool got = receive(&s);
        check_signal(&s);
        if (json_array_size(s.queue) > 0)
            do_next(&s);
        else if (!got) {
            pr_backoff_sleep(&backoff);
            continue;
        }
        pr_backoff_reset(&backoff);
    }
    json_decref(s.queue);
    json_decref(s.results);
}
