// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/hypervolume.h"
#include "pareto/dominance.h"
#include "pareto/hv_internal.h"
#include "pareto/hv_packed.h"

#include <assert.h>
#include <math.h>

/* Products that overflow or vanish have no differences: where those of some objectives could, each objective is brought
 * to [0,1), which is exact. */
static void scale(pr_hv_shifted_t *s)
{
    enum { SAFE = 900, MOST = 64 };
    long sum = 0;
    long widest = 0; // of any product of some objectives
    if (s->m > MOST || s->n == 0)
        return;
    int exponent[MOST];
    for (size_t k = 0; k < s->m; k++) {
        double most = 0;
        for (size_t i = 0; i < s->n; i++)
            most = fmax(most, s->u[i * s->m + k]);
        frexp(most, &exponent[k]);
        sum += exponent[k];
        widest += abs(exponent[k]);
    }
    if (widest < SAFE)
        return;
    for (size_t i = 0; i < s->n * s->m; i++)
        s->u[i] = scalbn(s->u[i], -exponent[i % s->m]);
    s->exponent = sum;
}

pr_hv_shifted_t pr_hv_shift(const double *points, size_t n, int m, const double *reference)
{
    pr_hv_shifted_t s = {
        .u = pr_alloc(n * (size_t)m, sizeof(double)), .rows = pr_alloc(n, sizeof(uint32_t)), .m = (size_t)m};
    for (size_t i = 0; i < n; i++) {
        bool inside = true;
        bool infinite = false;
        for (size_t k = 0; k < s.m; k++) {
            double x = points[i * s.m + k] - reference[k];
            s.u[s.n * s.m + k] = x;
            inside &= x > 0; // false for NaN
            infinite |= isinf(x) != 0;
        }
        s.rows[s.n] = (uint32_t)i;
        s.n += inside;
        s.infinite |= inside && infinite;
    }
    if (!s.infinite)
        scale(&s);
    return s;
}

void pr_hv_shifted_free(pr_hv_shifted_t *s)
{
    free(s->u);
    free(s->rows);
}

double pr_hv_unscale(long exponent, double v)
{
    long e = exponent < -4000 ? -4000 : exponent > 4000 ? 4000 : exponent; // beyond, all is 0 or infinite
    return e ? scalbn(v, (int)e) : v;
}

void pr_hv_drop_dominated(pr_hv_shifted_t *s)
{
    bool *kept = pr_alloc(s->n, sizeof *kept);
    pr_nondominated(s->u, s->n, (int)s->m, false, kept);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (kept[i]) {
            memmove(s->u + n * s->m, s->u + i * s->m, s->m * sizeof *s->u);
            s->rows[n++] = s->rows[i];
        }
    s->n = n;
    free(kept);
}

static double hv1(const double *u, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = u[i] > most ? u[i] : most;
    return most;
}

static double hv_many(pr_hv_shifted_t *s, double *steps)
{
    enum { WORTH = 1000 }; // below, the sweeps find dominated points as cheaply themselves
    if (s->n > WORTH)
        pr_hv_drop_dominated(s);
    if (pr_hv_packed_fits(s->n, s->m))
        return pr_hv_packed(s->u, s->n, s->m, steps);
    pr_hv_work_t *work = pr_hv_work_new(s->n, s->m);
    *pr_hv_work_left(work) = *steps;
    double volume = pr_hv_many(work, s->u, s->n, s->m);
    *steps = *pr_hv_work_left(work);
    pr_hv_work_free(work);
    return volume;
}

/* Sorting and tries, for up to three objectives. */
static double sweep_steps(size_t n)
{
    return floor(8 * (double)n * (1 + log2((double)n + 1)));
}

bool pr_hypervolume_within(const double *points, size_t n, int m, const double *reference, double *steps,
                           double *volume)
{
    assert(m >= 1 && n < INT32_MAX);
    static double (*const by_dimension[])(const double *, size_t) = {hv1, pr_hv2, pr_hv3};
    *steps -= sweep_steps(n);
    if (*steps < 0)
        return false;
    pr_hv_shifted_t s = pr_hv_shift(points, n, m, reference);
    double found = s.infinite ? INFINITY : m <= 3 ? by_dimension[m - 1](s.u, s.n) : hv_many(&s, steps);
    if (*steps >= 0)
        *volume = pr_hv_unscale(s.exponent, found);
    pr_hv_shifted_free(&s);
    return *steps >= 0;
}

double pr_hypervolume(const double *points, size_t n, int m, const double *reference)
{
    double steps = INFINITY, volume = NAN;
    pr_hypervolume_within(points, n, m, reference, &steps, &volume);
    return volume;
}

static void contributions1(const pr_hv_shifted_t *s, double *contributions)
{
    size_t best = 0;
    double second = 0;
    for (size_t i = 1; i < s->n; i++)
        if (s->u[i] > s->u[best]) {
            second = s->u[best];
            best = i;
        } else if (s->u[i] > second) {
            second = s->u[i];
        }
    contributions[s->rows[best]] = s->u[best] - second;
}

/* What points[from..to), which lie left of and below the corner p, take from the rectangle between (left, low) and
 * p. */
