// SPDX-License-Identifier: BSD-3-Clause
/* What a journal says: the one place where a line changes a state. The run that writes the journal folds each line as
 * it writes it, a later run folds the file, and so does `status`; none has a state of its own beside it.
 *
 *   pr_fold_t *f = pr_fold_new(k);
 *   pr_journal_read(path, pr_fold_line, f, &stats, err);   // or, of a line that is being written: pr_fold_event(f, ...)
 *   pr_fold_ended(f);                                      // where no run is going on: the last one may have been killed
 *   pr_job_record_t *r = pr_fold_find(f, id);
 *   pr_fold_progress(f, live, now, &progress);
 *   pr_fold_free(&f);
 *
 * Lines, beside "t" and what people may want to know:
 *   sweep_start      {"layout", "name", "workers", "jobs",        a run begins
 *                     "seeds", "forecast", "evaluation_tokens"}   {search: [points at most per seed, trainings per point]}
 *   config           {"config", "prompts"}                        the resolved configuration, where it is not the last one
 *   replaced         {"to", "changes"}                            tables were moved there for another configuration
 *   points           {"search", "seed", "points", "jobs",         a search asked for so many points
 *                     "basis", "asked"}                           which (sweep_rounds.c): of a search that decides as it goes
 *   search_end       {"search", "seed", "why", "left", "basis"}   it asks for no more
 *   job_start        {"job", "kind", "label", "rank", "host"}
 *   step             {"job", "step", "steps", "tokens", "seconds", "climbed"}
 *   job_done         {"job", "kind", "label", "rank", "host", "result"}
 *   job_failed, job_interrupted   {..., "reason", "error", "retry", "seconds", "tokens"}
 *   job_again        {"job", "why"}                               its result or what it left is lost: it is done again
 *   base             {"jobs", "low", "high"}                      5 % and 95 % quantiles of the base model's scores,
 *                                                                 turned, by these evaluations
 *   tables           {"files", "warnings", ...}                   what was written at the end
 *   ending           {"what"}                                     what the end of the run does now
 *   sweep_end        {"state", "seconds"}
 * "jobs": {kind: [known so far, of them done]}. */
#ifndef PR_SWEEPS_FOLD_H
#define PR_SWEEPS_FOLD_H

#include "base/hash.h"
#include "base/limits.h"
#include "jobs/kind.h"
#include "report/progress.h"
#include "store/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the end of a run does, as "ending" lines say it. */
#define PR_ENDING_TABLES "writing tables"
#define PR_ENDING_INDICATORS "indicators"

typedef enum { PR_JOB_WAITING, PR_JOB_RUNNING, PR_JOB_DONE, PR_JOB_FAILED } pr_job_state_t;

/* Of jobs that are no evaluation. */
typedef struct pr_made {
    json_t *result; // NULL: none
    json_t *tokens; // of its steps so far, a list; NULL: it has told none
    double last_step;
    int step, steps;     // while it runs, and after
    double climbed, kl;  // mean reward and KL of the last step
    double step_seconds; // of the steps of this attempt
    int step_count;      // how many they are
} pr_made_t;

/* A job, as the journal tells of it. There may be a million. */
typedef struct pr_job_record {
    unsigned char id[(PR_HASH_HEX - 1) / 2];
    uint8_t kind;     // index into pr_job_kinds
    uint8_t state;    // pr_job_state_t; DONE: it has a result
    uint16_t tries;   // of this run
    int32_t attempts; // of all runs
    int32_t rank;     // who did it last; -1: nobody
    int32_t host;     // and where (pr_fold_host)
    double seconds;   // that its result took
    int64_t tokens;   // of its result; of its steps, while it has none
    double spent;     // seconds of the attempts that gave none, of all runs
    int64_t wasted;   // their tokens
    double given;     // when it was given last, wall clock
    uint32_t failure; // what it failed with last in this run, as a hash; 0: it has not
    uint32_t owner;   // of a graph: who it is there (graph.c); 0: nobody
    uint64_t offset;  // of an evaluation's record: where in its segment, how long, and which (pr_fold_place)
    uint32_t length, segment;
    union {
        double *value;   // evaluations: [2K+1] means, standard errors, share of responses cut; NULL: none
        pr_made_t *made; // other kinds, once there is anything to say
    };
} pr_job_record_t;

