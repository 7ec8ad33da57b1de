// SPDX-License-Identifier: BSD-3-Clause
/* Preferences of a training whose policy is told them: one per prompt of a step, or one per step, so that the responses to
 * a prompt, which are compared with each other, are all of one. They are drawn by counters alone: (step, prompt's place in
 * it). And what the mean scores are at a preference, as far as a training has seen: a regression, affine in w, over what
 * the prompts of the last steps gave. */
#ifndef PR_LEARN_PREFERENCE_H
#define PR_LEARN_PREFERENCE_H

#include "base/error.h"
#include "base/rng.h"
#include "option/option.h"

#include <stdbool.h>
#include <stddef.h>

extern const pr_option_t pr_preference_options[];

/* Do the options fit k objectives? Errors: PR_ERR_CONFIG. */
pr_status_t pr_preference_check(const json_t *options, int k, pr_error_t *err);
/* w [k] of prompt `place` of the n of a step: a corner with probability `corners`, else Dirichlet(alpha); or of the list
 * `weights`, in turn. */
void pr_preference_draw(const json_t *options, int k, const pr_rng_key_t *key, long step, int place, int n, double *w);

/* Numbers of the regression's state, all zero before the first step. */
size_t pr_surface_numbers(int k);
/* Before a step's prompts are added: what is known counts less. half_life: steps after which it counts half. */
void pr_surface_age(int k, double half_life, double *state);
/* Mean scores [k] at w [k]; one that is not finite is no news, and leaves all of them out. */
void pr_surface_add(int k, const double *w, const double *mean, double *state);
/* Mean scores at w; NaN before anything is known. Ridge towards the mean over all preferences, by as much as K of n
 * observations. */
void pr_surface_at(int k, const double *state, const double *w, double *mean);

#endif
