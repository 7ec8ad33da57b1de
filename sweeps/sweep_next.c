/* What runs next, and what becomes of a job that ended. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "report/text.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pr_head_fit_t *waiting_fit(pr_sweep_t *s)
{
    for (int i = 0; i < s->n_fit; i++)
        if (s->fit[i].job.state == PR_JOB_WAITING)
            return &s->fit[i];
    return NULL;
}

static bool heads_ready(const pr_sweep_t *s)
{
    for (int i = 0; i < s->n_fit; i++)
        if (s->fit[i].job.state != PR_JOB_DONE)
            return false;
    return true;
}

/* Tells a job the hashes of all fitted heads, null for objectives that have none. */
static void add_heads(const pr_sweep_t *s, json_t *spec)
{
    if (s->n_fit == 0)
        return;
    json_t *heads = json_array();
    for (int k = 0; k < s->config->n_objectives; k++)
        json_array_append_new(heads, json_null());
    for (int i = 0; i < s->n_fit; i++)
        json_array_set_new(heads, (size_t)s->fit[i].objective, json_string(s->fit[i].hash));
    json_object_set_new(spec, "heads", heads);
}

static pr_expert_t *waiting_expert(pr_sweep_t *s)
{
    for (int i = 0; i < s->n_expert; i++)
        if (s->expert[i].job.state == PR_JOB_WAITING)
            return &s->expert[i];
    return NULL;
}

/* Experts with weight 0 are not run, so a point need not wait for them. */
static bool experts_ready(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    const pr_point_t *p = pr_sweep_point(s, e);
    for (int k = 0; k < s->config->n_objectives; k++)
        if (p->num[k] != 0 && pr_sweep_expert(s, s->track[e->track].seed_index, k)->job.state != PR_JOB_DONE)
            return false;
    return true;
}

static pr_evaluation_t *waiting_evaluation(pr_sweep_t *s)
{
    for (int i = 0; i < s->n_track; i++) {
        pr_track_t *t = &s->track[i];
        bool passed = true; // everything so far is started
        for (size_t j = t->next_eval; j < t->n_eval; j++) {
            pr_evaluation_t *e = pr_sweep_eval(s, t->eval[j]);
            if (e->job.state == PR_JOB_WAITING && experts_ready(s, e))
                return e;
            passed = passed && e->job.state != PR_JOB_WAITING;
            if (passed)
                t->next_eval = j + 1;
        }
    }
    return NULL;
}

/* Of those that are done again for what their policies said. */
static pr_evaluation_t *waiting_again(pr_sweep_t *s)
{
    for (size_t i = 0; i < s->n_again; i++)
        if (s->again[i]->job.state == PR_JOB_WAITING && experts_ready(s, s->again[i]))
            return s->again[i];
    return NULL;
}

static pr_evaluation_t *next_evaluation(pr_sweep_t *s)
{
    pr_evaluation_t *e = waiting_evaluation(s);
    if (!e)
        e = waiting_again(s);
    if (e || s->running > 0 || s->asked_again)
        return e;
    s->asked_again = true;
    return pr_sweep_ask_again(s) ? waiting_again(s) : NULL;
}

static void start(pr_sweep_t *s, pr_job_head_t *job)
{
    job->state = PR_JOB_RUNNING;
    job->attempts++;
    job->started = pr_time_monotonic();
    s->running++;
}

void pr_sweep_set_phase(pr_sweep_t *s, pr_phase_t phase)
{
    s->phase = phase;
    s->nothing = false;
}

