// SPDX-License-Identifier: BSD-3-Clause
/* Points from a file: one per line, K numbers (integers, decimals, also as numpy.savetxt and repr() write them, or
 * fractions such as 1/3) between white space or commas; '#' begins a comment; empty lines and a byte order mark are
 * skipped. On the simplex a line gives proportions: "1 1 2" is 1/4, 1/4, 1/2. */
#include "sweeps/search/search_internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Files larger than this cannot be lists of points that anyone wants. */
static const size_t MAX_FILE = (size_t)1 << 30;

static bool is_blank(const char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != ' ' && *from != '\t' && *from != '\r')
            return false;
    return true;
}

static pr_status_t fit_domain(const pr_search_t *s, pr_point_t *p, pr_error_t *err)
{
    if (pr_search_is_cube(s->spec)) {
        for (int j = 0; j < s->k; j++)
            if (p->num[j] > p->den)
                return pr_fail(err, PR_ERR_FORMAT, "weight %d: found %g, expected 0 to 1 (domain cube)", j + 1,
                               (double)p->num[j] / (double)p->den);
        return PR_OK;
    }
    if (pr_point_normalise(p, s->k))
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "found weights whose sum is 0 or out of range, expected a sum above 0");
}

static pr_status_t add_line(const pr_search_t *s, const char *from, const char *to, pr_pointset_t *set, pr_error_t *err)
{
    const char *comment = memchr(from, '#', (size_t)(to - from));
    to = comment ? comment : to;
    if (is_blank(from, to))
        return PR_OK;
    pr_point_t p;
    PR_TRY(pr_point_parse_span(from, to, s->k, &p, err));
    PR_TRY(fit_domain(s, &p, err));
    pr_pointset_add(set, &p, NULL);
    return set->n <= PR_SEARCH_MAX_POINTS ? PR_OK
                                          : pr_fail(err, PR_ERR_FORMAT, "more than %d points", PR_SEARCH_MAX_POINTS);
}

static pr_status_t read_points(const pr_search_t *s, pr_point_t **out, size_t *n, pr_error_t *err)
{
    char *data = NULL;
    size_t len = 0, line = 0;
    pr_pointset_t set = {.k = s->k};
    if (!s->spec->file || !s->spec->file[0])
        return pr_search_bad(s->spec, err, "file: found nothing, expected the name of a file of points");
    PR_TRY(pr_file_read_text(s->spec->file, MAX_FILE, &data, &len, err));
    pr_status_t status = PR_OK;
    for (const char *at = data, *end = data + len; status == PR_OK && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        line++;
        status = add_line(s, at, stop, &set, err);
        if (status != PR_OK)
            pr_fail_in(err, "%s:%zu", s->spec->file, line);
        at = stop + (stop < end);
    }
    if (status == PR_OK && set.n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found no points, expected one per line", s->spec->file);
    if (status == PR_OK) {
        *out = set.item;
        *n = set.n;
        set.item = NULL;
    }
    pr_pointset_free(&set);
    free(data);
    return status;
}

/* The points of the file, which are no more than the budget allows. Caller frees. */
static pr_status_t affordable(const pr_search_t *s, pr_point_t **out, size_t *n, pr_error_t *err)
{
    PR_TRY(read_points(s, out, n, err));
    if (s->spec->budget == 0 || *n <= (size_t)s->spec->budget)
        return PR_OK;
    free(*out);
    *out = NULL;
    return pr_search_bad(s->spec, err, "%s holds %zu points, but budget allows %d", s->spec->file, *n, s->spec->budget);
}

static pr_status_t list_check(const pr_search_t *s, pr_error_t *err)
{
    pr_point_t *p = NULL;
    size_t n = 0;
    PR_TRY(affordable(s, &p, &n, err));
    free(p);
    return PR_OK;
}

static pr_status_t list_run(pr_replay_t *r, pr_error_t *err)
{
    pr_point_t *p = NULL;
    size_t n = 0;
    PR_TRY(affordable(r->s, &p, &n, err));
    for (size_t i = 0; i < n; i++)
        pr_replay_add(r, &p[i], 0);
    free(p);
    pr_replay_settle(r);
    return PR_OK;
}

static int list_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    (void)max;
    pr_point_t *p = NULL;
    size_t n = 0;
    if (read_points(s, &p, &n, NULL) != PR_OK)
        n = 0;
    free(p);
    return pr_search_flat(s->spec, (int64_t)n, counts);
}

const pr_search_strategy_t pr_search_list = {
    .name = "list",
    .help = "The points of `file`: one per line, a number per objective; on the simplex they are proportions.",
    .keys = PR_SEARCH_KEYS_list,
    .asks_once = true,
    .check = list_check,
    .run = list_run,
    .forecast = list_forecast};
