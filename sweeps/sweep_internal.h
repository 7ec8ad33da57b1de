// SPDX-License-Identifier: BSD-3-Clause
/* The inside of a sweep's state. */
#ifndef PR_SWEEPS_SWEEP_INTERNAL_H
#define PR_SWEEPS_SWEEP_INTERNAL_H

#include "base/hash.h"
#include "pareto/hv_estimate.h"
#include "report/table.h"
#include "store/journal.h"
#include "store/results.h"
#include "store/segment.h"
#include "sweeps/fold.h"
#include "sweeps/inputs.h"
#include "sweeps/search/search.h"
#include "sweeps/sweep.h"

/* Numbers in order, the smallest first. */
typedef struct pr_heap {
    uint32_t *item;
    size_t n, cap;
} pr_heap_t;
void pr_heap_push(pr_heap_t *h, uint32_t number);
/* false: it is empty. */
bool pr_heap_pop(pr_heap_t *h, uint32_t *number);

/* A job that is no evaluation: what evaluations, and others of its kind, wait for. */
typedef struct pr_node {
    pr_job_record_t *job;
    const pr_job_kind_t *kind;
    char id[PR_HASH_HEX];
    char *label, **link; // for people; link [n_link]: of what it leaves
    int n_link;
    json_t *inputs, *how;
    uint32_t *needs;    // [n_needs] nodes
    int n_needs, unmet; // unmet: of them not done
    uint32_t *waiting;  // [n_waiting] who waits for it: nodes, and evaluations + PR_EVALUATION
    size_t n_waiting, cap_waiting;
    bool done; // its result counts: what it left is there
} pr_node_t;

#define PR_EVALUATION 0x80000000u

/* One policy's scores on one range of the evaluation prompts: the smallest unit of evaluation, shared by all searches
 * that ask for it. There may be millions: what the request says is looked up there. */
typedef struct pr_evaluation {
    pr_job_record_t *job;
    int track;        // that asked first
    uint32_t asked;   // its request
    int first, count; // prompts
    double *prompt;   // [count,K] the prompts' own scores, once a search has needed them
    uint8_t unmet;    // nodes that it waits for
    bool again;       // it has a result and was to be done again, for what its policy said
    bool apart;       // it was given as no point of a search's, so that no rank's archive has its result
} pr_evaluation_t;

/* The jobs of a sweep with what each needs of others. Who is ready is known without looking at the others. */
typedef struct pr_graph {
    pr_node_t **node; // [n_node]
    size_t n_node, cap_node;
    pr_evaluation_t **chunk; // of PR_SWEEP_CHUNK each, so that pointers stay
    size_t n_evaluation;
    pr_heap_t ready_node, ready_evaluation;
    size_t n_evaluated, n_given_up; // of the evaluations
    size_t n_made;                  // nodes that are done
    size_t n_first;                 // the first nodes: heads and experts, asked for before any search
} pr_graph_t;

/* Trainings that the points of a track have asked for. */
typedef struct pr_wishes {
    struct pr_wish {
        pr_training_wish_t wish;
        uint32_t node;
    } * item;
    size_t n, cap, n_slots;
    uint32_t *slot; // number + 1; open addressing
} pr_wishes_t;

/* What is asked for beside the searches: the base model, each expert of a set alone (base.c). */
typedef struct pr_base {
    pr_search_spec_t spec;    // those of a search whose experts they are, but for its name; borrows
    pr_sweep_policy_t policy; // borrows
    char name[80];            // of its rows: "base"; "base (SEARCH)" of further sets of experts
    int seed_index;           // of the experts
    bool model, experts;      // what it asks for
} pr_base_t;

