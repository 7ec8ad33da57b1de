// SPDX-License-Identifier: BSD-3-Clause
/* The replay: a strategy adds points and settles them against the results there are. Everything is kept in the order in
 * which the strategy added it, which no order of results can change. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void index_init(pr_obs_index_t *x, const pr_observation_t *obs, size_t n, int d)
{
    *x = (pr_obs_index_t){.obs = obs, .points = {.d = d}};
    x->next = pr_alloc(n, sizeof x->next[0]);
    x->first = pr_alloc(n, sizeof x->first[0]); // by point id; there are no more points than observations
    for (size_t i = 0; i < n; i++) {
        if (obs[i].n_prompts <= 0 || obs[i].point[0] <= 0)
            continue;
        pr_point_t p = pr_point_load(obs[i].point, d);
        pr_point_reduce(&p, d);
        size_t id = pr_pointset_add(&x->points, &p, NULL);
        x->next[i] = x->first[id];
        x->first[id] = i + 1;
    }
}

static void index_free(pr_obs_index_t *x)
{
    pr_pointset_free(&x->points);
    free(x->first);
    free(x->next);
}

static bool finite_all(const double *x, int k)
{
    for (int i = 0; x && i < k; i++)
        if (!isfinite(x[i]))
            return false;
    return x != NULL;
}

static int compare_arrays(const double *a, const double *b, int k)
{
    for (int i = 0; a && b && i < k; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* Whether a serves a request of some prompts better than b, both having enough: fewest prompts, then the one that did
 * not fail, then by content, so that of repeated results the same one is used whatever their order. */
static bool serves_better(const pr_observation_t *a, const pr_observation_t *b, int k)
{
    if (a->n_prompts != b->n_prompts)
        return a->n_prompts < b->n_prompts;
    bool fa = finite_all(a->mean, k), fb = finite_all(b->mean, k);
    if (fa != fb)
        return fa;
    int order = fa ? compare_arrays(a->mean, b->mean, k) : 0;
    if (order == 0)
        order = compare_arrays(a->se, b->se, k);
    if (order == 0 && a->core_seconds != b->core_seconds)
        order = a->core_seconds < b->core_seconds ? -1 : 1;
    if (order == 0)
        order = (b->per_prompt != NULL) - (a->per_prompt != NULL);
    return order < 0;
}

static const pr_observation_t *look_up(const pr_replay_t *r, size_t wanted, int prompts)
{
    pr_point_t p = pr_pointset_at(&r->points, wanted);
    size_t id = pr_pointset_find(&r->index.points, &p);
    const pr_observation_t *best = NULL;
    for (size_t i = id == PR_NO_POINT ? 0 : r->index.first[id]; i != 0; i = r->index.next[i - 1]) {
        const pr_observation_t *o = &r->index.obs[i - 1];
        if (o->n_prompts >= prompts && (!best || serves_better(o, best, r->k)))
            best = o;
    }
    return best;
}

void pr_replay_init(pr_replay_t *r, const pr_search_t *s, const pr_observation_t *obs, size_t n)
{
    int d = pr_search_size(s);
    *r = (pr_replay_t){.s = s, .spec = s->spec, .k = s->k, .d = d, .points = {.d = d}};
    r->n_results = n;
    index_init(&r->index, obs, n, d);
    for (int i = 0; i < s->spec->n_fidelity; i++) {
        int prompts = s->spec->fidelity[i] < s->n_prompts ? s->spec->fidelity[i] : s->n_prompts;
        if (r->n_fidelity == 0 || prompts > r->prompts[r->n_fidelity - 1])
            r->prompts[r->n_fidelity++] = prompts;
    }
    if (r->n_fidelity == 0)
        r->prompts[r->n_fidelity++] = s->n_prompts;
}

void pr_replay_free(pr_replay_t *r)
{
    index_free(&r->index);
    pr_pointset_free(&r->points);
    free(r->level);
    free(r->fidelity);
    free(r->due);
    free(r->due_level);
    free(r->making);
    free(r->obs);
    free(r->mean);
    free(r->se);
    free(r->ok);
    free(r->want);
    *r = (pr_replay_t){0};
}

