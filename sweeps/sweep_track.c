/* One search over one set of experts: what it asked for, what came of it. */
#include "base/mem.h"
#include "store/checkpoint.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int pr_track_ranges(const pr_track_t *t, int n, int *bounds)
{
    int count = 0;
    bounds[0] = 0;
    for (int i = 0; i < t->spec->n_fidelity && t->spec->fidelity[i] < n; i++)
        bounds[++count] = t->spec->fidelity[i];
    bounds[++count] = n;
    return count;
}

/* Joins the moments of two ranges of prompts (Chan et al. 1983). se is of the mean over n values. */
static void join(double *mean, double *se, int n, double mean2, double se2, int n2)
{
    double d = mean2 - *mean, total = n + n2;
    double squares = *se * *se * n * (n - 1.0) + se2 * se2 * n2 * (n2 - 1.0) + d * d * n * n2 / total;
    *mean += d * n2 / total;
    *se = total > 1 ? sqrt(squares / (total - 1) / total) : 0;
}

static const pr_evaluation_t *range_of(const pr_sweep_t *s, const pr_track_t *t, size_t asked, int range)
{
    return s->evaluation[t->asked_eval[asked * (size_t)t->max_range + (size_t)range]];
}

bool pr_track_result(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se,
                     pr_track_sum_t *sum)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked[asked].n_prompts, bounds),
                                 k_n = s->config->n_objectives;
    *sum = (pr_track_sum_t){0};
    for (int i = 0; i < n; i++) {
        const pr_evaluation_t *e = range_of(s, t, asked, i);
        if (e->job.state != PR_JOB_DONE)
            return false;
        for (int k = 0; k < k_n; k++) {
            if (i == 0) {
                mean[k] = e->mean[k];
                se[k] = e->se[k];
            } else {
                join(&mean[k], &se[k], bounds[i], e->mean[k], e->se[k], e->count);
            }
        }
        sum->tokens += e->job.tokens;
        sum->seconds += e->job.seconds;
        sum->job = e->job.id;
    }
    return true;
}

bool pr_track_per_prompt(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *out)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked[asked].n_prompts, bounds),
                                 k_n = s->config->n_objectives;
    for (int i = 0; i < n; i++) {
        int count = bounds[i + 1] - bounds[i];
        const pr_evaluation_t *e = range_of(s, t, asked, i);
        char *path = pr_results_path(pr_sweep_dir(s), "checkpoints/evaluate-%s.ckpt", e->job.id);
        pr_checkpoint_t c = {0};
        const void *scores;
        bool ok =
            pr_checkpoint_read(path, "evaluate", &c, NULL) == PR_OK &&
            pr_checkpoint_section(&c, path, "scores", sizeof(double), (size_t)(count * k_n), &scores, NULL) == PR_OK;
        for (int j = 0; ok && j < count * k_n; j++)
            out[bounds[i] * k_n + j] = pr_sweep_sign(s, j % k_n) * ((const double *)scores)[j];
        pr_checkpoint_clear(&c);
        free(path);
        if (!ok)
            return false;
    }
    return true;
}

/* Everything observed so far, for the search. Each observation's numbers are in `values`: mean, se [K] and, with
 * fidelities, the prompts'. */
typedef struct pr_observations {
    pr_observation_t *item;
    size_t n;
    double **block;
} pr_observations_t;

static void observe(const pr_sweep_t *s, const pr_track_t *t, pr_observations_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives;
    bool paired = t->spec->n_fidelity > 0;
    *o = (pr_observations_t){pr_alloc(t->n_asked, sizeof *o->item), 0, pr_alloc(t->n_asked, sizeof *o->block)};
    for (size_t i = 0; i < t->n_asked; i++) {
        const pr_request_t *r = &t->asked[i];
        double *v = pr_alloc(2 * k_n + (paired ? (size_t)r->n_prompts * k_n : 0), sizeof *v);
        pr_track_sum_t sum;
        if (!pr_track_result(s, t, i, v, v + k_n, &sum)) {
            free(v);
            continue;
        }
        for (size_t k = 0; k < k_n; k++)
            v[k] *= pr_sweep_sign(s, (int)k);
        bool have = paired && pr_track_per_prompt(s, t, i, v + 2 * k_n);
        o->item[o->n] =
            (pr_observation_t){r->point, r->level, r->n_prompts, v, v + k_n, have ? v + 2 * k_n : NULL, sum.seconds};
        o->block[o->n++] = v;
    }
}

static void observations_clear(pr_observations_t *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->block[i]);
    free(o->block);
    free(o->item);
}

/* An objective without a declared worst value is measured from the worst first-level result, which later results cannot
 * change. */
