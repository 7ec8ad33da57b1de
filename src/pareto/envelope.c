// SPDX-License-Identifier: BSD-3-Clause
/* The upper envelope of linear functions over the simplex, and the linear programme of optimistic linear support.
 *
 * The envelope's corners are the vertices of the polyhedron {(w, h): w on the simplex, h >= v.w for every value v}.
 * They are found by the double description method (Motzkin et al. 1953; Fukuda and Prodon 1996): values are taken in
 * one by one; one that rises above the envelope at some vertices replaces them by new ones on the edges to the others.
 * Two vertices share an edge when no third one lies on all the constraints that both lie on. */
#include "pareto/envelope.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct vertex {
    double w[PR_ENVELOPE_MAX_K], h;
    uint64_t *on; // bit set of constraints it lies on: w_j >= 0 first, then the values
} vertex_t;

typedef struct polyhedron {
    int k;
    const double *values;
    size_t n_values, words;
    double tolerance;
    vertex_t *v;
    size_t n, cap;
} polyhedron_t;

static double height_at(const polyhedron_t *p, size_t value, const double *w)
{
    double sum = 0;
    for (int j = 0; j < p->k; j++)
        sum += p->values[value * (size_t)p->k + (size_t)j] * w[j];
    return sum;
}

static void set_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Adds a vertex, with the constraints it lies on among w >= 0 and the values taken in so far. */
static void add_vertex(polyhedron_t *p, const double *w, double h, size_t taken)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->v = pr_realloc(p->v, p->cap, sizeof p->v[0]);
    }
    vertex_t *v = &p->v[p->n++];
    *v = (vertex_t){.h = h, .on = pr_alloc(p->words, sizeof v->on[0])};
    memcpy(v->w, w, (size_t)p->k * sizeof w[0]);
    for (int j = 0; j < p->k; j++)
        if (w[j] == 0)
            set_bit(v->on, (size_t)j);
    for (size_t i = 0; i < taken; i++)
        if (fabs(height_at(p, i, w) - h) <= p->tolerance)
            set_bit(v->on, (size_t)p->k + i);
}

static size_t count_common(const polyhedron_t *p, const vertex_t *a, const vertex_t *b, uint64_t *common)
{
    size_t n = 0;
    for (size_t i = 0; i < p->words; i++) {
        common[i] = a->on[i] & b->on[i];
        n += (size_t)__builtin_popcountll(common[i]);
    }
    return n;
}

static bool lies_on(const polyhedron_t *p, const vertex_t *v, const uint64_t *set)
{
    for (size_t i = 0; i < p->words; i++)
        if (set[i] & ~v->on[i])
            return false;
    return true;
}

/* Whether vertices a and b of the first n share an edge. */
static bool share_edge(const polyhedron_t *p, size_t n, size_t a, size_t b, uint64_t *common)
{
    if (count_common(p, &p->v[a], &p->v[b], common) + 1 < (size_t)p->k)
        return false;
    for (size_t i = 0; i < n; i++)
        if (i != a && i != b && lies_on(p, &p->v[i], common))
            return false;
    return true;
}

static bool is_corner(const polyhedron_t *p, const vertex_t *v)
{
    int zeros = 0;
    for (int j = 0; j < p->k; j++)
        zeros += v->w[j] == 0;
    return zeros == p->k - 1;
}

/* The point of the edge from a (above by da > 0) to b (below by db > 0) where the new value meets the envelope. */
static void add_crossing(polyhedron_t *p, size_t a, size_t b, double da, double db, size_t value)
{
    double w[PR_ENVELOPE_MAX_K], t = da / (da + db), sum = 0;
    for (int j = 0; j < p->k; j++) {
        w[j] = p->v[a].w[j] == 0 && p->v[b].w[j] == 0 ? 0 : p->v[a].w[j] + t * (p->v[b].w[j] - p->v[a].w[j]);
        w[j] = w[j] < 1e-14 ? 0 : w[j];
        sum += w[j];
    }
    for (int j = 0; j < p->k; j++)
        w[j] /= sum;
    for (size_t i = 0; i < p->n; i++) {
        double far = 0;
        for (int j = 0; j < p->k; j++)
            far = fmax(far, fabs(w[j] - p->v[i].w[j]));
        if (far < 1e-12 && fabs(p->v[i].h - height_at(p, value, w)) <= p->tolerance)
            return; // several edges may meet the value in one point
    }
    add_vertex(p, w, height_at(p, value, w), value + 1);
}

/* Drops the first n vertices that are cut off. */
static void drop_cut(polyhedron_t *p, const double *above, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (i < n && above[i] > p->tolerance)
            free(p->v[i].on);
        else
            p->v[kept++] = p->v[i];
    }
    p->n = kept;
}