bool pr_replay_stops(const pr_replay_t *r)
{
    if (r->stopped && !*r->stopped && r->s->stopping)
        *r->stopped = r->s->stopping(r->s->self);
    return r->stopped && *r->stopped;
}

static void reserve(pr_replay_t *r)
{
    if (r->points.n < r->cap)
        return;
    r->cap = r->cap ? 2 * r->cap : 64;
    r->level = pr_realloc(r->level, r->cap, sizeof r->level[0]);
    r->fidelity = pr_realloc(r->fidelity, r->cap, sizeof r->fidelity[0]);
    r->due = pr_realloc(r->due, r->cap, sizeof r->due[0]);
    r->due_level = pr_realloc(r->due_level, r->cap, sizeof r->due_level[0]);
    r->making = pr_realloc(r->making, r->cap, sizeof r->making[0]);
    r->obs = pr_realloc(r->obs, r->cap, sizeof(void *));
    r->mean = pr_realloc(r->mean, r->cap * (size_t)r->k, sizeof r->mean[0]);
    r->se = pr_realloc(r->se, r->cap * (size_t)r->k, sizeof r->se[0]);
    r->ok = pr_realloc(r->ok, r->cap, sizeof r->ok[0]);
}

size_t pr_replay_add(pr_replay_t *r, const pr_point_t *p, int level)
{
    reserve(r);
    bool is_new = false;
    size_t id = pr_pointset_add(&r->points, p, &is_new);
    if (is_new) {
        r->level[id] = level;
        r->fidelity[id] = -1;
        r->due[id] = 0;
        r->due_level[id] = level;
        r->making[id] = r->chosen ? pr_replay_new(r, p) - r->prompts[0] : 0;
        r->obs[id] = NULL;
        r->ok[id] = false;
        memset(&r->mean[id * (size_t)r->k], 0, (size_t)r->k * sizeof r->mean[0]);
        memset(&r->se[id * (size_t)r->k], 0, (size_t)r->k * sizeof r->se[0]);
    }
    return id;
}

void pr_replay_go_on(pr_replay_t *r, size_t id, int level)
{
    if (r->fidelity[id] + 1 >= r->n_fidelity)
        return;
    r->due[id] = r->fidelity[id] + 1;
    r->due_level[id] = level;
}

int64_t pr_replay_prompts(const pr_replay_t *r, int64_t *more)
{
    int64_t first = 0, beyond = 0;
    for (size_t i = 0; i < r->points.n; i++) {
        first += r->making[i] + r->prompts[0];
        beyond += r->prompts[r->due[i]] - r->prompts[0];
    }
    if (more)
        *more = beyond;
    return first + beyond;
}

int64_t pr_replay_new(const pr_replay_t *r, const pr_point_t *p)
{
    bool making = r->s->making > 0 && !(r->s->made && r->s->made(r->s->of, p));
    return r->prompts[0] + (making ? r->s->making : 0);
}

int64_t pr_replay_used(const pr_replay_t *r)
{
    int64_t whole = pr_replay_whole(r);
    return r->chosen ? (pr_replay_prompts(r, NULL) + whole - 1) / whole : (int64_t)r->points.n;
}

static void want(pr_replay_t *r, size_t id, int fidelity)
{
    if (r->n_want == r->cap_want) {
        r->cap_want = r->cap_want ? 2 * r->cap_want : 64;
        r->want = pr_realloc(r->want, r->cap_want, sizeof r->want[0]);
    }
    r->want[r->n_want++] = (pr_want_t){id, fidelity, r->chosen ? r->due_level[id] : r->level[id]};
}

void pr_prefix_moments(const pr_observation_t *o, int n, int k, double *mean, double *se)
{
    for (int j = 0; j < k; j++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < n; i++)
            sum += o->per_prompt[(size_t)i * (size_t)k + (size_t)j];
        mean[j] = sum / n;
        for (int i = 0; i < n; i++) {
            double d = o->per_prompt[(size_t)i * (size_t)k + (size_t)j] - mean[j];
            squares += d * d;
        }
        se[j] = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
    }
}

/* Records a result. Of an observation of more prompts than asked for, the asked ones are used where they are known, so
 * that a decision does not depend on whether the results of fewer prompts were kept. */
