// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/kind.h"

#include <string.h>

#define KIND(name) &pr_job_##name,
#define ONE(name) +1
static const pr_job_kind_t *kinds[PR_MAX_JOB_KINDS] = {PR_JOB_KIND_LIST(KIND)};
static size_t n_kinds = 0 PR_JOB_KIND_LIST(ONE);

const pr_job_kind_t *const *pr_job_kinds(size_t *n)
{
    *n = n_kinds;
    return kinds;
}

int pr_job_kind_number(const char *name)
{
    for (size_t i = 0; name && i < n_kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return (int)i;
    return -1;
}

const pr_job_kind_t *pr_job_kind(const char *name)
{
    int number = pr_job_kind_number(name);
    return number < 0 ? NULL : kinds[number];
}

const pr_job_kind_t *pr_job_kind_evaluating(void)
{
    size_t i = 0;
    while (!kinds[i]->evaluates)
        i++;
    return kinds[i];
}

pr_status_t pr_job_kind_add(const pr_job_kind_t *kind, pr_error_t *err)
{
    if (pr_job_kind(kind->name) || n_kinds == PR_MAX_JOB_KINDS)
        return pr_fail(err, PR_ERR_CONFIG, "job kind \"%s\": %s", kind->name,
                       n_kinds == PR_MAX_JOB_KINDS ? "no room for another" : "found another of that name");
    kinds[n_kinds++] = kind;
    return PR_OK;
}
