// SPDX-License-Identifier: BSD-3-Clause
#include "learn/ideal.h"

#include <math.h>
#include <string.h>

pr_status_t pr_list_check(const json_t *options, const char *key, int expected, const char *of, pr_error_t *err)
{
    int n = pr_option_length(options, key);
    if (pr_option_given(options, key) && n != expected)
        return pr_fail(err, PR_ERR_CONFIG, "%s: found a list of %d, expected %d, one per %s", key, n, expected, of);
    return PR_OK;
}

pr_status_t pr_ranges_check(int k, const double *lo, const double *hi, const char *found, const char *expected,
                            pr_error_t *err)
{
    for (int i = 0; i < k; i++)
        if (!isfinite(hi[i]) || (lo && !isfinite(lo[i])))
            return pr_fail(err, PR_ERR_CONFIG, "%s, and the range of objective %d is infinite, expected %s", found,
                           i + 1, expected);
    return PR_OK;
}

pr_status_t pr_ideal_option_check(int k, const double *hi, const json_t *options, const char *instead, pr_error_t *err)
{
    const char *ideal = pr_option_string(options, "ideal");
    bool list = strcmp(ideal, "list") == 0, given = pr_option_given(options, "ideal_at");
    if (list != given)
        return pr_fail(err, PR_ERR_CONFIG, "ideal_at: found %s with ideal \"%s\", expected both or neither",
                       given ? "a list" : "nothing", ideal);
    PR_TRY(pr_list_check(options, "ideal_at", k, "objective", err));
    if (strcmp(ideal, "range") == 0)
        PR_TRY(pr_ranges_check(k, NULL, hi, "ideal: found \"range\"", instead, err));
    return PR_OK;
}

void pr_ideal_option(int k, const double *hi, const double *most, const json_t *options, double *z)
{
    const char *ideal = pr_option_string(options, "ideal");
    for (int i = 0; i < k; i++)
        z[i] = *ideal == 'l' ? pr_option_item(options, "ideal_at", i) : *ideal == 'r' ? hi[i] : most[i];
}
