// SPDX-License-Identifier: BSD-3-Clause
/* Internal to the hypervolume code: the part of a rectangle that a set of boxes anchored at the origin covers, as a
 * staircase of corners keyed by their rank in x. Each change tells how much area it newly covers. */
#ifndef PR_PARETO_HV_STEPS_H
#define PR_PARETO_HV_STEPS_H

#include "pareto/rankset.h"

typedef struct pr_hv_steps {
    pr_rankset_t corners; // those inside (wall, right) x (floor, top); x rises with the key, y falls
    double *x, *y;        // by key
    uint32_t *scratch;    // [keys + 1]
    double wall, floor;   // everything left of wall and everything below floor is covered
    double right, top;    // the rectangle's far corner
} pr_hv_steps_t;

static inline pr_hv_steps_t pr_hv_steps_new(size_t keys)
{
    return (pr_hv_steps_t){.corners = pr_rankset_new(keys),
                           .x = pr_alloc(keys, sizeof(double)),
                           .y = pr_alloc(keys, sizeof(double)),
                           .scratch = pr_alloc(keys + 1, sizeof(uint32_t))};
}

static inline void pr_hv_steps_free(pr_hv_steps_t *s)
{
    pr_rankset_free(&s->corners);
    free(s->x);
    free(s->y);
    free(s->scratch);
}

/* Empties it and sets the rectangle. */
static inline void pr_hv_steps_reset(pr_hv_steps_t *s, double right, double top)
{
    pr_rankset_clear(&s->corners);
    s->wall = s->floor = 0;
    s->right = right;
    s->top = top;
}

/* The area right of wall (or of the last corner that stays) and below y that is newly covered up to x, where what is
 * covered left of x begins at height low. Corners up to height y are removed. */
static inline double pr_hv_cover_leftwards(pr_hv_steps_t *s, uint32_t corner, double x, double y, double low)
{
    double gain = 0;
    for (;;) {
        double left = corner == PR_RANKSET_NONE ? s->wall : s->x[corner];
        gain += (x - left) * (y - low);
        if (corner == PR_RANKSET_NONE || s->y[corner] > y)
            return gain;
        low = s->y[corner];
        x = left;
        uint32_t gone = corner;
        corner = pr_rankset_prev(&s->corners, gone);
        pr_rankset_remove(&s->corners, gone);
    }
}

/* A corner with wall < x <= right and floor < y <= top. Points with the same x may share a key. */
static inline double pr_hv_cover_corner(pr_hv_steps_t *s, uint32_t key, double x, double y)
{
    bool tied = pr_rankset_has(&s->corners, key);
    if (tied && s->y[key] >= y)
        return 0;
    uint32_t next = pr_rankset_next(&s->corners, key);
    double low = next == PR_RANKSET_NONE ? s->floor : s->y[next];
    if (low >= y)
        return 0;
    double gain = pr_hv_cover_leftwards(s, tied ? key : pr_rankset_prev(&s->corners, key), x, y, low);
    s->x[key] = x;
    s->y[key] = y;
    pr_rankset_add(&s->corners, key);
    return gain;
}

/* A box that reaches past right: the floor rises to y. */
static inline double pr_hv_raise_floor(pr_hv_steps_t *s, double y)
{
    double gain = pr_hv_cover_leftwards(s, pr_rankset_last(&s->corners), s->right, y, s->floor);
    s->floor = y;
    return gain;
}

/* A box that reaches past top: the wall moves right to x. */
static inline double pr_hv_move_wall(pr_hv_steps_t *s, double x)
{
    double gain = 0;
    double left = s->wall;
    s->wall = x;
    for (;;) {
        uint32_t corner = pr_rankset_first(&s->corners);
        if (corner == PR_RANKSET_NONE)
            return gain + (x - left) * (s->top - s->floor);
        double right = s->x[corner] < x ? s->x[corner] : x;
        gain += (right - left) * (s->top - s->y[corner]);
        if (s->x[corner] > x)
            return gain;
        left = right;
        pr_rankset_remove(&s->corners, corner);
    }
}

#endif
