// SPDX-License-Identifier: BSD-3-Clause
/* What jobs take of a rank's memory (the resident set, at its peak), before anything has run: a kind counts it in its
 * own file from its inputs, and whoever plans adds up. Whatever columns split is counted with the widest share; whatever
 * depends on how long responses get, with the longest.
 *
 *   pr_job_sizes_t sizes = {.model = &config, .content = content, .rows = 1, .cols = 1};
 *   sizes.prompts = ...; pr_sizes_add_adapter(&sizes, hash, adapter);     what inputs name by hash
 *   pr_memory_t m = {0};
 *   PR_TRY(pr_memory_add(&m, inputs, how, &sizes, err)); ...              each job after those that it needs
 *   bytes = pr_memory_most(&m, true, true);
 *   pr_sizes_clear(&sizes); */
#ifndef PR_JOBS_MEMORY_H
#define PR_JOBS_MEMORY_H

#include "base/hash.h"
#include "jobs/content.h"
#include "model/adapter.h"

/* ---- what inputs name by hash, as far as memory depends on it ---- */

typedef struct pr_adapter_size {
    char source[PR_HASH_HEX]; // its content's hash, or the job that makes it
    int64_t params, ranks;    // numbers; ranks of all its maps together
    bool *groups;             // [n_layer][PR_N_GROUP] where it has a map
    bool *slots;              // [n_layer][PR_N_SLOT] which
} pr_adapter_size_t;

typedef struct pr_prompts_size {
    char hash[PR_HASH_HEX];
    int longest; // tokens
    double mean;
} pr_prompts_size_t;

/* What a head is fitted on. */
typedef struct pr_samples_size {
    char objective[PR_HASH_HEX]; // identity
    bool pairs;
    int n, held_out;
} pr_samples_size_t;

typedef struct pr_job_sizes {
    const pr_model_config_t *model;
    const pr_content_t *content;      // for the values that jobs share
    int rows, cols;                   // of a team
    const pr_prompts_size_t *prompts; // [n_prompts]
    int n_prompts;
    const pr_samples_size_t *samples; // [n_samples]
    int n_samples;
    pr_adapter_size_t *adapter; // [n_adapter] owned
    int n_adapter;
} pr_job_sizes_t;

/* Its size is known by that source from here on. */
void pr_sizes_add_adapter(pr_job_sizes_t *s, const char *source, const pr_adapter_t *a);
/* Frees the adapters' sizes. */
void pr_sizes_clear(pr_job_sizes_t *s);
/* Errors: PR_ERR_CONFIG (no such one). */
pr_status_t pr_sizes_prompts(const pr_job_sizes_t *s, const char *hash, const pr_prompts_size_t **out, pr_error_t *err);
pr_status_t pr_sizes_samples(const pr_job_sizes_t *s, const char *objective, const pr_samples_size_t **out,
                             pr_error_t *err);
pr_status_t pr_sizes_adapter(const pr_job_sizes_t *s, const char *source, const pr_adapter_size_t **out,
                             pr_error_t *err);

/* ---- what a job takes ---- */

/* Of each rank of its team, in bytes, beside what stays loaded while a rank lives: weights, prompts, objectives. */
typedef struct pr_job_memory {
    double kept;        // for the next jobs of its kind: adapters, Gram matrices
    double work;        // while it runs
    pr_adapter_t *left; // the shape of the adapter that it leaves, which who adds up frees; NULL: it leaves none
} pr_job_memory_t;

/* For kinds. A model on so many columns. */
typedef struct pr_memory_shape {
    const pr_model_config_t *model;
    double cols, block; // rows that are worked on together
} pr_memory_shape_t;
pr_memory_shape_t pr_memory_shape(const pr_model_config_t *model, int cols);
/* pr_run_t of so many rows without gradients: one layer's, over and over. ranks: of all adapters that it stacks. */
double pr_memory_run(const pr_memory_shape_t *s, double rows, double ranks);
/* A block of logits: 4 MB, or as few rows as are worked on together. */
double pr_memory_logits(const pr_memory_shape_t *s, double least, double most, double copies);
/* Keys and values of so many sequences. */
double pr_memory_cache(const pr_memory_shape_t *s, double streams, double tokens);

/* ---- the sum ---- */

enum { PR_MAX_JOB_KINDS = 32 };

/* The most that a job of each kind keeps, and takes, by the kind's number. */
typedef struct pr_memory {
    double kept[PR_MAX_JOB_KINDS], work[PR_MAX_JOB_KINDS];
} pr_memory_t;

/* Asks the job's kind what it takes; the adapter that it leaves is in *sizes from here on. Errors: those of the kind;
 * PR_ERR_UNSUPPORTED (no such kind). */
pr_status_t pr_memory_add(pr_memory_t *m, const json_t *inputs, const json_t *how, pr_job_sizes_t *sizes,
                          pr_error_t *err);
/* Of a rank that does jobs of the kinds that evaluate, of those that make what evaluations wait for, or of both, one
 * after the other: what the kind that takes most keeps and works with. */
double pr_memory_most(const pr_memory_t *m, bool makes, bool evaluates);

#endif
