// SPDX-License-Identifier: BSD-3-Clause
#include "family/core.h"
#include "base/nearest.h"

#include <string.h>

enum { MOST = 64 };
#define CORE(name) &pr_core_##name,
#define ONE(name) +1
static const pr_core_t *cores[MOST] = {PR_CORE_LIST(CORE)};
static size_t n_cores = 0 PR_CORE_LIST(ONE);

const pr_core_t *const *pr_cores(size_t *n)
{
    *n = n_cores;
    return cores;
}

pr_status_t pr_core_find(const char *name, const pr_core_t **out, pr_error_t *err)
{
    const char *names[MOST];
    size_t index;
    for (size_t i = 0; i < n_cores; i++)
        names[i] = cores[i]->name;
    PR_TRY(pr_find_name("core", name, names, n_cores, &index, err));
    *out = cores[index];
    return PR_OK;
}

pr_status_t pr_core_add(const pr_core_t *core, pr_error_t *err)
{
    const pr_core_t *other;
    if (pr_core_find(core->name, &other, NULL) == PR_OK)
        return pr_fail(err, PR_ERR_CONFIG, "core \"%s\": found another of that name", core->name);
    if (n_cores == MOST)
        return pr_fail(err, PR_ERR_CONFIG, "core \"%s\": found %d cores, there is no room for another", core->name,
                       MOST);
    cores[n_cores++] = core;
    return PR_OK;
}

pr_status_t pr_core_resolve(const json_t *value, const pr_core_t **core, json_t **options, pr_error_t *err)
{
    const char *name = json_is_string(value) ? json_string_value(value) : pr_option_string(value, "type");
    json_t *given = json_is_object(value) ? json_copy((json_t *)(uintptr_t)value) : json_object();
    json_object_del(given, "type");
    pr_status_t status = pr_core_find(name ? name : "", core, err);
    if (status == PR_OK)
        status = pr_options_resolve((*core)->options, given, NULL, options, err);
    json_decref(given);
    return status;
}

double pr_core_base(const pr_core_map_t *m, int j, const double *w)
{
    for (int k = 0; k < m->k; k++)
        if (j < m->first[k + 1])
            return w[k];
    return 1;
}
