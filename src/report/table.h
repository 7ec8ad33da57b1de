// SPDX-License-Identifier: BSD-3-Clause
/* A sweep's outcome as plain data, and the files that are made of it. Everything here is a function of the data alone,
 * so that the same results give the same bytes; times and hosts, which differ from run to run, are in metrics.json and
 * costs.csv only. */
#ifndef PR_REPORT_TABLE_H
#define PR_REPORT_TABLE_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_table_point {
    const char *id;     // identity by content
    const char *search; // which search of the sweep asked for it, such as "states"
    int seed;           // seed of the experts
    int level;
    const double *w;    // [K] preference weights
    const double *mean; // [K] mean per objective over the evaluation prompts
    const double *se;   // [K] standard error; NaN when there is none (of one prompt)
    int n_prompts;
    long tokens;     // generated
    double cut;      // share of the responses that max_new_tokens cut; NaN: not known
    const char *job; // identity of the job that evaluated it
    bool front;      // no point dominates it; of several points with equal values all are on the front
    bool base;       // the base model, or an expert alone: beside the points, never on the front
} pr_table_point_t;

typedef struct pr_table {
    int k;                        // objectives
    const char *const *objective; // [K] names
    const pr_table_point_t *point;
    size_t n;
} pr_table_t;

/* cells.csv: every point in the order given, with the columns
 *   search,seed,level,w_<objective>...,<objective>...,se_<objective>...,prompts,new_tokens,cut,front,point,job
 * The rows of the base model and of the experts alone have the search "base", weights 0 and e_k, and front 0.
 * front.csv: the same columns, front points only. Numbers in the shortest form that reads back as the same double, an
 * empty field for a standard error that there is not; text that could be taken for a formula is escaped (RFC 4180
 * quoting, a leading ' before = + - @). Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_write_cells_csv(const char *path, const pr_table_t *t, pr_error_t *err);
pr_status_t pr_write_front_csv(const char *path, const pr_table_t *t, pr_error_t *err);
/* front.json: {"objectives": [...], "points": [{"search", "seed", "weights": {name: w}, "mean": {...}, "se": {...},
 * ...}], "base": [the same of the base model and the experts alone]}. */
pr_status_t pr_write_front_json(const char *path, const pr_table_t *t, pr_error_t *err);

/* The front as a table for a terminal of `columns` width: the first digits of the points' ids, weights, objectives ± standard error, and a sample response a
 * point, cut to fit (sample[i] belongs to point i of t and may be NULL). At most max_rows rows (0: all), and how many
 * were left out; then the base model and the experts alone. Control characters in samples are replaced; UTF-8 is cut at character bounds by display width. Caller
 * frees. */
char *pr_front_table(const pr_table_t *t, const char *const *sample, int columns, int max_rows);

#endif