pr_next_t pr_sweep_next(pr_sweep_t *s, json_t **spec)
{
    pr_head_fit_t *f = s->nothing ? NULL : waiting_fit(s);
    if (f) {
        start(s, &f->job);
        *spec = pr_fit_spec(s->config, &s->inputs, f->objective);
        return PR_NEXT_JOB;
    }
    bool ready = !s->nothing && heads_ready(s);
    pr_expert_t *x = ready && s->phase != PR_PHASE_EVALUATE ? waiting_expert(s) : NULL;
    if (x) {
        start(s, &x->job);
        *spec = pr_finetune_spec(s->config, &s->inputs, x->objective, s->config->seeds[x->seed_index]);
        add_heads(s, *spec);
        return PR_NEXT_JOB;
    }
    pr_evaluation_t *e = ready && s->phase != PR_PHASE_TUNE ? next_evaluation(s) : NULL;
    if (e) {
        start(s, &e->job);
        *spec = pr_sweep_evaluation_spec(s, e);
        add_heads(s, *spec);
        return PR_NEXT_JOB;
    }
    s->nothing = true;
    return s->running ? PR_NEXT_WAIT : PR_NEXT_DONE;
}

static pr_expert_t *expert_of(const pr_sweep_t *s, const char *id)
{
    for (int i = 0; i < s->n_expert; i++)
        if (!s->expert[i].given && strcmp(s->expert[i].job.id, id) == 0)
            return &s->expert[i];
    return NULL;
}

static pr_head_fit_t *fit_of(const pr_sweep_t *s, const char *id)
{
    for (int i = 0; i < s->n_fit; i++)
        if (strcmp(s->fit[i].job.id, id) == 0)
            return &s->fit[i];
    return NULL;
}

/* The spec of a job of any kind, with its "kind". New reference. */
static json_t *spec_of(const pr_sweep_t *s, const char *id)
{
    pr_head_fit_t *f = fit_of(s, id);
    pr_expert_t *x = f ? NULL : expert_of(s, id);
    pr_evaluation_t *e = f || x ? NULL : pr_sweep_find(s, id);
    return f   ? pr_fit_spec(s->config, &s->inputs, f->objective)
           : x ? pr_finetune_spec(s->config, &s->inputs, x->objective, s->config->seeds[x->seed_index])
           : e ? pr_sweep_evaluation_spec(s, e)
               : json_pack("{s:s}", "kind", "evaluate");
}

/* Everything a journal line says of a job, whatever its kind. New reference. */
static json_t *job_line(const pr_sweep_t *s, const char *id, const pr_who_t *who)
{
    json_t *spec = spec_of(s, id);
    json_t *line = json_pack("{s:s, s:O, s:i, s:s}", "job", id, "kind", json_object_get(spec, "kind"), "rank",
                             who->rank, "host", who->host);
    static const char *const keys[] = {"label", "objective", "seed", "aggregate", "point", "first", "count"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(line, keys[i], json_object_get(spec, keys[i])); // a missing key is not set
    json_decref(spec);
    return line;
}

static pr_job_head_t *head_of(const pr_sweep_t *s, const char *id)
{
    pr_head_fit_t *f = fit_of(s, id);
    pr_expert_t *x = f ? NULL : expert_of(s, id);
    pr_evaluation_t *e = f || x ? NULL : pr_sweep_find(s, id);
    return f ? &f->job : x ? &x->job : e ? &e->job : NULL;
}

pr_status_t pr_sweep_started(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_error_t *err)
{
    pr_job_head_t *h = head_of(s, job);
    json_t *line = job_line(s, job, who);
    if (h)
        json_object_set_new(line, "attempt", json_integer(h->attempts));
    pr_status_t status = pr_journal_append(s->journal, "job_start", line, false, err);
    json_decref(line);
    return status;
}

/* Once in a while: is the journal still the one that another run would find? */
static pr_status_t check_lock(pr_sweep_t *s, pr_error_t *err)
{
    double now = pr_time_monotonic();
    if (now - s->checked < 1)
        return PR_OK;
    s->checked = now;
    return pr_results_check(s->results, err);
}

pr_status_t pr_sweep_event(pr_sweep_t *s, const pr_who_t *who, const char *event, const json_t *fields, pr_error_t *err)
{
    (void)who;
    const char *job = json_string_value(json_object_get(fields, "job"));
    pr_expert_t *x = job && strcmp(event, "step") == 0 ? expert_of(s, job) : NULL;
    PR_TRY(check_lock(s, err));
    if (x) {
        int64_t lost = pr_sweep_note_step(s, job, fields); // a step that an earlier attempt had done
        x->job.tokens += json_integer_value(json_object_get(fields, "tokens")) - lost;
        x->job.wasted += lost;
        x->step = (int)json_integer_value(json_object_get(fields, "step"));
        x->reward = json_number_value(json_array_get(json_object_get(fields, "reward"), (size_t)x->objective));
        s->tokens_recent += (double)json_integer_value(json_object_get(fields, "tokens"));
        s->seconds_recent += json_number_value(json_object_get(fields, "seconds"));
    }
    return pr_journal_append(s->journal, event, fields, false, err);
}

/* Lines of jobs that ended are written together: the next job is not given before they are on disk. */
void pr_sweep_to_journal(pr_sweep_t *s, const char *event, json_t *line)
{
    json_array_append_new(s->pending, json_pack("[s, O]", event, line));
}

pr_status_t pr_sweep_commit(pr_sweep_t *s, pr_error_t *err)
{
    size_t n = json_array_size(s->pending);
    PR_TRY(check_lock(s, err));
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(s->pending, i);
        PR_TRY(pr_journal_append(s->journal, json_string_value(json_array_get(p, 0)), json_array_get(p, 1), i + 1 == n,
                                 err));
    }
    json_array_clear(s->pending);
    return PR_OK;
}

