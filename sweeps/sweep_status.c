/* The state of a sweep as its journal tells it, for other shells. */
#include "base/mem.h"
#include "report/text.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Jobs of one kind. */
typedef struct pr_kind_count {
    long total; // known so far in the current run
    long done;  // of them
    long running;
    long measured;  // jobs whose seconds are known, of all runs
    double seconds; // they took
} pr_kind_count_t;

typedef struct pr_status_fold {
    json_t *running; // id -> its job_start line
    json_t *step;    // id of a running fine-tune -> its last step event
    json_t *failures;
    char name[256], state[32];
    const char *ending;   // what the end is doing, or NULL
    double started, last; // of the current run, wall clock
    double before;        // seconds of the runs before it
    double run_tokens;    // of jobs that the current run finished
    int starts;           // runs, the current one included
    int workers;
    pr_kind_count_t fit, finetune, evaluate;
    long failed;
    double tokens, seconds; // of finished jobs
} pr_status_fold_t;

static json_t *borrowed(const json_t *line)
{
    return (json_t *)(uintptr_t)line;
}

static void copy_text(char *out, size_t size, const json_t *text)
{
    const char *s = json_string_value(text);
    snprintf(out, size, "%s", s ? s : "");
}

static pr_kind_count_t *count_of(pr_status_fold_t *f, const json_t *line)
{
    const char *kind = json_string_value(json_object_get(line, "kind"));
    if (kind && strcmp(kind, "fit_reward") == 0)
        return &f->fit;
    return kind && strcmp(kind, "finetune") == 0 ? &f->finetune : &f->evaluate;
}

/* What an earlier run had running is not running now, and what it gave up is tried again. */
static void on_sweep_start(pr_status_fold_t *f, const json_t *line)
{
    f->before += f->starts ? fmax(f->last - f->started, 0) : 0;
    f->starts++;
    f->run_tokens = 0;
    json_object_clear(f->running);
    json_object_clear(f->step);
    json_array_clear(f->failures);
    f->failed = 0;
    f->fit.running = f->finetune.running = f->evaluate.running = f->evaluate.total = f->evaluate.done = 0;
    f->finetune.total = json_integer_value(json_object_get(line, "experts"));
    f->finetune.done = json_integer_value(json_object_get(line, "experts_done"));
    f->fit.total = json_integer_value(json_object_get(line, "heads"));
    f->fit.done = json_integer_value(json_object_get(line, "heads_done"));
    copy_text(f->name, sizeof f->name, json_object_get(line, "name"));
    snprintf(f->state, sizeof f->state, "running");
    f->ending = NULL;
    f->started = json_number_value(json_object_get(line, "t"));
    f->workers = (int)json_integer_value(json_object_get(line, "workers"));
}

static void on_done(pr_status_fold_t *f, const char *id, const json_t *line)
{
    const json_t *result = json_object_get(line, "result");
    double seconds = json_number_value(json_object_get(result, "seconds"));
    pr_kind_count_t *c = count_of(f, line);
    json_object_del(f->step, id);
    c->done++;
    c->measured++;
    c->seconds += seconds;
    f->run_tokens += (double)json_integer_value(json_object_get(result, "tokens"));
    f->tokens += (double)json_integer_value(json_object_get(result, "tokens"));
    f->seconds += seconds;
}

static void on_job(pr_status_fold_t *f, const char *event, const char *id, const json_t *line)
{
    if (strcmp(event, "job_start") == 0) {
        count_of(f, line)->running += json_object_get(f->running, id) == NULL;
        json_object_set(f->running, id, borrowed(line));
        return;
    }
    count_of(f, line)->running -= json_object_get(f->running, id) != NULL;
    json_object_del(f->running, id);
    if (strcmp(event, "job_done") == 0)
        on_done(f, id, line);
    if (strcmp(event, "job_failed") == 0 && !json_is_true(json_object_get(line, "retry"))) {
        f->failed++;
        json_array_append(f->failures, borrowed(line));
    }
}

static void on_ending(pr_status_fold_t *f, const char *what)
{
    static const char *const known[] = {PR_ENDING_TABLES, PR_ENDING_INDICATORS};
    for (size_t i = 0; what && i < sizeof known / sizeof *known; i++)
        if (strcmp(what, known[i]) == 0)
            f->ending = known[i];
}

