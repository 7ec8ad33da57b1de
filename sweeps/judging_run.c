// SPDX-License-Identifier: BSD-3-Clause
/* The jobs of a judging, and its journal. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "report/text.h"
#include "sweeps/judging_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the journal ---- */

static void fold_now(pr_judging_t *j, const char *event, const json_t *line)
{
    json_t *folded = json_copy((json_t *)(uintptr_t)line);
    json_object_set_new(folded, "t", pr_json_real(pr_time_wall()));
    pr_fold_event(j->fold, event, folded);
    json_decref(folded);
}

/* line is taken over. */
static void tell(pr_judging_t *j, const char *event, json_t *line)
{
    fold_now(j, event, line);
    json_array_append_new(j->pending, json_pack("[s, o]", event, line));
}

pr_status_t pr_judging_commit(pr_judging_t *j, pr_error_t *err)
{
    size_t n = json_array_size(j->pending);
    PR_TRY(pr_results_check(j->results, err));
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(j->pending, i);
        PR_TRY(pr_journal_append(j->journal, json_string_value(json_array_get(p, 0)), json_array_get(p, 1), i + 1 == n,
                                 err));
    }
    json_array_clear(j->pending);
    return PR_OK;
}

/* ---- the beginning ---- */

/* What a judging's journal says of it. */
typedef struct pr_judging_past {
    pr_fold_t *fold;
    json_t *task; // of its first start
} pr_judging_past_t;

static pr_status_t read_past(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_judging_past_t *p = self;
    if (strcmp(event, "sweep_start") == 0 && !p->task)
        pr_journal_keep(&p->task, json_object_get(line, "task"));
    return pr_fold_line(p->fold, event, line, err);
}

/* The keys of the task in which this one is another. */
static pr_status_t check_task(const pr_judging_t *j, const json_t *before, const json_t *now, pr_error_t *err)
{
    pr_buf_t names = {0};
    const char *key;
    json_t *value;
    if (!before || json_equal((json_t *)(uintptr_t)before, (json_t *)(uintptr_t)now))
        return PR_OK;
    json_object_foreach((json_t *)(uintptr_t)now, key, value)
    {
        if (!json_equal(value, json_object_get(before, key)))
            pr_buf_printf(&names, "%s%s", names.len ? ", " : "", key);
    }
    pr_fail(
        err, PR_ERR_USAGE,
        "%s: holds an evaluation that differs in: %s; it is not overwritten: --name NAME gives this one a directory "
        "of its own",
        j->dir, names.data ? names.data : "what only that one has");
    pr_buf_free(&names);
    return PR_ERR_USAGE;
}

/* {kind: [known, done]}. New reference. */
static json_t *counts(const pr_judging_t *j)
{
    json_int_t fits = 0, evaluations = 0;
    for (size_t i = 0; i < j->n_fit + j->n; i++) {
        bool done = j->job[i].job->state == PR_JOB_DONE;
        fits += j->job[i].fits && done;
        evaluations += !j->job[i].fits && done;
    }
    json_t *v = json_pack("{s:[I,I]}", pr_job_kind_evaluating()->name, (json_int_t)j->n, evaluations);
    if (j->n_fit > 0)
        json_object_set_new(v, json_string_value(json_object_get(j->job[0].inputs, "kind")),
                            json_pack("[I,I]", (json_int_t)j->n_fit, fits));
    return v;
}

static void tell_start(pr_judging_t *j)
{
    json_t *names = json_array(), *ids = json_array();
    for (int k = 0; k < j->c->n_objectives; k++)
        json_array_append_new(names, json_string(j->c->objective[k].name));
    for (size_t i = 0; i < j->n; i++)
        json_array_append_new(ids, json_string(j->taken[i].point));
    char host[256] = "";
    json_t *line =
        json_pack("{s:s, s:s, s:i, s:i, s:o, s:O, s:s, s:s}", "name", j->name, "version", PR_VERSION, "layout",
                  PR_LAYOUT, "workers", j->workers, "objectives", names, "task",
                  pr_content_value(j->in.content, j->in.task), "prompts", j->c->eval_prompts, "of", j->c->name);
    if (gethostname(host, sizeof host - 1) == 0)
        json_object_set_new(line, "host", pr_text_json_string(host, strlen(host)));
    json_object_set_new(line, "pid", json_integer(getpid()));
    tell(j, "sweep_start", line);
    for (size_t i = 0; i < j->n_fit + j->n; i++)
        j->job[i].job =
            pr_fold_job(j->fold, j->job[i].id, json_string_value(json_object_get(j->job[i].inputs, "kind")));
    tell(j, "points",
         json_pack("{s:s, s:i, s:I, s:o, s:o}", "search", j->name, "seed", 0, "points", (json_int_t)j->n, "jobs",
                   counts(j), "ids", ids));
}