/* One search over one set of experts. */
typedef struct pr_track {
    int index;
    const pr_base_t *base; // NULL: it is a search's
    pr_sweep_t *sweep;
    const pr_search_spec_t *spec;
    const pr_sweep_policy_t *policy;
    int seed_index;
    pr_wishes_t wishes;
    pr_search_t search;
    double reference[PR_MAX_OBJECTIVES]; // of the search: the sweep's, with what is not declared filled in
    uint32_t *eval;                      // [n_eval] evaluations of the requests of the current step, in order
    size_t n_eval;
    size_t settled; // the first that may be neither done nor given up
    /* All requests made so far, in order; there may be millions, of a few of the numbers that a point has room for. */
    int64_t *asked_point;             // [n_asked][1+d] denominator, numerators
    int *asked_level, *asked_prompts; // [n_asked]
    uint32_t *asked_eval;             // [n_asked][max_range] evaluations of each request's ranges of prompts
    int max_range;
    size_t n_asked, cap_asked;
    size_t n_new;    // of the last of them: not yet made evaluations of
    size_t n_last;   // of the last of them: of the current step
    size_t n_failed; // evaluations of the steps before that were given up
    /* Of a search that decides as it goes (sweep_rounds.c). */
    char basis[PR_HASH_HEX];    // what the next round follows from
    size_t read_rounds, n_read; // that the journal had and nobody has been told of yet: rounds, requests of them
    bool done;
    char why[160]; // once done, as pr_requests_t has it
    int64_t left;
} pr_track_t;

struct pr_sweep {
    const pr_config_t *config;
    int workers;
    pr_results_t *results;
    pr_journal_t *journal;
    pr_inputs_t *inputs; // borrowed
    pr_fold_t *fold;
    pr_graph_t graph;
    int n_prompts;                                                                     // evaluation prompts used
    double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES], reference[PR_MAX_OBJECTIVES]; // turned: larger is better
    double low[PR_MAX_OBJECTIVES], high[PR_MAX_OBJECTIVES]; // the scale: declared, else the base model's, once known
    bool scaled;                                            // nothing is missing of scale and reference point
    uint32_t head[PR_MAX_OBJECTIVES];                       // nodes that fit heads
    int n_head;
    pr_track_t *track; // [n_searches][n_seeds], and after them [n_base]
    int n_track, n_base;
    pr_base_t *base;              // [n_base]
    pr_segment_index_t *segments; // of evaluations' results, once the journal did not say where one is
    json_t *rounds, *ends;        // of earlier runs, by basis (sweep_rounds.c)
    json_t *said;                 // id -> what an evaluation's policy said, as far as it has been read
    json_t *kept;                 // the lines of a finished samples.jsonl by search, seed and point, once read
    pr_evaluation_t **again;      // [n_again] those that are done again
    size_t n_again;
    bool scored;      // anything has been, in this run
    bool asked_again; // whether some must be has been found out
    json_t *pending;  // [[event, line]] not yet in the journal
    pr_phase_t phase;
    double began, checked; // monotonic: the start, and the last look at the lock
    double show_next;      // monotonic: when the front so far may be written again
    size_t shown;          // evaluations that were done when it was
    size_t running;        // jobs
    pr_status_t why;       // why jobs were given up: INCOMPLETE when there is more than one reason
    pr_sweep_hooks_t hooks;
    long end_done, end_total;
    bool end_stopped;   // the hooks said stop before everything was computed
    bool ask_stopped;   // the hooks said stop while a search chose its next points
    json_t *indicators; // as written, or NULL
    json_t *warnings;   // texts: what the rows of the base model and the experts say, as written
};

enum { PR_SWEEP_CHUNK = 1024 };

/* 1 for objectives to be maximised, -1 for the others. */
double pr_sweep_sign(const pr_sweep_t *s, int objective);
bool pr_sweep_any_fidelity(const pr_config_t *c);
/* How many points a search asks for at most over one set of experts. */
int64_t pr_sweep_forecast(const pr_sweep_t *s, int search);
/* A number by content for a point, from its job's identity. */
int64_t pr_point_number(const char *job);

