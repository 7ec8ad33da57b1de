/* The state of a sweep as its journal tells it, for other shells. */
#include "base/mem.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pr_status_fold {
    json_t *job;  // id -> last event of the current run ("job_start", ...)
    json_t *kind; // id -> kind
    json_t *step; // id of a running fine-tune -> its last step event
    json_t *failures;
    char name[256], state[32];
    double started, last; // of the current run, wall clock
    int workers, objectives;
    long tuned, evaluated, failed, points_done;
    double tokens, seconds;
    double tune_seconds, evaluate_seconds;
} pr_status_fold_t;

static void on_start(pr_status_fold_t *f, const json_t *line)
{
    json_t *kept = json_object();
    const char *id;
    json_t *event;
    json_object_foreach(f->job, id, event) // what an earlier run had running is not running now
    {
        if (strcmp(json_string_value(event), "job_done") == 0)
            json_object_set(kept, id, event);
    }
    json_decref(f->job);
    f->job = kept;
    json_object_clear(f->step);
    json_array_clear(f->failures);
    f->failed = 0;
    snprintf(f->name, sizeof f->name, "%s", json_string_value(json_object_get(line, "name")));
    snprintf(f->state, sizeof f->state, "running");
    f->started = json_number_value(json_object_get(line, "t"));
    f->workers = (int)json_integer_value(json_object_get(line, "workers"));
    f->objectives = (int)json_array_size(json_object_get(line, "objectives")) *
                    (int)json_array_size(json_object_get(line, "seeds"));
}

static void on_done(pr_status_fold_t *f, const char *id, const json_t *line)
{
    const json_t *result = json_object_get(line, "result");
    double seconds = json_number_value(json_object_get(result, "seconds"));
    const char *kind = json_string_value(json_object_get(line, "kind"));
    bool tune = kind && strcmp(kind, "finetune") == 0;
    json_object_del(f->step, id);
    *(tune ? &f->tuned : &f->evaluated) += 1;
    *(tune ? &f->tune_seconds : &f->evaluate_seconds) += seconds;
    f->tokens += (double)json_integer_value(json_object_get(result, "tokens"));
    f->seconds += seconds;
}

static pr_status_t fold(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_status_fold_t *f = self;
    (void)err;
    f->last = json_number_value(json_object_get(line, "t"));
    const char *id = json_string_value(json_object_get(line, "job"));
    if (strcmp(event, "sweep_start") == 0)
        on_start(f, line);
    else if (strcmp(event, "sweep_end") == 0)
        snprintf(f->state, sizeof f->state, "%s", json_string_value(json_object_get(line, "state")));
    else if (id && strcmp(event, "step") == 0)
        json_object_set(f->step, id, (json_t *)(uintptr_t)line);
    if (!id || strncmp(event, "job_", 4) != 0)
        return PR_OK;
    if (strcmp(event, "job_done") == 0)
        on_done(f, id, line);
    if (strcmp(event, "job_failed") == 0 && !json_is_true(json_object_get(line, "retry"))) {
        f->failed++;
        json_array_append(f->failures, (json_t *)(uintptr_t)line);
    }
    json_object_set(f->kind, id, json_object_get(line, "kind"));
    json_object_set_new(f->job, id, json_string(event));
    return PR_OK;
}

static long count_running(const pr_status_fold_t *f, const char *kind)
{
    long n = 0;
    const char *id;
    json_t *event;
    json_object_foreach(f->job, id, event)
    {
        const char *k = json_string_value(json_object_get(f->kind, id));
        n += strcmp(json_string_value(event), "job_start") == 0 && (!kind || (k && strcmp(k, kind) == 0));
    }
    return n;
}

static void furthest_behind(const pr_status_fold_t *f, pr_progress_t *p)
{
    const char *id;
    json_t *step;
    double reward = 0;
    json_object_foreach(f->step, id, step)
    {
        long at = json_integer_value(json_object_get(step, "step"));
        if (p->step_total == 0 || at < p->step) {
            p->step = at;
            p->step_total = json_integer_value(json_object_get(step, "steps"));
        }
        const json_t *r = json_object_get(step, "reward");
        for (size_t i = 0; i < json_array_size(r); i++)
            reward += json_number_value(json_array_get(r, i)) / (double)json_array_size(r);
    }
    if (json_object_size(f->step))
        p->reward = reward / (double)json_object_size(f->step);
}

static void to_progress(const pr_status_fold_t *f, double now, pr_progress_t *p)
{
    *p = (pr_progress_t)PR_PROGRESS_UNKNOWN;
    bool tuning = count_running(f, "finetune") > 0 || (f->tuned < f->objectives && f->evaluated == 0);
    bool live = strcmp(f->state, "running") == 0;
    furthest_behind(f, p);
    p->phase = !live ? "ended" : tuning ? "fine-tuning" : "evaluating";
    p->jobs_done = !live ? f->tuned + f->evaluated : tuning ? f->tuned : f->evaluated;
    p->jobs_total = tuning && live ? f->objectives : p->jobs_done + count_running(f, "evaluate");
    p->running = live ? (int)count_running(f, NULL) : 0;
    p->workers = f->workers;
    p->failed = f->failed;
    p->seconds_elapsed = (live ? now : f->last) - f->started;
    p->last_event_age = now - f->last;
    if (f->seconds > 0)
        p->tokens_per_second = f->tokens / f->seconds * fmax(1, p->running);
}

pr_status_t pr_sweep_status(const char *dir, double now, pr_progress_t *progress, json_t **details, pr_error_t *err)
{
    pr_status_fold_t f = {.job = json_object(), .kind = json_object(), .step = json_object(), .failures = json_array()};
    pr_journal_stats_t stats;
    char *path = pr_results_path(dir, "journal.jsonl");
    pr_status_t status = pr_journal_read(path, fold, &f, &stats, err);
    if (status == PR_OK && !f.state[0])
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: no sweep has been started in this directory", dir);
    if (status == PR_OK) {
        to_progress(&f, now, progress);
        // A run that says nothing and holds no lock has been killed.
        if (strcmp(f.state, "running") == 0 && !pr_results_locked(dir, NULL, 0))
            snprintf(f.state, sizeof f.state, "stopped");
        json_t *p = pr_progress_json(progress);
        *details = json_pack("{s:s, s:s, s:o, s:O, s:I}", "name", f.name, "state", f.state, "progress", p, "failures",
                             f.failures, "skipped_lines", (json_int_t)stats.skipped);
    }
    free(path);
    json_decref(f.job);
    json_decref(f.kind);
    json_decref(f.step);
    json_decref(f.failures);
    return status;
}
