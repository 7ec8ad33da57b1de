// SPDX-License-Identifier: BSD-3-Clause
/* A sweep: what is done, what may run now, what comes next. It joins the configuration, the searches and the
 * journal, and knows nothing of ranks beyond their numbers: whoever runs jobs asks pr_sweep_next and tells
 * pr_sweep_finished. Every decision is a function of the configuration and the results, so a sweep that was killed goes
 * on as if it had not been. Local to rank 0.
 *
 *   pr_inputs_read(config, &inputs, err);
 *   pr_sweep_open(config, &inputs, workers, lo, hi, hooks, false, &s, err);
 *   while (pr_sweep_next(s, &message) == PR_NEXT_JOB) {
 *       pr_sweep_started(s, ...);                              it is handed out
 *       pr_sweep_finished(s, ...);                             its result is there, or its error
 *       pr_sweep_commit(s, ...);                               before anything that follows from it is handed out
 *   }
 *   pr_sweep_write(s, ...);                                    the tables
 *   pr_sweep_end(s, ...);
 *   pr_sweep_free(&s); */
#ifndef PR_SWEEPS_SWEEP_H
#define PR_SWEEPS_SWEEP_H

#include "base/json.h"
#include "config/config.h"
#include "report/progress.h"
#include "sweeps/inputs.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_sweep pr_sweep_t;

/* Who does or did something. */
typedef struct pr_who {
    int rank;
    const char *host;
} pr_who_t;

/* What a sweep asks and tells while it computes what may take seconds: which points a search wants next, and its end.
 * stopping: leave it, what is missing is computed by a later run. tick: a good moment, in the end, to show
 * pr_sweep_progress(). Both may be NULL. */
typedef struct pr_sweep_hooks {
    bool (*stopping)(void *self);
    void (*tick)(void *self);
    void *self;
} pr_sweep_hooks_t;

/* Opens the sweep's results directory (lock, resolved configuration, journal) and folds the journal into the state.
 * config and inputs are borrowed. workers: how many jobs can run at once, for estimates. lo, hi [K]: declared ranges.
 * hooks: copied; NULL: none.
 * A configuration that makes other results than those that are there (sweeps/changes.h) is refused, and nothing is
 * touched; with may_replace the tables are moved aside first. Errors: PR_ERR_LOCKED, PR_ERR_NOT_FOUND, PR_ERR_CONFIG, PR_ERR_IO, PR_ERR_UNSUPPORTED (results of another layout). */
pr_status_t pr_sweep_open(const pr_config_t *config, pr_inputs_t *inputs, int workers, const double *lo,
                          const double *hi, const pr_sweep_hooks_t *hooks, bool may_replace, pr_sweep_t **out,
                          pr_error_t *err);
/* Frees; journals nothing. */
void pr_sweep_free(pr_sweep_t **s);

/* Which jobs pr_sweep_next hands out: PR_PHASE_ALL: any job. Otherwise first everything
 * that evaluations depend on, then the evaluations. */
typedef enum { PR_PHASE_ALL, PR_PHASE_TUNE, PR_PHASE_EVALUATE } pr_phase_t;
void pr_sweep_set_phase(pr_sweep_t *s, pr_phase_t phase);

typedef enum {
    PR_NEXT_JOB,  // *message is a job to start now (a new reference)
    PR_NEXT_WAIT, // nothing until a running job ends
    PR_NEXT_DONE, // nothing more will come: done, or stuck on failed jobs
} pr_next_t;
/* The next job; it counts as running from here on. */
pr_next_t pr_sweep_next(pr_sweep_t *s, json_t **message);
/* Is there a job that could be given, in a phase other than this one? */
bool pr_sweep_has_more(const pr_sweep_t *s);
/* A running job was given to someone / said something / ended. result is borrowed; where status is not PR_OK it may be
 * NULL, or say what the attempt cost: {"seconds", "tokens"}. The ends of jobs are in the journal, on disk, once
 * pr_sweep_commit has returned: call it before the next pr_sweep_next. A job that fails is given again `retries` times,
 * but not after the same failure twice or a fault of the configuration; a point that is given up has no result, and its
 * search goes on without it. Errors, which end the sweep: PR_ERR_IO (the journal cannot be written), a checkpoint that
 * a search needs and that cannot be read. */
pr_status_t pr_sweep_started(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_error_t *err);
pr_status_t pr_sweep_event(pr_sweep_t *s, const pr_who_t *who, const char *event, const json_t *fields,
                           pr_error_t *err);
pr_status_t pr_sweep_finished(pr_sweep_t *s, const char *job, const pr_who_t *who, pr_status_t status, const char *text,
                              const json_t *result, pr_error_t *err);

pr_status_t pr_sweep_commit(pr_sweep_t *s, pr_error_t *err);

/* "started: 3 experts to train, at most 50 points; 3 ranks: 1 schedules, 2 work": teams of rows x cols ranks. Caller
 * frees. */
char *pr_sweep_started_text(const pr_sweep_t *s, int ranks, int teams, int rows, int cols);
void pr_sweep_progress(const pr_sweep_t *s, pr_progress_t *out);