static void take(pr_replay_t *r, size_t id, int fidelity, const pr_observation_t *o)
{
    double *mean = &r->mean[id * (size_t)r->k], *se = &r->se[id * (size_t)r->k];
    r->n_settled += r->fidelity[id] < 0;
    if (r->obs[id] != o && isfinite(o->core_seconds) && o->core_seconds > 0)
        r->core_seconds += o->core_seconds;
    r->fidelity[id] = fidelity;
    r->obs[id] = o;
    if (o->per_prompt && o->n_prompts > r->prompts[fidelity]) {
        pr_prefix_moments(o, r->prompts[fidelity], r->k, mean, se);
    } else {
        for (int j = 0; j < r->k; j++) {
            mean[j] = o->mean ? o->mean[j] : NAN;
            se[j] = o->se ? o->se[j] : NAN;
        }
    }
    for (int j = 0; j < r->k; j++) // without one, a mean is taken as it is; the race asks for prompts
        se[j] = isfinite(se[j]) && se[j] > 0 ? se[j] : 0;
    r->ok[id] = finite_all(mean, r->k);
}

/* Gives the points [n] their results at a fidelity, or wants what is missing. */
static bool settle_at(pr_replay_t *r, const size_t *id, size_t n, int fidelity)
{
    const pr_observation_t **found = pr_alloc(n, sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        found[i] = look_up(r, id[i], r->prompts[fidelity]);
        if (!found[i])
            want(r, id[i], fidelity);
    }
    for (size_t i = 0; r->n_want == 0 && i < n; i++)
        take(r, id[i], fidelity, found[i]);
    free(found);
    return r->n_want == 0;
}

/* The points that stand at a fidelity, and are marked when marks are given. */
static size_t standing_at(const pr_replay_t *r, int fidelity, const bool *mark, size_t *id)
{
    size_t n = 0;
    for (size_t i = 0; i < r->points.n; i++)
        if (r->fidelity[i] == fidelity && (!mark || mark[i]))
            id[n++] = i;
    return n;
}

static bool out_of_time(const pr_replay_t *r)
{
    return r->spec->budget_core_hours > 0 && r->core_seconds >= r->spec->budget_core_hours * 3600;
}

/* [points.n]; caller frees. */
static bool *chosen_for(const pr_replay_t *r, int fidelity)
{
    bool *is = pr_alloc(r->points.n, sizeof *is);
    for (size_t i = 0; i < r->points.n; i++)
        is[i] = r->due[i] >= fidelity;
    return is;
}

bool pr_replay_settle(pr_replay_t *r)
{
    size_t *id = pr_alloc(r->points.n, sizeof id[0]);
    bool settled = settle_at(r, id, standing_at(r, -1, NULL, id), 0);
    for (int f = 1; settled && f < r->n_fidelity && (r->chosen || !out_of_time(r)); f++) {
        bool *stays = r->chosen ? chosen_for(r, f) : pr_replay_race(r);
        settled = settle_at(r, id, standing_at(r, f - 1, stays, id), f);
        free(stays);
    }
    free(id);
    return settled;
}

int64_t pr_replay_room_of(const pr_replay_t *r, int64_t budget)
{
    int64_t left = budget - (int64_t)r->points.n;
    if (r->chosen)
        left = (budget * pr_replay_whole(r) - pr_replay_prompts(r, NULL)) / (r->s->making + r->prompts[0]);
    return left > 0 ? left : 0;
}

int64_t pr_replay_room(const pr_replay_t *r)
{
    int64_t room = INT64_MAX;
    if (r->spec->budget > 0)
        room = pr_replay_room_of(r, r->spec->budget);
    if (r->spec->budget_core_hours > 0 && r->core_seconds > 0) {
        double left = r->spec->budget_core_hours * 3600 - r->core_seconds;
        double points = floor(left / (r->core_seconds / (double)r->n_settled));
        if (points < (double)room && points < 1e15)
            room = points > 0 ? (int64_t)points : 0;
    }
    return room;
}

double pr_replay_scalar(const pr_replay_t *r, size_t id)
{
    bool given = false;
    for (int j = 0; j < r->k; j++)
        given = given || r->spec->scalar[j] != 0;
    double sum = 0;
    for (int j = 0; j < r->k; j++)
        sum += (given ? r->spec->scalar[j] : 1) * r->mean[id * (size_t)r->k + (size_t)j];
    return sum;
}