static pr_status_t fold(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_status_fold_t *f = self;
    (void)err;
    const char *id = json_string_value(json_object_get(line, "job"));
    if (strcmp(event, "sweep_start") == 0)
        on_sweep_start(f, line);
    else if (strcmp(event, "sweep_end") == 0)
        copy_text(f->state, sizeof f->state, json_object_get(line, "state"));
    else if (strcmp(event, "ending") == 0)
        on_ending(f, json_string_value(json_object_get(line, "what")));
    else if (strcmp(event, "points") == 0) {
        f->evaluate.total = json_integer_value(json_object_get(line, "evaluations"));
        f->evaluate.done = json_integer_value(json_object_get(line, "evaluated"));
    } else if (strcmp(event, "evaluate_again") == 0)
        f->evaluate.done--;
    else if (id && strcmp(event, "step") == 0)
        json_object_set(f->step, id, borrowed(line));
    else if (id && strncmp(event, "job_", 4) == 0)
        on_job(f, event, id, line);
    f->last = json_number_value(json_object_get(line, "t"));
    return PR_OK;
}

/* The mean reward of a step on the objective that it trains. */
static double own_reward(const json_t *step)
{
    size_t objective = (size_t)json_integer_value(json_object_get(step, "objective"));
    return json_number_value(json_array_get(json_object_get(step, "reward"), objective));
}

/* The fine-tune that is furthest behind, and the mean of what the latest steps earned. */
static void add_steps(const pr_status_fold_t *f, pr_progress_t *p)
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
        reward += own_reward(step);
    }
    if (json_object_size(f->step))
        p->reward = reward / (double)json_object_size(f->step);
}

/* What the running fine-tunes still take at their own pace. */
static double steps_left(const pr_status_fold_t *f, double now)
{
    const char *id;
    json_t *step;
    double left = 0;
    json_object_foreach(f->step, id, step)
    {
        double at = json_number_value(json_object_get(step, "step")),
               all = json_number_value(json_object_get(step, "steps")),
               began = json_number_value(json_object_get(json_object_get(f->running, id), "t"));
        left += at > 0 && began > 0 ? (now - began) / at * (all - at) : NAN;
    }
    return left;
}

/* As long as the jobs of a kind took so far. */
static double jobs_left(const pr_kind_count_t *c, long n)
{
    return n <= 0 ? 0 : c->measured ? (double)n * c->seconds / (double)c->measured : NAN;
}

static double seconds_left(const pr_status_fold_t *f, double now)
{
    double left = steps_left(f, now) + jobs_left(&f->fit, f->fit.total - f->fit.done) +
                  jobs_left(&f->finetune, f->finetune.total - f->finetune.done - (long)json_object_size(f->step)) +
                  jobs_left(&f->evaluate, f->evaluate.total - f->evaluate.done);
    return left / (f->workers > 0 ? f->workers : 1);
}

/* What is being done, and its jobs. */
static const pr_kind_count_t *phase_of(const pr_status_fold_t *f, const char **name)
{
    bool fitting = f->fit.done < f->fit.total && f->failed == 0;
    bool tuning = !fitting && f->finetune.done < f->finetune.total && f->failed == 0;
    *name = fitting ? "fitting heads" : tuning ? "fine-tuning" : "evaluating";
    return fitting ? &f->fit : tuning ? &f->finetune : &f->evaluate;
}

