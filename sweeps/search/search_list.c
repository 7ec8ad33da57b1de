// SPDX-License-Identifier: BSD-3-Clause
/* Points from a file: one per line, K numbers (integers, decimals, also as numpy.savetxt and repr() write them, or
 * fractions such as 1/3) between white space or commas; '#' begins a comment; empty lines and a byte order mark are
 * skipped. On the simplex a line gives proportions: "1 1 2" is 1/4, 1/4, 1/2. Of a domain of several rows a line has one
 * after the other, and after them a value of each searched parameter. */
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

/* The rows of a line [from, to), one after the other. */
static pr_status_t read_rows(const pr_search_t *s, const char *from, const char *to, pr_point_t *out, pr_error_t *err)
{
    int rows = s->domain ? s->domain->rows : 1;
    for (int r = 0; r < rows; r++) {
        const char *first = from, *last = from;
        size_t len = 0;
        pr_point_t row;
        pr_point_field(from, to, r * s->k, &first, &len); // they were counted
        pr_point_field(from, to, (r + 1) * s->k - 1, &last, &len);
        pr_status_t status = pr_point_parse_span(first, last + len, s->k, &row, err);
        if (status == PR_OK)
            status = fit_domain(s, &row, err);
        if (status != PR_OK)
            return rows > 1 ? pr_fail_in(err, "row %d", r + 1) : status;
        if (r == 0)
            *out = row;
        for (int j = 0; r > 0 && j < s->k; j++)
            if (!pr_point_append(out, r * s->k + j, row.num[j], row.den))
                return pr_fail(err, PR_ERR_FORMAT,
                               "row %d: found weights whose common denominator with those before "
                               "is above 2^62",
                               r + 1);
    }
    return PR_OK;
}

/* The value of a parameter as it is written: JSON, or else a word. */
static pr_status_t read_parameter(const pr_axis_t *a, const char *field, size_t len, int at, pr_point_t *out,
                                  pr_error_t *err)
{
    json_t *value = json_loadb(field, len, JSON_DECODE_ANY, NULL);
    int64_t num = 0, den = 1;
    if (!value)
        value = json_stringn(field, len);
    bool found = value && pr_axis_find(a, value, &num, &den);
    json_decref(value);
    if (!found)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found '%.*s', expected one of its values", a->name,
                       len < 40 ? (int)len : 40, field);
    return pr_point_append(out, at, num, den)
               ? PR_OK
               : pr_fail(err, PR_ERR_FORMAT, "%s: found weights whose common denominator is above 2^62", a->name);
}

static pr_status_t read_point(const pr_search_t *s, const char *from, const char *to, pr_point_t *out, pr_error_t *err)
{
    const pr_domain_t *d = s->domain;
    const char *field = NULL;
    size_t len = 0;
    int n = 0;
    if (!d || !pr_domain_is_product(d)) {
        PR_TRY(pr_point_parse_span(from, to, s->k, out, err));
        return fit_domain(s, out, err);
    }
    while (pr_point_field(from, to, n, &field, &len))
        n++;
    if (n != pr_domain_size(d))
        return pr_fail(err, PR_ERR_FORMAT, "found %d numbers, expected %d: %d of weights and %d of parameters", n,
                       pr_domain_size(d), pr_domain_weights(d), d->n_axes);
    PR_TRY(read_rows(s, from, to, out, err));
    for (int i = 0; i < d->n_axes; i++) {
        int at = pr_domain_weights(d) + i;
        if (pr_point_field(from, to, at, &field, &len))
            PR_TRY(read_parameter(&d->axis[i], field, len, at, out, err));
    }
    return PR_OK;
}

static pr_status_t add_line(const pr_search_t *s, const char *from, const char *to, pr_pointset_t *set, pr_error_t *err)
{
    const char *comment = memchr(from, '#', (size_t)(to - from));
    to = comment ? comment : to;
    if (is_blank(from, to))
        return PR_OK;
    pr_point_t p;
    PR_TRY(read_point(s, from, to, &p, err));
    pr_pointset_add(set, &p, NULL);
    return set->n <= PR_SEARCH_MAX_POINTS ? PR_OK
                                          : pr_fail(err, PR_ERR_FORMAT, "more than %d points", PR_SEARCH_MAX_POINTS);
}

/* The caller frees *set, also after an error. */
static pr_status_t read_points(const pr_search_t *s, pr_pointset_t *set, pr_error_t *err)
{
    char *data = NULL;
    size_t len = 0, line = 0;
    *set = (pr_pointset_t){.d = pr_search_size(s)};
    if (!s->spec->file || !s->spec->file[0])
        return pr_search_bad(s->spec, err, "file: found nothing, expected the name of a file of points");
    PR_TRY(pr_file_read_text(s->spec->file, MAX_FILE, &data, &len, err));
    pr_status_t status = PR_OK;
    for (const char *at = data, *end = data + len; status == PR_OK && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        line++;
        status = add_line(s, at, stop, set, err);
        if (status != PR_OK)
            pr_fail_in(err, "%s:%zu", s->spec->file, line);
        at = stop + (stop < end);
    }
    if (status == PR_OK && set->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found no points, expected one per line", s->spec->file);
    free(data);
    return status;
}

/* The points of the file, which are no more than the budget allows. The caller frees *set, also after an error. */
static pr_status_t affordable(const pr_search_t *s, pr_pointset_t *set, pr_error_t *err)
{
    PR_TRY(read_points(s, set, err));
    if (s->spec->budget == 0 || set->n <= (size_t)s->spec->budget)
        return PR_OK;
    return pr_search_bad(s->spec, err, "%s holds %zu points, but budget allows %d", s->spec->file, set->n,
                         s->spec->budget);
}

static pr_status_t list_check(const pr_search_t *s, pr_error_t *err)
{
    pr_pointset_t set;
    pr_status_t status = affordable(s, &set, err);
    pr_pointset_free(&set);
    return status;
}

static pr_status_t list_run(pr_replay_t *r, pr_error_t *err)
{
    pr_pointset_t set;
    pr_status_t status = affordable(r->s, &set, err);
    for (size_t i = 0; status == PR_OK && i < set.n; i++) {
        pr_point_t p = pr_pointset_at(&set, i);
        pr_replay_add(r, &p, 0);
    }
    pr_pointset_free(&set);
    if (status == PR_OK)
        pr_replay_settle(r);
    return status;
}

static int list_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    (void)max;
    pr_pointset_t set;
    int64_t n = read_points(s, &set, NULL) == PR_OK ? (int64_t)set.n : 0;
    pr_pointset_free(&set);
    return pr_search_flat(s->spec, n, counts);
}

const pr_search_strategy_t pr_search_list = {
    .name = "list",
    .help =
        "The points of `file`: one per line, a number per objective; on the simplex they are proportions. Where the "
        "policy's mix has blocks, a line has the rows of weights one after the other, and after them a value of each "
        "searched parameter.",
    .keys = PR_SEARCH_KEYS_list,
    .product = true,
    .asks_once = true,
    .check = list_check,
    .run = list_run,
    .forecast = list_forecast};