/* The objectives of every evaluated point as the dominance relation sees them (turned so that larger is better), with
 * the point's number, for the global front (of which several points with equal values are all). elsewhere: only
 * points restored from earlier runs, which no rank of this run has in its archive (see pr_sweep_job_value). */
typedef struct pr_sweep_points {
    int k;
    size_t n;
    double *value; // [n,k]
    int64_t *id;   // [n] a number by content: the same in every run of the same sweep
} pr_sweep_points_t;
void pr_sweep_points(const pr_sweep_t *s, bool elsewhere, pr_sweep_points_t *out);
void pr_sweep_points_clear(pr_sweep_points_t *p);
/* The turned objectives and number of one evaluate job's result, as a worker knows them. value [K]. false: not a whole
 * point, or not to be told from one. */
bool pr_sweep_job_value(const json_t *message, const json_t *result, double *value, int64_t *id);

/* Indicators of every search, over its seeds, as pr_sweep_write() found them (an empty list when it was stopped
 * before): [{"search", "seeds", "points", "front" (means over the seeds), "joint_front": of them
 * on the front of all searches, "hypervolume": {"mean", "method": "exact" or the name of the estimate, "error": half the
 * width of its 99.9 % interval, and where there are two prompts or more: "low", "high": 95 % by bootstrap, "over":
 * ["prompts"], and from 3 seeds on ["prompts", "seeds"], "resamples", and "resampled": the method of those},
 * "expected_utility", "maximum_utility_loss", "igd_plus" (against the front of all searches; null where it takes too
 * long), "sparsity", "controllability": {objective: Kendall's tau}, and from the second search on "more_than_first":
 * {"mean", "low", "high", "over" (null from fewer than 3 seeds), "seeds", "deviation" over seeds, "seeds_needed": as
 * pr_seeds_needed, null where nothing tells}: its hypervolume less the first's, paired by prompts and seeds}]. What is not
 * a finite number is null. New reference. */
json_t *pr_sweep_indicators(const pr_sweep_t *s);
/* The same as a table for a terminal, folded to `columns`. Caller frees. */
char *pr_sweep_search_table(const json_t *indicators, int columns);

/* Writes cells.csv, front.csv, front.json, samples.jsonl, costs.csv and metrics.json, and indicators.json: the
 * hypervolumes of resamples and whatever else takes long, kept with a hash of what they are of, so that they are
 * computed once. front: [n_front,k] objective vectors of the global non-dominated set (turned), or NULL to compute it
 * here. When the hooks say stop, what was computed is kept, metrics.json is not replaced by less, and pr_sweep_end()
 * answers PR_ERR_INTERRUPTED. Errors: PR_ERR_IO. */
pr_status_t pr_sweep_write(pr_sweep_t *s, const double *front, size_t n_front, pr_error_t *err);
/* Writes the front of the points so far, as front.json, to front-so-far.json, which pr_sweep_write() removes: nothing
 * where no point is new since, or the last time was not long ago. For who looks while the sweep runs; what cannot be
 * written is left. */
void pr_sweep_show_so_far(pr_sweep_t *s);
/* Journals the end. Returns PR_OK when everything is done, PR_ERR_INTERRUPTED, or what failed: PR_ERR_INCOMPLETE, or an
 * error of the environment or the configuration (PR_ERR_IO, PR_ERR_CONFIG, ...) when every job that was given up failed
 * with that. */
pr_status_t pr_sweep_end(pr_sweep_t *s, bool interrupted, pr_error_t *err);
/* The front as a table for a terminal; NULL when there are no points. Caller frees. */
char *pr_sweep_front_table(const pr_sweep_t *s, int columns, int max_rows);
/* Why its hypervolumes compare with no other sweep's; NULL: they do, with those of the same reference. Caller frees. */
char *pr_sweep_reference_text(const pr_sweep_t *s);
const char *pr_sweep_dir(const pr_sweep_t *s);

/* Is a table of a results directory (cells.csv, front.csv, front.json, samples.jsonl) what the sweep wrote there, as
 * the journal says? *known: does the journal say anything of it? Errors: PR_ERR_FORMAT (it is not, or the journal has
 * no good line), PR_ERR_NOT_FOUND. */
pr_status_t pr_sweep_check_table(const char *dir, const char *name, bool *known, pr_error_t *err);

/* The state of the sweep in a results directory, from its journal alone: for `paretorank status`. now: wall clock.
 * *details is a new reference: {"name", "state": "running" | "finished" | "incomplete" | "interrupted" | "stopped" (the
 * run was killed), "starts": runs so far, "progress": pr_progress_json (seconds_elapsed of all runs), "searches":
 * [{"search", "seed", "asked": requests so far, "ended": why it asks for no more, or null, "budget_left": points, or
 * null}], "failures": [journal lines of jobs given up], "skipped_lines", and where there is something to say "damage": which lines in
 * words, "warnings": [what the rows of the base model and the experts say, in words], "killed": {"last_line_age", "without_end": [{"job", "label", "kind", "rank", "host", "attempt", "step"}],
 * "names"}}. Errors: PR_ERR_NOT_FOUND (no sweep), PR_ERR_FORMAT (a journal without a good line, or none beside
 * results). */
pr_status_t pr_sweep_status(const char *dir, double now, pr_progress_t *progress, json_t **details, pr_error_t *err);

#endif
