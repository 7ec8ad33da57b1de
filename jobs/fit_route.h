// SPDX-License-Identifier: BSD-3-Clause
/* The fit_route job: which point of a lattice of mixing weights suits a prompt (route/route.h). Every point is evaluated on
 * the training prompts, so all scores are known, and the prompts' features are the base model's last hidden states.
 *
 * Result: {"artifact": hash of the route, "points", "prompts", "gain": [{"w": [K], "headroom", "headroom_se", "gain",
 * "gain_se"}, ..] at equal weights and at the lattice's points, "utility": [of each pass of linucb], "tokens",
 * "seconds"}. It fails where no preference has headroom: PR_ERR_CONFIG, with what was measured. */
#ifndef PR_JOBS_FIT_ROUTE_H
#define PR_JOBS_FIT_ROUTE_H

#include "base/hash.h"
#include "base/json.h"

#include <stdbool.h>

typedef struct pr_fit_route_inputs {
    char task[PR_HASH_HEX]; // an evaluation's, on the prompts that it is fitted on
    const json_t *policy;   // pr_policy_pack: the parts, each with coefficient 1, and their mix
    const json_t *minimize; // list of true/false, one per objective
    int divisions, prompts; // of the lattice; at most so many prompts, 0: all
    double ridge;
    bool anyway;         // also where there is nothing to gain
    int components;      // of the features; 0: all
    const char *learner; // "ridge": every point on every prompt | "linucb": one point per prompt and pass
    int passes;          // of linucb, over the prompts
    double confidence;   // likewise: how much is added where little is known, in the scores' units
} pr_fit_route_inputs_t;

/* New reference; its hash is the job's identity. */
json_t *pr_fit_route_pack(const pr_fit_route_inputs_t *in);
/* out borrows from value. Errors: PR_ERR_FORMAT. */
pr_status_t pr_fit_route_parse(const json_t *value, pr_fit_route_inputs_t *out, pr_error_t *err);
/* Points of a lattice: C(divisions + k - 1, k - 1), or the largest number that is held where there are more. */
int64_t pr_fit_route_points(int k, int divisions);

#endif
