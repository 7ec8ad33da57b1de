// SPDX-License-Identifier: BSD-3-Clause
/* A judging: points of a finished or running sweep evaluated on other prompts, by other objectives perhaps, without
 * training again. It lies in a directory of its own beside the sweep's evaluations, DIR/evaluations/NAME/:
 *
 *   journal.jsonl      as a sweep's; sweep_start has "task", what all its evaluations share, points has "ids"
 *   evaluations/       segments, as a sweep's
 *   cells.csv          search, seed, w_<the sweep's objectives>, mean and se_ of each objective here, prompts, new_tokens,
 *                      cut, front (among these rows, by these objectives), point (the sweep's id), job
 *   samples.jsonl      what each point said to every prompt: {"point", "search", "seed", "prompt", "response", "finish",
 *                      "scores": {objective: number}}
 *
 * One judging is of one task: of other prompts, objectives or settings it is refused, as what is there is never
 * overwritten; further points are added to it. Rows stand in the order of the sweep's cells.csv, and files are functions
 * of the points and the task alone. Local to rank 0:
 *
 *   pr_judging_read(&wish, &j, err);             policies, inputs, content
 *   pr_judging_begin(j, workers, err);           lock and journal
 *   while (pr_judging_next(j, &message) == PR_NEXT_JOB) { pr_judging_started, _event, _finished, _commit }
 *   pr_judging_end(j, interrupted, err);         the tables
 *   pr_judging_free(&j); */
#ifndef PR_SWEEPS_JUDGING_H
#define PR_SWEEPS_JUDGING_H

#include "sweeps/sweep.h"

typedef struct pr_judging pr_judging_t;

/* Texts are borrowed. */
typedef struct pr_judging_wish {
    const char *dir;        // the sweep's results directory
    const char *points;     // "front", or ids or what they begin with, between commas
    const char *prompts;    // JSON lines
    const char *objectives; // a configuration of which `objectives` is read; NULL: the sweep's own
    const char *name;       // NULL: from the names of these files
    const char *const *set; // [n_set] overrides of the sweep's configuration
    int n_set;
} pr_judging_wish_t;

/* Errors: those of pr_sweep_config_read, pr_take_points and pr_inputs_read, PR_ERR_USAGE (the name), PR_ERR_NOT_FOUND. */
pr_status_t pr_judging_read(const pr_judging_wish_t *wish, pr_judging_t **out, pr_error_t *err);
void pr_judging_free(pr_judging_t **j);
/* What jobs name by hash, and the teams that do them. Borrowed. */
const pr_content_t *pr_judging_content(const pr_judging_t *j);
const pr_team_config_t *pr_judging_team(const pr_judging_t *j);
/* Are there ranks enough for a team? Errors: PR_ERR_CONFIG. */
pr_status_t pr_judging_check_ranks(const pr_judging_t *j, int ranks, pr_error_t *err);

/* Errors: PR_ERR_LOCKED, PR_ERR_USAGE (a judging of another task is there), PR_ERR_IO. */
pr_status_t pr_judging_begin(pr_judging_t *j, int workers, pr_error_t *err);
/* As the functions of a sweep with these names. */
pr_next_t pr_judging_next(pr_judging_t *j, json_t **message);
pr_status_t pr_judging_started(pr_judging_t *j, const char *job, const pr_who_t *who, pr_error_t *err);
pr_status_t pr_judging_event(pr_judging_t *j, const char *event, const json_t *fields, pr_error_t *err);
pr_status_t pr_judging_finished(pr_judging_t *j, const char *job, const pr_who_t *who, pr_status_t status,
                                const char *text, const json_t *result, pr_error_t *err);
pr_status_t pr_judging_commit(pr_judging_t *j, pr_error_t *err);
void pr_judging_progress(const pr_judging_t *j, pr_progress_t *out);
/* Writes the tables of all that is there and journals the end. Errors: PR_ERR_INTERRUPTED, PR_ERR_INCOMPLETE, PR_ERR_IO.
 */
pr_status_t pr_judging_end(pr_judging_t *j, bool interrupted, pr_error_t *err);
/* The rows as a table for a terminal; NULL when there are none. Caller frees. */
char *pr_judging_table(const pr_judging_t *j);
const char *pr_judging_dir(const pr_judging_t *j);

#endif
