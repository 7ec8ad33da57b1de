// SPDX-License-Identifier: BSD-3-Clause
/* How far a sweep is and how long it will take, by what its journal says. */
#include "sweeps/fold.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const pr_job_kind_t *kind_of(const pr_job_record_t *r)
{
    size_t n;
    return pr_job_kinds(&n)[r->kind];
}

/* What jobs that are no evaluations have said; NULL: nothing yet. */
static pr_made_t *made_so_far(const pr_job_record_t *r)
{
    return kind_of(r)->evaluates ? NULL : r->made;
}

/* "empathy-s1", or "empathy" where there is one seed. */
static void name_of(const pr_fold_t *f, const json_t *start, char *out, size_t size)
{
    const char *label = json_string_value(json_object_get(start, "label"));
    snprintf(out, size, "%s", label ? label : "");
    char *end = strrchr(out, '-');
    if (f->n_seeds == 1 && end && end > out && end[1] == 's' && end[2] && end[2 + strspn(end + 2, "0123456789")] == 0)
        *end = 0;
}

/* What is left of a kind's jobs. */
typedef struct pr_left {
    long jobs, stepping; // running ones with steps are among the jobs
    double low, high;    // seconds of all of them, of one worker
    double one;          // of one of them, at most
} pr_left_t;

/* The running jobs with steps, in the order in which they began, and what they still take at their own pace. */
static void add_steps(const pr_fold_t *f, pr_progress_t *p, pr_left_t left[])
{
    const char *id;
    json_t *start;
    json_object_foreach(f->open, id, start)
    {
        const pr_job_record_t *r = pr_fold_find(f, id);
        const pr_made_t *m = r ? made_so_far(r) : NULL;
        if (!m || m->step < 1)
            continue;
        if (p->step_total == 0 || m->step < p->step) {
            p->step = m->step;
            p->step_total = m->steps;
        }
        if (p->n_jobs < PR_PROGRESS_JOBS) {
            pr_progress_job_t *job = &p->job[p->n_jobs];
            *job = (pr_progress_job_t){.step = m->step, .steps = m->steps, .reward = m->climbed, .kl = m->kl};
            name_of(f, start, job->name, sizeof job->name);
        }
        p->n_jobs++;
        double pace = m->step_count > 0 ? m->step_seconds / m->step_count : NAN, rest = pace * (m->steps - m->step);
        pr_left_t *l = &left[r->kind];
        l->stepping++;
        l->low += rest;
        l->high += rest;
        l->one = fmax(l->one, pace * m->steps);
    }
    p->reward = p->n_jobs == 1 ? p->job[0].reward : NAN; // there is no mean of different objectives
}

/* Points that the searches may still ask for, and trainings with them. */
static void still_to_ask(const pr_fold_t *f, long *points, long *trainings)
{
    const char *search;
    json_t *forecast, *one;
    *points = *trainings = 0;
    json_object_foreach(f->forecast, search, forecast)
    {
        long most = (long)json_integer_value(json_array_get(forecast, 0)), open = f->n_seeds, rest;
        size_t i;
        rest = 0;
        json_array_foreach(f->searches, i, one)
        {
            const char *name = json_string_value(json_object_get(one, "search"));
            long asked = (long)json_integer_value(json_object_get(one, "asked"));
            if (!name || strcmp(name, search) != 0)
                continue;
            open--;
            if (json_is_null(json_object_get(one, "ended")) && asked < most)
                rest += most - asked;
        }
        rest += open > 0 ? open * most : 0;
        *points += rest;
        *trainings += rest * (long)json_integer_value(json_array_get(forecast, 1));
    }
}

/* Of jobs that have not begun. Where none of their kind has ended, an evaluation is guessed from the speed of training: a
 * new token of it takes less than one that is learnt from, and responses end before they are as long as they may be. */