static void to_progress(const pr_status_fold_t *f, bool live, double now, pr_progress_t *p)
{
    *p = (pr_progress_t)PR_PROGRESS_UNKNOWN;
    long all_done = f->fit.done + f->finetune.done + f->evaluate.done;
    long all = f->fit.total + f->finetune.total + f->evaluate.total;
    long running = f->fit.running + f->finetune.running + f->evaluate.running;
    add_steps(f, p);
    const pr_kind_count_t *now_at = phase_of(f, &p->phase);
    p->phase = live ? p->phase : "ended";
    if (live && f->ending)
        p->phase = f->ending;
    p->jobs_total = live ? now_at->total : all;
    p->jobs_done = live ? now_at->done : all_done;
    if (p->jobs_done > p->jobs_total) // journals in which a line of points stands before the ends that it counts
        p->jobs_done = p->jobs_total;
    p->running = !live ? 0 : running < f->workers ? (int)running : f->workers;
    p->workers = f->workers;
    p->failed = f->failed;
    p->seconds_elapsed = f->before + (live ? now : f->last) - f->started;
    p->last_event_age = now - f->last;
    if (live)
        p->seconds_left = seconds_left(f, now);
    else
        p->step = p->step_total = 0;
    // While it runs, what its workers do now; afterwards, what the last run came to.
    if (live && f->seconds > 0)
        p->tokens_per_second = f->tokens / f->seconds * fmax(1, p->running);
    if (!live && f->run_tokens > 0 && f->last > f->started)
        p->tokens_per_second = f->run_tokens / (f->last - f->started);
}

/* What a run that was killed left without an end. */
static json_t *killed_json(const pr_status_fold_t *f, double now)
{
    json_t *list = json_array(), *start;
    const char *id;
    json_object_foreach(f->running, id, start)
    {
        const json_t *step = json_object_get(f->step, id);
        json_t *job = json_pack("{s:s}", "job", id);
        static const char *const keys[] = {"label", "kind", "rank", "host", "attempt"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_set(job, keys[i], json_object_get(start, keys[i])); // a missing key is not set
        json_object_set(job, "step", json_object_get(step, "step"));
        json_array_append_new(list, job);
    }
    char *names = pr_sweep_name_open(f->running);
    json_t *text = pr_text_json_string(names, strlen(names));
    free(names);
    return json_pack("{s:o, s:o, s:o}", "last_line_age", pr_json_real(now - f->last), "without_end", list, "names",
                     text);
}

static pr_status_t nothing_started(const char *dir, const char *damage, pr_error_t *err)
{
    char what[256];
    if (damage[0])
        return pr_fail(err, PR_ERR_FORMAT, "%s/journal.jsonl: %s; no line of it tells of a sweep", dir, damage);
    if (pr_results_has_work(dir, what, sizeof what))
        return pr_fail(
            err, PR_ERR_FORMAT,
            "%s/journal.jsonl: tells of no sweep, but %s is there: put the journal back, or move the results "
            "away to begin anew",
            dir, what);
    return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no sweep has been started in this directory", dir);
}

static json_t *details_json(const pr_status_fold_t *f, const pr_journal_stats_t *stats, const char *damage,
                            const pr_progress_t *progress)
{
    json_t *d =
        json_pack("{s:s, s:s, s:i, s:o, s:O, s:I}", "name", f->name, "state", f->state, "starts", f->starts, "progress",
                  pr_progress_json(progress), "failures", f->failures, "skipped_lines", (json_int_t)stats->skipped);
    if (damage[0])
        json_object_set_new(d, "damage", json_string(damage));
    return d;
}

pr_status_t pr_sweep_status(const char *dir, double now, pr_progress_t *progress, json_t **details, pr_error_t *err)
{
    pr_status_fold_t f = {.running = json_object(), .step = json_object(), .failures = json_array()};
    pr_journal_stats_t stats;
    char damage[256], *path = pr_results_path(dir, "journal.jsonl");
    pr_status_t status = pr_journal_read(path, fold, &f, &stats, err);
    pr_journal_damage(&stats, damage, sizeof damage);
    if (status == PR_OK && !f.state[0])
        status = nothing_started(dir, damage, err);
    if (status == PR_OK) {
        // A run that says it runs and holds no lock has been killed.
        bool killed = strcmp(f.state, "running") == 0 && !pr_results_locked(dir, NULL, 0);
        if (killed)
            snprintf(f.state, sizeof f.state, "stopped");
        to_progress(&f, strcmp(f.state, "running") == 0, now, progress);
        *details = details_json(&f, &stats, damage, progress);
        if (killed)
            json_object_set_new(*details, "killed", killed_json(&f, now));
    }
    free(path);
    json_decref(f.running);
    json_decref(f.step);
    json_decref(f.failures);
    return status;
}