/* Is what the job left still there, whole? */
static bool is_there(const pr_judging_t *j, const pr_judged_t *d)
{
    char hash[PR_HASH_HEX], *path = NULL;
    pr_record_t record;
    bool there;
    if (d->fits) {
        const char *written =
            json_string_value(json_object_get(d->job->made ? d->job->made->result : NULL, "artifact"));
        path = pr_artifact_path(j->dir, PR_ARTIFACT_HEAD, d->id);
        there = written && pr_artifact_hash(PR_ARTIFACT_HEAD, path, hash, NULL) == PR_OK && strcmp(hash, written) == 0;
    } else {
        there = pr_judging_record(j, d, &record, &path, NULL) == PR_OK;
        pr_record_clear(&record);
    }
    free(path);
    return there;
}

/* What is lost is done again. */
static void recover(pr_judging_t *j)
{
    for (size_t i = 0; i < j->n_fit + j->n; i++) {
        pr_judged_t *d = &j->job[i];
        if (d->job->state != PR_JOB_DONE || is_there(j, d))
            continue;
        pr_log(PR_LOG_WARN, "%s: what %s left is not there; it is done again", j->dir, d->label);
        tell(j, "job_again", json_pack("{s:s, s:s}", "job", d->id, "why", "what it left is not there"));
    }
}

pr_status_t pr_judging_begin(pr_judging_t *j, int workers, pr_error_t *err)
{
    char *path = pr_results_path(j->dir, PR_FILE_JOURNAL), *names = NULL;
    pr_judging_past_t past = {.fold = pr_fold_new(j->c->n_objectives)};
    pr_status_t status;
    j->workers = workers;
    j->fold = past.fold;
    j->began = pr_time_monotonic();
    PR_GO(pr_results_open(j->dir, &j->results, err));
    pr_results_sweep_temporaries(j->results);
    PR_GO(pr_journal_read(path, read_past, &past, NULL, err));
    PR_GO(check_task(j, past.task, pr_content_value(j->in.content, j->in.task), err));
    if (pr_fold_ended(j->fold, &names))
        pr_log(PR_LOG_WARN, "%s: the last run was killed; what was done is not done again", j->dir);
    PR_GO(pr_journal_open(path, &j->journal, err));
    tell_start(j);
    recover(j);
    status = pr_judging_commit(j, err);
done:
    json_decref(past.task);
    free(names);
    free(path);
    return status;
}

/* ---- jobs ---- */

/* job -> hash of what the fits left. New reference. */
static json_t *made(const pr_judging_t *j)
{
    json_t *v = json_object();
    for (size_t i = 0; i < j->n_fit; i++)
        if (j->job[i].job->made)
            json_object_set(v, j->job[i].id, json_object_get(j->job[i].job->made->result, "artifact"));
    return v;
}

pr_next_t pr_judging_next(pr_judging_t *j, json_t **message)
{
    bool fitted = true;
    *message = NULL;
    for (size_t i = 0; i < j->n_fit; i++)
        fitted = fitted && j->job[i].job->state == PR_JOB_DONE;
    for (size_t i = fitted ? j->n_fit : 0; i < (fitted ? j->n_fit + j->n : j->n_fit); i++) {
        pr_judged_t *d = &j->job[i];
        if (d->job->state != PR_JOB_WAITING)
            continue;
        json_t *left = d->fits ? json_object() : made(j);
        *message = pr_job_message(d->id, d->label, d->inputs, d->how, left);
        json_decref(left);
        d->job->state = PR_JOB_RUNNING;
        j->running++;
        return PR_NEXT_JOB;
    }
    return j->running > 0 ? PR_NEXT_WAIT : PR_NEXT_DONE;
}

static pr_judged_t *find(const pr_judging_t *j, const char *id)
{
    for (size_t i = 0; i < j->n_fit + j->n; i++)
        if (strcmp(j->job[i].id, id) == 0)
            return &j->job[i];
    return NULL;
}

static json_t *job_line(const pr_judged_t *d, const pr_who_t *who)
{
    return json_pack("{s:s, s:O, s:s, s:i, s:s}", "job", d->id, "kind", json_object_get(d->inputs, "kind"), "label",
                     d->label, "rank", who->rank, "host", who->host);
}