static pr_status_t advance_all(pr_sweep_t *s, pr_error_t *err)
{
    for (int i = 0; i < s->n_track; i++)
        PR_TRY(pr_track_advance(s, &s->track[i], err));
    return PR_OK;
}

static void evaluated(pr_sweep_t *s, pr_evaluation_t *e, const double *value)
{
    size_t k_n = (size_t)s->config->n_objectives;
    if (!e->value)
        e->value = pr_sweep_values(s);
    memcpy(e->value, value, (2 * k_n + 1) * sizeof *value);
    e->job.state = PR_JOB_DONE;
    s->n_evaluated++;
    s->evaluated_seconds += e->job.seconds;
    s->tokens_recent += (double)e->job.tokens;
    s->seconds_recent += e->job.seconds;
}

/* false: the result is not one of that kind of job. */
static bool take(pr_sweep_t *s, const char *job, const json_t *result)
{
    double value[PR_SWEEP_VALUES];
    pr_head_fit_t *f = fit_of(s, job);
    if (f) {
        if (!json_is_string(json_object_get(result, "head")))
            return false;
        pr_sweep_take_head(f, result);
        return true;
    }
    pr_expert_t *x = expert_of(s, job);
    if (x) {
        if (!json_is_string(json_object_get(result, "expert")))
            return false;
        pr_sweep_take_expert(x, result);
        return true;
    }
    pr_evaluation_t *e = pr_sweep_find(s, job);
    int64_t tokens;
    double seconds;
    if (!pr_sweep_read_result(s, result, value, &tokens, &seconds))
        return false;
    if (e->value) { // what the first time took was for nothing
        e->job.spent += e->job.seconds;
        e->job.wasted += e->job.tokens;
        json_object_del(s->said, job);
        s->asked_again = false; // its values may be others, on another machine, and so may be the front
    }
    e->job.tokens = tokens;
    e->job.seconds = seconds;
    evaluated(s, e, value);
    return true;
}

/* Is another try worth it? What is wrong with the configuration stays wrong, and so does what went wrong twice in the
 * same words. */
static bool worth_a_try(const pr_sweep_t *s, pr_job_head_t *h, pr_status_t why, const char *text)
{
    uint64_t failure = pr_hash64(text, strlen(text)) ^ (uint64_t)why;
    bool same = h->failure == failure;
    h->failure = failure;
    return h->attempts <= s->config->retries && !same && why != PR_ERR_CONFIG && why != PR_ERR_USAGE;
}