static void add_waiting(const pr_fold_t *f, const pr_job_kind_t *kind, const pr_kind_count_t *c, pr_left_t *l,
                        long more)
{
    enum { SHORTER = 4, FASTER = 4 };
    long waiting = c->total - c->done - l->stepping + more;
    double low = NAN, high = NAN;
    if (waiting <= 0)
        return;
    if (c->measured > 0)
        low = high = c->seconds / (double)c->measured;
    else if (l->one > 0)
        low = high = l->one;
    else if (kind->evaluates && f->tokens > 0 && f->evaluation_tokens > 0) {
        high = f->evaluation_tokens * f->seconds / f->tokens;
        low = high / (SHORTER * FASTER);
    }
    l->low += (double)waiting * low;
    l->high += (double)waiting * high;
    l->one = fmax(l->one, high);
    l->jobs = waiting;
}

/* At best all workers are busy until the end; at worst a kind begins when the one before it has ended, and jobs of a kind
 * are done in rounds. */
static void seconds_left(const pr_fold_t *f, pr_left_t left[], pr_progress_t *p)
{
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    long workers = f->workers > 0 ? f->workers : 1, points, trainings;
    double all = 0, least = 0, most = 0;
    still_to_ask(f, &points, &trainings);
    p->jobs_most = 0;
    for (size_t i = 0; i < n; i++) {
        pr_left_t *l = &left[i];
        bool trains = strcmp(kinds[i]->name, "train") == 0;
        add_waiting(f, kinds[i], &f->count[i], l, kinds[i]->evaluates ? points : trains ? trainings : 0);
        if (kinds[i]->evaluates)
            p->jobs_most = f->count[i].total + points;
        long jobs = l->jobs + l->stepping, lanes = jobs < workers ? jobs : workers;
        if (jobs == 0)
            continue;
        double rounds = l->jobs > 0 ? ceil((double)jobs / (double)workers) * l->one : 0;
        all += l->low;
        least = fmax(least, l->low / (double)lanes);
        most += fmax(l->high / (double)lanes, l->stepping > 0 || kinds[i]->evaluates ? 0 : rounds);
    }
    p->seconds_left_least = fmax(all / (double)workers, least);
    p->seconds_left = fmax(most, p->seconds_left_least);
    if (isnan(all) || isnan(most))
        p->seconds_left = p->seconds_left_least = NAN;
}

/* The first kind that is not done; evaluations once something has been given up. */
static size_t phase_of(const pr_fold_t *f, size_t n)
{
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    size_t evaluates = 0;
    for (size_t i = 0; i < n; i++) {
        if (kinds[i]->evaluates)
            evaluates = i;
        else if (f->count[i].done < f->count[i].total && f->failed == 0)
            return i;
    }
    return evaluates;
}

static void add_counts(const pr_fold_t *f, bool live, pr_progress_t *p)
{
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    long all = 0, done = 0, running = 0;
    for (size_t i = 0; i < n; i++) {
        all += f->count[i].total;
        done += f->count[i].done;
        running += f->count[i].running;
        if (kinds[i]->evaluates)
            p->evaluated = f->count[i].done;
    }
    size_t at = phase_of(f, n);
    p->phase = !live ? "ended" : f->ending ? f->ending : kinds[at]->doing;
    p->evaluates = live && !f->ending && kinds[at]->evaluates;
    p->jobs_total = live ? f->count[at].total : all;
    p->jobs_done = live ? f->count[at].done : done;
    if (p->jobs_done > p->jobs_total)
        p->jobs_done = p->jobs_total;
    p->running = !live ? 0 : running < f->workers ? (int)running : f->workers; // others wait at their worker
}

void pr_fold_progress(const pr_fold_t *f, bool live, double now, pr_progress_t *out)
{
    pr_progress_t p = PR_PROGRESS_UNKNOWN;
    pr_left_t left[32] = {0};
    add_counts(f, live, &p);
    p.workers = f->workers;
    p.failed = f->failed;
    p.seconds_elapsed = live ? f->before + now - f->started : f->before;
    p.last_event_age = now - f->at;
    if (live) {
        add_steps(f, &p, left);
        seconds_left(f, left, &p);
    }
    // While it runs, what its workers do now; afterwards, what the last run came to.
    if (live && f->seconds > 0)
        p.tokens_per_second = f->tokens / f->seconds * fmax(1, p.running);
    if (!live && f->run_tokens > 0 && f->at > f->started)
        p.tokens_per_second = f->run_tokens / (f->at - f->started);
    *out = p;
}
