#include "base/duration.h"
#include "base/mem.h"
#include "mpi/scheduler.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct pr_work_state {
    pr_world_t *w;
    const pr_runner_t *runner;
    bool stop; // rank 0 or a signal said so: finish nothing more
} pr_work_state_t;

static void send_json(pr_work_state_t *s, pr_tag_t tag, json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT);
    pr_error_t err;
    if (!text || pr_world_send(s->w, 0, tag, text, strlen(text), &err) != PR_OK)
        pr_world_abort(s->w, pr_status_exit_code(PR_ERR_ENV)); // rank 0 would wait for ever
    free(text);
    json_decref(v);
}

static bool check_stop(void *self)
{
    pr_work_state_t *s = self;
    pr_message_t m;
    if (!s->stop && pr_world_poll(s->w, 0, PR_TAG_STOP, &m)) {
        free(m.bytes);
        s->stop = true;
    }
    s->stop = s->stop || s->runner->stopping(s->runner->self);
    return s->stop;
}

static void tell_event(void *self, const char *event, const json_t *fields)
{
    send_json(self, PR_TAG_EVENT, json_pack("{s:s, s:O}", "event", event, "fields", fields));
}

static void do_job(pr_work_state_t *s, const char *text, size_t n)
{
    pr_runner_hooks_t hooks = {check_stop, tell_event, s};
    pr_error_t err = {0};
    json_t *spec = NULL, *result = NULL;
    double begin = pr_time_monotonic();
    pr_status_t status = pr_json_parse(text, n, "job", &spec, &err);
    if (status == PR_OK && check_stop(s))
        status = pr_fail(&err, PR_ERR_INTERRUPTED, "stopped before it began");
    if (status == PR_OK)
        status = s->runner->run(s->runner->self, spec, &hooks, &result, &err);
    json_t *id = json_object_get(spec, "id");
    json_t *m = json_pack("{s:s, s:s, s:f}", "status", pr_status_reason(status), "error",
                          status == PR_OK ? "" : err.text, "seconds", pr_time_monotonic() - begin);
    if (!m) // the error text is not UTF-8
        m = json_pack("{s:s, s:s, s:f}", "status", pr_status_reason(status), "error", "(unprintable)", "seconds", 0.0);
    json_object_set(m, "id", id);
    if (result)
        json_object_set_new(m, "result", result);
    send_json(s, PR_TAG_RESULT, m);
    json_decref(spec);
}

pr_status_t pr_work(pr_world_t *w, const pr_runner_t *runner, pr_error_t *err)
{
    (void)err;
    pr_work_state_t s = {.w = w, .runner = runner};
    send_json(&s, PR_TAG_HELLO,
              json_pack("{s:i, s:s, s:i}", "rank", pr_world_rank(w), "host", pr_world_host(w), "pid", (int)getpid()));
    for (;;) {
        pr_message_t m;
        pr_world_wait(w, 0, (pr_tag_t)0, &m);
        pr_tag_t tag = m.tag;
        if (tag == PR_TAG_STOP)
            s.stop = true;
        else if (tag == PR_TAG_JOB)
            do_job(&s, m.bytes, m.n);
        free(m.bytes);
        if (tag == PR_TAG_BYE)
            return PR_OK;
    }
}