/* A job is given up. One that had a result, and was to be done again for its responses, keeps it. */
static void give_up(pr_sweep_t *s, pr_job_head_t *h, pr_status_t why, json_t *line)
{
    pr_evaluation_t *e = fit_of(s, h->id) || expert_of(s, h->id) ? NULL : pr_sweep_find(s, h->id);
    s->why = s->failed == 0 || s->why == why ? why : PR_ERR_INCOMPLETE;
    s->failed++;
    json_array_append(s->failures, line);
    if (e && e->value) {
        h->state = PR_JOB_DONE;
        s->done++;
        s->n_evaluated++;
    } else if (e) {
        s->n_given_up++;
    }
}

/* costs: what the job said beside its failure, {"seconds", "tokens"}, or NULL. */
static pr_status_t job_failed(pr_sweep_t *s, pr_job_head_t *h, const pr_who_t *who, pr_status_t why, const char *text,
                              const json_t *costs, pr_error_t *err)
{
    bool stopped = why == PR_ERR_INTERRUPTED, again = stopped || worth_a_try(s, h, why, text);
    json_t *line = job_line(s, h->id, who);
    json_object_set_new(line, "reason", json_string(pr_status_reason(why)));
    json_object_set_new(line, "error", pr_text_json_string(text, strlen(text)));
    json_object_set_new(line, "attempt", json_integer(h->attempts));
    json_object_set_new(line, "retry", json_boolean(again));
    json_object_set(line, "seconds", json_object_get(costs, "seconds")); // a missing key is not set
    json_object_set(line, "tokens", json_object_get(costs, "tokens"));
    h->spent += json_number_value(json_object_get(costs, "seconds"));
    h->wasted += json_integer_value(json_object_get(costs, "tokens"));
    pr_sweep_to_journal(s, stopped ? "job_interrupted" : "job_failed", line);
    h->state = again ? PR_JOB_WAITING : PR_JOB_FAILED;
    for (int i = 0; i < s->n_track; i++)
        s->track[i].next_eval = 0;
    if (!stopped)
        pr_log(PR_LOG_WARN, "%s failed (%s)%s: %s", json_string_value(json_object_get(line, "label")),
               pr_status_reason(why), again ? ", will be tried again" : ", given up", text);
    if (!again)
        give_up(s, h, why, line);
    json_decref(line);
    return again ? PR_OK : advance_all(s, err);
}

pr_status_t pr_sweep_finished(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_status_t status, const char *text,
                              const json_t *result, pr_error_t *err)
{
    pr_job_head_t *h = head_of(s, job);
    if (!h || h->state != PR_JOB_RUNNING)
        return PR_OK; // answered twice, or not one of ours: nothing to change
    s->running--;
    s->nothing = false;
    h->rank = who->rank;
    h->host = pr_sweep_host(s, who->host);
    if (status == PR_OK && !take(s, job, result)) {
        status = PR_ERR_FORMAT;
        text = "the job's answer is not a result of its kind";
    }
    if (status != PR_OK)
        return job_failed(s, h, who, status, text, result, err);
    s->done++;
    json_t *line = job_line(s, job, who);
    json_object_set(line, "result", (json_t *)(uintptr_t)result);
    pr_sweep_to_journal(s, "job_done", line);
    json_decref(line);
    return advance_all(s, err);
}

/* What the experts that are not done still take: those that run at their own pace, the others as long as those; NAN
 * when nothing is known yet. */
static double tuning_left(const pr_sweep_t *s)
{
    double now = pr_time_monotonic(), all = 0, left = 0;
    int known = 0, waiting = 0;
    for (int i = 0; i < s->n_expert; i++) {
        const pr_expert_t *x = &s->expert[i];
        bool runs = x->job.state == PR_JOB_RUNNING;
        double so_far = runs ? now - x->job.started : 0, whole = NAN;
        if (x->job.state == PR_JOB_DONE)
            whole = x->job.seconds;
        else if (runs && x->step > 0)
            whole = so_far * x->steps / x->step;
        if (x->given || x->job.state == PR_JOB_FAILED)
            continue;
        waiting += !isfinite(whole);
        if (isfinite(whole)) {
            known++;
            all += whole;
            left += runs ? fmax(whole - so_far, 0) : 0;
        }
    }
    return waiting == 0 ? left : known ? left + waiting * all / known : NAN;
}

