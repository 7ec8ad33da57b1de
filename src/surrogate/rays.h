// SPDX-License-Identifier: BSD-3-Clause
/* The expected gain in hypervolume of a point that is known by means and standard deviations only (independent normal
 * ones), over a front: by rays from the reference point. The union of the boxes under a front is star-shaped, so that
 * its volume is the mean of the K-th power of its extent along a direction (Deng and Zhang 2019, "Approximating
 * hypervolume and hypervolume contributions using polar coordinate"), and along one direction the expectation is a
 * one-dimensional integral: no draws, whatever K. Emmerich, Giannakoglou and Naujoks 2006 for the expected gain. */
#ifndef PR_SURROGATE_RAYS_H
#define PR_SURROGATE_RAYS_H

#include <stdint.h>

typedef struct pr_rays pr_rays_t;

/* n directions of a quasi-random sequence in K = k dimensions; nothing is covered yet. `volume`, all gains and points
 * are in units in which the reference point is 0. The caller frees. */
pr_rays_t *pr_rays_new(int k, int n);
void pr_rays_free(pr_rays_t *r);
/* A point v [k] of the front. */
void pr_rays_cover(pr_rays_t *r, const double *v);
/* The mean of extent^K over the rays: the volume, up to a factor of K. */
double pr_rays_volume(const pr_rays_t *r);
/* The expected gain in it of a point of means mean [k] and standard deviations sd [k]. */
double pr_rays_gain(const pr_rays_t *r, const double *mean, const double *sd);

#endif
