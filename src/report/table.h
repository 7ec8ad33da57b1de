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
#include <stdint.h>

typedef struct pr_table_point {
    const char *id;     // identity by content
    const char *search; // which search of the sweep asked for it, such as "states"
    int seed;           // seed of the experts
    int level;
    const double *w;    // [rows,K] preference weights
    const double *mean; // [K] mean per objective over the evaluation prompts
    const double *se;   // [K] standard error; NaN when there is none (of one prompt)
    int n_prompts;
    long tokens;     // generated
    double cut;      // share of the responses that max_new_tokens cut; NaN: not known
    const char *job; // identity of the job that evaluated it
    bool front;      // no point dominates it; of several points with equal values all are on the front
    bool base;       // the base model, or an expert alone: beside the points, never on the front
    const double *reported, *reported_se; // [n_report] as mean and se, of objectives that nothing aims at
    int rows;                             // of weights, one per block of layers; 0 counts as 1
    const json_t *params;                 // what else a search chose, {name: value}; NULL: nothing
} pr_table_point_t;

typedef struct pr_table {
    int k;                        // objectives
    const char *const *objective; // [K] names
    const pr_table_point_t *point;
    size_t n;
    int n_searches, n_seeds;   // of the sweep, whether rows are of them all or not; 0: as many as the rows are of
    const char *const *search; // [n_searches] for front.json, or NULL
    const int64_t *seed;       // [n_seeds] likewise
    int n_report;              // objectives that are only reported
    const char *const *report; // [n_report] names
} pr_table_t;

/* cells.csv: every point in the order given, with the columns
 *   search,seed,level,w_<objective>...,<objective>...,se_<objective>...,<reported>...,se_<reported>...,prompts,
 *   new_tokens,cut,front,point,job
 * Where points have a row of weights per block of layers, the columns w_<objective>.<block> follow those of weights (which
 * are there only where a point has one row), blocks from 0; then a column per searched parameter, by its name. What a
 * point has not is an empty field.
 * The rows of the base model and of the experts alone have the search "base", weights 0 and e_k, and front 0.
 * front.csv: the same columns, front points only. Numbers in the shortest form that reads back as the same double, an
 * empty field for a standard error that there is not; text that could be taken for a formula is escaped (RFC 4180
 * quoting, a leading ' before = + - @). Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_write_cells_csv(const char *path, const pr_table_t *t, pr_error_t *err);
pr_status_t pr_write_front_csv(const char *path, const pr_table_t *t, pr_error_t *err);
/* front.json: {"objectives": [...], "reported": [...] (where there are any), "searches": [names of all], "seeds": [...], "points": [{"search", "seed", "weights": {name: w}, "params": {...}, "mean": {...}, "se": {...},
 * ...}], "base": [the same of the base model and the experts alone]}. "weights" is a list of such objects where there is a
 * row per block; mean and se have those that are only reported too; "params" is there where a search chose any. */
pr_status_t pr_write_front_json(const char *path, const pr_table_t *t, pr_error_t *err);

/* {"name": w, ...}; a list of them where there are several rows. New reference. */
json_t *pr_weights_json(int k, const char *const *objective, int rows, const double *w);

/* The front as a table for a terminal of `columns` width: numbered rows of weights, objectives ± standard error (left out,
 * which is then said, where they do not fit), and a sample response per point, cut to fit (sample[i] belongs to point i
 * of t and may be NULL). At most max_rows rows (0: all), and how many were left out, with dir (NULL: not known) as where
 * to see them; then the base model and the experts alone. Control characters in samples are replaced; UTF-8 is cut at
 * character bounds by display width. The last column is the first digits of the points' ids. Caller frees. */
char *pr_front_table(const pr_table_t *t, const char *const *sample, int columns, int max_rows, const char *dir);

#endif
