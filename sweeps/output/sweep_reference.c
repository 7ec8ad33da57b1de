// SPDX-License-Identifier: BSD-3-Clause
/* Where the hypervolume's reference point is from, and what that means for its numbers. */
#include "base/log.h"
#include "base/mem.h"
#include "report/text.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *pr_reference_from(const pr_sweep_t *s, int k)
{
    if (s->config->n_reference)
        return "configured";
    if (isfinite(s->lo[k]))
        return "declared";
    return isfinite(s->reference[k]) ? "base model" : "results";
}

void pr_reference_check(const pr_sweep_t *s)
{
    for (int k = 0; k < s->config->n_objectives && s->config->n_reference; k++)
        if (isfinite(s->hi[k]) && s->reference[k] >= s->hi[k])
            pr_log(PR_LOG_WARN,
                   "reference: no value of %s is better than %.15g, as its best is %.15g: every hypervolume will be 0",
                   s->config->objective[k].name, s->config->reference[k], pr_sweep_sign(s, k) * s->hi[k]);
}

/* Appends the names of the objectives whose reference is of this sweep alone; returns how many. */
static int of_this_sweep(const pr_sweep_t *s, pr_buf_t *names)
{
    int n = 0;
    for (int k = 0; k < s->config->n_objectives; k++) {
        const char *from = pr_reference_from(s, k);
        if (strcmp(from, "configured") == 0 || strcmp(from, "declared") == 0)
            continue;
        pr_buf_printf(names, "%s%s", n ? ", " : "", s->config->objective[k].name);
        n++;
    }
    return n;
}

char *pr_sweep_reference_text(const pr_sweep_t *s)
{
    pr_buf_t names = {0}, b = {0};
    if (of_this_sweep(s, &names) > 0)
        pr_buf_printf(&b,
                      "the reference point of %s is from this sweep's own results, as no worst value is declared: "
                      "hypervolumes of two sweeps compare with the same `reference` only",
                      names.data);
    pr_buf_free(&names);
    return b.data;
}

void pr_reference_tell(const pr_sweep_t *s, const double *reference, double volume, size_t points)
{
    pr_buf_t b = {0};
    for (int k = 0; k < s->config->n_objectives; k++)
        pr_buf_printf(&b, "%s%s %.4g", k ? ", " : "", s->config->objective[k].name, pr_sweep_sign(s, k) * reference[k]);
    if (points > 0 && volume == 0)
        pr_log(
            PR_LOG_WARN,
            "the hypervolume is 0: none of the %zu points is better than the reference point (%s) in every objective",
            points, b.data);
    pr_buf_free(&b);
    char *text = pr_sweep_reference_text(s);
    if (text)
        pr_log(PR_LOG_WARN, "%s", text);
    free(text);
}
