// SPDX-License-Identifier: BSD-3-Clause
/* Kinds of jobs: one file each, and one word of PR_JOB_KIND_LIST. A kind's file owns the structure of its inputs with the
 * pair that packs it into JSON and parses it, runs it, says what it leaves and what memory it takes; nobody else reads
 * the inputs' keys, or knows a kind but by what stands here. */
#ifndef PR_JOBS_KIND_H
#define PR_JOBS_KIND_H

#include "jobs/job.h"
#include "jobs/memory.h"
#include "store/layout.h"

typedef struct pr_job_kind {
    const char *name;  // "train"
    const char *doing; // as progress says it: "fine-tuning"
    bool evaluates;    // gives points their values; all other kinds make what evaluations wait for
    pr_artifact_kind_t artifact;
    pr_status_t (*run)(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                       pr_error_t *err);
    /* What it takes of each rank's memory; out is all zero. NULL: nothing to speak of. Errors: those of parsing;
     * PR_ERR_CONFIG (the sizes lack something that the inputs name). */
    pr_status_t (*memory)(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes, pr_job_memory_t *out,
                          pr_error_t *err);
    /* Is it a result of this kind? Beyond "tokens" and "seconds", and "artifact" (its hash) where it leaves one. NULL:
     * nothing beyond. */
    bool (*is_result)(const json_t *result);
    /* Steps in all of a job that tells "step" events; NULL: it tells none. */
    int (*steps)(const json_t *inputs);
} pr_job_kind_t;

/* NULL for an unknown name, which may be NULL; its place among all, -1 for an unknown one. */
const pr_job_kind_t *pr_job_kind(const char *name);
int pr_job_kind_number(const char *name);
/* The one that evaluates. */
const pr_job_kind_t *pr_job_kind_evaluating(void);
/* All, in the order in which progress speaks of them. */
const pr_job_kind_t *const *pr_job_kinds(size_t *n);
/* A kind of the caller's own, for as long as the process lives; before any thread. Errors: PR_ERR_CONFIG (the name is
 * taken, or there are too many). */
pr_status_t pr_job_kind_add(const pr_job_kind_t *kind, pr_error_t *err);

/* Every kind's word, in the order in which progress speaks of them. */
#define PR_JOB_KIND_LIST(X) X(fit_reward) X(train) X(fit_route) X(evaluate)
#define PR_JOB_KIND_DECLARE(name) extern const pr_job_kind_t pr_job_##name;
PR_JOB_KIND_LIST(PR_JOB_KIND_DECLARE)
#undef PR_JOB_KIND_DECLARE

#endif
