// SPDX-License-Identifier: BSD-3-Clause
/* The search strategies behind one call: checking the specification, replaying the strategy, answering in canonical
 * order. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_search_bad(const pr_search_spec_t *spec, pr_error_t *err, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = spec->name ? spec->name : spec->type ? spec->type : "";
    return pr_fail(err, PR_ERR_CONFIG, "search '%s': %s", name, text);
}

bool pr_search_is_cube(const pr_search_spec_t *spec)
{
    return spec->domain && strcmp(spec->domain, "cube") == 0;
}

#define STRATEGY(name) &pr_search_##name,
#define ONE_MORE(name) +1
enum { MOST = 32, LISTED = PR_SEARCH_LIST(ONE_MORE) };
static const pr_search_strategy_t *strategies[MOST] = {PR_SEARCH_LIST(STRATEGY)};
static size_t n_strategies = LISTED;

const pr_search_strategy_t *const *pr_search_strategies(size_t *n)
{
    *n = n_strategies;
    return strategies;
}

static const pr_search_strategy_t *find_strategy(const char *name)
{
    for (size_t i = 0; name && i < n_strategies; i++)
        if (strcmp(strategies[i]->name, name) == 0)
            return strategies[i];
    return NULL;
}

pr_status_t pr_search_add(const pr_search_strategy_t *strategy, pr_error_t *err)
{
    if (find_strategy(strategy->name))
        return pr_fail(err, PR_ERR_CONFIG, "search \"%s\": found another of that name", strategy->name);
    if (n_strategies == MOST)
        return pr_fail(err, PR_ERR_CONFIG, "search \"%s\": found %d strategies, there is no room for another",
                       strategy->name, MOST);
    strategies[n_strategies++] = strategy;
    return PR_OK;
}

static void add_name(char *names, size_t size, const char *name)
{
    size_t at = strlen(names);
    snprintf(names + at, size - at, "%s%s", at ? " | " : "", name);
}

static pr_status_t unknown_type(const pr_search_spec_t *spec, pr_error_t *err)
{
    char names[256] = "";
    for (size_t i = 0; i < n_strategies; i++)
        add_name(names, sizeof names, strategies[i]->name);
    return pr_search_bad(spec, err, "type: found '%s', expected one of %s", spec->type ? spec->type : "", names);
}

static pr_status_t check_fidelity(const pr_search_spec_t *spec, pr_error_t *err)
{
    if (spec->n_fidelity < 0 || spec->n_fidelity > PR_MAX_LIST)
        return pr_search_bad(spec, err, "fidelity: found %d numbers, expected at most %d", spec->n_fidelity,
                             PR_MAX_LIST);
    for (int i = 0; i < spec->n_fidelity; i++)
        if (spec->fidelity[i] <= (i > 0 ? spec->fidelity[i - 1] : 0))
            return pr_search_bad(spec, err, "fidelity: found %d at place %d, expected numbers of prompts that rise",
                                 spec->fidelity[i], i + 1);
    return PR_OK;
}

static pr_status_t check_product(const pr_search_t *s, pr_error_t *err)
{
    char names[256] = "";
    const pr_domain_t *d = s->domain;
    if (!d || !pr_domain_is_product(d) || find_strategy(s->spec->type)->product)
        return PR_OK;
    for (size_t i = 0; i < n_strategies; i++)
        if (strategies[i]->product)
            add_name(names, sizeof names, strategies[i]->name);
    if (d->n_axes > 0)
        return pr_search_bad(s->spec, err,
                             "type: found '%s', which searches weights alone, but its policy leaves %s open; "
                             "expected one of %s",
                             s->spec->type, d->axis[0].name, names);
    return pr_search_bad(s->spec, err,
                         "type: found '%s', which searches one row of weights, but its policy has %d; "
                         "expected one of %s",
                         s->spec->type, d->rows, names);
}

static pr_status_t check(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    if (s->k < 1 || s->k > PR_MAX_OBJECTIVES)
        return pr_search_bad(spec, err, "found %d objectives, expected 1 to %d", s->k, PR_MAX_OBJECTIVES);
    if (s->n_prompts < 1)
        return pr_search_bad(spec, err, "found %d evaluation prompts, expected at least 1", s->n_prompts);
    if (!find_strategy(spec->type))
        return unknown_type(spec, err);
    if (spec->domain && strcmp(spec->domain, "simplex") != 0 && strcmp(spec->domain, "cube") != 0)
        return pr_search_bad(spec, err, "domain: found '%s', expected simplex or cube", spec->domain);
    PR_TRY(check_product(s, err));
    return check_fidelity(spec, err);
}

/* ---- requests ---- */

int pr_search_size(const pr_search_t *s)
{
    return s->domain ? pr_domain_size(s->domain) : s->k;
}

void pr_requests_init(pr_requests_t *r, size_t n, int d)
{
    *r = (pr_requests_t){.n = n,
                         .d = d,
                         .flat = pr_alloc(n, (size_t)(1 + d) * sizeof *r->flat),
                         .level = pr_alloc(n, sizeof *r->level),
                         .n_prompts = pr_alloc(n, sizeof *r->n_prompts),
                         .left = -1};
}

