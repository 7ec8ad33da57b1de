/* The inside of a sweep's state. */
#ifndef PR_SWEEPS_SWEEP_INTERNAL_H
#define PR_SWEEPS_SWEEP_INTERNAL_H

#include "base/hash.h"
#include "jobs/identity.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/search.h"
#include "sweeps/sweep.h"

typedef enum { PR_JOB_WAITING, PR_JOB_RUNNING, PR_JOB_DONE, PR_JOB_FAILED } pr_job_state_t;

/* What every job has. */
typedef struct pr_job_head {
    char id[PR_HASH_HEX];
    pr_job_state_t state;
    int attempts;
    double seconds;
    int64_t tokens;
    double started; // monotonic time, while running
    int rank;       // who did it, and where (index into hosts)
    int host;
} pr_job_head_t;

typedef struct pr_expert {
    pr_job_head_t job; // unused (done) when the objective brings its adapter
    int objective, seed_index;
    bool given;
    char hash[PR_HASH_HEX]; // of the adapter's files, when done
    int step, steps;        // progress while running
    double reward;          // own objective, last step
} pr_expert_t;

/* One policy's scores on one range of the evaluation prompts: the smallest unit of evaluation, shared by all searches
 * that ask for it. */
typedef struct pr_evaluation {
    pr_job_head_t job;
    int track; // that asked first, which says aggregate, layer, norm and seed
    int level;
    pr_point_t point;
    int first, count;  // prompts
    double *mean, *se; // [K] when done
} pr_evaluation_t;

/* One search over one set of experts. */
typedef struct pr_track {
    int index;
    const pr_search_spec_t *spec;
    int seed_index;
    pr_search_t search;
    double reference[PR_MAX_OBJECTIVES]; // of the search: the sweep's, with what is not declared filled in
    int *eval;                           // evaluations of the requests, in order: those of the current step
    size_t n_eval, next_eval;            // next_eval: first that may still have to be started
    pr_request_t *asked;                 // all requests made so far, in order
    int *asked_eval;                     // [n_asked][max_range] evaluations of each request's ranges of prompts
    int max_range;
    size_t n_asked, cap_asked;
    bool done;
} pr_track_t;

struct pr_sweep {
    const pr_config_t *config;
    int workers;
    pr_results_t *results;
    pr_journal_t *journal;
    pr_inputs_t inputs;
    int n_prompts;                                                                     // evaluation prompts used
    double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES], reference[PR_MAX_OBJECTIVES]; // turned: larger is better
    pr_expert_t *expert;                                                               // [n_seeds][K]
    int n_expert;
    pr_track_t *track; // [n_searches][n_seeds]
    int n_track;
    pr_evaluation_t **evaluation; // in order of creation; each allocated by itself, so that pointers stay
    size_t n_evaluation, cap_evaluation;
    size_t *table; // open addressing by identity: index + 1
    size_t n_table;
    json_t *past; // job id -> its job_done line, of earlier runs, until asked for
    char **host;
    int n_host;
    double began;        // monotonic
    double past_seconds; // of earlier runs
    size_t running, done, failed;
    double tokens_recent, seconds_recent; // for tokens/s
    json_t *failures;                     // [{"job", "label", "reason", "error"}]
};

/* ---- state ---- */
pr_expert_t *pr_sweep_expert(const pr_sweep_t *s, int seed_index, int objective);
/* Sign that turns an objective so that larger is better. */
double pr_sweep_sign(const pr_sweep_t *s, int objective);
pr_evaluation_t *pr_sweep_find(const pr_sweep_t *s, const char *id);
/* The evaluation of a track's point on a range of prompts, made when it is new; done when an earlier run did it.
 * Returns its index. */
int pr_sweep_evaluation(pr_sweep_t *s, const pr_track_t *t, const pr_request_t *r, int first, int count);
json_t *pr_sweep_evaluation_spec(const pr_sweep_t *s, const pr_evaluation_t *e);
int pr_sweep_host(pr_sweep_t *s, const char *host);
/* Takes over what a finished evaluate job found. */
void pr_sweep_take_result(const pr_sweep_t *s, pr_evaluation_t *e, const json_t *result);

/* A number by content for a point: the first 60 bits of its job's identity. */
int64_t pr_point_number(const char *job);

/* reference [K] with infinite entries replaced by the worst of n values [n,K] (turned), so that hypervolumes stay
 * finite; entries stay as they are when n is 0. */
void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference);

/* ---- tracks ---- */
/* The ranges of prompts whose evaluations make up a result on the first n prompts: bounds [0, ..., n]; returns how many
 * ranges. */
int pr_track_ranges(const pr_track_t *t, int n, int *bounds);
/* Asks the search for more when everything it asked for is there. */
pr_status_t pr_track_advance(pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
/* What the jobs of a request's ranges took together. */
typedef struct pr_track_sum {
    int64_t tokens;
    double seconds;
    const char *job; // identity of the last range's job
} pr_track_sum_t;
/* Mean and standard error [K] of request number `asked` from its ranges; false when one is missing. */
bool pr_track_result(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se,
                     pr_track_sum_t *sum);
/* The latest request of each point of a track, in canonical order: indices into t->asked. Caller frees. */
size_t *pr_track_points(const pr_sweep_t *s, const pr_track_t *t, size_t *n);

#endif
