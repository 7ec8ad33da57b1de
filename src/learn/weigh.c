// SPDX-License-Identifier: BSD-3-Clause
#include "learn/weigh.h"
#include "base/nearest.h"

#include <string.h>

/* ---- the registry ---- */

enum { MOST = 64 };
#define WEIGHER(name) &pr_weigher_##name,
#define ONE(name) +1
static const pr_weigher_t *weighers[MOST] = {PR_WEIGHER_LIST(WEIGHER)};
static size_t n_weighers = 0 PR_WEIGHER_LIST(ONE);

const pr_weigher_t *const *pr_weighers(size_t *n)
{
    *n = n_weighers;
    return weighers;
}

pr_status_t pr_weigher_find(const char *name, const pr_weigher_t **out, pr_error_t *err)
{
    const char *names[MOST];
    size_t index;
    for (size_t i = 0; i < n_weighers; i++)
        names[i] = weighers[i]->name;
    PR_TRY(pr_find_name("weighting rule", name, names, n_weighers, &index, err));
    *out = weighers[index];
    return PR_OK;
}

pr_status_t pr_weigher_add(const pr_weigher_t *rule, pr_error_t *err)
{
    const pr_weigher_t *other;
    if (pr_weigher_find(rule->name, &other, NULL) == PR_OK)
        return pr_fail(err, PR_ERR_CONFIG, "weighting rule \"%s\": found another of that name", rule->name);
    if (n_weighers == MOST)
        return pr_fail(err, PR_ERR_CONFIG, "weighting rule \"%s\": found %d rules, there is no room for another",
                       rule->name, MOST);
    weighers[n_weighers++] = rule;
    return PR_OK;
}

/* ---- the preference itself ---- */

static void fixed_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    (void)state;
    memcpy(lambda, in->w, (size_t)in->k * sizeof *lambda);
}

static bool fixed_follows(const json_t *options)
{
    (void)options;
    return true;
}

static const pr_option_t fixed_options[] = {{0}};

const pr_weigher_t pr_weigher_fixed = {.name = "fixed",
                                       .formula = "lambda = w",
                                       .help =
                                           "The preference weights themselves, in every step: linear scalarisation.",
                                       .options = fixed_options,
                                       .follows = fixed_follows,
                                       .weigh = fixed_weigh};
