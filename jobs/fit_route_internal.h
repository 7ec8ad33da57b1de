// SPDX-License-Identifier: BSD-3-Clause
/* The inside of the fit_route job. */
#ifndef PR_JOBS_FIT_ROUTE_INTERNAL_H
#define PR_JOBS_FIT_ROUTE_INTERNAL_H

#include "jobs/decoding.h"
#include "jobs/fit_route.h"
#include "policy/spec.h"

typedef struct fit_route {
    pr_job_env_t *env;
    const pr_job_t *job;
    const pr_job_hooks_t *hooks;
    pr_fit_route_inputs_t in;
    pr_evaluation_task_t task;
    pr_policy_spec_t spec;
    const pr_prompt_set_t *prompts;
    pr_scoring_t scoring;
    const pr_adapter_t *adapter[PR_MAX_PARTS];
    pr_policy_t policy;
    int k, n, points, d, streams;
    double *weight, *feature, *score; // of pr_route_data_t
    int64_t tokens;
} fit_route_t;

/* Mean scores [k], turned, of prompts first .. first+count-1 at mixing weights w [k], or with paired at each one's own row:
 * into out, zeroed before, a prompt's `stride` numbers after the one before it. Collective on the team. */
pr_status_t pr_fit_route_try(fit_route_t *f, const double *w, bool paired, int first, int count, double *out,
                             int stride, pr_error_t *err);
/* By LinUCB: a point for every prompt at a time. told: the mean utility of each pass. Collective on the team. */
pr_status_t pr_fit_route_online(fit_route_t *f, json_t *told, pr_route_t **out, pr_error_t *err);

#endif
