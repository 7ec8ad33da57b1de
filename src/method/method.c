// SPDX-License-Identifier: BSD-3-Clause
#include "method/method.h"
#include "base/nearest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

#define METHOD(name) &pr_method_##name,
#define ONE(name) +1
static const pr_method_t *methods[MOST] = {PR_METHOD_LIST(METHOD)};
static size_t n_methods = 0 PR_METHOD_LIST(ONE);

const pr_method_t *const *pr_methods(size_t *n)
{
    *n = n_methods;
    return methods;
}

pr_status_t pr_method_find(const char *name, const pr_method_t **out, pr_error_t *err)
{
    const char *names[MOST];
    size_t index;
    for (size_t i = 0; i < n_methods; i++)
        names[i] = methods[i]->name;
    PR_TRY(pr_find_name("method", name, names, n_methods, &index, err));
    *out = methods[index];
    return PR_OK;
}

pr_status_t pr_method_add(const pr_method_t *method, pr_error_t *err)
{
    const pr_method_t *other;
    if (pr_method_find(method->name, &other, NULL) == PR_OK)
        return pr_fail(err, PR_ERR_CONFIG, "method \"%s\": found another of that name", method->name);
    if (n_methods == MOST)
        return pr_fail(err, PR_ERR_CONFIG, "method \"%s\": found %d methods, there is no room for another",
                       method->name, MOST);
    methods[n_methods++] = method;
    return PR_OK;
}

json_t *pr_method_mix_options(const pr_method_env_t *e, const pr_choice_t *at)
{
    json_t *options = json_copy((json_t *)(uintptr_t)e->mix_options);
    if (at->params)
        json_object_update(options, (json_t *)(uintptr_t)at->params);
    return options;
}

void pr_policy_add(pr_policy_spec_t *spec, bool job, const char *source, double coefficient)
{
    pr_policy_add_blocks(spec, job, source, 1, &coefficient);
}

void pr_policy_add_blocks(pr_policy_spec_t *spec, bool job, const char *source, int blocks, const double *coefficient)
{
    assert(spec->n < PR_MAX_PARTS && blocks <= PR_MAX_BLOCKS && (spec->n == 0 || blocks == spec->blocks));
    pr_policy_part_t *p = &spec->part[spec->n++];
    snprintf(p->source, sizeof p->source, "%s", source);
    p->job = job;
    memcpy(p->coefficient, coefficient, (size_t)blocks * sizeof *coefficient);
    spec->blocks = blocks;
}
