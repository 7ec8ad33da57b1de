/* The inside of a sweep's state. */
#ifndef PR_SWEEPS_SWEEP_INTERNAL_H
#define PR_SWEEPS_SWEEP_INTERNAL_H

#include "base/hash.h"
#include "jobs/identity.h"
#include "pareto/hv_estimate.h"
#include "report/table.h"
#include "store/checkpoint.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/search/search.h"
#include "sweeps/sweep.h"

typedef enum { PR_JOB_WAITING, PR_JOB_RUNNING, PR_JOB_DONE, PR_JOB_FAILED } pr_job_state_t;

/* What every job has. */
typedef struct pr_job_head {
    char id[PR_HASH_HEX];
    pr_job_state_t state;
    int attempts;     // of this run
    int before;       // and of earlier ones
    double seconds;   // that its result took
    int64_t tokens;   // of its result
    double spent;     // seconds of the attempts that gave none, of all runs
    int64_t wasted;   // their tokens
    double started;   // monotonic time, while running
    uint64_t failure; // what it failed with last in this run, as a hash; 0: it has not
    int rank;         // who did it last, and where (index into hosts); meaningful after an attempt
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

/* The head of one objective, fitted before anything else, as every other job scores on all objectives. */
typedef struct pr_head_fit {
    pr_job_head_t job;
    int objective;
    char hash[PR_HASH_HEX]; // of the file, when done
} pr_head_fit_t;

/* One policy's scores on one range of the evaluation prompts: the smallest unit of evaluation, shared by all searches
 * that ask for it. There may be millions: what the request says is looked up there. */
typedef struct pr_evaluation {
    pr_job_head_t job;
    int track;        // that asked first
    uint32_t asked;   // its request
    int first, count; // prompts
    double *value;    // [2K+1] means, standard errors, share of responses cut; NULL: it has no result
    double *prompt;   // [count,K] the prompts' own scores, once a search has needed them
    bool again;       // it has a result and was to be done again, for what its policy said
} pr_evaluation_t;

/* What earlier runs made of a job. */
typedef struct pr_past {
    unsigned char id[(PR_HASH_HEX - 1) / 2];
    double *value; // [2K+1] of an evaluation that was done, or NULL
    int64_t tokens;
    double seconds, spent; // as in pr_job_head_t
    int64_t wasted;
    int attempts, rank, host;
} pr_past_t;

/* What is known while the journal is read, beside what stays. */
typedef struct pr_replay {
    json_t *open;     // id -> job_start of the jobs that have no end yet
    json_t *ended;    // rank -> when a job ended on it last in this run
    double start, at; // of the run, and the last line; wall clock
    bool running;     // the run has no end yet
} pr_replay_t;

/* Identities, `width` bytes each, to numbers; open addressing. */
typedef struct pr_id_table {
    size_t width;
    uint32_t *slot; // number + 1, 0: free
    size_t n_slots, n;
} pr_id_table_t;

/* One search over one set of experts. */
typedef struct pr_track {
    int index;
    const pr_search_spec_t *spec;
    int seed_index;
    char policy[PR_HASH_HEX]; // pr_policy_identity
    pr_search_t search;
    double reference[PR_MAX_OBJECTIVES]; // of the search: the sweep's, with what is not declared filled in
    uint32_t *eval;                      // [n_eval] evaluations of the requests of the current step, in order
    size_t n_eval;
    size_t next_eval;     // the first that may still have to be started
    size_t settled;       // the first that may be neither done nor given up
    pr_request_t *asked;  // all requests made so far, in order
    uint32_t *asked_eval; // [n_asked][max_range] evaluations of each request's ranges of prompts
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
    pr_head_fit_t *fit; // of the objectives that need one
    int n_fit;
    pr_track_t *track; // [n_searches][n_seeds]
    int n_track;
    pr_evaluation_t **chunk; // of PR_SWEEP_CHUNK each, so that pointers stay
    size_t n_evaluation;
    pr_id_table_t by_id; // evaluations
    pr_past_t *past;     // of earlier runs
    size_t n_past, cap_past;
    pr_id_table_t past_by_id;
    json_t *past_experts;    // id -> result of a fine-tune or fit_reward job of earlier runs
    json_t *steps;           // id of a fine-tune job -> tokens of its steps
    json_t *tables;          // the last "tables" line: what was written, and of what; NULL: none
    json_t *said;            // id -> what an evaluation's policy said, as far as it has been read
    json_t *kept;            // the lines of a finished samples.jsonl by search, seed and point, once read
    pr_evaluation_t **again; // [n_again] those that are done again
    size_t n_again;
    bool asked_again; // whether some must be has been found out
    double **block;   // memory of the evaluations' values
    size_t n_block, block_used;
    json_t *pending; // [[event, line]] not yet in the journal
    bool nothing;    // nothing can be started until a job ends
    pr_phase_t phase;
    char **host;
    int n_host;
    double began, checked;                // monotonic: the start, and the last look at the lock
    double past_seconds;                  // of earlier runs
    size_t running, done, failed;         // jobs
    size_t n_evaluated, n_given_up;       // of the evaluations
    double evaluated_seconds;             // of the evaluations that are done
    double tokens_recent, seconds_recent; // for tokens/s
    pr_end_hooks_t end_hooks;
    const char *ending;       // what the end is doing; NULL before it
    long end_done, end_total; // pieces of it
    bool end_stopped;         // it was told to stop before it was through
    json_t *indicators;       // of pr_sweep_write
    json_t *failures;         // [{"job", "label", "reason", "error"}]
    pr_status_t why;          // of the failures: the common status, or PR_ERR_INCOMPLETE
};

enum { PR_SWEEP_CHUNK = 1024 };

/* ---- state ---- */
/* Does some search of the sweep evaluate points on parts of the prompts? Then it needs their own scores. */
bool pr_sweep_any_fidelity(const pr_config_t *c);
/* A number by content for a point: the first 60 bits of its job's identity. */
int64_t pr_point_number(const char *job);
pr_expert_t *pr_sweep_expert(const pr_sweep_t *s, int seed_index, int objective);
/* Sign that turns an objective so that larger is better. */
double pr_sweep_sign(const pr_sweep_t *s, int objective);
pr_evaluation_t *pr_sweep_eval(const pr_sweep_t *s, size_t number);
pr_evaluation_t *pr_sweep_find(const pr_sweep_t *s, const char *id);
/* The number of the evaluation of a track's request on a range of prompts, made when it is new; done when an earlier
 * run did it. */
uint32_t pr_sweep_evaluation(pr_sweep_t *s, const pr_track_t *t, size_t asked, int first, int count);
const pr_point_t *pr_sweep_point(const pr_sweep_t *s, const pr_evaluation_t *e);
json_t *pr_sweep_evaluation_spec(const pr_sweep_t *s, const pr_evaluation_t *e);
int pr_sweep_host(pr_sweep_t *s, const char *host);
/* Room for the [2K+1] values of one evaluation; belongs to the sweep. */
enum { PR_SWEEP_VALUES = 2 * PR_MAX_OBJECTIVES + 1 }; // at most
double *pr_sweep_values(pr_sweep_t *s);
/* Reads the means, standard errors, tokens and seconds of an evaluate job's result; false when it is not one of K
 * objectives. */
bool pr_sweep_read_result(const pr_sweep_t *s, const json_t *result, double *value, int64_t *tokens, double *seconds);
/* Reads the checkpoint of an evaluate job; the caller clears *out, also after an error. */
pr_status_t pr_sweep_read_evaluation(const char *path, const char *id, pr_checkpoint_t *out, pr_error_t *err);
/* Reads the prompts' own scores [count,K] of a done evaluation from its job's checkpoint. */
pr_status_t pr_sweep_read_prompts(const pr_sweep_t *s, const pr_evaluation_t *e, double *out, pr_error_t *err);
/* The same into e->prompt, once. */
pr_status_t pr_sweep_keep_prompts(const pr_sweep_t *s, pr_evaluation_t *e, pr_error_t *err);
/* Takes over what a finished fine-tune job found. */
void pr_sweep_take_expert(pr_expert_t *e, const json_t *result);
/* Takes over what a finished fit_reward job found. */
void pr_sweep_take_head(pr_head_fit_t *f, const json_t *result);
/* Remembers what an earlier run found. */
void pr_sweep_remember(pr_sweep_t *s, const char *id, const json_t *result);
/* What earlier runs made of a job, made when it is new; NULL: not an identity. */
pr_past_t *pr_sweep_past_of(pr_sweep_t *s, const char *id);
/* Takes over what earlier attempts at a job cost. */
void pr_sweep_take_costs(const pr_sweep_t *s, pr_job_head_t *h);
/* Notes a step of a fine-tune job; returns the tokens of an earlier attempt's step of that number, which are lost. */
int64_t pr_sweep_note_step(pr_sweep_t *s, const char *id, const json_t *line);

/* Puts a line behind those that the next pr_sweep_commit writes. line is borrowed. */
void pr_sweep_to_journal(pr_sweep_t *s, const char *event, json_t *line);

/* ---- the journal of earlier runs (sweep_past.c) ---- */
/* Reads it into the state. A run that was killed is told of. Errors: PR_ERR_FORMAT (no good line, though there are
 * results), those of reading it. */
pr_status_t pr_sweep_replay(pr_sweep_t *s, pr_error_t *err);
/* "empathy-s1 (rank 1 on node7) and 3 more": the jobs of open (id -> job_start line). Caller frees. */
char *pr_sweep_name_open(const json_t *open);

/* ---- what front points said (sweep_samples.c) ---- */
/* What the policy of a row of the front said on the first prompts: {"responses": [...], "finish": [...], "scores":
 * [[K]...]}, or {"lines": [...]}, lines of samples.jsonl as a finished sweep wrote them. Borrowed; NULL when neither is
 * to be had. */
const json_t *pr_sweep_said(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e,
                            pr_error_t *err);
/* The first response of that, or NULL. Caller frees. */
char *pr_sweep_first_response(const json_t *said);
/* Has the evaluations of front points done again whose responses are lost; true when there are any. */
bool pr_sweep_ask_again(pr_sweep_t *s);
/* Calls each() for every row of the front (sweep_output.c). */
void pr_sweep_each_front(const pr_sweep_t *s,
                         void (*each)(void *self, const pr_table_point_t *row, const pr_evaluation_t *e), void *self);

/* ---- tables that are finished (sweep_tables.c) ---- */
/* Is all done that there is to do, the end included? */
bool pr_sweep_complete(const pr_sweep_t *s);
/* Journals what the tables that have just been written are, unless the journal says that already. */
pr_status_t pr_sweep_tables_written(pr_sweep_t *s, pr_error_t *err);
/* Are the tables that the journal remembers of this sweep, as this version writes them? */
bool pr_sweep_tables_are_ours(const pr_sweep_t *s);
/* Are all tables there as a "tables" line (or NULL) of a complete sweep says? */
bool pr_sweep_tables_stand(const char *dir, const json_t *line);
/* Are the tables there those of this sweep, finished? Then a run that does not come to the end leaves them. */
bool pr_sweep_tables_finished(const pr_sweep_t *s);

/* reference [K] with infinite entries replaced by the worst of n values [n,K] (turned), so that hypervolumes stay
 * finite; entries stay as they are when n is 0. */
void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference);

