// SPDX-License-Identifier: BSD-3-Clause
/* How far a sweep is and how long it will take, by what its journal says. */
#include "sweeps/fold.h"

#include <math.h>

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

/* The running job with steps that is furthest behind, the mean of what the latest steps climbed, and what the running
 * ones still take at their own pace. Returns how many have told a step. */
static int add_steps(const pr_fold_t *f, double now, pr_progress_t *p, double *left, long with_steps[])
{
    const char *id;
    json_t *start;
    double reward = 0;
    int n = 0;
    *left = 0;
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
        reward += m->climbed;
        n++;
        with_steps[r->kind]++;
        *left += (now - r->given) / m->step * (m->steps - m->step);
    }
    if (n > 0)
        p->reward = reward / n;
    return n;
}

/* As long as the jobs of a kind took so far; those that tell steps are counted by these. */
static double seconds_left(const pr_fold_t *f, double left, const long with_steps[])
{
    size_t n;
    pr_job_kinds(&n);
    for (size_t i = 0; i < n; i++) {
        const pr_kind_count_t *c = &f->count[i];
        long waiting = c->total - c->done - with_steps[i];
        if (waiting > 0)
            left += c->measured ? (double)waiting * c->seconds / (double)c->measured : NAN;
    }
    return left / (f->workers > 0 ? f->workers : 1);
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

void pr_fold_progress(const pr_fold_t *f, bool live, double now, pr_progress_t *out)
{
    pr_progress_t p = PR_PROGRESS_UNKNOWN;
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    long all = 0, done = 0, running = 0, with_steps[32] = {0};
    double left;
    for (size_t i = 0; i < n; i++) {
        all += f->count[i].total;
        done += f->count[i].done;
        running += f->count[i].running;
    }
    add_steps(f, now, &p, &left, with_steps);
    size_t at = phase_of(f, n);
    p.phase = !live ? "ended" : f->ending ? f->ending : kinds[at]->doing;
    p.jobs_total = live ? f->count[at].total : all;
    p.jobs_done = live ? f->count[at].done : done;
    if (p.jobs_done > p.jobs_total)
        p.jobs_done = p.jobs_total;
    p.running = !live ? 0 : running < f->workers ? (int)running : f->workers; // others wait at their worker
    p.workers = f->workers;
    p.failed = f->failed;
    p.seconds_elapsed = live ? f->before + now - f->started : f->before;
    p.last_event_age = now - f->at;
    if (live)
        p.seconds_left = seconds_left(f, left, with_steps);
    else
        p.step = p.step_total = 0;
    // While it runs, what its workers do now; afterwards, what the last run came to.
    if (live && f->seconds > 0)
        p.tokens_per_second = f->tokens / f->seconds * fmax(1, p.running);
    if (!live && f->run_tokens > 0 && f->at > f->started)
        p.tokens_per_second = f->run_tokens / (f->at - f->started);
    *out = p;
}