static void set_reference(const pr_sweep_t *s, pr_track_t *t, const pr_observations_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives, n = 0;
    double *first = pr_alloc(o->n * k_n, sizeof *first);
    for (size_t i = 0; i < o->n; i++)
        if (o->item[i].level == 0 && o->item[i].n_prompts == t->asked[0].n_prompts)
            memcpy(first + n++ * k_n, o->item[i].mean, k_n * sizeof *first);
    pr_sweep_fill_reference(s, first, n, t->reference);
    free(first);
}

static bool all_done(const pr_sweep_t *s, const pr_track_t *t)
{
    for (size_t i = 0; i < t->n_eval; i++)
        if (s->evaluation[t->eval[i]]->job.state != PR_JOB_DONE)
            return false;
    return true;
}

static void remember(pr_track_t *t, const pr_request_t *r)
{
    t->max_range = t->spec->n_fidelity + 1;
    if (t->n_asked == t->cap_asked) {
        t->cap_asked = t->cap_asked ? 2 * t->cap_asked : 64;
        t->asked = pr_realloc(t->asked, t->cap_asked, sizeof *t->asked);
        t->asked_eval = pr_realloc(t->asked_eval, t->cap_asked * (size_t)t->max_range, sizeof *t->asked_eval);
    }
    t->asked[t->n_asked++] = *r;
}

static void take_requests(pr_sweep_t *s, pr_track_t *t, const pr_requests_t *r)
{
    int bounds[PR_MAX_LIST + 2];
    t->n_eval = t->next_eval = 0;
    for (size_t i = 0; i < r->n; i++) {
        int n = pr_track_ranges(t, r->item[i].n_prompts, bounds);
        remember(t, &r->item[i]);
        t->eval = pr_realloc(t->eval, t->n_eval + (size_t)n, sizeof *t->eval);
        for (int j = 0; j < n; j++) {
            int e = pr_sweep_evaluation(s, t, &r->item[i], bounds[j], bounds[j + 1] - bounds[j]);
            t->eval[t->n_eval++] = t->asked_eval[(t->n_asked - 1) * (size_t)t->max_range + (size_t)j] = e;
        }
    }
}

pr_status_t pr_track_advance(pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    while (!t->done && all_done(s, t)) {
        pr_observations_t o;
        pr_requests_t r = {0};
        observe(s, t, &o);
        set_reference(s, t, &o);
        pr_status_t status = pr_search_next(&t->search, o.item, o.n, &r, err);
        observations_clear(&o);
        if (status != PR_OK)
            return pr_fail_in(err, "search \"%s\"", t->spec->name);
        take_requests(s, t, &r);
        t->done = r.done;
        free(r.item);
    }
    return PR_OK;
}

typedef struct pr_ordered {
    const pr_track_t *t;
    size_t index;
} pr_ordered_t;

/* By level of first asking, then by weights, then the larger range of prompts first. */
static int compare_asked(const void *a, const void *b)
{
    const pr_ordered_t *x = a, *y = b;
    const pr_request_t *p = &x->t->asked[x->index], *q = &y->t->asked[y->index];
    int c = pr_point_compare(&p->point, &q->point, x->t->search.k);
    if (c == 0)
        c = (p->n_prompts < q->n_prompts) - (p->n_prompts > q->n_prompts);
    return c;
}

static int compare_level(const void *a, const void *b)
{
    const pr_ordered_t *x = a, *y = b;
    const pr_request_t *p = &x->t->asked[x->index], *q = &y->t->asked[y->index];
    int c = (p->level > q->level) - (p->level < q->level);
    return c ? c : pr_point_compare(&p->point, &q->point, x->t->search.k);
}

size_t *pr_track_points(const pr_sweep_t *s, const pr_track_t *t, size_t *n)
{
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    pr_track_sum_t sum;
    pr_ordered_t *all = pr_alloc(t->n_asked, sizeof *all);
    size_t have = 0, kept = 0;
    for (size_t i = 0; i < t->n_asked; i++)
        if (pr_track_result(s, t, i, mean, se, &sum))
            all[have++] = (pr_ordered_t){t, i};
    qsort(all, have, sizeof *all, compare_asked);
    for (size_t i = 0; i < have; i++)
        if (kept == 0 ||
            pr_point_compare(&t->asked[all[i].index].point, &t->asked[all[kept - 1].index].point, t->search.k) != 0)
            all[kept++] = all[i];
    qsort(all, kept, sizeof *all, compare_level);
    size_t *out = pr_alloc(kept, sizeof *out);
    for (size_t i = 0; i < kept; i++)
        out[i] = all[i].index;
    free(all);
    *n = kept;
    return out;
}