/* ---- tracks ---- */
/* The ranges of prompts whose evaluations make up a result on the first n prompts: bounds [0, ..., n]; returns how many
 * ranges. */
int pr_track_ranges(const pr_track_t *t, int n, int *bounds);
/* The prompts' own scores [n_prompts,K] of request number `asked`, turned, from its jobs' checkpoints. Errors: those of
 * reading one. */
pr_status_t pr_track_per_prompt(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *out, pr_error_t *err);
/* Asks the search for more when everything it asked for is there. */
pr_status_t pr_track_advance(pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
/* What the jobs of a request's ranges took together. */
typedef struct pr_track_sum {
    int64_t tokens;
    double seconds;
    const char *job; // identity of the last range's job
    double cut;      // share of the responses; NaN: not known
} pr_track_sum_t;
/* The evaluation of one of a request's ranges. */
pr_evaluation_t *pr_track_range(const pr_sweep_t *s, const pr_track_t *t, size_t asked, int range);
/* Mean and standard error [K] of request number `asked` from its ranges; false when one is missing. */
bool pr_track_result(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se,
                     pr_track_sum_t *sum);
/* The latest request of each point of a track, in canonical order: indices into t->asked. Caller frees. */
uint32_t *pr_track_points(const pr_sweep_t *s, const pr_track_t *t, size_t *n);

/* ---- the end ---- */
/* What it is doing, for the journal and for `status`. */
#define PR_ENDING_TABLES "writing tables"
#define PR_ENDING_INDICATORS "indicators"
/* The points of one search over one set of experts, in canonical order. */
typedef struct pr_run_points {
    size_t n;
    uint32_t *asked; // [n] requests
    double *w;       // [n,K]
    double *mean;    // [n,K] turned; within pr_runs_t's
} pr_run_points_t;
typedef struct pr_runs {
    pr_run_points_t *run; // [n_track]
    size_t n;             // points of all
    double *mean;         // [n,K] one run after the other
} pr_runs_t;
pr_runs_t pr_sweep_runs(const pr_sweep_t *s);
void pr_sweep_runs_clear(const pr_sweep_t *s, pr_runs_t *runs);

/* indicators.json: {"key": hash of what the numbers are of, "hash": of the values' canonical text, "values": {...}}.
 * *values is a new reference: the kept ones when the key is this one and they are whole, else an empty object. */
void pr_kept_key(const pr_sweep_t *s, const pr_run_points_t *run, const double *reference, char key[PR_HASH_HEX]);
void pr_kept_read(const pr_sweep_t *s, const char *key, json_t **values);
pr_status_t pr_kept_write(const pr_sweep_t *s, const char *key, const json_t *values, pr_error_t *err);

/* The hypervolume of a set, and of its resamples. */
typedef struct pr_volume {
    pr_hv_estimate_t at;
    double exact_steps;       // what the exact one took; INFINITY when that was too much
    double *resampled;        // [1 + resamples] NULL when there are none
    pr_hv_method_t resampler; // how those were found
} pr_volume_t;
typedef struct pr_volumes {
    pr_volume_t all, *track; // [n_track]
    size_t resamples;
} pr_volumes_t;
/* Those that `values` holds, and the others computed and put into it. Errors: PR_ERR_INTERRUPTED. */
pr_status_t pr_sweep_volumes(pr_sweep_t *s, const pr_runs_t *runs, const double *reference, json_t *values,
                             pr_volumes_t *out, pr_error_t *err);
void pr_volumes_clear(const pr_sweep_t *s, pr_volumes_t *v);

/* Asks the hooks whether the end is to stop, and lets them show how far it is. self: a sweep. */
bool pr_sweep_end_stops(void *self);
/* {"all", "searches", "indicators"} of metrics.json; s->indicators too. Errors: PR_ERR_INTERRUPTED: *out then has
 * counts, and null or nothing for what was not computed. */
pr_status_t pr_sweep_measure(pr_sweep_t *s, json_t **out, pr_error_t *err);

#endif