/* ---- the graph (graph.c) ---- */
void pr_graph_clear(pr_graph_t *g);
void pr_wishes_clear(pr_wishes_t *w);
/* The node of these inputs (a reference that is taken over), made where there is none; how is taken over, needs [n] are
 * copied, label and link (may be NULL) too. What an earlier run left counts when its hash is the result's. */
uint32_t pr_graph_node(pr_sweep_t *s, json_t *inputs, json_t *how, const char *label, const char *link, int n,
                       const uint32_t *needs);
/* The evaluation of a range of prompts for a request of a track; made where there is none. *number. Errors: those of
 * the method. */
pr_status_t pr_graph_evaluation(pr_sweep_t *s, pr_track_t *t, size_t asked, int first, int count, uint32_t *number,
                                pr_error_t *err);
pr_evaluation_t *pr_sweep_eval(const pr_sweep_t *s, size_t number);
/* NULL: the graph has no such one. */
pr_evaluation_t *pr_graph_find_evaluation(const pr_sweep_t *s, const pr_job_record_t *job);
pr_node_t *pr_graph_find_node(const pr_sweep_t *s, const pr_job_record_t *job);
/* A job's result is there, or it is not to be given: who waits for it may become ready. */
void pr_graph_done(pr_sweep_t *s, const pr_job_record_t *job);
/* It waits to be given again. */
void pr_graph_again(pr_sweep_t *s, const pr_job_record_t *job);
/* Seconds of the trainings that made the parts of a request's policy. */
/* Is the training of a point of this track one that is made whatever searches find: an expert's? of: a track. */
bool pr_graph_expert_makes(const void *of, const pr_point_t *p);
double pr_graph_training_seconds(const pr_sweep_t *s, const pr_track_t *t, size_t asked);
/* The message of a job that is ready, in the phase; NULL: none is. New reference. */
json_t *pr_graph_next(pr_sweep_t *s);
/* What people call it. Caller frees. */
char *pr_evaluation_label(const pr_sweep_t *s, const pr_evaluation_t *e);
pr_point_t pr_sweep_point(const pr_sweep_t *s, const pr_evaluation_t *e);
/* {kind: [known, done]} for journals. New reference. */
json_t *pr_graph_counts(const pr_sweep_t *s);
bool pr_evaluation_failed(const pr_evaluation_t *e);

/* ---- evaluations' own results (sweep_prompts.c) ---- */
/* Reads what an evaluate job wrote; *where: of it, for messages. The caller clears *out and frees *where, also after an
 * error. */
pr_status_t pr_sweep_read_evaluation(const pr_sweep_t *s, const pr_evaluation_t *e, pr_record_t *out, char **where,
                                     pr_error_t *err);
/* Reads the prompts' own scores [count,K] of a done evaluation. */
pr_status_t pr_sweep_read_prompts(const pr_sweep_t *s, const pr_evaluation_t *e, double *out, pr_error_t *err);
/* The same into e->prompt, once. */
pr_status_t pr_sweep_keep_prompts(const pr_sweep_t *s, pr_evaluation_t *e, pr_error_t *err);

/* ---- the journal ---- */
/* Adds a line to those that the next pr_sweep_commit writes, and folds it now. line is taken over. */
void pr_sweep_tell(pr_sweep_t *s, const char *event, json_t *line);
/* Folds it and writes it at once. line is taken over. */
pr_status_t pr_sweep_tell_now(pr_sweep_t *s, const char *event, json_t *line, bool sync, pr_error_t *err);

/* ---- what front points, the base model and the experts said (sweep_samples.c) ---- */
/* What the policy of such a row said on the first prompts: {"responses": [...], "finish": [...], "scores":
 * [[K]...]}, or {"lines": [...]}, lines of samples.jsonl as a finished sweep wrote them. Borrowed; NULL when neither is
 * to be had. */
const json_t *pr_sweep_said(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e,
                            pr_error_t *err);
