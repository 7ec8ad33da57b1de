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

static pr_status_t run_hierarchical(pr_replay_t *r, pr_error_t *err)
{
    return pr_search_is_cube(r->spec) ? pr_search_run_cube(r, err) : pr_search_run_simplex(r, err);
}

typedef struct strategy {
    const char *type;
    pr_status_t (*run)(pr_replay_t *r, pr_error_t *err);
} strategy_t;

static const strategy_t STRATEGIES[] = {
    {"hierarchical", run_hierarchical}, {"grid", pr_search_run_grid}, {"random", pr_search_run_random},
    {"list", pr_search_run_list},       {"ols", pr_search_run_ols},
};

static const strategy_t *find_strategy(const char *type)
{
    for (size_t i = 0; type && i < sizeof STRATEGIES / sizeof STRATEGIES[0]; i++)
        if (strcmp(STRATEGIES[i].type, type) == 0)
            return &STRATEGIES[i];
    return NULL;
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

static pr_status_t check(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    if (s->k < 1 || s->k > PR_MAX_OBJECTIVES)
        return pr_search_bad(spec, err, "found %d objectives, expected 1 to %d", s->k, PR_MAX_OBJECTIVES);
    if (s->n_prompts < 1)
        return pr_search_bad(spec, err, "found %d evaluation prompts, expected at least 1", s->n_prompts);
    if (!find_strategy(spec->type))
        return pr_search_bad(spec, err, "type: found '%s', expected hierarchical, grid, random, list or ols",
                             spec->type ? spec->type : "");
    if (spec->domain && strcmp(spec->domain, "simplex") != 0 && strcmp(spec->domain, "cube") != 0)
        return pr_search_bad(spec, err, "domain: found '%s', expected simplex or cube", spec->domain);
    return check_fidelity(spec, err);
}

static int compare_requests(const void *a, const void *b, void *k)
{
    const pr_request_t *p = a, *q = b;
    if (p->level != q->level)
        return p->level < q->level ? -1 : 1;
    return pr_point_compare(&p->point, &q->point, *(const int *)k);
}

pr_status_t pr_search_check(const pr_search_t *s, pr_error_t *err)
{
    PR_TRY(check(s, err));
    pr_replay_t r;
    pr_replay_init(&r, s, NULL, 0);
    r.check_only = true;
    pr_status_t status = find_strategy(s->spec->type)->run(&r, err);
    pr_replay_free(&r);
    return status;
}

pr_status_t pr_search_next(const pr_search_t *s, const pr_observation_t *obs, size_t n, pr_requests_t *out,
                           pr_error_t *err)
{
    PR_TRY(check(s, err));
    pr_replay_t r;
    pr_replay_init(&r, s, obs, n);
    pr_status_t status = find_strategy(s->spec->type)->run(&r, err);
    if (status == PR_OK) {
        assert(r.n_want > 0 || r.n_settled == r.points.n);
        *out = (pr_requests_t){.item = r.want, .n = r.n_want, .done = r.n_want == 0};
        int k = s->k;
        if (r.n_want > 0)
            qsort_r(out->item, out->n, sizeof out->item[0], compare_requests, &k);
        r.want = NULL;
    }
    pr_replay_free(&r);
    return status;
}
