// SPDX-License-Identifier: BSD-3-Clause
#include "family/core.h"
#include "base/nearest.h"

#define CORE(name) &pr_core_##name,
static const pr_core_t *const cores[] = {PR_CORE_LIST(CORE)};
enum { N_CORES = sizeof cores / sizeof *cores };

const pr_core_t *const *pr_cores(size_t *n)
{
    *n = N_CORES;
    return cores;
}

pr_status_t pr_core_resolve(const json_t *value, const pr_core_t **core, json_t **options, pr_error_t *err)
{
    const char *names[N_CORES];
    size_t index;
    for (size_t i = 0; i < N_CORES; i++)
        names[i] = cores[i]->name;
    PR_TRY(pr_find_name("core", pr_typed_name(value), names, N_CORES, &index, err));
    *core = cores[index];
    return pr_typed_options((*core)->options, value, options, err);
}

int pr_core_term(const pr_core_map_t *m, int j)
{
    for (int k = 0; k < m->k; k++)
        if (j < m->first[k + 1])
            return 1 + k;
    return 0;
}

double pr_core_base(const pr_core_map_t *m, int j, const double *w)
{
    int term = pr_core_term(m, j);
    return term ? w[term - 1] : 1;
}