/* The first response of that, or NULL. Caller frees. */
char *pr_sweep_first_response(const json_t *said);
/* Has the evaluations of front points done again whose responses are lost; true when there are any. */
bool pr_sweep_ask_again(pr_sweep_t *s);
/* Calls each() for every row of the front, and of the base model and the experts alone (sweep_output.c). */
void pr_sweep_each_front(const pr_sweep_t *s,
                         void (*each)(void *self, const pr_table_point_t *row, const pr_evaluation_t *e), void *self);

/* ---- tables that are finished (sweep_tables.c) ---- */
/* Is all done that there is to do, the end included? */
bool pr_sweep_complete(const pr_sweep_t *s);
/* Journals what the tables that have just been written are, with so many rows in cells.csv, unless the journal says
 * that already. */
pr_status_t pr_sweep_tables_written(pr_sweep_t *s, size_t rows, pr_error_t *err);
/* Are the tables that the journal remembers of this sweep, as this version writes them? */
bool pr_sweep_tables_are_ours(const pr_sweep_t *s);
/* Are all tables there as a "tables" line (or NULL) of a complete sweep says? */
bool pr_sweep_tables_stand(const char *dir, const json_t *line);
/* Are the tables there finished, and of this sweep or of one with more rows than this one has by now? Then a run that does
 * not come to the end leaves them. */
bool pr_sweep_tables_finished(const pr_sweep_t *s, size_t rows);

/* reference [K] with infinite entries replaced by the worst of n values [n,K] (turned), so that hypervolumes stay
 * finite; entries stay as they are when n is 0. */
void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference);

/* Errors: PR_ERR_UNSUPPORTED, naming both layouts, when another version wrote the journal. */
pr_status_t pr_sweep_check_layout(const char *dir, const pr_fold_t *f, pr_error_t *err);

