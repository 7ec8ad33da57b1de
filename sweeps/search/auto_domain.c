// SPDX-License-Identifier: BSD-3-Clause
/* Where the default search's points lie. */
#include "sweeps/search/search_auto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of equal remainders (within rounding) the first is rounded up. */
static const double EQUAL = 1e-9;

/* ---- its size ---- */

int pr_auto_rows(const pr_search_t *s)
{
    return s->domain ? s->domain->rows : 1;
}

int pr_auto_weights(const pr_search_t *s)
{
    return pr_auto_rows(s) * s->k;
}

static int n_axes(const pr_search_t *s)
{
    return s->domain ? s->domain->n_axes : 0;
}

int pr_auto_free(const pr_search_t *s)
{
    return pr_auto_rows(s) * (pr_search_is_cube(s->spec) ? s->k : s->k - 1) + n_axes(s);
}

int pr_auto_size(const pr_search_t *s)
{
    return pr_auto_free(s) + !pr_search_is_cube(s->spec);
}

double pr_auto_spread(int size)
{
    return size > 3 ? sqrt(size / 3.0) : 1;
}

/* ---- points ---- */

static void lattice_point(const double *w, int k, int64_t m, bool simplex, pr_point_t *out)
{
    double rest[PR_MAX_OBJECTIVES] = {0};
    int64_t left = m;
    *out = (pr_point_t){.den = m};
    for (int j = 0; j < k; j++) {
        double x = fmax(w[j], 0) * (double)m;
        out->num[j] = simplex ? (int64_t)floor(x + EQUAL) : (int64_t)fmin(floor(x + 0.5), (double)m);
        rest[j] = x - (double)out->num[j];
        left -= out->num[j];
    }
    for (; simplex && left > 0; left--) {
        int best = 0;
        for (int j = 1; j < k; j++)
            best = rest[j] > rest[best] + EQUAL ? j : best;
        out->num[best]++;
        rest[best] -= 1;
    }
    pr_point_reduce(out, k);
}

static void row_point(const pr_search_t *s, const double *w, pr_point_t *out)
{
    bool simplex = !pr_search_is_cube(s->spec);
    if (s->spec->lattice > 0 || !simplex)
        lattice_point(w, s->k, s->spec->lattice > 0 ? s->spec->lattice : INT64_C(1) << 30, simplex, out);
    else
        pr_point_quantise(w, s->k, out);
}

void pr_auto_point(const pr_search_t *s, const double *w, pr_point_t *out)
{
    int k = s->k, rows = pr_auto_rows(s);
    row_point(s, w, out);
    for (int r = 1; r < rows; r++) {
        pr_point_t row;
        row_point(s, w + r * k, &row);
        for (int j = 0; j < k; j++) // denominators are those of a lattice: they do not grow
            pr_point_append(out, r * k + j, row.num[j], row.den);
    }
    for (int i = 0; i < n_axes(s); i++) {
        int64_t num, den;
        pr_axis_nearest(&s->domain->axis[i], w[rows * k + i], s->spec->lattice, &num, &den);
        pr_point_append(out, rows * k + i, num, den);
    }
}

/* The i-th point of a Kronecker sequence of the generalised golden ratio in [0,1)^d. */
static void kronecker(int d, uint64_t i, const double *shift, double *u)
{
    double golden = 1.5; // the root > 1 of g^(d+1) = g + 1
    for (int n = 0; n < 60; n++)
        golden = pow(1 + golden, 1.0 / (d + 1));
    for (int j = 0; j < d; j++)
        u[j] = fmod(0.5 + (shift ? shift[j] : 0) + (double)(i + 1) * pow(golden, -(j + 1)), 1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void pr_auto_uniform(const pr_search_t *s, uint64_t i, const double *shift, double *w)
{
    int k = s->k, rows = pr_auto_rows(s);
    bool cube = pr_search_is_cube(s->spec);
    double u[PR_MAX_COORDINATES], *at = u;
    kronecker(pr_auto_free(s), i, shift, u);
    for (int r = 0; r < rows; r++, w += k) {
        if (cube) {
            memcpy(w, at, (size_t)k * sizeof *w);
            at += k;
            continue;
        }
        /* The spaces between sorted uniform numbers are uniform on the simplex. */
        qsort(at, (size_t)(k - 1), sizeof *at, ascending);
        for (int j = 0; j < k; j++)
            w[j] = (j < k - 1 ? at[j] : 1) - (j > 0 ? at[j - 1] : 0);
        at += k - 1;
    }
    memcpy(w, at, (size_t)n_axes(s) * sizeof *w);
}

void pr_auto_clip(const pr_search_t *s, double *w)
{
    int rows = pr_auto_rows(s);
    bool simplex = !pr_search_is_cube(s->spec);
    for (int r = 0; r < rows; r++, w += s->k) {
        double sum = 0;
        for (int j = 0; j < s->k; j++) {
            w[j] = fmax(w[j], 0);
            sum += w[j];
        }
        for (int j = 0; j < s->k; j++)
            w[j] = !simplex ? fmin(w[j], 1) : sum > 0 ? w[j] / sum : 1.0 / s->k;
    }
    for (int i = 0; i < n_axes(s); i++)
        w[i] = fmin(fmax(w[i], 0), 1);
}

/* ---- the start ---- */

/* Points of the sequence after experts alone and the centre: with more dimensions than the objectives need, one for each
 * of these too. */
static int filling(const pr_search_t *s)
{
    int own = s->k - !pr_search_is_cube(s->spec);
    return (s->k == 2 ? 1 : 3) + pr_auto_free(s) - own;
}

/* All rows alike, in the middle of the box. */
static void add_alike(const pr_search_t *s, const pr_point_t *row, int64_t room, pr_pointset_t *out)
{
    pr_point_t p = *row;
    int k = s->k;
    if ((int64_t)out->n >= room)
        return;
    for (int r = 1; r < pr_auto_rows(s); r++)
        for (int j = 0; j < k; j++)
            pr_point_append(&p, r * k + j, row->num[j], row->den);
    if (s->domain)
        pr_domain_middle(s->domain, &p);
    pr_pointset_add(out, &p, NULL);
}

void pr_auto_start(const pr_search_t *s, int64_t room, pr_pointset_t *out)
{
    int k = s->k;
    bool cube = pr_search_is_cube(s->spec);
    double w[PR_MAX_COORDINATES] = {0};
    pr_point_t p;
    for (int j = 0; j < k; j++) {
        p = (pr_point_t){.den = 1};
        p.num[j] = 1;
        add_alike(s, &p, room, out);
    }
    p = (pr_point_t){.den = k};
    for (int j = 0; j < k; j++) {
        w[j] = cube ? 0.5 : 1.0 / k;
        p.num[j] = 1;
    }
    pr_point_reduce(&p, k);
    if (cube || s->spec->lattice > 0)
        row_point(s, w, &p);
    add_alike(s, &p, room, out);
    int64_t until = (int64_t)out->n + filling(s);
    if (until > room)
        until = room;
    for (uint64_t i = 0; (int64_t)out->n < until && i < 1000; i++) { // a lattice may not have as many
        pr_auto_uniform(s, i, NULL, w);
        pr_auto_point(s, w, &p);
        pr_pointset_add(out, &p, NULL);
    }
}