static double covered_area(const pr_hv_shifted_t *s, const uint32_t *order, size_t from, size_t to, double left,
                           double low)
{
    double area = 0;
    for (size_t i = from; i < to; i++) {
        const double *q = s->u + 2 * (size_t)order[i];
        if (q[1] > low) {
            area += (q[0] - left) * (q[1] - low);
            low = q[1];
        }
    }
    return area;
}

/* The region that only p covers lies in the rectangle between its neighbours on the staircase; within it, other points
 * between p and the next corner (in descending x) may cover a part. */
static void contributions2(const pr_hv_shifted_t *s, double *contributions)
{
    uint32_t *order = pr_alloc(s->n, sizeof *order);
    for (size_t i = 0; i < s->n; i++)
        order[i] = (uint32_t)i;
    pr_sorter_t sorter = pr_sorter_new(s->n);
    pr_sort_rows(&sorter, s->u + 1, 2, true, order, s->n);
    pr_sort_rows(&sorter, s->u, 2, true, order, s->n);
    pr_sorter_free(&sorter);
    double low = 0;
    for (size_t i = 0, next; i < s->n; i = next) {
        const double *p = s->u + 2 * (size_t)order[i];
        for (next = i + 1; next < s->n && s->u[2 * (size_t)order[next] + 1] <= p[1];)
            next++;
        double left = next < s->n ? s->u[2 * (size_t)order[next]] : 0;
        contributions[s->rows[order[i]]] =
            (p[0] - left) * (p[1] - low) - covered_area(s, order, i + 1, next, left, low);
        low = p[1];
    }
    free(order);
}

static void contributions3(const pr_hv_shifted_t *s, double *contributions)
{
    uint32_t *order = pr_alloc(s->n, sizeof *order);
    uint32_t *key = pr_alloc(s->n, sizeof *key);
    pr_hv_item_t *items = pr_alloc(s->n, sizeof *items);
    for (size_t i = 0; i < s->n; i++)
        order[i] = (uint32_t)i;
    pr_sorter_t sorter = pr_sorter_new(s->n);
    pr_sort_rows(&sorter, s->u, 3, false, order, s->n);
    for (size_t i = 0; i < s->n; i++)
        key[order[i]] = (uint32_t)i;
    pr_sort_rows(&sorter, s->u + 2, 3, true, order, s->n);
    pr_sorter_free(&sorter);
    for (size_t i = 0; i < s->n; i++) {
        const double *p = s->u + 3 * (size_t)order[i];
        items[i] = (pr_hv_item_t){p[0], p[1], p[2], key[order[i]], order[i]};
    }
    pr_hv_steps_t steps = pr_hv_steps_new(s->n);
    for (size_t i = 0; i < s->n; i++) {
        bool covered = false;
        contributions[s->rows[items[i].row]] = pr_hv3_exclusive(&steps, items, s->n, i, items + i, &covered);
    }
    pr_hv_steps_free(&steps);
    free(items);
    free(key);
    free(order);
}

/* Each point against all others; the others stand in front of it by a swap of the first row. */
static void contributions_many(const pr_hv_shifted_t *s, double *contributions, double *steps)
{
    pr_hv_work_t *work = pr_hv_work_new(s->n, s->m + 1);
    double *others = pr_alloc(s->n * s->m, sizeof *others);
    *pr_hv_work_left(work) = *steps;
    memcpy(others, s->u, s->n * s->m * sizeof *others);
    for (size_t i = 0; i < s->n && *pr_hv_work_left(work) >= 0; i++) {
        memcpy(others + i * s->m, s->u, s->m * sizeof *others); // row 0 in the place of row i
        *pr_hv_work_left(work) -= (double)(s->n * s->n);        // to clip the others
        contributions[s->rows[i]] = pr_hv_exclusive(work, others + s->m, s->n - 1, s->m, s->u + i * s->m);
        memcpy(others + i * s->m, s->u + i * s->m, s->m * sizeof *others);
    }
    *steps = *pr_hv_work_left(work);
    free(others);
    pr_hv_work_free(work);
}

bool pr_hypervolume_contributions_within(const double *points, size_t n, int m, const double *reference, double *steps,
                                         double *contributions)
{
    assert(m >= 1 && n < INT32_MAX);
    static void (*const by_dimension[])(const pr_hv_shifted_t *, double *) = {contributions1, contributions2,
                                                                              contributions3};
    *steps -= m == 3 ? 8 * (double)n * (double)n : sweep_steps(n);
    if (*steps < 0)
        return false;
    pr_hv_shifted_t s = pr_hv_shift(points, n, m, reference);
    for (size_t i = 0; i < n; i++)
        contributions[i] = s.infinite ? NAN : 0;
    if (s.n && !s.infinite && m <= 3)
        by_dimension[m - 1](&s, contributions);
    else if (s.n && !s.infinite)
        contributions_many(&s, contributions, steps);
    for (size_t i = 0; i < s.n; i++)
        contributions[s.rows[i]] = pr_hv_unscale(s.exponent, contributions[s.rows[i]]);
    pr_hv_shifted_free(&s);
    return *steps >= 0;
}

void pr_hypervolume_contributions(const double *points, size_t n, int m, const double *reference, double *contributions)
{
    double steps = INFINITY;
    pr_hypervolume_contributions_within(points, n, m, reference, &steps, contributions);
}