pr_status_t pr_judging_started(pr_judging_t *j, const char *job, const pr_who_t *who, pr_error_t *err)
{
    const pr_judged_t *d = find(j, job);
    (void)err;
    json_t *line = job_line(d, who);
    json_object_set_new(line, "attempt", json_integer(d->job->tries + 1));
    tell(j, "job_start", line);
    return PR_OK;
}

pr_status_t pr_judging_event(pr_judging_t *j, const char *event, const json_t *fields, pr_error_t *err)
{
    (void)err;
    tell(j, event, json_copy((json_t *)(uintptr_t)fields));
    return PR_OK;
}

/* As a sweep decides: what is wrong with the configuration, or went wrong twice in the same words, stays wrong. */
static bool worth_a_try(const pr_judging_t *j, const pr_judged_t *d, pr_status_t why, const char *text)
{
    return d->job->tries <= j->c->retries && d->job->failure != pr_fold_failure(pr_status_reason(why), text) &&
           why != PR_ERR_CONFIG && why != PR_ERR_USAGE;
}

static void failed(pr_judging_t *j, pr_judged_t *d, const pr_who_t *who, pr_status_t why, const char *text,
                   const json_t *costs)
{
    bool stopped = why == PR_ERR_INTERRUPTED;
    json_t *line = job_line(d, who), *error = pr_text_json_string(text, strlen(text));
    bool again = stopped || worth_a_try(j, d, why, json_string_value(error));
    json_object_set_new(line, "reason", json_string(pr_status_reason(why)));
    json_object_set_new(line, "error", error);
    json_object_set_new(line, "attempt", json_integer(d->job->tries));
    json_object_set_new(line, "retry", json_boolean(again));
    json_object_set(line, "seconds", json_object_get(costs, "seconds")); // a missing key is not set
    json_object_set(line, "tokens", json_object_get(costs, "tokens"));
    if (!stopped)
        pr_log(PR_LOG_WARN, "%s failed (%s)%s: %s", d->label, pr_status_reason(why),
               again ? ", will be tried again" : ", given up", text);
    if (!again && j->why == PR_OK)
        j->why = why;
    tell(j, stopped ? "job_interrupted" : "job_failed", line);
}

pr_status_t pr_judging_finished(pr_judging_t *j, const char *job, const pr_who_t *who, pr_status_t status,
                                const char *text, const json_t *result, pr_error_t *err)
{
    double value[2 * PR_MAX_OBJECTIVES + 1];
    pr_judged_t *d = find(j, job);
    (void)err;
    if (!d || d->job->state != PR_JOB_RUNNING)
        return PR_OK;
    j->running--;
    if (status == PR_OK && !(d->fits ? json_is_string(json_object_get(result, "artifact"))
                                     : pr_fold_value(j->c->n_objectives, result, value))) {
        status = PR_ERR_FORMAT;
        text = "the job's answer is not a result of its kind";
    }
    if (status != PR_OK) {
        failed(j, d, who, status, text, result);
        return PR_OK;
    }
    json_t *line = job_line(d, who);
    json_object_set(line, "result", (json_t *)(uintptr_t)result);
    tell(j, "job_done", line);
    return PR_OK;
}

void pr_judging_progress(const pr_judging_t *j, pr_progress_t *out)
{
    pr_fold_progress(j->fold, true, pr_time_wall(), out);
}

/* ---- the end ---- */

pr_status_t pr_judging_end(pr_judging_t *j, bool interrupted, pr_error_t *err)
{
    size_t done = 0;
    for (size_t i = 0; i < j->n; i++)
        done += j->job[j->n_fit + i].job->state == PR_JOB_DONE;
    bool all = done == j->n;
    PR_TRY(pr_judging_commit(j, err));
    if (done > 0)
        PR_TRY(pr_judging_write(j, err));
    tell(j, "sweep_end",
         json_pack("{s:s, s:o, s:I, s:I}", "state",
                   all           ? "finished"
                   : interrupted ? "interrupted"
                                 : "incomplete",
                   "seconds", pr_json_real(pr_time_monotonic() - j->began), "jobs_done", (json_int_t)j->fold->done,
                   "jobs_failed", (json_int_t)j->fold->failed));
    PR_TRY(pr_judging_commit(j, err));
    if (all)
        return PR_OK;
    if (interrupted)
        return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the end; the same command continues it");
    const json_t *first = json_array_get(j->fold->failures, 0);
    return pr_fail(err, PR_ERR_INCOMPLETE,
                   "%zu point%s without a result; the same command tries again; the first: %s: %s", j->n - done,
                   j->n - done == 1 ? "" : "s", json_string_value(json_object_get(first, "label")),
                   json_string_value(json_object_get(first, "error")));
}
