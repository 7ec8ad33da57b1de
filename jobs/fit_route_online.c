// SPDX-License-Identifier: BSD-3-Clause
/* A route by LinUCB (route/linucb.h): each prompt is tried at the one point that looks best at a preference drawn for it, so
 * that a pass costs a response per prompt, however many points there are. What is learned is every point's regressions, so
 * that the route serves every preference as that of all scores does. */
#include "base/mem.h"
#include "jobs/fit_route_internal.h"
#include "learn/preference.h"
#include "route/components.h"
#include "route/linucb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32 }; // prompts that are tried before anything is learned of them

typedef struct online {
    fit_route_t *f;
    int p;        // components; one more is the intercept
    double *mean; // [d]
    double *v;    // [p,d]
    double scale; // of the components, so that they have a mean square of 1
    double *z;    // [n,p+1]
} online_t;

static pr_status_t make_features(online_t *o, pr_error_t *err)
{
    const fit_route_t *f = o->f;
    const pr_team_t *team = f->env->team;
    int most = f->d < f->n - 1 ? f->d : f->n - 1;
    size_t d = (size_t)f->d, n = (size_t)f->n;
    o->p = f->in.components > 0 && f->in.components < most ? f->in.components : most > 0 ? most : 1;
    double *x = pr_alloc(n * d, sizeof *x), *z = pr_alloc(n * (size_t)o->p, sizeof *z), squares = 0;
    o->mean = pr_alloc(d, sizeof *o->mean);
    o->v = pr_alloc((size_t)o->p * d, sizeof *o->v);
    o->z = pr_alloc(n * (size_t)(o->p + 1), sizeof *o->z);
    for (size_t i = 0; i < n * d; i++)
        o->mean[i % d] += f->feature[i] / f->n;
    for (size_t i = 0; i < n * d; i++)
        x[i] = f->feature[i] - o->mean[i % d];
    pr_status_t status = team->agree(team, pr_components(f->n, f->d, x, o->p, o->v, err), err);
    if (status == PR_OK) {
        pr_components_of(f->n, f->d, x, o->p, o->v, z);
        for (size_t i = 0; i < n * (size_t)o->p; i++)
            squares += z[i] * z[i] / (double)(n * (size_t)o->p);
        o->scale = squares > 0 ? 1 / sqrt(squares) : 1;
        for (int i = 0; i < f->n; i++) {
            double *row = o->z + (ptrdiff_t)i * (o->p + 1);
            for (int j = 0; j < o->p; j++)
                row[j] = o->scale * z[(ptrdiff_t)i * o->p + j];
            row[o->p] = 1;
        }
    }
    free(x);
    free(z);
    return status;
}

/* Prompts first .. first+count-1 of a pass: tried, then learned from. utility += what each gave at its preference. */
static pr_status_t try_batch(const online_t *o, pr_linucb_t *l, const json_t *sample, const pr_rng_key_t *key, int pass,
                             int first, int count, double *utility, pr_error_t *err)
{
    fit_route_t *f = o->f;
    double *w = pr_alloc((size_t)count * (size_t)f->k, sizeof *w),
           *mix = pr_alloc((size_t)count * (size_t)f->k, sizeof *mix),
           *score = pr_alloc((size_t)count * (size_t)f->k, sizeof *score);
    int *arm = pr_alloc((size_t)count, sizeof *arm);
    for (int i = 0; i < count; i++) {
        double *own = w + (ptrdiff_t)i * f->k;
        pr_preference_draw(sample, f->k, key, pass, first + i, f->n, own);
        arm[i] = pr_linucb_choose(l, own, o->z + (ptrdiff_t)(first + i) * (o->p + 1));
        memcpy(mix + (ptrdiff_t)i * f->k, f->weight + (ptrdiff_t)arm[i] * f->k, (size_t)f->k * sizeof *mix);
    }
    pr_status_t status = pr_fit_route_try(f, mix, true, first, count, score, f->k, err);
    for (int i = 0; i < count && status == PR_OK; i++) {
        const double *r = score + (ptrdiff_t)i * f->k;
        pr_linucb_learn(l, arm[i], o->z + (ptrdiff_t)(first + i) * (o->p + 1), r);
        for (int k = 0; k < f->k; k++)
            *utility += w[i * f->k + k] * r[k];
    }
    free(w);
    free(mix);
    free(score);
    free(arm);
    return status;
}

/* In the features that a route is asked with. */
static pr_route_t *route_of(const online_t *o, const pr_linucb_t *l)
{
    const fit_route_t *f = o->f;
    pr_route_t *r = pr_route_new(f->k, f->points, f->d);
    int each = f->points * f->k, p = o->p;
    double *theta = pr_alloc((size_t)p + 1, sizeof *theta);
    memcpy(r->weight, f->weight, (size_t)each * sizeof *r->weight);
    memcpy(r->mean, o->mean, (size_t)f->d * sizeof *r->mean);
    for (int y = 0; y < each; y++) {
        pr_linucb_theta(l, y / f->k, y % f->k, theta);
        r->level[y] = theta[p];
        for (int j = 0; j < p; j++)
            for (int i = 0; i < f->d; i++)
                r->theta[(ptrdiff_t)y * f->d + i] += theta[j] * o->scale * o->v[(ptrdiff_t)j * f->d + i];
    }
    free(theta);
    return r;
}

pr_status_t pr_fit_route_online(fit_route_t *f, json_t *told, pr_route_t **out, pr_error_t *err)
{
    online_t o = {.f = f};
    pr_linucb_t *l = NULL;
    json_t *none = json_object(), *sample = NULL;
    pr_rng_key_t key = pr_rng_key((uint64_t)f->task.sweep_seed, "bandit", "");
    pr_status_t status = pr_options_resolve(pr_preference_options, none, NULL, &sample, err);
    json_decref(none);
    PR_GO(status);
    PR_GO(make_features(&o, err));
    l = pr_linucb_new(f->points, f->k, o.p + 1, f->in.ridge, f->in.confidence);
    for (int pass = 0; pass < f->in.passes; pass++) {
        double utility = 0;
        for (int first = 0; first < f->n; first += BATCH)
            PR_GO(try_batch(&o, l, sample, &key, pass, first, f->n - first < BATCH ? f->n - first : BATCH, &utility,
                            err));
        json_array_append_new(told, pr_json_real(utility / f->n));
    }
    *out = route_of(&o, l);
done:
    pr_linucb_free(&l);
    json_decref(sample);
    free(o.mean);
    free(o.v);
    free(o.z);
    return status;
}
