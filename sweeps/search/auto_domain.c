// SPDX-License-Identifier: BSD-3-Clause
/* Where the default search's points lie. */
#include "sweeps/search/search_auto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of equal remainders (within rounding) the first is rounded up. */
static const double EQUAL = 1e-9;

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

void pr_auto_point(const pr_search_t *s, const double *w, pr_point_t *out)
{
    bool simplex = !pr_search_is_cube(s->spec);
    if (s->spec->lattice > 0 || !simplex)
        lattice_point(w, s->k, s->spec->lattice > 0 ? s->spec->lattice : INT64_C(1) << 30, simplex, out);
    else
        pr_point_quantise(w, s->k, out);
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
    int k = s->k;
    double u[PR_MAX_OBJECTIVES];
    if (pr_search_is_cube(s->spec)) {
        kronecker(k, i, shift, w);
        return;
    }
    /* The spaces between sorted uniform numbers are uniform on the simplex. */
    kronecker(k - 1, i, shift, u);
    qsort(u, (size_t)(k - 1), sizeof *u, ascending);
    for (int j = 0; j < k; j++)
        w[j] = (j < k - 1 ? u[j] : 1) - (j > 0 ? u[j - 1] : 0);
}

void pr_auto_clip(const pr_search_t *s, double *w)
{
    double sum = 0;
    bool simplex = !pr_search_is_cube(s->spec);
    for (int j = 0; j < s->k; j++) {
        w[j] = fmax(w[j], 0);
        sum += w[j];
    }
    for (int j = 0; j < s->k; j++)
        w[j] = !simplex ? fmin(w[j], 1) : sum > 0 ? w[j] / sum : 1.0 / s->k;
}

double pr_auto_spread(int k)
{
    return k > 3 ? sqrt(k / 3.0) : 1;
}

/* Points of the sequence after experts alone and the centre. */
static int filling(int k)
{
    return k == 2 ? 1 : 3;
}

void pr_auto_start(const pr_search_t *s, int64_t room, pr_pointset_t *out)
{
    int k = s->k;
    double w[PR_MAX_OBJECTIVES] = {0};
    pr_point_t p;
    for (int j = 0; j < k && (int64_t)out->n < room; j++) {
        p = (pr_point_t){.den = 1};
        p.num[j] = 1;
        pr_pointset_add(out, &p, NULL);
    }
    bool exact = !pr_search_is_cube(s->spec) && s->spec->lattice == 0;
    p = (pr_point_t){.den = k};
    for (int j = 0; j < k; j++) {
        w[j] = pr_search_is_cube(s->spec) ? 0.5 : 1.0 / k;
        p.num[j] = 1;
    }
    pr_point_reduce(&p, k);
    if (!exact)
        pr_auto_point(s, w, &p);
    if ((int64_t)out->n < room)
        pr_pointset_add(out, &p, NULL);
    int64_t until = (int64_t)out->n + filling(k);
    if (until > room)
        until = room;
    for (uint64_t i = 0; (int64_t)out->n < until && i < 1000; i++) { // a lattice may not have as many
        pr_auto_uniform(s, i, NULL, w);
        pr_auto_point(s, w, &p);
        pr_pointset_add(out, &p, NULL);
    }
}