typedef struct pr_kind_count {
    long total, done; // known so far in the current run
    long running;
    long measured;  // results whose seconds are known, of all runs
    double seconds; // they took
} pr_kind_count_t;

typedef struct pr_fold pr_fold_t;
struct pr_fold {
    int k; // objectives that are scored; 0: values are not kept
    pr_job_record_t **chunk;
    size_t n;
    uint32_t *slot; // open addressing by id: number + 1
    size_t n_slots;
    double **block; // memory of values
    size_t n_block, block_used;
    char **host;
    int n_host;
    char **segment; // names of files
    uint32_t n_segment;
    int layout;     // of the last run; 0: a run that did not say
    char name[256]; // of the sweep
    char state[32]; // "running", or how the last run ended; "": there was none
    const char *ending;
    int starts, workers;
    bool running;              // the last run has no end yet
    double started, at;        // of that run, and the last line; wall clock
    double before;             // seconds of the runs before it
    pr_kind_count_t count[32]; // by kind
    long failed, done;         // jobs given up, and ends with a result, of this run
    json_t *failures;          // their lines
    json_t *open;              // id -> job_start of jobs that run
    json_t *ended;             // rank -> when a job ended on it last in this run
    json_t *tables, *base;     // the last "tables" line and the last "base" line, or NULL
    json_t *config, *inputs;   // resolved, of the last run that said one; of the last start: input files. Or NULL
    json_t *asked;             // search -> the most points that it has asked for in a run, over one set of experts
    int prompts;               // evaluation prompts used by that configuration
    long results;              // ends of jobs with a result, of all runs
    json_t *forecast;          // of this run: {search: [points at most per seed, trainings per point]}, or NULL
    int n_seeds;               // of this run
    double evaluation_tokens;  // of an evaluation of all prompts, at most; 0: not known
    json_t *searches;          // of this run: [{"search", "seed", "asked", "ended", "budget_left"}], null: not so
    json_t *rounds, *ends;  // what searches asked for and where they ended, by basis (sweep_rounds.c); NULL: not kept
    double run_tokens;      // of results of this run
    double tokens, seconds; // of all steps and results, for the speed
};

pr_fold_t *pr_fold_new(int k);
void pr_fold_free(pr_fold_t **f);
/* line has "t". */
void pr_fold_event(pr_fold_t *f, const char *event, const json_t *line);
/* The same for pr_journal_read; self: the fold. */
pr_status_t pr_fold_line(void *self, const char *event, const json_t *line, pr_error_t *err);
/* No run is going on: what the last one left without an end is charged to its jobs, which wait again. Returns whether
 * it was killed; *names then says what was running, which the caller frees. */
bool pr_fold_ended(pr_fold_t *f, char **names);

/* NULL: the journal says nothing of it. */
pr_job_record_t *pr_fold_find(const pr_fold_t *f, const char *id);
/* The same, made where there is none; NULL when id is no identity. Pointers stay. */
pr_job_record_t *pr_fold_job(pr_fold_t *f, const char *id, const char *kind);
void pr_job_record_id(const pr_job_record_t *r, char id[PR_HASH_HEX]);
/* The name of a record's host; "" where there is none. */
const char *pr_fold_host(const pr_fold_t *f, const pr_job_record_t *r);
/* What a failure is compared by. */
uint32_t pr_fold_failure(const char *reason, const char *error);
/* Where an evaluation's own results are; false where the journal does not say. */
bool pr_fold_place(const pr_fold_t *f, const pr_job_record_t *r, pr_segment_place_t *out);
/* Reads an evaluation's result: value [2k+1]. false: it is not one of k objectives. */
bool pr_fold_value(int k, const json_t *result, double *value);

/* What is being done, by whom and how long it will take. now: wall clock. live: the last run is going on. */
void pr_fold_progress(const pr_fold_t *f, bool live, double now, pr_progress_t *out);
/* "empathy-s1 (rank 1 on node7) and 3 more": of the jobs that run. Caller frees. */
char *pr_fold_names(const pr_fold_t *f);

#endif
