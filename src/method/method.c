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

void pr_policy_add(pr_policy_spec_t *spec, bool job, const char *source, double coefficient)
{
    assert(spec->n < PR_MAX_PARTS);
    pr_policy_part_t *p = &spec->part[spec->n++];
    snprintf(p->source, sizeof p->source, "%s", source);
    p->job = job;
    p->coefficient = coefficient;
}