void pr_requests_set(pr_requests_t *r, size_t i, const pr_request_t *q)
{
    pr_point_store(&q->point, r->d, r->flat + i * (size_t)(1 + r->d));
    r->level[i] = q->level;
    r->n_prompts[i] = q->n_prompts;
}

pr_request_t pr_requests_at(const pr_requests_t *r, size_t i)
{
    return (pr_request_t){pr_point_load(r->flat + i * (size_t)(1 + r->d), r->d), r->level[i], r->n_prompts[i]};
}

void pr_requests_free(pr_requests_t *r)
{
    free(r->flat);
    free(r->level);
    free(r->n_prompts);
    r->flat = NULL;
    r->level = r->n_prompts = NULL;
    r->n = 0;
}

static int compare_wanted(const void *a, const void *b, void *replay)
{
    const pr_replay_t *r = replay;
    const pr_want_t *p = a, *q = b;
    if (p->level != q->level)
        return p->level < q->level ? -1 : 1;
    return pr_pointset_compare(&r->points, p->id, q->id);
}

static void take_wanted(pr_replay_t *r, pr_requests_t *out)
{
    if (r->n_want > 0)
        qsort_r(r->want, r->n_want, sizeof *r->want, compare_wanted, r);
    pr_requests_init(out, r->n_want, r->d);
    for (size_t i = 0; i < r->n_want; i++) {
        size_t id = r->want[i].id;
        pr_requests_set(
            out, i, &(pr_request_t){pr_pointset_at(&r->points, id), r->want[i].level, r->prompts[r->want[i].fidelity]});
    }
}

pr_status_t pr_search_check(const pr_search_t *s, pr_error_t *err)
{
    PR_TRY(check(s, err));
    return find_strategy(s->spec->type)->check(s, err);
}

bool pr_search_asks_once(const pr_search_spec_t *spec)
{
    const pr_search_strategy_t *strategy = find_strategy(spec->type);
    return strategy && strategy->asks_once && spec->n_fidelity == 0 && spec->budget_core_hours == 0;
}

int pr_search_most_prompts(const pr_search_t *s)
{
    int last = s->spec->n_fidelity > 0 ? s->spec->fidelity[s->spec->n_fidelity - 1] : s->n_prompts;
    return last < s->n_prompts ? last : s->n_prompts;
}

int64_t pr_search_prompts(const pr_search_t *s, int64_t points)
{
    const pr_search_strategy_t *strategy = find_strategy(s->spec->type);
    return strategy && strategy->prompts ? strategy->prompts(s) : points * pr_search_most_prompts(s);
}

int64_t pr_search_proposal(const pr_search_t *s)
{
    const pr_search_strategy_t *strategy = find_strategy(s->spec->type);
    return strategy && strategy->propose && s->spec->budget == 0 ? strategy->propose(s) : 0;
}

bool pr_search_goes_on(const pr_search_spec_t *spec)
{
    const pr_search_strategy_t *strategy = find_strategy(spec->type);
    return strategy && strategy->goes_on;
}

void pr_search_end(const pr_search_spec_t *spec, int64_t points, double core_seconds, pr_requests_t *out)
{
    bool used = spec->budget > 0 && points >= spec->budget;
    double most = spec->budget_core_hours * 3600, each = points > 0 ? core_seconds / (double)points : 0;
    out->left = spec->budget == 0 ? -1 : used ? 0 : spec->budget - points;
    if (used)
        snprintf(out->why, sizeof out->why, "the budget of %d point%s is used", spec->budget,
                 spec->budget == 1 ? "" : "s");
    else if (most > 0 && core_seconds >= most)
        snprintf(out->why, sizeof out->why, "the core hours are used");
    else if (most > 0 && core_seconds + each > most)
        snprintf(out->why, sizeof out->why, "what is left of the core hours is less than a point takes");
    else
        snprintf(out->why, sizeof out->why, "all its points are evaluated");
}

int pr_search_flat(const pr_search_spec_t *spec, int64_t n, int64_t *counts)
{
    counts[0] = spec->budget > 0 && n > spec->budget ? spec->budget : n;
    return 1;
}

int pr_search_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    const pr_search_strategy_t *strategy = find_strategy(s->spec->type);
    if (!strategy || max < 1 || s->k < 1 || s->k > PR_MAX_OBJECTIVES)
        return 0;
    return strategy->forecast(s, counts, max);
}

pr_status_t pr_search_next(const pr_search_t *s, const pr_observation_t *obs, size_t n, pr_requests_t *out,
                           pr_error_t *err)
{
    PR_TRY(check(s, err));
    pr_replay_t r;
    bool stopped = false;
    pr_replay_init(&r, s, obs, n);
    r.stopped = &stopped;
    pr_status_t status = find_strategy(s->spec->type)->run(&r, err);
    if (stopped) {
        status = pr_fail(err, PR_ERR_INTERRUPTED, "stopped while points were being chosen");
    } else if (status == PR_OK) {
        assert(r.n_want > 0 || r.n_settled == r.points.n);
        take_wanted(&r, out);
        out->done = r.n_want == 0;
        pr_search_end(s->spec, pr_replay_used(&r), r.core_seconds, out);
        if (r.why[0])
            snprintf(out->why, sizeof out->why, "%s", r.why);
        if (!out->done)
            out->why[0] = 0;
    }
    pr_replay_free(&r);
    return status;
}
