// SPDX-License-Identifier: BSD-3-Clause
/* The parts of the default search: where points may lie, what is believed of the objectives there, which point next. */
#ifndef PR_SWEEPS_SEARCH_AUTO_H
#define PR_SWEEPS_SEARCH_AUTO_H

#include "surrogate/gp.h"
#include "surrogate/rays.h"
#include "sweeps/search/search_internal.h"

/* ---- the domain: rows on the simplex or in the cube, or a lattice in it, times the axes of a box ---- */

/* Rows of weights, and how many of the d coordinates of a point are weights. */
int pr_auto_rows(const pr_search_t *s);
int pr_auto_weights(const pr_search_t *s);
/* Dimensions of the domain; and as many as objectives of a simplex have it (of a cube: its dimensions). */
int pr_auto_free(const pr_search_t *s);
int pr_auto_size(const pr_search_t *s);

/* The point nearest to w [d]; on the simplex the rows of w have sums of about 1. */
void pr_auto_point(const pr_search_t *s, const double *w, pr_point_t *out);
/* The i-th of a quasi-random sequence, uniform over the domain; shift [d] in [0,1) or NULL moves it. */
void pr_auto_uniform(const pr_search_t *s, uint64_t i, const double *shift, double *w);
/* Brings w [d] into the domain. */
void pr_auto_clip(const pr_search_t *s, double *w);
/* By what lengths in the domain grow with its size (pr_auto_size). */
double pr_auto_spread(int size);
static inline double pr_auto_distance2(const double *a, const double *b, int d)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}
/* Adds the design that every search begins with, at most `room` points, in an order of which each part is a design:
 * experts alone, the centre, and of a space-filling sequence. */
void pr_auto_start(const pr_search_t *s, int64_t room, pr_pointset_t *out);

/* ---- what is believed ---- */

/* Inputs of a process are the weights or their square roots, in which what happens close to a face is wide. */
enum { PR_AUTO_WARPS = 2, PR_AUTO_KINDS = 3 * PR_AUTO_WARPS };

typedef struct pr_auto_part {
    pr_gp_t *gp;
    double weight; // posterior probability
    int warp;
} pr_auto_part_t;

/* Of each objective a mixture of processes, whose variance is corrected where they were surprised. */
typedef struct pr_auto_model {
    const pr_replay_t *r;
    const pr_search_t *s;
    int n, k, d;                                                // points, objectives, coordinates
    double *w;                                                  // [n,d] the points that are modelled
    size_t *id;                                                 // [n] of the replay
    double *x[PR_AUTO_WARPS];                                   // [n,d] warped
    bool noisy;                                                 // is any noise told?
    double centre[PR_MAX_OBJECTIVES], scale[PR_MAX_OBJECTIVES]; // of the standardised values
    int n_parts[PR_MAX_OBJECTIVES];
    pr_auto_part_t part[PR_MAX_OBJECTIVES][PR_AUTO_KINDS]; // the likeliest first
    double *reach[PR_MAX_OBJECTIVES];    // [d] 1 / how far a surprise is felt, in the first part's inputs
    double *surprise[PR_MAX_OBJECTIVES]; // [n] squared leave-one-out residuals over their variances
    double rough;                        // mean over the objectives of the probability that they are continuous only
} pr_auto_model_t;

/* Of the settled points; hyperparameters are those of the first n_fit of the replay. room: points that will be believed.
 * Needs two settled points. The caller clears. Once pr_replay_stops(r) it is in pieces, and can be cleared only; so with
 * what is predicted and believed. */
void pr_auto_model_init(pr_auto_model_t *m, const pr_replay_t *r, size_t n_fit, int room);
void pr_auto_model_clear(pr_auto_model_t *m);
/* w [n,d]: means and standard deviations [n,k] in the objectives' units. */
void pr_auto_predict(const pr_auto_model_t *m, const double *w, int n, double *mean, double *sd);
/* Takes a point to be evaluated with the result that is expected: means stay, standard deviations near it fall. */
void pr_auto_believe(pr_auto_model_t *m, const double *w);

/* ---- which again ---- */

/* The modelled points of which it is in doubt whether they are on the front and that can go on to more prompts, those that
 * the means put there first, and of these the most doubtful: ids of the replay, [n] and caller frees. None once pr_replay_stops. */
int pr_auto_doubtful(const pr_auto_model_t *m, size_t **out);

/* ---- which next ---- */

typedef struct pr_auto_choice {
    pr_point_t *point; // [n] the caller frees
    int n;
    size_t *again; // [n_again] where r->chosen: pr_auto_doubtful; the caller frees
    int n_again;
    double gain; // the greatest expected gain of one point in the first place, as a share of the volume so far, where
                 // the model is doubted; INFINITY: not known
} pr_auto_choice_t;

/* The next n points, each knowing those before it: of more, the first are the same. None once pr_replay_stops(r). */
void pr_auto_choose(const pr_replay_t *r, size_t n_fit, int n, pr_auto_choice_t *out);

#endif