/* Jobs still to do at the pace of those of their kind. */
static double seconds_left(const pr_sweep_t *s)
{
    double left = tuning_left(s);
    size_t to_do = s->n_evaluation - s->n_evaluated - s->n_given_up;
    if (to_do > 0)
        left += s->n_evaluated ? (double)to_do * s->evaluated_seconds / (double)s->n_evaluated : NAN;
    return left / s->workers;
}

static double latest_reward(const pr_sweep_t *s)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->n_expert; i++)
        if (!s->expert[i].given && s->expert[i].step > 0) {
            sum += s->expert[i].reward;
            n++;
        }
    return n ? sum / n : NAN;
}

void pr_sweep_progress(const pr_sweep_t *s, pr_progress_t *out)
{
    pr_progress_t p = PR_PROGRESS_UNKNOWN;
    long tuned = 0, to_tune = 0;
    for (int i = 0; i < s->n_expert; i++) {
        const pr_expert_t *x = &s->expert[i];
        to_tune += !x->given;
        tuned += !x->given && x->job.state == PR_JOB_DONE;
        if (x->job.state == PR_JOB_RUNNING && (p.step_total == 0 || x->step < p.step)) {
            p.step = x->step;
            p.step_total = x->steps;
        }
    }
    long fitted = 0;
    for (int i = 0; i < s->n_fit; i++)
        fitted += s->fit[i].job.state == PR_JOB_DONE;
    bool fitting = fitted < s->n_fit && s->failed == 0, tuning = !fitting && tuned < to_tune && s->failed == 0;
    p.phase = fitting ? "fitting heads" : tuning ? "fine-tuning" : "evaluating";
    p.jobs_done = fitting ? fitted : tuning ? tuned : (long)s->done - tuned - fitted;
    p.jobs_total = fitting ? s->n_fit : tuning ? to_tune : (long)s->n_evaluation;
    p.running = (int)s->running < s->workers ? (int)s->running : s->workers; // others wait at their worker
    p.workers = s->workers;
    p.failed = (long)s->failed;
    p.reward = latest_reward(s);
    p.seconds_elapsed = pr_time_monotonic() - s->began;
    p.seconds_left = seconds_left(s);
    if (s->seconds_recent > 0)
        p.tokens_per_second =
            s->tokens_recent / s->seconds_recent * fmin((double)s->workers, fmax((double)s->running, 1));
    if (s->ending) {
        p.phase = s->ending;
        p.jobs_done = s->end_done;
        p.jobs_total = s->end_total;
        p.step = p.step_total = 0;
        p.tokens_per_second = p.seconds_left = p.reward = NAN;
    }
    *out = p;
}

int64_t pr_point_number(const char *job)
{
    char digits[16] = {0};
    memcpy(digits, job, 15);
    return (int64_t)strtoull(digits, NULL, 16);
}

bool pr_sweep_any_fidelity(const pr_config_t *c)
{
    for (int i = 0; i < c->n_searches; i++)
        if (c->search[i].n_fidelity > 0)
            return true;
    return false;
}

bool pr_sweep_job_value(const pr_config_t *c, const json_t *spec, const json_t *result, double *value, int64_t *id)
{
    const char *kind = json_string_value(json_object_get(spec, "kind")),
               *job = json_string_value(json_object_get(spec, "id"));
    const json_t *mean = json_object_get(result, "mean");
    if (!kind || !job || strcmp(kind, "evaluate") != 0 || json_array_size(mean) != (size_t)c->n_objectives ||
        pr_sweep_any_fidelity(c)) // then this may be a part of a point's prompts only
        return false;
    for (int k = 0; k < c->n_objectives; k++)
        value[k] = (c->objective[k].minimize ? -1 : 1) * json_number_value(json_array_get(mean, (size_t)k));
    *id = pr_point_number(job);
    return true;
}
