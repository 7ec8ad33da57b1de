// SPDX-License-Identifier: BSD-3-Clause
/* Cells of the simplex and their edgewise subdivision (Edelsbrunner and Grayson 2000, "Edgewise subdivision of a
 * simplex", in two parts a side): 2^(K-1) cells of equal volume whose vertices are the corners and the midpoints of the
 * edges. With the order of the vertices kept, dividing again and again gives only finitely many shapes, and neighbours
 * fit: together they are the Freudenthal triangulation of the lattice. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void pr_cells_add(pr_cells_t *cells, const pr_cell_t *c)
{
    if (cells->n == cells->cap) {
        cells->cap = cells->cap ? 2 * cells->cap : 64;
        cells->item = pr_realloc(cells->item, cells->cap, sizeof cells->item[0]);
    }
    cells->item[cells->n++] = *c;
}

static pr_point_t midpoint(const pr_replay_t *r, const pr_cell_t *c, int i, int j)
{
    pr_point_t a = pr_pointset_at(&r->points, c->vertex[i]), b = pr_pointset_at(&r->points, c->vertex[j]);
    int64_t den = INT64_C(1) << c->depth, up_a = den / a.den, up_b = den / b.den;
    pr_point_t p = {.den = 2 * den};
    for (int d = 0; d < r->k; d++)
        p.num[d] = up_a * a.num[d] + up_b * b.num[d];
    pr_point_reduce(&p, r->k);
    return p;
}

/* Vertices of the subdivision: (v_i + v_j)/2. A child is a path of pairs from (0, m) to (m, K-1) on which each step
 * raises one of the two; `steps` says which: bit t set raises the first at step t. */
void pr_cell_divide(pr_replay_t *r, const pr_cell_t *c, pr_cells_t *children)
{
    assert(r->points.n < UINT32_MAX / 2);
    uint32_t id[PR_MAX_OBJECTIVES][PR_MAX_OBJECTIVES];
    for (int i = 0; i < r->k; i++)
        for (int j = i; j < r->k; j++) {
            pr_point_t p = midpoint(r, c, i, j);
            id[i][j] = i == j ? c->vertex[i] : (uint32_t)pr_replay_add(r, &p, c->depth + 1);
        }
    for (uint32_t steps = 0; steps < UINT32_C(1) << (r->k - 1); steps++) {
        int i = 0, j = __builtin_popcount(steps);
        pr_cell_t child = {.depth = c->depth + 1, .bound = INFINITY};
        child.vertex[0] = id[i][j];
        for (int t = 0; t + 1 < r->k; t++) {
            if ((steps >> t) & 1)
                i++;
            else
                j++;
            child.vertex[t + 1] = id[i][j];
        }
        pr_cells_add(children, &child);
    }
}

int pr_cell_midpoints(const pr_replay_t *r, const pr_cell_t *c, pr_point_t *out)
{
    int n = 0;
    for (int i = 0; i < r->k; i++)
        for (int j = i + 1; j < r->k; j++) {
            pr_point_t p = midpoint(r, c, i, j);
            if (pr_pointset_find(&r->points, &p) != PR_NO_POINT)
                continue;
            int at = n++;
            for (; at > 0 && pr_point_compare(&p, &out[at - 1], r->k) < 0; at--)
                out[at] = out[at - 1];
            out[at] = p;
        }
    return n;
}

bool pr_cell_before(const pr_replay_t *r, const pr_cell_t *a, const pr_cell_t *b)
{
    if (a->value != b->value)
        return a->value > b->value;
    if (a->depth != b->depth)
        return a->depth < b->depth;
    for (int i = 0; i < r->k; i++) {
        int order = pr_pointset_compare(&r->points, a->vertex[i], b->vertex[i]);
        if (order != 0)
            return order < 0;
    }
    return false;
}
