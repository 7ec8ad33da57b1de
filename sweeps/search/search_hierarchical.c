// SPDX-License-Identifier: BSD-3-Clause
/* The hierarchical search: cells of the simplex or boxes of the cube, made finer level by level. */
#include "sweeps/search/search_internal.h"

static pr_status_t hierarchical_check(const pr_search_t *s, pr_error_t *err)
{
    return pr_search_is_cube(s->spec) ? pr_search_check_cube(s, err) : pr_search_check_simplex(s, err);
}

static pr_status_t hierarchical_run(pr_replay_t *r, pr_error_t *err)
{
    return pr_search_is_cube(r->spec) ? pr_search_run_cube(r, err) : pr_search_run_simplex(r, err);
}

static int hierarchical_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    return pr_search_is_cube(s->spec) ? pr_search_forecast_cube(s, counts, max)
                                      : pr_search_forecast_simplex(s, counts, max);
}

const pr_search_strategy_t pr_search_hierarchical = {
    .name = "hierarchical",
    .help = "Refines cells level by level. On the simplex the corners are level 0, and `select`, `beam` and `min_gain` "
            "say which cells become smaller ones; on the cube every level is a box of 3^K points around the best "
            "sub-cube of the one before.",
    .keys = PR_SEARCH_KEYS_hierarchical,
    .check = hierarchical_check,
    .run = hierarchical_run,
    .forecast = hierarchical_forecast};