/* ---- rounds in the journal (sweep_rounds.c) ---- */
/* Takes over what the fold has of earlier runs; of this one it keeps none. */
void pr_rounds_take(pr_sweep_t *s);
/* The basis of a track's first round. Errors: those of reading a file that the search reads. */
pr_status_t pr_rounds_begin(const pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
/* The basis after a step whose evaluations are all there or given up. */
void pr_rounds_follow(const pr_sweep_t *s, pr_track_t *t);
/* What the journal has for the track's basis: requests (whose items the caller frees), or that it ended; false: neither. */
bool pr_rounds_read(const pr_sweep_t *s, const pr_track_t *t, pr_requests_t *out);
/* Adds what the last n_new requests were to a "points" line. */
void pr_rounds_add(const pr_track_t *t, json_t *line);
/* What an end follows from, which is the budget too. */
void pr_rounds_end_basis(const pr_sweep_t *s, const pr_track_t *t, char out[PR_HASH_HEX]);

/* ---- tracks ---- */
/* Asks for what all its points will need, in the objectives' order. Errors: those of the method. */
pr_status_t pr_track_begin(pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
void pr_track_clear(pr_track_t *t);
/* The ranges of prompts whose evaluations make up a result on the first n prompts: bounds [0, ..., n]; returns how many
 * ranges. */
int pr_track_ranges(const pr_track_t *t, int n, int *bounds);
/* The prompts' own scores [n_prompts,K] of request number `asked`, turned. Errors: those of reading them. */
pr_status_t pr_track_per_prompt(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *out, pr_error_t *err);
/* Before anything is known: asks a search that asks once, and checks another, whose points the journal may have. Errors:
 * those of the search. */
pr_status_t pr_track_first(const pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
/* When everything it asked for is there, takes what the journal says that it asked for next, or else asks it, and makes
 * the evaluations. */
pr_status_t pr_track_advance(pr_sweep_t *s, pr_track_t *t, pr_error_t *err);
/* What the jobs of a request's ranges took together. */
typedef struct pr_track_sum {
    int64_t tokens;
    double seconds;
    const pr_job_record_t *job; // of the last range
    double cut;                 // share of the responses; NaN: not known
} pr_track_sum_t;
/* The point of a request. */
pr_point_t pr_track_point(const pr_track_t *t, size_t asked);
/* The evaluation of one of a request's ranges. */
pr_evaluation_t *pr_track_range(const pr_sweep_t *s, const pr_track_t *t, size_t asked, int range);
/* Mean and standard error [K] of request number `asked` from its ranges; false when one is missing. */
bool pr_track_result(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se,
                     pr_track_sum_t *sum);
/* The same of the objectives that are only reported [n_scored - K]. */
bool pr_track_reported(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se);
/* The latest request of each point of a track, in canonical order: indices into t->asked. Caller frees. */
uint32_t *pr_track_points(const pr_sweep_t *s, const pr_track_t *t, size_t *n);

/* ---- the base model and the experts alone (base.c) ---- */
/* What their tracks are: out [n_searches * n_seeds] at most. Returns how many. */
int pr_base_plan(const pr_inputs_t *in, pr_base_t *out);
/* What a track of them asks for. */
void pr_base_requests(const pr_sweep_t *s, const pr_track_t *t, pr_requests_t *out);
/* Is the scale known, or can it not be had? Searches that are asked again wait for it. */
bool pr_base_settled(const pr_sweep_t *s);
/* Goes on with their tracks, and takes scale and reference point from the base model once it is evaluated. Errors: those
 * of reading its prompts' scores. */
pr_status_t pr_base_advance(pr_sweep_t *s, pr_error_t *err);
/* Adds what of scale and reference point is not declared, and so another where the base model is. */
void pr_base_add_scale(const pr_sweep_t *s, pr_buf_t *b);
/* Are the prompts' own scores of an evaluation that was done by an earlier run still needed for this? */
bool pr_base_needs_prompts(const pr_sweep_t *s, const pr_evaluation_t *e);
/* {"model", "experts", "warnings"} of metrics.json, a new reference; s->warnings too. What was found is kept in values
 * (indicators.json). runs: all searches' points (output/sweep_base.c). */
typedef struct pr_runs pr_runs_t;
json_t *pr_base_report(pr_sweep_t *s, const pr_runs_t *runs, json_t *values);

/* ---- the end ---- */
/* steps.csv, and the event files. Errors: PR_ERR_IO. */
pr_status_t pr_sweep_write_steps(const pr_sweep_t *s, pr_error_t *err);
/* ledger.csv. Errors: PR_ERR_IO. */
pr_status_t pr_sweep_write_ledger(const pr_sweep_t *s, pr_error_t *err);
/* The points of one search over one set of experts, in canonical order. */
typedef struct pr_run_points {
    size_t n;
    uint32_t *asked; // [n] requests
    double *w;       // [n,K] of several rows of weights, the first
    double *mean;    // [n,K] turned; within pr_runs_t's
} pr_run_points_t;
struct pr_runs {
    pr_run_points_t *run; // [n_track]
    size_t n;             // points of all
    double *mean;         // [n,K] one run after the other
};
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
    double *on_front;         // [points of the run] in what share of the resamples each is non-dominated; NULL likewise
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

/* Where an objective's coordinate of the reference point is from: "configured", "declared", "base model", "results"
 * (output/sweep_reference.c). */
const char *pr_reference_from(const pr_sweep_t *s, int objective);
/* Warns of a configured one that nothing can be better than. */
void pr_reference_check(const pr_sweep_t *s);
/* Warns at the end: of a hypervolume of 0, and of one that compares with no other sweep's. reference [K] turned. */
void pr_reference_tell(const pr_sweep_t *s, const double *reference, double volume, size_t points);

/* Asks the hooks whether the end is to stop, and lets them show how far it is. self: a sweep. */
bool pr_sweep_end_stops(void *self);
/* {"all", "searches", "indicators"} of metrics.json; s->indicators too. Errors: PR_ERR_INTERRUPTED: *out then has
 * counts, and null or nothing for what was not computed. */
pr_status_t pr_sweep_measure(pr_sweep_t *s, json_t **out, pr_error_t *err);

#endif
