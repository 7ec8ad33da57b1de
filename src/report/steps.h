// SPDX-License-Identifier: BSD-3-Clause
/* Every step of every training, for other tools: steps.csv, and event files for TensorBoard. Functions of the data alone,
 * as cells.csv is: seconds are in the journal. */
#ifndef PR_REPORT_STEPS_H
#define PR_REPORT_STEPS_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_steps_training {
    const char *label; // for people, such as "brevity-s1"
    const char *job;   // identity
    const double *row; // [n][columns + k]; NaN: not known
    size_t n;
} pr_steps_training_t;

typedef struct pr_steps {
    size_t columns;          // numbers of a step, the first of which is its own number
    const char *const *name; // [columns]
    size_t k;                // objectives
    const char *const *objective;
    const pr_steps_training_t *training;
    size_t n;
} pr_steps_t;

/* training,job,<name>...,reward_<objective>... and one row per step, trainings in the order given; text and numbers as in
 * cells.csv, what is not known is an empty field. Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_write_steps_csv(const char *path, const pr_steps_t *s, pr_error_t *err);
/* One training's event file: the scalars "reward/<objective>" and "train/<name>". There are no times in it: wall_time is
 * the step. Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_write_steps_events(const char *path, const pr_steps_t *s, const pr_steps_training_t *t, pr_error_t *err);

#endif