static void take_in(polyhedron_t *p, size_t value)
{
    size_t n = p->n;
    bool any = false;
    double *above = pr_alloc(n, sizeof above[0]);
    uint64_t *common = pr_alloc(p->words, sizeof common[0]);
    for (size_t i = 0; i < n; i++) {
        above[i] = height_at(p, value, p->v[i].w) - p->v[i].h;
        any = any || above[i] > p->tolerance;
        if (fabs(above[i]) <= p->tolerance)
            set_bit(p->v[i].on, (size_t)p->k + value);
    }
    for (size_t a = 0; any && a < n; a++) {
        if (!(above[a] > p->tolerance))
            continue;
        /* The vertical ray over a corner of the simplex is an edge too: its end moves up. */
        if (is_corner(p, &p->v[a]))
            add_vertex(p, p->v[a].w, height_at(p, value, p->v[a].w), value + 1);
        for (size_t b = 0; b < n; b++)
            if (above[b] < -p->tolerance && share_edge(p, n, a, b, common))
                add_crossing(p, a, b, above[a], -above[b], value);
    }
    drop_cut(p, above, n);
    free(above);
    free(common);
}

size_t pr_envelope_corners(const double *values, size_t n, int k, double **corner, double **height)
{
    assert(n > 0 && k >= 1 && k <= PR_ENVELOPE_MAX_K);
    polyhedron_t p = {.k = k, .values = values, .n_values = n, .words = (n + (size_t)k + 63) / 64};
    double size = 0;
    for (size_t i = 0; i < n * (size_t)k; i++)
        size = fmax(size, fabs(values[i]));
    p.tolerance = 1e-11 * size;
    for (int j = 0; j < k; j++) {
        double w[PR_ENVELOPE_MAX_K] = {0};
        w[j] = 1;
        add_vertex(&p, w, values[j], 1);
    }
    for (size_t i = 1; i < n; i++)
        take_in(&p, i);
    *corner = pr_alloc(p.n * (size_t)k, sizeof(double));
    *height = pr_alloc(p.n, sizeof(double));
    for (size_t i = 0; i < p.n; i++) {
        memcpy(*corner + i * (size_t)k, p.v[i].w, (size_t)k * sizeof(double));
        (*height)[i] = p.v[i].h;
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): take_in takes the vertices that it frees off the list
        free(p.v[i].on);
    }
    free(p.v);
    return p.n;
}

/* The linear programme, by its dual: min sum y_i bound_i with sum y_i weights_i = w, y >= 0. Simplex method on k rows,
 * the unit vectors being the first basis and their columns the inverse of the basis; Bland's rule, so it ends. */

typedef struct tableau {
    int k;
    double row[PR_ENVELOPE_MAX_K][PR_ENVELOPE_MAX_K]; // inverse of the basis
    double y[PR_ENVELOPE_MAX_K];
    size_t basis[PR_ENVELOPE_MAX_K];
} tableau_t;

/* The first column whose reduced cost is negative; n when there is none. */
static size_t entering(const tableau_t *t, const double *weights, const double *bound, size_t n, double tolerance)
{
    double price[PR_ENVELOPE_MAX_K] = {0};
    for (int i = 0; i < t->k; i++)
        for (int j = 0; j < t->k; j++)
            price[j] += bound[t->basis[i]] * t->row[i][j];
    for (size_t c = 0; c < n; c++) {
        double cost = bound[c];
        for (int j = 0; j < t->k; j++)
            cost -= price[j] * weights[c * (size_t)t->k + (size_t)j];
        if (cost < -tolerance)
            return c;
    }
    return n;
}

/* Brings column c into the basis; false when no row limits it (then rounding spoke for it). */
static bool pivot(tableau_t *t, const double *weights, size_t c)
{
    double d[PR_ENVELOPE_MAX_K] = {0}, least = INFINITY;
    int out = -1;
    for (int i = 0; i < t->k; i++) {
        for (int j = 0; j < t->k; j++)
            d[i] += t->row[i][j] * weights[c * (size_t)t->k + (size_t)j];
        if (d[i] <= 1e-12)
            continue;
        double ratio = t->y[i] / d[i];
        if (ratio < least || (ratio == least && t->basis[i] < t->basis[out])) {
            least = ratio;
            out = i;
        }
    }
    if (out < 0)
        return false;
    for (int i = 0; i < t->k; i++) {
        double factor = i == out ? 0 : d[i] / d[out];
        for (int j = 0; j < t->k; j++)
            t->row[i][j] -= factor * t->row[out][j];
        t->y[i] = i == out ? least : fmax(t->y[i] - d[i] * least, 0);
    }
    for (int j = 0; j < t->k; j++)
        t->row[out][j] /= d[out];
    t->basis[out] = c;
    return true;
}

double pr_optimistic_value(const double *weights, const double *bound, size_t n, int k, const double *w)
{
    assert(k >= 1 && k <= PR_ENVELOPE_MAX_K && n >= (size_t)k);
    tableau_t t = {.k = k};
    double size = 0, value = 0;
    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(bound[i]));
    for (int i = 0; i < k; i++) {
        t.row[i][i] = 1;
        t.y[i] = w[i];
        t.basis[i] = (size_t)i;
    }
    /* Bland's rule ends by itself; rounding might not, so the steps are bounded far above what is ever needed. Any
     * basis on the way gives an upper bound. */
    for (size_t step = 0; step < 1000 + 100 * n; step++) {
        size_t c = entering(&t, weights, bound, n, 1e-12 * size);
        if (c == n || !pivot(&t, weights, c))
            break;
    }
    for (int i = 0; i < k; i++)
        value += t.y[i] * bound[t.basis[i]];
    return value;
}
