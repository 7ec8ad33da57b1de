// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "parallel/team.h"

#include <string.h>

static void local_sum(const pr_team_t *t, float *v, size_t n)
{
    (void)t, (void)v, (void)n;
}

static void local_sum_rows(const pr_team_t *t, double *v, size_t n)
{
    (void)t, (void)v, (void)n;
}

static void local_broadcast(const pr_team_t *t, void *bytes, size_t n)
{
    (void)t, (void)bytes, (void)n;
}

static void local_gather_rows(const pr_team_t *t, const void *bytes, size_t n, void **all, size_t *offset)
{
    (void)t;
    *all = pr_alloc(n, 1);
    if (n > 0)
        memcpy(*all, bytes, n);
    offset[0] = 0;
    offset[1] = n;
}

static pr_status_t local_agree(const pr_team_t *t, pr_status_t mine, pr_error_t *err)
{
    (void)t, (void)err;
    return mine;
}

const pr_team_t *pr_team_local(void)
{
    static pr_team_t local = {.rows = 1,
                              .cols = 1,
                              .sum = local_sum,
                              .sum_rows = local_sum_rows,
                              .broadcast = local_broadcast,
                              .gather_rows = local_gather_rows,
                              .agree = local_agree};
    local.la = pr_linalg_local();
    local.dense = pr_dense_local();
    return &local;
}

void pr_share(int n, int parts, int index, int *first, int *count)
{
    int each = n / parts, more = n % parts;
    *first = index * each + (index < more ? index : more);
    *count = each + (index < more);
}
